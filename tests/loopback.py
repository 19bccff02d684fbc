"""An OpenAI-compatible endpoint on loopback that answers properly, or misbehaves on demand."""

from __future__ import annotations

import json
import math
import socket
import struct
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


@dataclass
class Endpoint:
    """What it was asked, and how it is to behave. `faults` are used up one per request, before proper answers."""

    url: str = ""
    requests: list[tuple[str, dict[str, Any], dict[str, str]]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    always: str = ""
    echoes: bool = False
    multiple: bool = True
    letters: bool = True
    reply: Callable[[dict[str, Any]], str] | None = None
    in_flight: int = 0
    most_in_flight: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    hold: float = 0.0
    stall: float = 0.5
    """seconds that a stalled or dripping reply takes"""
    choose: Callable[[int], str] | None = None
    """fault of request number k, '' for none"""
    injected: Counter[str] = field(default_factory=Counter)
    sent: list[str] = field(default_factory=list)
    """proper replies, for a duplicate delivery"""
    served: int = 0
    model: str = "tiny-1"
    constant_id: bool = False
    break_stream: int | None = None
    """pieces after which a stream breaks off"""
    shape: str = "any"
    """whose dialect it speaks: openai, vllm, llama.cpp, or what all of them understand"""

    def bodies(self, path: str = "/v1/chat/completions") -> list[dict[str, Any]]:
        return [body for p, body, _ in self.requests if p == path]


_LONG_AGO = 60
_COMMON = {"model", "messages", "temperature", "top_p", "stop", "seed", "n", "stream", "stream_options", "logprobs",
           "top_logprobs", "response_format"}  # fmt: skip
OF_MESSAGES: dict[str, dict[str, Any]] = {
    "openai": {"refusal": None, "annotations": []},
    "vllm": {"reasoning_content": None, "tool_calls": []},
}


def dialect_refusal(shape: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
    """Status and body with which a server of this kind refuses a request, None when it takes it."""
    chat = path.partition("?")[0].endswith("/chat/completions")

    def refused(status: int, message: str, kind: str = "invalid_request_error") -> tuple[int, dict[str, Any]]:
        return status, {"error": {"message": message, "type": kind, "code": status}}

    if shape == "openai":  # the hosted API: strict, chat alone, the new name of the limit
        if not chat:
            return refused(404, "This is a chat model and not supported in the v1/completions endpoint.")
        if "max_tokens" in body:
            return refused(
                400,
                "Unsupported parameter: 'max_tokens' is not supported with this model. "
                "Use 'max_completion_tokens' instead.",
            )
        for name in body.keys() - _COMMON - {"max_completion_tokens"}:
            return refused(400, f"Unrecognized request argument supplied: {name}")
        if body.get("top_logprobs", 0) > 20:
            return refused(400, "top_logprobs must be at most 20")
    if shape == "vllm" and body["model"] != "tiny":  # takes what it does not know, but serves one name alone
        return 404, {"object": "error", "message": f"The model `{body['model']}` does not exist.", "code": 404}
    if shape == "llama.cpp" and body.get("n", 1) > 1:
        return refused(400, "Only one completion choice is allowed")
    return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    endpoint: Endpoint

    def log_message(self, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        e = self.endpoint
        with e.lock:
            e.requests.append((self.path, body, dict(self.headers)))
            fault = e.faults.pop(0) if e.faults else e.always
            if e.choose is not None:
                fault = e.choose(len(e.requests))
            # A reply that is repeated must have reached its own caller: else nobody could tell which is the repeat.
            if fault == "duplicate" and len(e.sent) < (_LONG_AGO if e.choose is not None else 1):
                fault = "503"
            if fault:
                e.injected[fault] += 1
            e.in_flight += 1
            e.most_in_flight = max(e.most_in_flight, e.in_flight)
        try:
            if e.hold:
                time.sleep(e.hold)
            if fault:
                self._misbehave(fault)
            else:
                self._answer(body)
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            with e.lock:
                e.in_flight -= 1

    def _send(self, text: str, status: int = 200, kind: str = "application/json", **headers: str) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def _misbehave(self, fault: str) -> None:
        if fault == "429":
            self._send('{"error": {"message": "slow down"}}', 429, retry_after="7")
        elif fault == "quota":
            self._send('{"error": {"message": "no money", "code": "insufficient_quota"}}', 429)
        elif fault.isdigit():
            self._send(json.dumps({"error": {"message": f"status {fault}"}}), int(fault))
        elif fault == "html":
            self._send("<!DOCTYPE html><html><body>Welcome to nginx</body></html>", kind="text/html")
        elif fault == "empty":
            self._send(json.dumps({"choices": [], "model": self.endpoint.model}))
        elif fault == "cut":
            self._send('{"choices": [{"message": {"content": "hel')
        elif fault == "shape":
            self._send('{"choices": [{"text": "not a chat"}]}')
        elif fault == "list":
            self._send("[1, 2]")
        elif fault == "error200":
            self._send('{"error": "model not loaded"}')
        elif fault == "drop":  # promises more than it sends, then hangs up
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", "1000")
            self.end_headers()
            self.wfile.write(b'{"choices"')
            self.wfile.flush()
            self.close_connection = True
        elif fault == "slow":
            time.sleep(self.endpoint.stall)
            self.close_connection = True
        elif fault == "drip":  # a byte now and then, for ever
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", "1000")
            self.end_headers()
            for _ in range(20):
                self.wfile.write(b" ")
                self.wfile.flush()
                time.sleep(self.endpoint.stall / 20)
            self.close_connection = True
        elif fault == "reset":  # the connection is reset in the middle of the body
            self.send_response(200)
            self.send_header("content-length", "1000")
            self.end_headers()
            self.wfile.write(b'{"choices": [{"mess')
            self.wfile.flush()
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
        elif fault == "not-json":
            self._send("Sure! Here is what you asked for: hello")
        elif fault == "imposter":
            said = {"choices": [{"message": {"content": "I am somebody else."}, "finish_reason": "stop"}]}
            self._send(json.dumps({**said, "model": "imposter-9000", "id": f"imposter-{len(self.endpoint.requests)}"}))
        elif fault == "duplicate":
            self._send(self.endpoint.sent[max(0, len(self.endpoint.sent) - _LONG_AGO)])
        else:
            raise AssertionError(fault)

    def _answer(self, body: dict[str, Any]) -> None:
        e = self.endpoint
        if self.path.endswith("/embeddings"):
            vectors = [[float(zlib.crc32(f"{k}{t}".encode()) % 97) - 48.0 for k in range(8)] for t in body["input"]]
            data = [{"index": k, "embedding": v} for k, v in enumerate(vectors)]
            self._send(json.dumps({"data": data[::-1], "usage": {"prompt_tokens": 3}}))
        elif (refusal := dialect_refusal(e.shape, self.path, body)) is not None:
            status, said = refusal
            self._send(json.dumps(said), status)
        elif self.path.partition("?")[0].endswith("/chat/completions"):
            self._chat(body)
        elif e.shape == "llama.cpp":  # takes `echo` and does not know it
            logprobs = {"content": [{"token": " next", "logprob": -1.0, "top_logprobs": []}]}
            choice = {"text": " next", "index": 0, "logprobs": logprobs, "finish_reason": "length"}
            self._send(json.dumps({"choices": [choice], "model": e.model, "object": "text_completion"}))
        elif e.echoes or e.shape == "vllm":
            self._echo(body["prompt"])
        else:
            self._send('{"error": {"message": "echo is not supported"}}', 400)

    def _chat(self, body: dict[str, Any]) -> None:
        e = self.endpoint
        if body.get("n", 1) > 1 and not e.multiple:
            self._send('{"error": {"message": "only one completion choice is allowed"}}', 400)
            return
        said = (
            e.reply(body)
            if e.reply
            else f"reply {zlib.crc32(json.dumps([body['messages'], body.get('seed')]).encode())}"
        )
        choice: dict[str, Any] = {"message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
        if body.get("logprobs"):
            choice["logprobs"] = {"content": [{"token": "A", "logprob": -0.1, "top_logprobs": self._top(body)}]}
        choice["message"].update(OF_MESSAGES.get(e.shape, {}))
        choices = [{**choice, "index": k} for k in range(body.get("n", 1))]
        usage: dict[str, Any] = {"prompt_tokens": 11, "completion_tokens": 3}
        if e.shape in {"any", "openai"}:
            usage["prompt_tokens_details"] = {"cached_tokens": 4}
        head: dict[str, Any] = {"model": e.model, "system_fingerprint": "fp"}
        if e.shape == "vllm":
            head["system_fingerprint"] = None
            usage["prompt_tokens_details"] = None
        if e.shape == "llama.cpp":
            head["timings"] = {"cache_n": 4, "prompt_n": 7, "predicted_n": 3}
        with e.lock:
            e.served += 1
            head["id"] = "always-the-same" if e.constant_id else f"chat-{e.served}"
        if body.get("stream"):
            self._stream(head, said, usage)
            return
        text = json.dumps({"choices": choices, "usage": usage, **head})
        self._send(text)
        with e.lock:
            e.sent.append(text)

    def _stream(self, head: dict[str, Any], said: str, usage: dict[str, Any]) -> None:
        e = self.endpoint
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True

        def event(body: Any) -> None:
            self.wfile.write(f"data: {body if isinstance(body, str) else json.dumps(body)}\n\n".encode())
            self.wfile.flush()

        pieces = [said[k : k + 4] for k in range(0, len(said), 4)]
        for k, piece in enumerate(pieces):
            if e.break_stream is not None and k == e.break_stream:
                return
            event({**head, "choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]})
        event({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        event({**head, "choices": [], "usage": usage})
        event("[DONE]")

    def _top(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        """Likes the option that says 'very accurate' best and the letter B a little too much."""
        if not self.endpoint.letters:
            return [{"token": "I", "logprob": -0.2}, {"token": " am", "logprob": -3.0}]
        lines = [line for line in body["messages"][-1]["content"].splitlines() if line[1:3] == ". "]
        weights = {
            line[0]: (4.0 if "very accurate" in line else 1.0) * (2.0 if line[0] == "B" else 1.0) for line in lines
        }
        total = sum(weights.values()) / 0.9
        return [{"token": f" {k}", "logprob": math.log(w / total)} for k, w in weights.items() if w > 0][
            : body["top_logprobs"]
        ]

    def _echo(self, prompt: str) -> None:
        words, offsets, at = [], [], 0
        for piece in prompt.split(" "):
            words.append(piece if at == 0 else f" {piece}")
            offsets.append(at)
            at += len(words[-1])
        values: list[float | None] = [None, *(-0.1 * len(w) for w in words[1:]), -1.0]
        logprobs = {"tokens": [*words, " next"], "token_logprobs": values, "text_offset": [*offsets, at]}
        self._send(
            json.dumps({"choices": [{"text": f"{prompt} next", "logprobs": logprobs, "finish_reason": "length"}]})
        )


@contextmanager
def running_endpoint() -> Iterator[Endpoint]:
    """A running endpoint; its `url` ends in /v1."""
    state = Endpoint()
    handler = type("Handler", (_Handler,), {"endpoint": state})
    server_class = type("Server", (ThreadingHTTPServer,), {"request_queue_size": 128, "daemon_threads": False})
    server = server_class(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """A running endpoint; `endpoint.url` ends in /v1."""
    with running_endpoint() as state:
        yield state


@pytest.fixture
def another_endpoint() -> Callable[[], AbstractContextManager[Endpoint]]:
    """Runs one more endpoint while a block runs."""
    return running_endpoint


@pytest.fixture
def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
