"""The engine's own server: many slots for batched generation, one slot for answers bound to a JSON schema."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from personae.core import MissingDependencyError, ModelError, ReplyError
from personae.models._native import default_threads
from personae.models._protocol import Completion, FinishReason, Sampling
from personae.models._structured import strict_schema

_REASONS: Final[Mapping[str, FinishReason]] = {"stop": "stop", "length": "length"}


_KEPT_MIB: Final = 4096
"""Most memory for prompts without a slot; about 23 kB a token of the embedded model."""


class EngineServer:
    """A model behind the engine's server. Prompts are token ids; `complete` may be called from several threads."""

    def __init__(self, path: Path, *, parallel: int, context: int, threads: int, keep_prompts: bool) -> None:
        try:
            import xllamacpp
        except ImportError as error:
            raise MissingDependencyError.of("xllamacpp", "gguf") from error
        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.n_parallel, params.n_ctx = parallel, context * parallel
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
        params.n_gpu_layers, params.verbosity = 0, -1
        params.warmup = params.fit_params = params.ui = False
        # Where shape matters, no state may survive outside a slot: what is kept decides the next computation. Else
        # prompts that lose their slot are kept in memory: many more conversations are held than there are slots.
        params.n_ctx_checkpoints = 0
        params.cache_ram_mib = _KEPT_MIB if keep_prompts else 0
        params.cont_batching = True
        self._keep = keep_prompts
        self._path = path
        try:
            self._server: xllamacpp.Server | None = xllamacpp.Server(params)
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"the engine cannot serve {str(path)!r}: {error}") from error

    @property
    def address(self) -> str:
        """Where it listens on this machine, such as `http://127.0.0.1:40123`."""
        return self._running().listening_address

    def complete(
        self,
        ids: Sequence[int],
        sampling: Sampling,
        *,
        seed: int,
        stop: Sequence[str] = (),
        schema: Mapping[str, Any] | None = None,
    ) -> tuple[Completion, int]:
        """Continue a prompt. Returns the continuation and the number of prompt tokens computed.

        Raises:
            ModelError: the engine refused, whatever shape its refusal has.
        """
        if not ids:
            return Completion("", "empty", 0), 0
        body: dict[str, Any] = {
            "prompt": list(ids), "max_tokens": sampling.max_tokens, "temperature": sampling.temperature,
            "top_p": sampling.top_p, "top_k": sampling.top_k, "min_p": sampling.min_p,
            "repeat_penalty": sampling.repeat_penalty, "seed": seed & 0x7FFFFFFF, "stop": [s for s in stop if s],
            "cache_prompt": self._keep,
        }  # fmt: skip
        if schema is not None:
            body["json_schema"] = strict_schema(schema)
        reply = self._ask(body)
        try:
            choice, usage = reply["choices"][0], reply["usage"]
            text, count = str(choice["text"]), int(usage["completion_tokens"])
            kept = int((usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0))
            reason = _REASONS[choice["finish_reason"]]
        except (KeyError, IndexError, TypeError) as error:
            raise ReplyError(f"the engine answered {str(reply)[:200]!r}, expected a completion.") from error
        if not text.strip():
            reason = "empty"
        elif schema is not None and reason == "stop" and not _is_json(text):
            reason = "malformed"
        return Completion(text, reason, count), len(ids) - kept

    def close(self) -> None:
        """Stop the server and free its memory."""
        self._server = None

    def _running(self) -> Any:
        if self._server is None:
            raise ModelError("the engine's server is closed.", hint="Open the model again.")
        return self._server

    def _ask(self, body: dict[str, Any]) -> dict[str, Any]:
        # The engine refuses in three ways: a dictionary with an error, a ValueError and a RuntimeError.
        try:
            reply = self._running().handle_completions(body)
        except (RuntimeError, ValueError, TypeError) as error:
            raise ModelError(f"the engine refused a completion: {error}") from error
        if not isinstance(reply, dict):
            raise ReplyError(f"the engine answered {str(reply)[:200]!r}, expected a completion.")
        if "error" in reply:
            found = reply["error"]
            message = found.get("message", found) if isinstance(found, dict) else found
            raise ModelError(f"the engine refused a completion of {self._path.name!r}: {message}")
        return reply


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


@contextmanager
def loopback_server(path: Path | str, parallel: int = 1, *, context: int = 2048) -> Generator[str]:
    """The engine's OpenAI-compatible endpoint for a GGUF file on this machine, while the block runs.

    Yields its base URL, such as `http://127.0.0.1:40123/v1`.
    """
    server = EngineServer(
        Path(path), parallel=parallel, context=context, threads=default_threads(), keep_prompts=parallel > 1
    )
    try:
        yield f"{server.address}/v1"
    finally:
        server.close()
