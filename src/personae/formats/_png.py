"""Character cards inside PNG pictures: the tEXt chunk `chara` holds the card's JSON in base64. No image library."""

from __future__ import annotations

import base64
import binascii
import json
import struct
import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple

from personae.core import SchemaError
from personae.formats._reading import parse_json
from personae.formats._shape import Json

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_KEYWORD: Final = b"chara"
_STALE: Final = (b"chara", b"ccv3")
"""chunks that say who the card is about; all are replaced together"""


class _Chunk(NamedTuple):
    kind: bytes
    body: bytes


def extract_card(png: bytes, where: str = "card") -> Json:
    """The card inside a PNG.

    Raises:
        SchemaError: no PNG, damaged chunks, no card, damaged base64, or no JSON in it.
    """
    for chunk in _chunks(png, where):
        keyword, _, text = chunk.body.partition(b"\0")
        if chunk.kind != b"tEXt" or keyword != _KEYWORD:
            continue
        try:
            raw = base64.b64decode(text, validate=True)
        except binascii.Error as cause:
            raise SchemaError(
                f"{where}: the chunk 'chara' is not base64 ({cause}).", hint="The card is damaged."
            ) from cause
        try:
            return parse_json(raw.decode("utf-8"), f"{where}, chunk 'chara'")
        except UnicodeDecodeError as cause:
            raise SchemaError(
                f"{where}: the chunk 'chara' holds no UTF-8 text.", hint="The card is damaged."
            ) from cause
    raise SchemaError(f"{where}: a picture without a character card.", hint="A card has a tEXt chunk named 'chara'.")


def embed_card(document: Json, png: bytes | None = None) -> bytes:
    """A PNG that carries `document`: `png` with its card replaced, or a small plain picture.

    Raises:
        SchemaError: `png` is no PNG or is damaged.

    >>> extract_card(embed_card({"spec": "chara_card_v2"}))
    {'spec': 'chara_card_v2'}
    """
    text = base64.b64encode(json.dumps(document, ensure_ascii=False, allow_nan=False).encode())
    card = _Chunk(b"tEXt", _KEYWORD + b"\0" + text)
    chunks = list(_chunks(_plain_picture() if png is None else png, "picture"))
    kept = [c for c in chunks if c.kind != b"tEXt" or c.body.partition(b"\0")[0] not in _STALE]
    return SIGNATURE + b"".join(map(_packed, (*kept[:-1], card, kept[-1])))


def _chunks(png: bytes, where: str) -> Iterator[_Chunk]:
    if not png.startswith(SIGNATURE):
        raise SchemaError(f"{where}: no PNG (its first bytes are {png[:8]!r}).", hint="Give the picture as PNG.")
    position = len(SIGNATURE)
    while position < len(png):
        head = png[position : position + 8]
        length, kind = struct.unpack(">I4s", head) if len(head) == 8 else (0, b"")
        body = png[position + 8 : position + 8 + length]
        check = png[position + 8 + length : position + 12 + length]
        if len(head) < 8 or len(body) < length or len(check) < 4:
            raise SchemaError(f"{where}: the PNG ends inside a chunk (byte {position:,}).", hint="Fetch it again.")
        if zlib.crc32(kind + body) != struct.unpack(">I", check)[0]:
            raise SchemaError(f"{where}: the checksum of chunk {kind!r} is wrong.", hint="The file is damaged.")
        yield _Chunk(kind, body)
        position += 12 + length
        if kind == b"IEND":
            return
    raise SchemaError(f"{where}: the PNG has no end (IEND).", hint="Fetch it again.")


def _packed(chunk: _Chunk) -> bytes:
    return (
        struct.pack(">I", len(chunk.body))
        + chunk.kind
        + chunk.body
        + struct.pack(">I", zlib.crc32(chunk.kind + chunk.body))
    )


def _plain_picture(side: int = 64) -> bytes:
    """A grey square: 8 bits, greyscale."""
    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    rows = (b"\0" + b"\xb0" * side) * side
    parts = (_Chunk(b"IHDR", head), _Chunk(b"IDAT", zlib.compress(rows, 9)), _Chunk(b"IEND", b""))
    return SIGNATURE + b"".join(map(_packed, parts))
