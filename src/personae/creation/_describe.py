"""Descriptions by phrase grammar: what the fields of a person say, in words that few others share. No model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from personae.core import Clause, InputError, Persona, clauses, degree
from personae.creation._phrases import Coded, PhraseGrammar, Values, load_phrases

_FIELD: Final = "description"
_BANDS: Final = ("low", "mid", "high", "none")
_KNOWN: Final = ("no", "yes")
_DOMAINS: Final = ("extraversion", "agreeableness", "conscientiousness", "neuroticism", "openness")
_TOLD: Final = {"Age": "age", "Gender": "gender", "Occupation": "job", "Lives in": "place"}
"""Clauses that the grammar has sentences for, by their label; those of traits beside them."""


def describe_people(
    people: Sequence[Persona], k: Sequence[int], *, seed: int, grammar: PhraseGrammar | None = None
) -> tuple[str, ...]:
    """A second-person description of each person, by the phrase grammar `description.en`.

    It says everything that the rendering for the person's own eyes says, and adds nothing that could be wrong. A text
    depends on the person, its k and the seed: in which order people come, or with whom, changes nothing.

    Args:
        people: whom to describe; a description they have is not read.
        k: their numbers, one for each: draws depend on them.
        seed: root seed.
        grammar: another grammar with the field `description` and the same variables.

    Raises:
        InputError: not one k for each person, or a grammar that needs something else.

    Example:
        >>> from personae.core import Names
        >>> (text,) = describe_people([Persona(names=Names(full="Ana Reis"))], [0], seed=7)
        >>> "Ana Reis" in text
        True
    """
    numbers = np.asarray(k, dtype=np.int64)
    if numbers.shape != (len(people),):
        raise InputError(f"describe_people: {len(k)} numbers for {len(people)} people.", hint="Give each one number.")
    if not people:
        return ()
    chosen = grammar or load_phrases("description.en")
    texts = chosen.write(_FIELD, _values(people), numbers, seed=seed)
    return tuple(" ".join(part for part in text.split(" ") if part) for text in texts.tolist())


def _values(people: Sequence[Persona]) -> Values:
    """Variables of the grammar as columns."""
    told = [_told(person) for person in people]
    out: dict[str, Coded | np.ndarray[tuple[int], np.dtype[np.object_]]] = {}
    for name in ("name", "rest", *_TOLD.values(), *(f"{domain}_degree" for domain in _DOMAINS)):
        out[name] = np.array([*(row.get(name, "") for row in told), None], dtype=object)[:-1]
    for name in _TOLD.values():
        codes = np.array([name in row for row in told], dtype=np.int64)
        out[f"{name}_known"] = Coded(codes, _KNOWN)
    for domain in _DOMAINS:
        codes = np.array([_BANDS.index(row.get(domain, "none")) for row in told], dtype=np.int64)
        out[domain] = Coded(codes, _BANDS)
    return out


def _told(person: Persona) -> dict[str, str]:
    """What the grammar says about one person, by variable; everything else as finished sentences under `rest`."""
    out = {"name": person.render("self", "name_only")}
    rest: list[str] = []
    scores = person.personal.big_five.scores() if person.personal.big_five is not None else {}
    for clause in clauses(person):
        name = _TOLD.get(clause.label) if clause.section == "S" else None
        domain = clause.label.lower() if clause.section == "T" else ""
        if name == "job" and clause.verb != "work":
            name = None  # retired, a student: a state, told like one
        if name is not None:
            out[name] = clause.rest.removesuffix(" old") if name == "age" else clause.rest.removeprefix("as ")
        elif domain in scores:
            adverb = degree(scores[domain])
            out[domain] = "mid" if adverb is None else "high" if scores[domain] > 50 else "low"
            out[f"{domain}_degree"] = adverb or ""
        elif clause.label != "Description":
            rest.append(_sentence(clause))
    out["rest"] = " ".join(rest)
    return out


def _sentence(clause: Clause) -> str:
    """A clause in the second person."""
    lead = {"be": "You are ", "my": "Your ", "": ""}.get(clause.verb, f"You {clause.verb} ")
    words = f"{lead}{clause.rest}"
    return words if words.endswith((".", "!", "?", "…")) else f"{words}."
