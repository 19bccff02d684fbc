"""Bytes to and from an OpenAI-compatible endpoint: connections, deadlines, status codes, streams.

What comes back is checked before it counts as an answer, inside the same try: a reply that is cut off, of another
shape, of another model or delivered before is a failed try like a lost connection, and is counted like one.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import parse_qsl, urlsplit

from personae.core import EndpointError, ModelError, ReplyError, sha256_hex
from personae.models._admission import Admission, Clock, Limits, Sleep
from personae.models._keys import api_key as key_from_environment
from personae.models._keys import redact
from personae.models._protocol import OnText
from personae.models._replies import StreamedChat, excerpt, nonsense, read_body, read_retry_after
from personae.models._wrapper import current_notes

if TYPE_CHECKING:
    from openai import APIStatusError, AsyncOpenAI

T = TypeVar("T")

DEFAULT_URL: Final = "https://api.openai.com/v1"
_TRANSIENT: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_REMEMBERED: Final = 512
_CONSTANT: Final = 2
"""Replies to one call with an id that was there before, after which the server is taken to use one id for all."""


class StatusError(EndpointError):
    """An HTTP status that is not success."""

    status: int = 0


class Transport:
    """Posts bodies and reads replies.

    Args:
        name: what the endpoint calls the model.
        urls: base URLs of servers of the same model.
        key: API key; None takes it from the environment.
        limits: admission limits, for each address.
        seed: of the retry jitter.
        clock: seconds.
        sleep: waits.
    """

    def __init__(
        self,
        name: str,
        urls: Sequence[str],
        *,
        key: str | None,
        limits: Limits,
        seed: int,
        clock: Clock,
        sleep: Sleep,
    ) -> None:
        self._name, self._key = name, key
        parts = [urlsplit(url) for url in urls]
        self.urls = [p._replace(path=p.path.rstrip("/") or "/v1", query="", fragment="").geturl() for p in parts]
        self._queries = [dict(parse_qsl(p.query)) for p in parts]
        self._admission = Admission(limits, addresses=len(urls), seed=seed, clock=clock, sleep=sleep)
        self._clients: dict[int, AsyncOpenAI] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._alive = [False] * len(urls)
        self._identity = _Identity(name)
        self._open = True

    @property
    def url(self) -> str:
        """The address, or all of them, for messages."""
        return ", ".join(self.urls)

    @property
    def query(self) -> Mapping[str, str]:
        """What stands behind the question mark of the first address."""
        return self._queries[0]

    async def post(
        self, path: str, body: dict[str, Any], read: Callable[[dict[str, Any]], T], *, prefix: str = ""
    ) -> T:
        """Post a body and read the reply; both belong to one try.

        Args:
            path: below the base URL.
            body: JSON.
            read: makes an answer of the reply; may raise a ReplyError.
            prefix: calls with the same one go to the same server where they can.
        """
        key = sha256_hex([path, body])
        repeats = _Repeats()

        async def once(place: int, seconds: float) -> T:
            text = await self._send(place, path, body, seconds)
            reply = read_body(text, self.urls[place])
            self._identity.check(reply, key, repeats, self.urls[place])
            return read(reply)

        return await self._run(once, key, prefix)

    async def stream(self, path: str, body: dict[str, Any], tell: OnText, *, prefix: str = "") -> StreamedChat:
        """Post a body and hear the reply as it comes; `tell` gets each piece of text.

        A try that breaks off after something was told is not made again: it would be told twice.
        """
        key = sha256_hex([path, body])
        repeats = _Repeats()

        async def once(place: int, seconds: float) -> StreamedChat:
            told = StreamedChat()
            try:
                async with asyncio.timeout(seconds):
                    async for event in self._events(place, path, body, seconds):
                        piece = told.take(event, self.urls[place])
                        if piece:
                            tell(piece)
            except (EndpointError, ReplyError) as error:
                error.transient = error.transient and not told.text
                raise
            except TimeoutError as error:
                late = self._late(place, seconds)
                late.transient = not told.text
                raise late from error
            if told.finish_reason is None:
                raise ReplyError(
                    f"{self.urls[place]!r} broke a stream off after {len(told.text)} characters.",
                    transient=not told.text,
                    fault="cut-off stream",
                )
            self._identity.check(told.head, key, repeats, self.urls[place])
            return told

        return await self._run(once, key, prefix)

    async def close(self) -> None:
        """Close connections. Later calls are errors."""
        self._open = False
        clients, self._clients = list(self._clients.values()), {}
        if self._loop is asyncio.get_running_loop():
            for client in clients:
                await client.close()

    async def _run(self, once: Callable[[int, float], Any], key: str, prefix: str) -> Any:
        if not self._open:
            raise ModelError(f"{self._name!r} at {self.url!r} is closed.", hint="Open the model again.")
        return await self._admission.run(once, key, prefix=prefix)

    async def _send(self, place: int, path: str, body: dict[str, Any], seconds: float) -> str:
        import openai

        try:
            # The SDK's own timeout is per read; a reply that trickles in would never end.
            async with asyncio.timeout(seconds):
                text = await self._connected(place).post(path, cast_to=str, body=body, options={"timeout": seconds})
        except (TimeoutError, openai.OpenAIError) as error:
            raise self._translated(error, place, seconds) from error
        self._alive[place] = True
        return text

    async def _events(self, place: int, path: str, body: dict[str, Any], seconds: float) -> AsyncIterator[Any]:
        import openai
        from openai import AsyncStream

        asked = {**body, "stream": True, "stream_options": {"include_usage": True}}
        try:
            events: Any = await self._connected(place).post(
                path, cast_to=object, body=asked, options={"timeout": seconds}, stream=True,
                stream_cls=AsyncStream[object],
            )  # fmt: skip
            self._alive[place] = True
            async with events:
                async for event in events:
                    yield event
        except (openai.OpenAIError, ValueError) as error:
            raise self._translated(error, place, seconds) from error
        except Exception as error:
            # Within a stream the SDK lets errors of the HTTP library below it through, whichever that is.
            if type(error).__module__.partition(".")[0] not in {"httpx", "httpx2", "httpcore", "httpcore2", "h11"}:
                raise
            raise self._unreachable(error, place) from error

    def _translated(self, error: Exception, place: int, seconds: float) -> EndpointError | ReplyError:
        import openai

        if isinstance(error, (TimeoutError, openai.APITimeoutError)):
            return self._late(place, seconds)
        if isinstance(error, openai.APIStatusError):
            self._alive[place] = True
            return self._status_error(error, place)
        if isinstance(error, openai.APIConnectionError):
            return self._unreachable(error.__cause__ or error, place)
        if isinstance(error, ValueError):
            return nonsense(self.urls[place], "a stream that is not JSON", str(error))
        return EndpointError(f"{self.urls[place]!r}: {redact(str(error))}")

    def _late(self, place: int, seconds: float) -> EndpointError:
        return EndpointError(
            f"{self.urls[place]!r} did not answer within {seconds:g} s.",
            hint="The server may be overloaded: lower `parallel`, or raise `timeout`.",
            transient=True,
            fault="timeout",
        )

    def _unreachable(self, cause: BaseException, place: int) -> EndpointError:
        return EndpointError(
            f"cannot reach {self.urls[place]!r}: {redact(str(cause) or type(cause).__name__)}.",
            hint="Is the server running, and is this its address? The URL is what follows '@' in the reference.",
            # Nobody ever answered: a wrong address, which waiting does not mend. Another address may.
            transient=self._alive[place] or len(self.urls) > 1,
            fault="connection",
        )

    def _status_error(self, error: APIStatusError, place: int) -> StatusError:
        status, url = error.status_code, self.urls[place]
        said = excerpt(error.response.text) if error.response.is_closed else ""
        hint: str | None = None
        transient = status in _TRANSIENT and "insufficient_quota" not in said
        if status in {401, 403}:
            hint = "Set the key of this endpoint in PERSONAE_API_KEY (or OPENAI_API_KEY)."
        elif status == 404:
            hint = f"Does this endpoint serve a model called {self._name!r}, and does its URL end where the API begins?"
        elif status == 429:
            hint = "The endpoint asks for fewer calls: lower `parallel` or set `rate`."
        found = StatusError(
            f"{url!r} answered with status {status}: {said!r}.",
            hint=hint,
            transient=transient,
            retry_after=read_retry_after(error.response.headers, time.time()) if transient else None,
            fault=f"status {status}",
        )
        found.status = status
        return found

    def _connected(self, place: int) -> AsyncOpenAI:
        """The SDK's client; its connections belong to one event loop."""
        from openai import AsyncOpenAI

        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._clients, self._loop = {}, loop
        if place not in self._clients:
            self._clients[place] = AsyncOpenAI(
                base_url=self.urls[place],
                api_key=self._key or key_from_environment() or "no-key",
                default_query=dict(self._queries[place]) or None,
                max_retries=0,
            )
        return self._clients[place]


