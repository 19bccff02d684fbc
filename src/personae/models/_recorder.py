"""The recorder: the outermost wrapper, which writes every call of a model to the run's call log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from time import perf_counter

from personae.core import PersonaeError
from personae.models._calls import CallLog
from personae.models._protocol import (
    Embeddings,
    GenerateRequest,
    Generation,
    Model,
    OnText,
    OptionScores,
    ScoreRequest,
    Usage,
)
from personae.models._requests import (
    Verb,
    WrittenCall,
    estimate_tokens,
    write_embed,
    write_embeddings,
    write_generate,
    write_generation,
    write_option_scores,
    write_scores,
)
from personae.models._wrapper import CallNotes, ModelWrapper, asked, start_notes


class RecordedModel(ModelWrapper):
    """A model whose every call is written to a call log, with the tags of the request and how long it took."""

    def __init__(self, inner: Model, log: CallLog) -> None:
        super().__init__(inner)
        self._log = log
        self._registered = {log.register(inner)}

    def fingerprint_hash(self) -> str:
        """The hash of what is asked now, which the log knows."""
        found = super().fingerprint_hash()
        if found not in self._registered:
            self._registered.add(self._log.register(self.inner))
        return found

    def count_tokens(self, text: str) -> int:
        tokens = self.inner.count_tokens(text)
        # Replay estimates by itself; only what an estimate would get wrong has to be kept.
        if tokens != estimate_tokens(text):
            self._log.add_token_count(self.fingerprint_hash(), text, tokens)
        return tokens

    async def generate(self, request: GenerateRequest, *, on_text: OnText | None = None) -> Generation:
        call = write_generate(self.fingerprint_hash(), request)
        self._keep_pictures([request])
        notes, start = start_notes(), perf_counter()
        try:
            answer = await asked(self.inner, request, on_text)
        except PersonaeError as error:
            self._failed("generate", call, request.tags, error, notes, start)
            raise
        self._log.add(
            self.fingerprint_hash(),
            "generate",
            call,
            tags=request.tags,
            response=write_generation(answer),
            error=None,
            usage=answer.usage,
            latency=perf_counter() - start,
            cached=answer.cached,
            notes=notes,
        )
        return Generation(answer.completions, answer.usage, call.key, answer.cached)

    async def score_options(self, requests: Sequence[ScoreRequest]) -> tuple[OptionScores, ...]:
        if not requests:
            return ()
        call = write_scores(self.fingerprint_hash(), requests)
        self._keep_pictures(requests)
        tags = _shared_tags(requests)
        notes, start = start_notes(), perf_counter()
        try:
            answers = await self.inner.score_options(requests)
        except PersonaeError as error:
            self._failed("score_options", call, tags, error, notes, start)
            raise
        self._log.add(
            self.fingerprint_hash(),
            "score_options",
            call,
            tags=tags,
            response=write_option_scores(answers),
            error=None,
            usage=sum((a.usage for a in answers), Usage(calls=0)),
            latency=perf_counter() - start,
            cached=bool(answers) and all(a.cached for a in answers),
            notes=notes,
        )
        return tuple(replace(a, call=f"{call.key}#{k}") for k, a in enumerate(answers))

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        call = write_embed(self.fingerprint_hash(), texts)
        notes, start = start_notes(), perf_counter()
        try:
            answer = await self.inner.embed(texts)
        except PersonaeError as error:
            self._failed("embed", call, {}, error, notes, start)
            raise
        self._log.add(
            self.fingerprint_hash(),
            "embed",
            call,
            tags={},
            response=write_embeddings(answer),
            error=None,
            usage=answer.usage,
            latency=perf_counter() - start,
            cached=False,
            notes=notes,
        )
        return answer

    def _keep_pictures(self, requests: Sequence[GenerateRequest | ScoreRequest]) -> None:
        for message in (m for r in requests for m in r.messages if m.images):
            for picture in message.images:
                self._log.add_picture(picture)

    def _failed(
        self,
        verb: Verb,
        call: WrittenCall,
        tags: Mapping[str, str],
        error: PersonaeError,
        notes: CallNotes,
        start: float,
    ) -> None:
        self._log.add(
            self.fingerprint_hash(),
            verb,
            call,
            tags=tags,
            response=None,
            error=error,
            usage=Usage(),
            latency=perf_counter() - start,
            cached=False,
            notes=notes,
        )


def _shared_tags(requests: Sequence[ScoreRequest]) -> dict[str, str]:
    first = requests[0].tags
    return {k: v for k, v in first.items() if all(r.tags.get(k) == v for r in requests[1:])}
