"""Chat templates: messages become segments, control text that is ours and content that is the user's.

Control text is tokenised with special tokens recognised, content with them switched off, each on its own: nothing that
a person, partner or item says can become structure. Templates are recognised by family from the text inside a weights
file; `_jinja` runs the ones of unknown families.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from personae.core import InputError, ModelError, sha256_hex
from personae.models._protocol import Message, Role


@dataclass(frozen=True, slots=True)
class Control:
    """Text of the template: may hold control tokens."""

    text: str


@dataclass(frozen=True, slots=True)
class Content:
    """Text of a message: never holds control tokens, whatever it spells."""

    text: str


Segment: TypeAlias = Control | Content


class Tokenizer(Protocol):
    """What turns segments into token ids."""

    @property
    def control(self) -> NDArray[np.bool_]:
        """True at the ids that are control tokens, shape (vocabulary,)."""
        ...

    def tokenize(self, text: str, *, special: bool) -> list[int]: ...


@dataclass(frozen=True, slots=True)
class ChatTemplate:
    """How one family of chat models wants to be written to.

    Attributes:
        name: family.
        start: control text before everything.
        system: text before and after a system message; None where the family has no such role and the first user
            message carries it.
        user: text before and after a user message.
        assistant: text before and after an assistant message.
        default_system: what the model's own template puts into a missing system message; None when it adds none.
        stop: strings that end a turn where no control token does.
    """

    name: str
    start: str
    system: tuple[str, str] | None
    user: tuple[str, str]
    assistant: tuple[str, str]
    default_system: str | None = None
    stop: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """sha256 of everything that decides how messages are rendered."""
        return sha256_hex(asdict(self))

    def turns(
        self, messages: Sequence[Message], *, prefill: str = "", system_default: bool = False
    ) -> tuple[tuple[Segment, ...], ...]:
        """Segments of a prompt that ends where the model's next turn begins (after `prefill`), one group per message.

        A missing system message gives no system block, or with `system_default` the one that the model's own template
        would insert. An empty system message gives a block with empty content.
        """
        groups: list[list[Segment]] = [[Control(self.start)]]
        waiting: list[str] = []
        if not any(message.role == "system" for message in messages) and system_default:
            self._system(self.default_system, groups, waiting)
        for message in messages:
            content = message.content
            if message.role == "system":
                self._system(content, groups, waiting)
                continue
            if message.role == "user" and waiting:
                content = "\n\n".join([*waiting, content])
                waiting.clear()
            self._block(message.role, content, groups)
        if waiting:
            self._block("user", "\n\n".join(waiting), groups)
        groups.append([Control(self.assistant[0]), Content(prefill)])
        groups[:2] = [groups[0] + groups[1]]
        return tuple(tuple(segment for segment in group if segment.text) for group in groups)

    def render(
        self, messages: Sequence[Message], *, prefill: str = "", system_default: bool = False
    ) -> tuple[Segment, ...]:
        """The same as `turns`, in one piece."""
        groups = self.turns(messages, prefill=prefill, system_default=system_default)
        return tuple(segment for group in groups for segment in group)

    def _system(self, text: str | None, groups: list[list[Segment]], waiting: list[str]) -> None:
        if text is None:
            return
        if self.system is not None:
            groups.append([Control(self.system[0]), Content(text), Control(self.system[1])])
        elif text:
            waiting.append(text)

    def _block(self, role: Role, text: str, groups: list[list[Segment]]) -> None:
        before, after = self.user if role == "user" else self.assistant
        groups.append([Control(before), Content(text), Control(after)])


CHATML: Final = ChatTemplate(
    name="chatml",
    start="",
    system=("<|im_start|>system\n", "<|im_end|>\n"),
    user=("<|im_start|>user\n", "<|im_end|>\n"),
    assistant=("<|im_start|>assistant\n", "<|im_end|>\n"),
)
LLAMA3: Final = ChatTemplate(
    name="llama-3",
    start="<|begin_of_text|>",
    system=("<|start_header_id|>system<|end_header_id|>\n\n", "<|eot_id|>"),
    user=("<|start_header_id|>user<|end_header_id|>\n\n", "<|eot_id|>"),
    assistant=("<|start_header_id|>assistant<|end_header_id|>\n\n", "<|eot_id|>"),
)
GEMMA: Final = ChatTemplate(
    name="gemma",
    start="<bos>",
    system=None,
    user=("<start_of_turn>user\n", "<end_of_turn>\n"),
    assistant=("<start_of_turn>model\n", "<end_of_turn>\n"),
)
PLAIN: Final = ChatTemplate(
    name="plain",
    start="",
    system=("", "\n\n"),
    user=("User:\n", "\n\n"),
    assistant=("Assistant:\n", "\n\n"),
    stop=("\nUser:", "\nAssistant:"),
)
"""A transcript for models that learnt no chat format. Role names stand on lines of their own, so that replies, options
and history begin alike, without a space. No control token marks its roles: a content that spells a role line looks like
one to the model, which no tokenizer can prevent."""

_FAMILIES: Final = (("<|im_start|>", CHATML), ("<|start_header_id|>", LLAMA3), ("<start_of_turn>", GEMMA))
_DEFAULT_SYSTEM: Final = re.compile(r"<\|im_start\|>system(?:\n|\\n)([^'\"{}]+?)<\|im_end\|>")


def recognise_template(source: str | None, *, start: str = "") -> ChatTemplate:
    """The family that a model's own chat template belongs to, with its default system text read out of it.

    Args:
        source: template inside the weights file; None (a base model) gives plain `User:` / `Assistant:` text.
        start: text of the token that a base model wants in front, '' when it wants none.

    Raises:
        InputError: a template of an unknown family.
    """
    if source is None:
        return replace(PLAIN, start=start)
    for mark, family in _FAMILIES:
        if mark in source:
            found = _DEFAULT_SYSTEM.search(source) if family is CHATML else None
            text = found[1].replace("\\n", "\n") if found else None
            return replace(family, default_system=text)
    raise InputError(
        f"the chat template begins {source[:60]!r}: it belongs to no family that is known here.",
        hint="Known families: ChatML (<|im_start|>), Llama 3 (<|start_header_id|>), Gemma (<start_of_turn>).",
    )


def token_ids(segments: Sequence[Segment], tokenizer: Tokenizer) -> list[int]:
    """Token ids of a prompt: control text with special tokens on, content with them off, each apart."""
    ids: list[int] = []
    for segment in segments:
        if isinstance(segment, Control):
            ids += tokenizer.tokenize(segment.text, special=True)
        else:
            ids += content_ids(segment.text, tokenizer)
    return ids


def content_ids(text: str, tokenizer: Tokenizer) -> list[int]:
    """Token ids of content.

    Raises:
        ModelError: the tokenizer gave a control token all the same (then the prompt must not be sent).
    """
    ids = tokenizer.tokenize(text, special=False)
    if ids and bool(tokenizer.control[ids].any()):
        raise ModelError(
            f"the tokenizer reads a control token into the text {text[:60]!r}.",
            hint="This model cannot be given such text safely; change the text or the model.",
        )
    return ids


def visible(segments: Sequence[Segment]) -> str:
    """A prompt for people: control text between ⟦ and ⟧, content as it is."""
    return "".join(f"⟦{segment.text}⟧" if isinstance(segment, Control) else segment.text for segment in segments)
