"""Chat templates of unknown families: the Jinja program in a weights file is run in a sandbox, contents apart.

The program is rendered once with a mark in place of every content; what it wrote between the marks is control text,
and contents are put back as they are. So contents never pass through the program, and never become structure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from personae.core import InputError, ModelError, sha256_hex
from personae.models._prompt import (
    ChatTemplate,
    Content,
    Control,
    Segment,
    recognise_template,
)
from personae.models._protocol import Message

if TYPE_CHECKING:
    from jinja2 import Template as Program

TODAY: Final = "2025-01-01"
"""The date that templates get when they ask for it: a prompt that changes every day could not be repeated."""

_OPEN, _CLOSE = "\ue000", "\ue001"
_MARK: Final = re.compile(f"{_OPEN}(\\d+){_CLOSE}")


@dataclass(frozen=True, slots=True)
class JinjaTemplate:
    """A model's own chat template, run as it is.

    Where it knows no system role, the first user message carries the system text. A chat without system message leaves
    the program to insert its default; without `system_default` an empty system message is sent instead, which is as
    near to no system block as an unknown program comes.

    Attributes:
        source: the Jinja program.
        bos: text of the token that begins a text.
        eos: text of the token that ends one.
        name: what a fingerprint calls it.
        stop: nothing: such models end their turn by a token.
    """

    source: str
    bos: str = ""
    eos: str = ""
    name: str = "jinja"
    stop: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """sha256 of everything that decides how messages are rendered."""
        return sha256_hex([self.source, self.bos, self.eos, TODAY])

    def turns(
        self, messages: Sequence[Message], *, prefill: str = "", system_default: bool = False
    ) -> tuple[tuple[Segment, ...], ...]:
        """Segments of a prompt that ends where the model's next turn begins, one group per message.

        A group runs up to the end of its message's content; the last one opens the model's turn.

        Raises:
            ModelError: the program refuses these roles, or leaves a message out.
        """
        chat = list(messages)
        if not system_default and not any(m.role == "system" for m in chat):
            if self.has_system and self.default_system is not None:
                chat.insert(0, Message("system", ""))
        elif not self.has_system:
            chat = _without_system(chat)
        rendered = _rendered(self, _marked(chat))
        contents = self._as_told(chat, rendered)
        groups: list[tuple[Segment, ...]] = []
        end = 0
        seen: set[int] = set()
        for mark in _MARK.finditer(rendered):
            seen.add(int(mark[1]))
            pair = (Control(rendered[end : mark.start()]), Content(contents[int(mark[1])]))
            groups.append(tuple(segment for segment in pair if segment.text))
            end = mark.end()
        lost = [chat[k] for k in range(len(chat)) if k not in seen and chat[k].content]
        if lost:
            raise ModelError(
                f"the model's chat template leaves out a message of the {lost[0].role}: {lost[0].content[:60]!r}.",
                hint="Its template knows no such message; send other roles, or use another model.",
            )
        last = (Control(rendered[end:]), Content(prefill))
        return (*groups, tuple(segment for segment in last if segment.text))

    def render(
        self, messages: Sequence[Message], *, prefill: str = "", system_default: bool = False
    ) -> tuple[Segment, ...]:
        """The same as `turns`, in one piece."""
        groups = self.turns(messages, prefill=prefill, system_default=system_default)
        return tuple(segment for group in groups for segment in group)

    @property
    def has_system(self) -> bool:
        """Does the program write system messages?"""
        return _system_of(self)[0]

    @property
    def default_system(self) -> str | None:
        """What it puts into a missing system message; None when nothing."""
        return _system_of(self)[1]

    def spell(self, messages: Sequence[Message]) -> str:
        """What the program writes when it sees the contents themselves."""
        return _rendered(self, [{"role": m.role, "content": m.content} for m in messages])

    def _as_told(self, chat: Sequence[Message], rendered: str) -> list[str]:
        """The contents as the program would have written them: as they are, or trimmed where it trims."""
        plain = [m.content for m in chat]
        trimmed = [text.strip() for text in plain]
        if plain == trimmed:
            return plain
        direct = self.spell(chat)
        if _filled(rendered, plain) != direct and _filled(rendered, trimmed) == direct:
            return trimmed
        return plain


Template: TypeAlias = ChatTemplate | JinjaTemplate


def pick_template(source: str | None, *, bos: str = "", eos: str = "", start: str = "") -> Template:
    """The template of a known family where the model's own agrees with it, else the model's own.

    Args:
        source: template inside the weights file; None (a base model) gives plain `User:` / `Assistant:` text.
        bos: text of the token that begins a text.
        eos: text of the token that ends one.
        start: text of the token that a base model wants in front, '' when it wants none.

    Raises:
        InputError: neither a known family nor a program that can be run.
    """
    if source is None:
        return recognise_template(None, start=start)
    own = JinjaTemplate(source, bos, eos)
    try:
        family = recognise_template(source)
    except InputError as error:
        try:
            own.turns((Message("user", "x"),))
        except ModelError as refusal:
            raise error from refusal
        return own
    return family if _agree(family, own) else own


def template_body(template: Template) -> dict[str, Any]:
    """The template as JSON."""
    if isinstance(template, JinjaTemplate):
        return {"source": template.source, "bos": template.bos, "eos": template.eos}
    return {name: getattr(template, name) for name in ChatTemplate.__slots__}


def read_template(body: dict[str, Any]) -> Template:
    """The template that `template_body` wrote."""
    if "source" in body:
        return JinjaTemplate(**body)
    pairs: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in body.items()}
    return ChatTemplate(**pairs)


_SAMPLES: Final = (
    (Message("user", "One"),),
    (Message("user", "One"), Message("assistant", "Two"), Message("user", "Three")),
    (Message("system", "Zero"), Message("user", "One")),
    (Message("system", "Zero"), Message("user", "One"), Message("assistant", "Two"), Message("user", "Three")),
)


def _agree(family: ChatTemplate, own: JinjaTemplate) -> bool:
    for chat in _SAMPLES:
        if chat[0].role == "system" and (family.system is None) != (not own.has_system):
            return False
        if chat[0].role == "system" and not own.has_system:
            continue
        try:
            spelled = own.spell(chat)
        except ModelError:
            return False
        if "".join(s.text for s in family.render(chat, system_default=True)) != spelled:
            return False
    return True


def _marked(chat: Sequence[Message]) -> list[dict[str, str]]:
    return [{"role": m.role, "content": f"{_OPEN}{k}{_CLOSE}"} for k, m in enumerate(chat)]


def _filled(rendered: str, contents: Sequence[str]) -> str:
    return _MARK.sub(lambda mark: contents[int(mark[1])], rendered)


def _without_system(chat: Sequence[Message]) -> list[Message]:
    """System texts moved in front of the first user message."""
    said = [m.content for m in chat if m.role == "system" and m.content]
    rest = [m for m in chat if m.role != "system"]
    if not said:
        return rest
    for k, message in enumerate(rest):
        if message.role == "user":
            rest[k] = Message("user", "\n\n".join([*said, message.content]))
            return rest
    return [Message("user", "\n\n".join(said)), *rest]


def _rendered(template: JinjaTemplate, messages: list[dict[str, str]]) -> str:
    from jinja2 import TemplateError

    try:
        return _program(template.source).render(
            messages=messages,
            bos_token=template.bos,
            eos_token=template.eos,
            add_generation_prompt=True,
            enable_thinking=False,
            tools=None,
        )
    except (TemplateError, TypeError, ValueError) as error:
        roles = ", ".join(m["role"] for m in messages)
        raise ModelError(
            f"the model's chat template refuses the roles {roles}: {error}",
            hint="Many templates want user and assistant in turn, the user first.",
        ) from error


@lru_cache(maxsize=32)
def _system_of(template: JinjaTemplate) -> tuple[bool, str | None]:
    """Whether the program writes system messages, and what it inserts when there is none."""
    mark = f"{_OPEN}0{_CLOSE}"
    try:
        with_system = _rendered(template, _marked((Message("system", ""), Message("user", ""))))
    except ModelError:
        return False, None
    if mark not in with_system:
        return False, None
    before, _, rest = with_system.partition(mark)
    between = rest.partition(f"{_OPEN}1{_CLOSE}")[0]
    alone = _rendered(template, _marked((Message("user", ""),)))
    opening = alone.partition(mark)[0]
    inserts = (
        len(opening) >= len(before) + len(between)
        and opening.startswith(before)
        and opening.endswith(between)
        and before != template.bos
    )
    return True, opening[len(before) : len(opening) - len(between)] if inserts else None


@lru_cache(maxsize=32)
def _program(source: str) -> Program:
    from jinja2.exceptions import TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def refuse(message: str) -> str:
        raise TemplateError(message)

    def to_json(value: Any, **options: Any) -> str:
        return json.dumps(value, ensure_ascii=False, indent=options.get("indent"))

    def today(form: str) -> str:
        from datetime import date

        return date.fromisoformat(TODAY).strftime(form)

    # Markup for a model, not HTML.
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"], autoescape=False
    )
    environment.filters["tojson"] = to_json
    helpers: dict[str, Any] = {"raise_exception": refuse, "strftime_now": today}
    environment.globals.update(helpers)
    return environment.from_string(source)
