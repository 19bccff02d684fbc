"""Replay: a model that answers from a call log and nothing else. A call that was never recorded is an error."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, closing, nullcontext, suppress
from pathlib import Path
from typing import Any, Final

from personae.core import (
    CapabilityError,
    EndpointError,
    InputError,
    ModelError,
    ReplayMissError,
    ReplyError,
    StorageError,
    sha256_hex,
)
from personae.models._calls import CALL_LOG, CALL_LOG_NAME, INDEXES, text_hash
from personae.models._protocol import (
    Capability,
    Determinism,
    Embeddings,
    GenerateRequest,
    Generation,
    OnText,
    OptionScores,
    ScoreRequest,
)
from personae.models._requests import (
    Verb,
    WrittenCall,
    estimate_tokens,
    read_embeddings,
    read_generation,
    read_option_scores,
    write_embed,
    write_generate,
    write_scores,
)
from personae.models._shown import PromptForm
from personae.models._sqlite import open_database, storage_errors

_NEIGHBOURS: Final = 200
"""How many recorded calls are compared to explain a miss."""


class ReplayModel:
    """The model of a recorded run. It takes over its fingerprint and capabilities, so keys are the same."""

    def __init__(self, path: Path, model: str | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        _index(path)
        self._connection: sqlite3.Connection | None = open_database(path, CALL_LOG, read_only=True)
        try:
            row = self._choose(model)
        except BaseException:
            self._connection.close()
            raise
        self._model = str(row[0])
        self._fingerprint: dict[str, str | int | float | bool] = json.loads(row[2])
        self._capabilities = frozenset(Capability(c) for c in json.loads(row[3]))
        self._parallel = int(row[5])
        self._form = PromptForm.from_json(row[6])
        self.recorded_reference = str(row[1])
        """reference of the model that was recorded"""

    @property
    def reference(self) -> str:
        """`replay:` and the folder (or file) of the log."""
        return f"replay:{self._path.parent if self._path.name == CALL_LOG_NAME else self._path}"

    @property
    def fingerprint(self) -> Mapping[str, str | int | float | bool]:
        return self._fingerprint

    @property
    def capabilities(self) -> frozenset[Capability]:
        return self._capabilities

    @property
    def determinism(self) -> Determinism:
        return "exact"

    @property
    def parallel(self) -> int:
        return self._parallel

    def count_tokens(self, text: str) -> int:
        """The count of the recorded run where it is known, else an estimate."""
        with self._lock, storage_errors(self._path, CALL_LOG):
            row = self._open.execute(
                "SELECT tokens FROM token_counts WHERE model = ? AND text = ?", (self._model, text_hash(text))
            ).fetchone()
        return estimate_tokens(text) if row is None else int(row[0])

    @property
    def prompt_form(self) -> PromptForm:
        """That of the recorded model."""
        return self._form

    def show_prompt(self, request: GenerateRequest | ScoreRequest) -> str:
        return self._form.show(request)

    async def generate(self, request: GenerateRequest, *, on_text: OnText | None = None) -> Generation:
        call = write_generate(self._model, request)
        answer = read_generation(self._find("generate", call, request.tags), call=call.key, cached=True)
        if on_text is not None:
            on_text(answer.text)
        return answer

    async def score_options(self, requests: Sequence[ScoreRequest]) -> tuple[OptionScores, ...]:
        if not requests:
            return ()
        call = write_scores(self._model, requests)
        text = self._find("score_options", call, requests[0].tags)
        return read_option_scores(text, call=call.key, cached=True)

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        call = write_embed(self._model, texts)
        return read_embeddings(self._find("embed", call, {}), call=call.key)

    def session(self, unit: str) -> AbstractAsyncContextManager[None]:
        del unit
        return nullcontext()

    async def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @property
    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise ModelError(f"{self.reference!r} is closed.", hint="Open it again with open_replay.")
        return self._connection

    def _choose(self, model: str | None) -> tuple[Any, ...]:
        with storage_errors(self._path, CALL_LOG):
            rows = self._open.execute("SELECT * FROM models ORDER BY reference, fingerprint_hash").fetchall()
        if not rows:
            raise InputError(f"call log {str(self._path)!r} holds no calls: there is nothing to replay.")
        wanted = [r for r in rows if model is None or model in {r[1], str(r[0])[: len(model)]}]
        if len(wanted) == 1:
            return wanted[0]
        names = ", ".join(f"{r[1]} ({str(r[0])[:8]})" for r in rows)
        if not wanted:
            raise InputError(f"call log {str(self._path)!r} holds no calls to {model!r}.", hint=f"It holds: {names}.")
        raise InputError(
            f"call log {str(self._path)!r} holds calls to {len(wanted)} models that fit: {names}.",
            hint="Say which one: replay:DIR#REFERENCE, or the first characters of the hash in brackets.",
        )

    def _find(self, verb: Verb, call: WrittenCall, tags: Mapping[str, str]) -> str:
        # The unit's own recording first, successes before failures, the last one before earlier tries.
        unit = tags.get("unit", "")
        with self._lock, storage_errors(self._path, CALL_LOG):
            row = self._open.execute(
                "SELECT response, error FROM calls WHERE key = ? ORDER BY unit = ? DESC, error IS NOT NULL, seq DESC"
                " LIMIT 1",
                (call.key, unit),
            ).fetchone()
        if row is None:
            if Capability(verb) not in self._capabilities:
                raise CapabilityError(f"{self.recorded_reference!r}, which was recorded, cannot {verb!r}.")
            raise self._miss(verb, call, unit)
        if row[0] is None:
            raise _recorded_error(json.loads(row[1]))
        return str(row[0])

    def _miss(self, verb: Verb, call: WrittenCall, unit: str) -> ReplayMissError:
        with self._lock, storage_errors(self._path, CALL_LOG):
            total = self._open.execute(
                "SELECT count(*) FROM calls WHERE model = ? AND verb = ?", (self._model, verb)
            ).fetchone()[0]
            rows = self._open.execute(
                "SELECT seq, unit, request FROM calls WHERE model = ? AND verb = ? ORDER BY unit = ? DESC, seq LIMIT ?",
                (self._model, verb, unit, _NEIGHBOURS),
            ).fetchall()
        asked = json.loads(call.request)
        nearest = min(((_differences(asked, json.loads(r[2])), r) for r in rows), key=lambda d: len(d[0]), default=None)
        if nearest is None:
            said = "no call of this kind was recorded."
        else:
            what, row = nearest
            said = (
                f"the nearest recorded one (call {row[0]}, unit {row[1]!r}) differs in {', '.join(what) or 'nothing'}."
            )
        return ReplayMissError(
            f"replay: no recorded {verb} call for this request (unit {unit!r}, key {call.key[:12]}…) among {total} in "
            f"{str(self._path)!r}: {said}",
            hint="Replay needs the same persona, prompts, seeds and settings as the recorded run.",
        )


def open_replay(directory: Path | str, model: str | None = None) -> ReplayModel:
    """The model that answers from the call log of a run folder (or from the log file itself).

    Args:
        directory: run folder, or path of a `calls.sqlite`.
        model: reference (or first characters of the fingerprint hash) of the recorded model, when there are several.

    Raises:
        InputError: there is no call log, it is empty, or it holds several models and none was named.
    """
    path = Path(directory)
    if path.is_dir():
        path /= CALL_LOG_NAME
    if not path.is_file():
        raise InputError(
            f"there is no call log at {str(path)!r}.", hint="Give the folder of a run, the one that holds calls.sqlite."
        )
    return ReplayModel(path, model)


def _index(path: Path) -> None:
    """Make the indexes of a log whose writer was killed; one that cannot be written is searched without."""
    with suppress(StorageError), closing(open_database(path, CALL_LOG)) as connection, storage_errors(path, CALL_LOG):
        for statement in INDEXES:
            connection.execute(statement)


def _differences(asked: Any, recorded: Any, path: str = "") -> list[str]:
    if isinstance(asked, dict) and isinstance(recorded, dict):
        names = sorted({*asked, *recorded})
        return [d for n in names for d in _differences(asked.get(n), recorded.get(n), f"{path}.{n}".lstrip("."))]
    if isinstance(asked, list) and isinstance(recorded, list):
        if len(asked) != len(recorded):
            return [f"{path} ({len(asked)} asked, {len(recorded)} recorded)"]
        return [
            d for k, pair in enumerate(zip(asked, recorded, strict=True)) for d in _differences(*pair, f"{path}[{k}]")
        ]
    return [] if asked == recorded and sha256_hex(asked) == sha256_hex(recorded) else [path]


def _recorded_error(body: dict[str, Any]) -> ModelError:
    """The failure that was recorded, so that a replayed run fails where the run failed."""
    message, hint = f"{body['message']}", body.get("hint")
    if body["code"] == EndpointError.code:
        return EndpointError(message, hint=hint, transient=bool(body.get("transient")))
    kinds: dict[str, type[ModelError]] = {c.code: c for c in (CapabilityError, ReplyError, ReplayMissError)}
    return kinds.get(body["code"], ModelError)(message, hint=hint)
