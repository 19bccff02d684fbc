"""The labelled set for closing cues, and how well the rules do on it."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from personae.core import InputError, SchemaError
from personae.text._closing import closing_cue

Split = Literal["dev", "test"]

SCHEMA_VERSION: Final = 1


class ClosingItem(BaseModel):
    """One labelled last turn.

    Attributes:
        id: Name of the item.
        split: `dev` (rules were written against it) or `test` (only ever evaluated).
        closing: The label: does `text` close the conversation?
        group: Kind of closing, or kind of trap.
        previous: The partner's turn before it; may be empty.
        text: The turn to judge.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    split: Split
    closing: bool
    group: str
    previous: str
    text: str


class _ClosingFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1]
    license: str
    items: tuple[ClosingItem, ...]


class CueEvaluation(BaseModel):
    """Confusion counts of a closing detector on a labelled set.

    Attributes:
        split: Which items were judged.
        true_positives: Closings found.
        false_positives: Turns called closings that are none.
        false_negatives: Closings missed.
        true_negatives: Other turns left alone.
        wrong: Ids of the items judged wrongly.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    split: Split
    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int
    wrong: tuple[str, ...]

    @property
    def n(self) -> int:
        """How many items were judged."""
        return self.true_positives + self.false_positives + self.false_negatives + self.true_negatives

    @property
    def precision(self) -> float | None:
        """Share of found closings that are closings; None when nothing was found."""
        found = self.true_positives + self.false_positives
        return self.true_positives / found if found else None

    @property
    def recall(self) -> float | None:
        """Share of closings that were found; None when there are none."""
        closings = self.true_positives + self.false_negatives
        return self.true_positives / closings if closings else None


def load_closing_cues(path: Path | None = None) -> tuple[ClosingItem, ...]:
    """The shipped labelled set (160 turns, author-labelled), or one of your own in the same form.

    Raises:
        InputError: `path` cannot be read.
        SchemaError: the file does not have the expected form.
    """
    import yaml

    where = "the shipped closing_cues.yaml" if path is None else repr(str(path))
    source = files("personae.text").joinpath("data", "closing_cues.yaml") if path is None else path
    try:
        document = yaml.safe_load(source.read_text(encoding="utf-8"))
        items = _ClosingFile.model_validate(document).items
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{where} cannot be read: {error}.", hint="Expected a YAML file in UTF-8.") from error
    except (yaml.YAMLError, ValidationError) as error:
        raise SchemaError(
            f"{where} is not a labelled set of closing cues: {error}.",
            hint="Expected schema_version, license and items with id, split, closing, group, previous and text.",
        ) from error
    if len({item.id for item in items}) < len(items):
        raise SchemaError(f"{where} has two items of the same id.", hint="Give every item its own id.")
    return items


def evaluate_closing_cues(split: Split = "test", items: Iterable[ClosingItem] | None = None) -> CueEvaluation:
    """Confusion counts of `closing_cue` on the items of one split (default: the held-out one of the shipped set)."""
    chosen = [item for item in (load_closing_cues() if items is None else items) if item.split == split]
    found = [closing_cue(item.text, item.previous or None) is not None for item in chosen]
    pairs = [(item.closing, said) for item, said in zip(chosen, found, strict=True)]
    return CueEvaluation(
        split=split,
        true_positives=pairs.count((True, True)),
        false_positives=pairs.count((False, True)),
        false_negatives=pairs.count((True, False)),
        true_negatives=pairs.count((False, False)),
        wrong=tuple(item.id for item, (label, said) in zip(chosen, pairs, strict=True) if label != said),
    )
