"""The dataset card: what is in the folder, where it comes from, and what it must not be taken for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from personae.formats._files import ExportedFile

if TYPE_CHECKING:
    from jinja2 import Environment

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

    header = {
        "license": facts.licence.lower() if facts.licence else "unknown",
        "language": [facts.language],
        "pretty_name": facts.title,
        "tags": ["synthetic", "personas", "dialogue"],
        "size_categories": [_size(counts.conversations or counts.responses)],
    }
    seed = facts.seed if facts.seed is not None else _lookup(manifest, "seed")
    return (
        _environment()
        .get_template("card.md.j2")
        .render(
            header=yaml.safe_dump(header, sort_keys=False, allow_unicode=True).strip(),
            facts=facts,
            counts=counts,
            files=files,
            licence=facts.licence or f"{_UNSTATED}: choose one before you publish",
            model=facts.model or _lookup(manifest, "model") or _UNSTATED,
            seed=_UNSTATED if seed is None else seed,
        )
    )


@dataclass(frozen=True, slots=True)
class PeopleCounts:
    """What was seen of the people of a dataset."""

    people: int
    real: int
    """people who are not invented"""
    recipes: Sequence[str]
    seeds: Sequence[int]
    generators: Sequence[str]
    licences: Sequence[str]
    columns: Sequence[Mapping[str, str]]
    """name, dtype, whether it is a list, and PII class"""
    redactions: Mapping[str, int] | None
    """None when nothing was anonymised"""
    dropped: Mapping[str, int]


def people_card_text(facts: CardFacts, counts: PeopleCounts, files: Sequence[ExportedFile]) -> str:
    """The card of a dataset of people; its YAML header names the columns as dataset libraries expect them."""
    import yaml

    features = [{"name": c["name"], "sequence" if c["list"] else "dtype": c["dtype"]} for c in counts.columns]
    tables = [f for f in files if f.rows is not None]
    size = sum(f.bytes for f in tables)
    header = {
        "license": facts.licence.lower() if facts.licence else "unknown",
        "language": [facts.language],
        "pretty_name": facts.title,
        "tags": ["personas", *(["synthetic"] if not counts.real else [])],
        "size_categories": [_size(counts.people)],
        "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": "data/train-*"}]}],
        "dataset_info": {
            "features": features,
            "splits": [{"name": "train", "num_bytes": size, "num_examples": counts.people}],
            "download_size": size,
            "dataset_size": size,
        },
    }
    classes = {
        p: [c["name"] for c in counts.columns if c["pii"] == p] for p in ("direct", "sensitive", "quasi", "none")
    }
    return (
        _environment()
        .get_template("people_card.md.j2")
        .render(
            header=yaml.safe_dump(header, sort_keys=False, allow_unicode=True).strip(),
            facts=facts,
            counts=counts,
            files=files,
            classes={name: columns for name, columns in classes.items() if columns},
            licence=facts.licence or f"{_UNSTATED}: choose one before you publish",
        )
    )


def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    # Markdown, not HTML: values are escaped by `_inline`.
    environment = Environment(  # noqa: S701
        loader=FileSystemLoader(_TEMPLATES), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters["inline"] = _inline
    return environment


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
