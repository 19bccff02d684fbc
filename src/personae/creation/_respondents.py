"""People who answered a survey, as personas: what the file says of them, and nothing else but a name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from personae.core import InputError, Names, Persona, Provenance, Source, derive_rng, derive_seed
from personae.creation._names import NameBook, NamesSpec, list_of
from personae.creation._paths import leaf_kind, place_words

_TOLD: Final = Source(kind="table", ref="survey respondent")


def respondent_people(
    rows: Sequence[Mapping[str, str]], country: str, n: int, seed: int, *, names: str = "world"
) -> list[Persona]:
    """`n` respondents drawn without repeats. Their answers are not looked at.

    Args:
        rows: fields of each respondent by path (`social.age`), as `read_humans` reads them.
        country: nationality and residence of all of them.
        n: how many.
        seed: which ones.
        names: a shipped list of names; they are invented.

    Raises:
        InputError: fewer respondents than asked for, or a field that cannot hold what the file says.
    """
    if len(rows) < n:
        raise InputError(
            f"{n} respondents of {country!r} are asked for, and the file describes {len(rows)}.",
            hint="Ask for fewer people, or name columns under `respondents: people:` of the file of questions.",
        )
    book = NameBook(NamesSpec(shipped=names), seed, f"respondents {country}")
    chosen = derive_rng(derive_seed(seed, "respondents", country), "rows").permutation(len(rows))[:n]
    return [_person(rows[int(row)], int(row), k, country, book) for k, row in enumerate(chosen)]


def _person(told: Mapping[str, str], row: int, k: int, country: str, book: NameBook) -> Persona:
    name = book.name(k, list_of(told.get("social.sex", "")))
    body: dict[str, Any] = {
        "names": Names(full=name.full, given=name.given, family=name.family).model_dump(exclude_none=True),
        "provenance": Provenance(generator="survey respondent", k=row).model_dump(exclude_none=True),
    }
    for path, value in {"social.nationality": country, "social.residence": country, **told}.items():
        kind = leaf_kind(path, "respondents")
        if path.startswith("social.") and kind != "list":
            said = int(value) if kind == "number" and value.isdigit() else value
            fact = {"value": said, "source": _TOLD.model_dump(exclude_none=True)}
            body.setdefault("social", {})[path.removeprefix("social.")] = fact
        else:
            place_words(body, path, value, "respondents")
    try:
        return Persona.model_validate(body)
    except ValidationError as error:
        wrong = error.errors()[0]
        raise InputError(
            f"respondent {row} of {country!r}: {'.'.join(map(str, wrong['loc']))}: {wrong['msg']}.",
            hint="Recode the column under `respondents: people:` of the file of questions.",
        ) from error
