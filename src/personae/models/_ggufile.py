"""GGUF files: read the header, write a copy of the weights in another number format.

The copy keeps the metadata byte for byte except for the file type, and the layout depends on nothing but the input, so
the same input always gives the same bytes and checksums of copies can be pinned.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import struct
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, cast

import numpy as np
from numpy.typing import NDArray

from personae.core import InputError, MissingDependencyError

MetaValue = str | int | float | bool | tuple[str | int | float | bool, ...]
CopyType = Literal["F16", "Q8_0"]

_MAGIC: Final = b"GGUF"
_SCALARS: Final[Mapping[int, str]] = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d",
}  # fmt: skip
_STRING: Final = 8
_ARRAY: Final = 9
_KEPT_ARRAY: Final = 256
"""Longer arrays (vocabularies, merges) are skipped: the engine reads them itself."""

F32: Final = 0
F16: Final = 1
Q8_0: Final = 8
BF16: Final = 30
_FILE_TYPES: Final[Mapping[CopyType, int]] = {"F16": 1, "Q8_0": 7}
_TENSOR_TYPES: Final[Mapping[CopyType, int]] = {"F16": F16, "Q8_0": Q8_0}


@dataclass(frozen=True, slots=True)
class Tensor:
    """Where a tensor lies. `shape` is the numpy shape (rows first); `offset` counts from the start of the file."""

    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int

    @property
    def size(self) -> int:
        """Number of weights."""
        return int(np.prod(self.shape, dtype=np.int64))


@dataclass(frozen=True, slots=True)
class Header:
    """What a GGUF file says about itself."""

    path: Path
    meta: Mapping[str, MetaValue]
    tensors: Mapping[str, Tensor]
    version: int
    alignment: int
    meta_span: tuple[int, int]
    file_type_at: int
    """byte offset of the value of `general.file_type`, -1 when the file has none"""

    @property
    def architecture(self) -> str:
        """Name of the network family, such as `llama`."""
        return str(self.meta.get("general.architecture", ""))

    @property
    def parameters(self) -> int:
        """Number of weights of all tensors."""
        return sum(tensor.size for tensor in self.tensors.values())

    @property
    def chat_template(self) -> str | None:
        """The chat template inside the file, None when there is none."""
        text = self.meta.get("tokenizer.chat_template")
        return text if isinstance(text, str) and text.strip() else None

    def integer(self, key: str, default: int | None = None) -> int:
        """A whole number of the metadata, below the architecture's prefix."""
        value = self.meta.get(f"{self.architecture}.{key}", default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise InputError(
                f"{str(self.path)!r}: metadata {self.architecture}.{key} is {value!r}, not a whole number."
            )
        return value

    def number(self, key: str, default: float | None = None) -> float:
        """A number of the metadata, below the architecture's prefix."""
        value = self.meta.get(f"{self.architecture}.{key}", default)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise InputError(f"{str(self.path)!r}: metadata {self.architecture}.{key} is {value!r}, not a number.")
        return float(value)


class _Cursor:
    """Reads little-endian values one after the other."""

    def __init__(self, buffer: mmap.mmap) -> None:
        self.buffer = buffer
        self.at = 0

    def scalar(self, form: str) -> int | float | bool:
        value = struct.unpack_from(form, self.buffer, self.at)[0]
        self.at += struct.calcsize(form)
        return value

    def count(self, form: str = "<Q") -> int:
        return int(self.scalar(form))

    def string(self) -> str:
        length = self.count()
        end = self.at + length
        if end > len(self.buffer):
            raise struct.error("string runs over the end of the file")
        text = self.buffer[self.at : end].decode("utf-8", "replace")
        self.at = end
        return text

    def value(self, kind: int) -> MetaValue:
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY:
            return self._array()
        return self.scalar(_SCALARS[kind])

    def _array(self) -> tuple[str | int | float | bool, ...]:
        kind, length = self.count("<I"), self.count()
        if kind == _ARRAY:
            raise struct.error("nested array")
        if length <= _KEPT_ARRAY:
            return tuple(cast("str | int | float | bool", self.value(kind)) for _ in range(length))
        if kind == _STRING:
            unpack, buffer, at = struct.Struct("<Q").unpack_from, self.buffer, self.at
            for _ in range(length):
                at += 8 + unpack(buffer, at)[0]
            self.at = at
        else:
            self.at += length * struct.calcsize(_SCALARS[kind])
        return ()


def read_header(path: Path | str) -> Header:
    """Read metadata and tensor directory of a GGUF file (long arrays are skipped).

    Raises:
        InputError: no such file, not a GGUF file, or a truncated one.
    """
    path = Path(path)
    try:
        with path.open("rb") as file, _mapped(file.fileno()) as buffer:
            return _parse(path, buffer)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise InputError(f"{str(path)!r} cannot be read: {error.strerror}.", hint="Expected a GGUF file.") from error
    except (struct.error, KeyError, ValueError, OverflowError) as error:
        raise InputError(f"{str(path)!r} is not a whole GGUF file ({error}).", hint="Get the file again.") from error


@contextmanager
def _mapped(descriptor: int) -> Generator[mmap.mmap]:
    buffer = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
    try:
        yield buffer
    finally:
        buffer.close()


def _parse(path: Path, buffer: mmap.mmap) -> Header:
    if buffer[:4] != _MAGIC:
        raise ValueError("it does not begin with 'GGUF'")
    cursor = _Cursor(buffer)
    cursor.at = 4
    version = cursor.count("<I")
    if version not in {2, 3}:
        raise ValueError(f"format version {version}; 2 and 3 can be read")
    n_tensors, n_meta = cursor.count(), cursor.count()
    start, file_type_at = cursor.at, -1
    meta: dict[str, MetaValue] = {}
    for _ in range(n_meta):
        key = cursor.string()
        kind = cursor.count("<I")
        if key == "general.file_type":
            file_type_at = cursor.at
        meta[key] = cursor.value(kind)
    end = cursor.at
    rows: list[tuple[str, tuple[int, ...], int, int]] = []
    for _ in range(n_tensors):
        name = cursor.string()
        shape = tuple(reversed([cursor.count() for _ in range(cursor.count("<I"))]))
        rows.append((name, shape, cursor.count("<I"), cursor.count()))
    alignment = int(cast("int", meta.get("general.alignment", 32)))
    base = _aligned(cursor.at, alignment)
    tensors = {name: Tensor(name, shape, kind, base + offset) for name, shape, kind, offset in rows}
    if tensors and max(tensor.offset for tensor in tensors.values()) >= len(buffer):
        raise ValueError("the weights are cut off")
    return Header(path, meta, tensors, version, alignment, (start, end), file_type_at)


def _aligned(at: int, alignment: int) -> int:
    return -(-at // alignment) * alignment


def tensor_f32(header: Header, tensor: Tensor, raw: NDArray[np.uint8] | None = None) -> NDArray[np.float32]:
    """The weights of a tensor as float32, whatever number format they are stored in.

    Raises:
        InputError: a number format that cannot be decoded.
    """
    data = _raw(header, tensor) if raw is None else raw
    if tensor.kind == F32:
        return data.view(np.float32).reshape(tensor.shape)
    if tensor.kind == F16:
        return data.view(np.float16).astype(np.float32).reshape(tensor.shape)
    quants, kinds = _quants()
    try:
        rows = data.reshape(*tensor.shape[:-1], -1)
        return quants.dequantize(rows, kinds(tensor.kind)).reshape(tensor.shape)
    except (NotImplementedError, ValueError) as error:
        raise InputError(
            f"{str(header.path)!r}: tensor {tensor.name!r} has number format {tensor.kind}, which cannot be decoded.",
            hint="Give an F16, Q8_0, Q4_0, Q4_1 or K-quant file.",
        ) from error


def _raw(header: Header, tensor: Tensor) -> NDArray[np.uint8]:
    size = _stored_bytes(tensor.kind, tensor.shape)
    data = np.fromfile(header.path, dtype=np.uint8, count=size, offset=tensor.offset)
    if data.size != size:
        raise InputError(f"{str(header.path)!r}: tensor {tensor.name!r} is cut off.", hint="Get the file again.")
    return data


def _stored_bytes(kind: int, shape: tuple[int, ...]) -> int:
    size = int(np.prod(shape, dtype=np.int64))
    if kind in {F32, F16}:
        return size * (4 if kind == F32 else 2)
    if kind == Q8_0:
        return size // 32 * 34
    block, width = _block_sizes(kind)
    return size // block * width


def _block_sizes(kind: int) -> tuple[int, int]:
    try:
        import gguf
    except ImportError as error:
        raise MissingDependencyError.of("gguf", "gguf") from error
    block, width = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType(kind)]
    return int(block), int(width)


def _quants():  # noqa: ANN202  (a module and an enum of a package that may be absent)
    try:
        import gguf
        import gguf.quants
    except ImportError as error:
        raise MissingDependencyError.of("gguf", "gguf") from error
    return gguf.quants, gguf.GGMLQuantizationType


def write_copy(header: Header, target: Path, kind: CopyType) -> str:
    """Write the weights of `header` to `target` in another number format and return the sha256 of the new file.

    One-dimensional and F32 tensors stay as they are; so do tensors that already have the wanted format. The bytes
    depend on the input alone. Data reach the disk before the function returns; the caller renames.

    Raises:
        InputError: a tensor that cannot be decoded.
        OSError: the disk is full or the folder cannot be written.
    """
    plans = [(tensor, _target_kind(tensor, kind)) for tensor in header.tensors.values()]
    head = bytearray(struct.pack("<4sIQQ", _MAGIC, 3, len(plans), len(header.meta)))
    with header.path.open("rb") as source:
        source.seek(header.meta_span[0])
        meta = bytearray(source.read(header.meta_span[1] - header.meta_span[0]))
    if header.file_type_at >= 0:
        struct.pack_into("<I", meta, header.file_type_at - header.meta_span[0], _FILE_TYPES[kind])
    head += meta
    offset = 0
    for tensor, stored in plans:
        name = tensor.name.encode()
        head += struct.pack("<Q", len(name)) + name + struct.pack("<I", len(tensor.shape))
        head += b"".join(struct.pack("<Q", extent) for extent in reversed(tensor.shape))
        head += struct.pack("<IQ", stored, offset)
        offset = _aligned(offset + _stored_bytes(stored, tensor.shape), header.alignment)
    head += b"\0" * (_aligned(len(head), header.alignment) - len(head))
    digest = hashlib.sha256(head)
    with target.open("wb") as file:
        file.write(head)
        for tensor, stored in plans:
            data = _encoded(header, tensor, stored)
            data += b"\0" * (_aligned(len(data), header.alignment) - len(data))
            file.write(data)
            digest.update(data)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _target_kind(tensor: Tensor, kind: CopyType) -> int:
    if tensor.kind == F32 or len(tensor.shape) < 2:
        return F32
    wanted = _TENSOR_TYPES[kind]
    return F16 if wanted == Q8_0 and tensor.shape[-1] % 32 else wanted


def _encoded(header: Header, tensor: Tensor, stored: int) -> bytes:
    raw = _raw(header, tensor)
    if stored == tensor.kind:
        return raw.tobytes()
    values = tensor_f32(header, tensor, raw)
    if stored == F32:
        return values.tobytes()
    if stored == F16:
        return values.astype(np.float16).tobytes()
    quants, kinds = _quants()
    return quants.quantize(values, kinds(stored)).tobytes()


def sha256_file(path: Path) -> str:
    """sha256 of a file's bytes, as 64 hex characters."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
