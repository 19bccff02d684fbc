"""Requests to token ids on engines whose tokenizer is ours: template and contents, each tokenised apart and once."""

from __future__ import annotations

from typing import Final, TypeAlias

from personae.core import CapabilityError
from personae.models._jinja import Template
from personae.models._prompt import Content, Control, Segment, Tokenizer, content_ids
from personae.models._protocol import GenerateRequest, ScoreRequest
from personae.models._tree import Prompt

Ids: TypeAlias = tuple[int, ...]

_REMEMBERED: Final = 4096


class PromptWriter:
    """Writes prompts as token ids. Pieces that come again (personas, instructions, earlier lines) are remembered."""

    def __init__(self, template: Template, tokenizer: Tokenizer) -> None:
        self._template, self._tokenizer = template, tokenizer
        self._pieces: dict[Segment, Ids] = {}

    def turns(self, request: GenerateRequest | ScoreRequest) -> tuple[Ids, ...]:
        """Token ids that the model will get, one group per message; the last opens the model's turn.

        Raises:
            CapabilityError: a message carries a picture.
        """
        if any(message.images for message in request.messages):
            raise CapabilityError(
                "this engine reads text only, and a message carries a picture.", hint="Use an endpoint that sees."
            )
        turns = self._template.turns(request.messages, prefill=request.prefill, system_default=request.system_default)
        return tuple(tuple(token for segment in turn for token in self._ids(segment)) for turn in turns)

    def prompt(self, request: ScoreRequest) -> Prompt:
        """A closed question: prompt and options."""
        return Prompt(
            tuple(token for turn in self.turns(request) for token in turn),
            tuple(self._ids(Content(option)) for option in request.options),
        )

    def spans(self, request: GenerateRequest | ScoreRequest) -> tuple[tuple[int, int, int], ...]:
        """(message, start, end) of each content among the tokens of the prompt; −1 stands for the prefill.

        A system text that the template hands to the user has no span of its own: it lies in the user's.
        """
        turns = self._template.turns(request.messages, prefill=request.prefill, system_default=request.system_default)
        segments = [segment for turn in turns for segment in turn]
        out: list[tuple[int, int, int]] = []
        at, message = 0, 0
        for k, segment in enumerate(segments):
            size = len(self._ids(segment))
            if isinstance(segment, Content):
                last = k == len(segments) - 1 and bool(request.prefill)
                found = -1 if last else _holder(request, message, segment.text)
                if found is not None:
                    out.append((found, at, at + size))
                    message = found + 1 if found >= 0 else message
            at += size
        return tuple(out)

    def _ids(self, segment: Segment) -> Ids:
        known = self._pieces.get(segment)
        if known is None:
            if isinstance(segment, Control):
                known = tuple(self._tokenizer.tokenize(segment.text, special=True))
            else:
                known = tuple(content_ids(segment.text, self._tokenizer))
            if len(self._pieces) >= _REMEMBERED:
                self._pieces.clear()
            self._pieces[segment] = known
        return known


def _holder(request: GenerateRequest | ScoreRequest, start: int, text: str) -> int | None:
    """The message from `start` on whose content `text` is, or ends with; None for a template's own text."""
    for index in range(start, len(request.messages)):
        content = request.messages[index].content
        if content and (text in {content, content.strip()} or text.endswith(f"\n\n{content}")):
            return index
    return None
