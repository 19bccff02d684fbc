"""People as columns of words, so that any two crowds can be compared: from records, whatever made them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from personae.core import DOMAINS, Persona, plain

_WORDS: Final = (
    "sex", "gender", "ethnicity", "nationality", "residence", "education", "occupation", "employment", "income",
    "marital_status", "religion", "politics",
)  # fmt: skip
AGE_BANDS: Final = (0, 13, 18, 25, 35, 45, 55, 65, 75)
TRAIT_BANDS: Final = (40.0, 60.0)
"""T-scores below, between and above: one standard deviation from the mean of the reference"""


def people_columns(people: Iterable[Persona], paths: Sequence[str] = ()) -> dict[str, NDArray[Any]]:
    """One column of words per variable that anybody has: social fields, age bands, Big Five in three bands, and more.

    Args:
        people: records of any origin.
        paths: further persona paths (`attributes.school.grade`); their values are taken as words.

    Returns:
        Object columns of equal length; None where a person does not say. `weight` when any record carries one.
    """
    rows = list(people)
    out: dict[str, list[Any]] = {}
    out["social.age"] = [_band(plain(p.social.age)) for p in rows]
    for name in _WORDS:
        out[f"social.{name}"] = [_word(getattr(p.social, name)) for p in rows]
    for domain in DOMAINS:
        out[f"personal.big_five.{domain}"] = [_level(p, domain) for p in rows]
    for path in paths:
        out[path] = [_word(p.fact(path)) for p in rows]
    kept = {name: np.array(values, dtype=object) for name, values in out.items() if any(v is not None for v in values)}
    weights = [p.provenance.weight for p in rows]
    if any(w is not None for w in weights):
        kept["weight"] = np.array([1.0 if w is None else w for w in weights])
    return kept


def _word(leaf: Any) -> str | None:
    return None if leaf is None else str(plain(leaf))


def _band(age: Any) -> str | None:
    if age is None:
        return None
    k = int(np.searchsorted(AGE_BANDS, int(age), side="right")) - 1
    low = AGE_BANDS[k]
    return f"{low}+" if k == len(AGE_BANDS) - 1 else f"{low}-{AGE_BANDS[k + 1] - 1}"


def _level(person: Persona, domain: str) -> str | None:
    score = person.personal.big_five.scores().get(domain) if person.personal.big_five else None
    if score is None:
        return None
    low, high = TRAIT_BANDS
    return "low" if score < low else "high" if score > high else "middle"