class _Repeats:
    """How often one call was answered with an id that was there before."""

    count = 0


class _Identity:
    """Who answers, and whether it is a fresh answer.

    Servers may call a model otherwise than it was asked for (a snapshot, a path): the first reply under an unrelated
    name is not believed until it comes a second time. Once it is known who answers, a reply of another model is no
    answer.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._related = False
        self._alias: str | None = None
        self._doubted: str | None = None
        self._seen: OrderedDict[str, str] = OrderedDict()
        self._constant_ids = False

    def check(self, reply: Mapping[str, Any], key: str, repeats: _Repeats, url: str) -> None:
        """Note down who answered.

        Raises:
            ReplyError: another model answered, or this reply was delivered before, to another call.
        """
        server = current_notes().server
        for name in ("model", "system_fingerprint"):
            if isinstance(reply.get(name), str):
                server[name] = reply[name]
        model = reply.get("model")
        if isinstance(model, str) and model:
            self._check_model(model, url)
        answer = reply.get("id")
        if isinstance(answer, str) and answer and not self._constant_ids:
            self._check_fresh(answer, key, repeats, url)

    def _check_model(self, model: str, url: str) -> None:
        if _related(self._name, model):
            self._related = True
            return
        if model == self._alias and not self._related:
            return
        if not self._related and self._alias is None and model == self._doubted:
            self._alias = model
            return
        self._doubted = model
        raise ReplyError(
            f"{url!r} was asked for {self._name!r} and answered as {model!r}.",
            hint="Is there a router in between that sends calls to several models?",
            transient=True,
            fault="another model",
        )

    def _check_fresh(self, answer: str, key: str, repeats: _Repeats, url: str) -> None:
        if self._seen.get(answer, key) != key:
            repeats.count += 1
            if repeats.count > _CONSTANT:
                self._constant_ids = True
                return
            raise ReplyError(
                f"{url!r} delivered reply {answer!r} a second time, to another call.", transient=True, fault="duplicate"
            )
        self._seen[answer] = key
        while len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)


def _related(asked: str, answered: str) -> bool:
    """Is one name the other with something behind it, paths and endings aside?"""

    def short(name: str) -> str:
        last = name.replace("\\", "/").rstrip("/").rpartition("/")[2].lower()
        return last.removesuffix(".gguf")

    one, other = short(asked), short(answered)
    return bool(one and other) and (one.startswith(other) or other.startswith(one))
