"""Human answers to survey questions from a CSV file, by country, and who gave them."""

from __future__ import annotations

import csv
import difflib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from personae.core import InputError, UnknownKeyError
from personae.instruments import Respondents, Survey, SurveyItem

_UNKNOWN: Final = frozenset({"", "na", "nan", "none", "."})


@dataclass(slots=True)
class HumanAnswers:
    """People's answers to one item, by category in order; `counts` are sums of weights, `n` is how many people."""

    counts: NDArray[np.float64]
    n: int = 0
    missing: int = 0


@dataclass(slots=True)
class Humans:
    """What a file says: answers by country and item, why items have none, and the people who answered."""

    answers: dict[str, dict[str, HumanAnswers]]
    without: dict[str, str]
    people: dict[str, list[dict[str, str]]] = field(default_factory=dict[str, list[dict[str, str]]])


def read_humans(path: Path, survey: Survey, countries: Sequence[str]) -> Humans:
    """Human answers from a CSV file with a header.

    Args:
        path: the file; it is read row by row.
        survey: questions and codebook. Nothing is taken from a column that the codebook does not name.
        countries: which countries count, as the codebook calls them.

    Returns:
        Answers of every country; items that no column holds, with the reason; fields of the people who gave an answer
        and of whom a field is known.

    Raises:
        InputError: the file cannot be read, lacks a column that chooses rows, has no known answer, or holds one
            country where several are asked for; a weight that is no number at or above 0.
        UnknownKeyError: a country that is not in the file.
    """
    book = survey.respondents
    rows = _rows(path)
    header = next(rows)
    _check_header(path, header, survey, countries)
    asked = [i for i in survey.items if i.human is not None and i.human.column in header]
    told = {name: own for name, own in book.people.items() if own.column in header}
    out = Humans(
        {c: {i.id: HumanAnswers(np.zeros(len(i.categories))) for i in asked} for c in countries},
        {i.id: _why(i) for i in survey.items if i not in asked},
        {c: [] for c in countries},
    )
    seen: set[str] = set()
    for line, row in enumerate(rows, start=2):
        if not all(any(_same(row.get(c) or "", v) for v in values) for c, values in book.where.items()):
            continue
        country = _country(row, book, countries)
        seen.add(country)
        if country not in out.answers:
            continue
        weight = 1.0 if book.weight is None else _weight(row.get(book.weight) or "", path, line, book.weight)
        if _count(out.answers[country], asked, row, weight):
            fields = ((name, _field(row.get(own.column) or "", own.recode)) for name, own in told.items())
            if person := {name: value for name, value in fields if value}:
                out.people[country].append(person)
    for country in countries:
        if book.country is not None and country not in seen:
            raise UnknownKeyError.of(country, sorted(seen), where=f"{path.name}: column {book.country!r}")
    _drop_silent(out, asked, countries)
    if not any(out.answers.values()):
        raise InputError(
            f"{str(path)!r} holds no answer to any of {[i.id for i in survey.items]}.",
            hint="Map the columns and their values in the file of questions.",
        )
    return out


def _rows(path: Path) -> Iterator[dict[str, str]]:
    """First the header as a mapping, then every row."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            reader = csv.DictReader(handle, strict=True)
            yield dict.fromkeys(reader.fieldnames or (), "")
            yield from reader
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"cannot read {str(path)!r}: {error}.", hint="Give a CSV file in UTF-8 with a header."
        ) from error


def _check_header(path: Path, header: Mapping[str, str], survey: Survey, countries: Sequence[str]) -> None:
    book = survey.respondents
    columns = [i.human.column for i in survey.items if i.human is not None]
    if not any(c in header for c in columns):
        raise InputError(
            f"{str(path)!r} has none of the columns {sorted(columns)}.", hint="Map them in the file of questions."
        )
    for column in (book.country, book.weight, *book.where):
        if column is not None and column not in header:
            near = difflib.get_close_matches(column, header, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Its columns: {', '.join(list(header)[:20])}."
            raise InputError(f"{str(path)!r} has no column {column!r}, which the codebook names.", hint=hint)
    if book.country is None and len(countries) != 1:
        raise InputError(
            f"{len(countries)} countries are asked for, but the codebook names no column of countries.",
            hint="Add `respondents: {country: COLUMN}` to the file of questions, or ask for one country.",
        )


def _country(row: Mapping[str, str], book: Respondents, countries: Sequence[str]) -> str:
    if book.country is None:
        return countries[0]
    word = (row.get(book.country) or "").strip()
    return book.countries.get(word, word)


def _drop_silent(out: Humans, asked: Sequence[SurveyItem], countries: Sequence[str]) -> None:
    """Leave out items that nobody of some country answered."""
    for item in asked:
        silent = [c for c in countries if out.answers[c][item.id].n == 0]
        if silent:
            out.without[item.id] = f"column {_column(item)!r} holds no known value of {silent[0]}"
            for c in countries:
                del out.answers[c][item.id]


def _count(
    answers: Mapping[str, HumanAnswers], items: Sequence[SurveyItem], row: Mapping[str, str], weight: float
) -> bool:
    """Add the answers of one row; whether there was any."""
    any_answer = False
    for item in items:
        category = _category(row.get(_column(item)) or "", item)
        own = answers[item.id]
        if category is None:
            own.missing += 1
        else:
            own.counts[item.categories.index(category)] += weight
            own.n += 1
            any_answer = True
    return any_answer


def _column(item: SurveyItem) -> str:
    return "" if item.human is None else item.human.column


def _why(item: SurveyItem) -> str:
    return "no column named" if item.human is None else f"no column {item.human.column!r}"


def _category(text: str, item: SurveyItem) -> float | None:
    recode = item.human.recode if item.human else {}
    word = text.strip()
    if recode:
        return next((value for known, value in recode.items() if _same(word, known)), None)
    number = _number(word)
    return number if number in item.categories else None


def _field(text: str, recode: Mapping[str, str]) -> str:
    """What a column says of somebody; '' when it says nothing known."""
    word = text.strip()
    if recode:
        return next((value for known, value in recode.items() if _same(word, known)), "")
    if word.lower() in _UNKNOWN:
        return ""
    number = _number(word)
    return str(int(number)) if number is not None and number == int(number) else word


def _weight(text: str, path: Path, line: int, column: str) -> float:
    number = _number(text.strip())
    if number is None or not 0 <= number < math.inf:
        raise InputError(f"{path.name}, line {line}: weight {text!r} in column {column!r}.", hint="Expected 0 or more.")
    return number


def _same(word: str, known: str) -> bool:
    """Equal as words or as numbers: a file may hold 1 or 1.0."""
    if word.strip() == known:
        return True
    number = _number(word.strip())
    return number is not None and number == _number(known)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
