"""Prompts for people to read. How a model's prompts are shown is data, so that a call log shows them without the model.

tokens     the chat template is ours: control text between ⟦ and ⟧, content as it is
messages   an endpoint joins the messages itself: they are shown as sent, as JSON
plain      a fake gets no text at all: messages one under the other
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Self, TypeAlias

from personae.core import canonical_json
from personae.models._jinja import Template, read_template, template_body
from personae.models._keys import redact
from personae.models._neutral import neutralise
from personae.models._prompt import visible
from personae.models._protocol import GenerateRequest, Image, Message, ScoreRequest

WireMessage: TypeAlias = dict[str, Any]
"""A message as an endpoint is sent it"""
FormKind: TypeAlias = Literal["tokens", "messages", "plain"]


@dataclass(frozen=True, slots=True)
class PromptForm:
    """How prompts of one model are shown; `template` belongs to `tokens`."""

    kind: FormKind
    template: Template | None = None

    def show(self, request: GenerateRequest | ScoreRequest) -> str:
        """What the model gets for this request; the options of a closed question one a line."""
        if self.template is not None:
            segments = self.template.render(
                request.messages, prefill=request.prefill, system_default=request.system_default
            )
            text = visible(segments)
        elif self.kind == "messages":
            sent, _ = wire_messages(request.messages, request.prefill, system_default=request.system_default)
            text = redact(_PICTURE.sub(r"\1…", json.dumps(sent, ensure_ascii=False, indent=1)))
        else:
            pictures = ["[picture]\n" * len(m.images) for m in request.messages]
            lines = [f"[{m.role}]\n{p}{m.content}" for m, p in zip(request.messages, pictures, strict=True)]
            text = "\n\n".join([*lines, f"[assistant]\n{request.prefill}"])
        if isinstance(request, ScoreRequest) and self.kind != "messages":
            text += "".join(f"\n  | {option}" for option in request.options)
        return text

    def to_json(self) -> str:
        """As a call log keeps it."""
        template = None if self.template is None else template_body(self.template)
        return canonical_json({"kind": self.kind, "template": template})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The form that `to_json` wrote."""
        body: dict[str, Any] = json.loads(text)
        known = body["template"]
        return cls(body["kind"], None if known is None else read_template(known))


MESSAGES = PromptForm("messages")
PLAIN_FORM = PromptForm("plain")


def wire_messages(messages: Sequence[Message], prefill: str, *, system_default: bool) -> tuple[list[WireMessage], int]:
    """Messages as an endpoint is sent them, and how many control strings in them were broken up."""
    told = list(messages)
    if prefill:
        told.append(Message("assistant", prefill))
    clean = [neutralise(m.content) for m in told]
    out: list[WireMessage] = [
        {"role": m.role, "content": _with_images(m, c.text) if m.images else c.text}
        for m, c in zip(told, clean, strict=True)
    ]
    if not system_default and not any(m.role == "system" for m in messages):
        out.insert(0, {"role": "system", "content": ""})
    return out, sum(c.count for c in clean)


def _with_images(message: Message, text: str) -> list[dict[str, Any]]:
    def address(image: Image) -> str:
        return f"data:{image.media_type};base64,{base64.b64encode(image.data).decode('ascii')}"

    shown: list[dict[str, Any]] = [{"type": "image_url", "image_url": {"url": address(i)}} for i in message.images]
    return [*shown, {"type": "text", "text": text}]


_PICTURE: Final = re.compile(r"(data:image/[a-z]+;base64,)[A-Za-z0-9+/=]+")
