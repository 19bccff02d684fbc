"""A counting reverse proxy in front of the server: what every client sent, by the server's own numbers.

It keeps nothing and changes nothing but the connection, which ends with each answer. When a client hangs up, the
server is hung up on too, so that abandoned calls do not go on unseen.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

_PIECE = 65_536


@dataclass
class Counts:
    """What passed through. Tokens of abandoned calls are not known and not in here."""

    calls: int = 0
    refused: int = 0
    """answered with an error status"""
    abandoned: int = 0
    """the client hung up before the answer"""
    repeated: int = 0
    """byte for byte the same as an earlier call"""
    most: int = 0
    """most calls in flight"""
    sent: int = 0
    computed: int = 0
    generated: int = 0
    seen: set[bytes] = field(default_factory=set)

    def read(self, reply: bytes) -> None:
        """Add the usage of one raw HTTP answer."""
        head, _, body = reply.partition(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n", 1)[0]:
            self.refused += 1
            return
        if b"transfer-encoding: chunked" in head.lower():
            body = _unchunked(body)
        for told in _replies(body):
            usage, timings = told.get("usage") or {}, told.get("timings") or {}
            sent = int(usage.get("prompt_tokens", 0))
            kept = int((usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0))
            self.sent += sent
            self.computed += int(timings.get("prompt_n", sent - kept))
            self.generated += int(usage.get("completion_tokens", 0))


def _whole(reply: bytes | bytearray) -> bool:
    """Whether an answer has come to its end."""
    head, found, body = bytes(reply).partition(b"\r\n\r\n")
    size = re.search(rb"\r\ncontent-length:\s*(\d+)", head, re.IGNORECASE)
    return bool(found) and (len(body) >= int(size.group(1)) if size else body.endswith(b"0\r\n\r\n"))


def _unchunked(body: bytes) -> bytes:
    out = bytearray()
    while body:
        size, _, body = body.partition(b"\r\n")
        count = int(size.split(b";")[0] or b"0", 16)
        if count == 0:
            break
        out += body[:count]
        body = body[count + 2 :]
    return bytes(out)


def _replies(body: bytes) -> list[dict[str, Any]]:
    """The answer, or the one event of a stream that carries usage."""
    with contextlib.suppress(ValueError):
        whole = json.loads(body)
        return [whole] if isinstance(whole, dict) else []
    found = []
    for row in body.splitlines():
        with contextlib.suppress(ValueError):
            found.append(json.loads(row.removeprefix(b"data:")))
    return [told for told in found if isinstance(told, dict) and told.get("usage")][-1:]


class Proxy:
    """Passes calls on to one server."""

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._in_flight: set[int] = set()
        self.counts = Counts()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, which is one call."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            first, *rows = head.decode("latin-1").split("\r\n")
            headers = {name.strip().lower(): value.strip() for name, _, value in (row.partition(":") for row in rows)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            drop = {"connection", "host", "expect", ""}
            kept = [row for row in rows if row.partition(":")[0].strip().lower() not in drop]
            lines = [first, f"Host: {self._host}:{self._port}", "Connection: close", *kept, "", ""]
            await self._pass_on("\r\n".join(lines).encode("latin-1") + body, body, reader, writer)
        writer.close()

    async def _pass_on(
        self, message: bytes, body: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        counted = bool(body)  # asking which models there are is no call
        number = 0
        if counted:
            digest = hashlib.sha256(body).digest()
            self.counts.calls += 1
            self.counts.repeated += digest in self.counts.seen
            self.counts.seen.add(digest)
            number = self.counts.calls
            self._in_flight.add(number)
            self.counts.most = max(self.counts.most, len(self._in_flight))
        answer_reader, answer_writer = await asyncio.open_connection(self._host, self._port)
        reply = bytearray()
        copying = asyncio.ensure_future(self._copy(answer_reader, writer, reply, number))
        gone = asyncio.ensure_future(reader.read(1))
        try:
            answer_writer.write(message)
            await asyncio.wait({copying, gone}, return_when=asyncio.FIRST_COMPLETED)
            # Some clients hang up as soon as they have read the last byte, before the server does.
            if counted and _whole(reply):
                self.counts.read(bytes(reply))
            elif counted:
                self.counts.abandoned += 1
        finally:
            for task in (copying, gone):
                task.cancel()
            await asyncio.gather(copying, gone, return_exceptions=True)
            answer_writer.close()
            self._in_flight.discard(number)

    async def _copy(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, seen: bytearray, number: int
    ) -> None:
        headed = False
        while piece := await source.read(_PIECE):
            seen += piece
            if _whole(seen):
                self._in_flight.discard(number)  # before the client can know, who may call again at once
            if headed:
                target.write(piece)
            elif b"\r\n\r\n" in seen:
                headed = True
                at = seen.index(b"\r\n\r\n")
                said = b"\r\nconnection: close" in bytes(seen[:at]).lower()
                target.write(bytes(seen[:at]) + (b"" if said else b"\r\nConnection: close") + bytes(seen[at:]))
            await target.drain()


@contextmanager
def counting(upstream: str) -> Generator[tuple[str, Counts]]:
    """The proxy in a thread of its own, while the block runs. Yields its base URL and what it counts."""
    proxy, loop = Proxy(upstream), asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(proxy.serve, "127.0.0.1", 0))
    port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}/v1", proxy.counts
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left))
        loop.close()
