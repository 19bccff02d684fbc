"""Seeded defects: one contradiction put into a person who had none, to see whether a linter finds it.

A defect is stated in the record; nothing else is touched but what would contradict it by the way. The result is a
mapping as in a file, since some defects (an age of 150) no longer fit the schema. Operators are only ever added: what
a linter found with them stays comparable.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from personae.core import InputError, Persona
from personae.creation import _defects_clients, _defects_people, _defects_students, _defects_texts
from personae.creation._defects import KINDS, Corruption
from personae.creation._documents import require_known

CORRUPTIONS: Final[Mapping[str, Corruption]] = MappingProxyType(KINDS)
"""Every kind of seeded defect, by name."""
_REGISTERED: Final = (_defects_people, _defects_texts, _defects_students, _defects_clients)


def corrupt(
    given: Persona | Mapping[str, Any], kind: str, rng: np.random.Generator, *, locale: str = "en"
) -> dict[str, Any]:
    """A person with one defect, as the mapping that a file would hold (without an id).

    Args:
        given: a person or its mapping; it is not changed.
        kind: a name in `CORRUPTIONS`.
        rng: decides which variant of the defect, and where.
        locale: the language of the person; students also `de`.

    Raises:
        UnknownKeyError: no such kind.
        InputError: the defect cannot be put into this person (a student's into somebody who is none).
    """
    require_known(kind, KINDS, "corrupt", kind="kind of defect")
    body = given.dump() if isinstance(given, Persona) else copy.deepcopy(dict(given))
    body = copy.deepcopy(body)
    body.pop("id", None)
    made = KINDS[kind]
    if locale != "en" and made.localised is None:
        raise InputError(f"corrupt: {kind!r} has no words in the locale {locale!r}.", hint="Students' kinds have.")
    if not (made.apply(body, rng) if made.localised is None else made.localised(body, rng, locale)):
        raise InputError(
            f"corrupt: {kind!r} cannot be put into {body.get('names', {}).get('full')!r}.",
            hint=f"It is about the domain {made.domain!r} and needs what it contradicts.",
        )
    return body
