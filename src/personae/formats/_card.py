"""The dataset card: what is in the folder, where it comes from, and what it must not be taken for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from personae.formats._files import ExportedFile

_TEMPLATES: Final = Path(__file__).parent / "templates"
_UNSTATED: Final = "not stated"
_DEEPER: Final = ("config", "spec", "study", "run")


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What only the exporter knows. `model` and `seed` are looked up in the run's manifest when left out."""

    title: str = "Synthetic conversations"
    licence: str | None = None
    """SPDX identifier, e.g. `CC-BY-4.0`"""
    model: str | None = None
    seed: int | None = None
    summary: str = ""
    limits: Sequence[str] = ()
    language: str = "en"


@dataclass(frozen=True, slots=True)
class CardCounts:
    """What was counted while exporting."""

    people: int
    conversations: int
    utterances: int
    responses: int
    endings: Mapping[str, int]
    conditions: Mapping[str, int]
    redactions: Mapping[str, int] | None
    """None when redaction was switched off"""
    anonymised: bool
    audited: int = 0
    """conversations that scanners looked at"""
    flagged: int = 0
    """of those, with a finding"""
    left_out: int = 0
    """of those, not in the files"""


def card_text(
    facts: CardFacts, counts: CardCounts, files: Sequence[ExportedFile], manifest: Mapping[str, object]
) -> str:
    """The card as Markdown with a YAML header."""
    import yaml
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    # Markdown, not HTML: values are escaped by `_inline`.
    environment = Environment(  # noqa: S701
        loader=FileSystemLoader(_TEMPLATES), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters["inline"] = _inline
    header = {
        "license": facts.licence.lower() if facts.licence else "unknown",
        "language": [facts.language],
        "pretty_name": facts.title,
        "tags": ["synthetic", "personas", "dialogue"],
        "size_categories": [_size(counts.conversations or counts.responses)],
    }
    seed = facts.seed if facts.seed is not None else _lookup(manifest, "seed")
    return environment.get_template("card.md.j2").render(
        header=yaml.safe_dump(header, sort_keys=False, allow_unicode=True).strip(),
        facts=facts,
        counts=counts,
        files=files,
        licence=facts.licence or f"{_UNSTATED}: choose one before you publish",
        model=facts.model or _lookup(manifest, "model") or _UNSTATED,
        seed=_UNSTATED if seed is None else seed,
    )


def _lookup(manifest: Mapping[str, object], key: str) -> str | int | None:
    for place in (manifest, *(manifest.get(name) for name in _DEEPER)):
        if not isinstance(place, Mapping):
            continue
        inner: Mapping[str, object] = place
        value = inner.get(key)
        if isinstance(value, (str, int)) and not isinstance(value, bool):
            return value
        if isinstance(value, Mapping):
            nested: Mapping[str, object] = value
            for name in ("reference", "name"):
                if isinstance(stated := nested.get(name), str):
                    return stated
    return None


def _inline(value: object) -> str:
    """A value inside a line or table cell of Markdown: on one line, and not able to become structure."""
    text = " ".join(str(value).split())
    for mark in ("\\", "|", "`", "*", "_", "[", "]", "<", ">", "#"):
        text = text.replace(mark, f"\\{mark}" if mark not in "<>" else {"<": "&lt;", ">": "&gt;"}[mark])
    return text


def _size(n: int) -> str:
    for top, label in ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M")):
        if n < top:
            return label
    return "n>1M"
