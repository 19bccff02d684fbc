"""Names: frequent, unique in a population, and never looked up in what came before."""

from __future__ import annotations

import numpy as np
import pytest

from personae.core import UnknownKeyError
from personae.creation import NameBook, NamesSpec, Population
from personae.creation._names import LISTS, NameList, _known_people, initials, list_of


@pytest.mark.parametrize("shipped", ["us", "world", "harbour"])
def test_shipped_lists_do_not_overlap(shipped: str) -> None:
    lists = NamesSpec(shipped=shipped).lists
    given = [name for label in LISTS for name in lists[label]]
    assert len(given) == len(set(given))
    assert len(lists["surnames"]) >= 140
    assert min(len(lists["female"]), len(lists["male"])) >= 60


def test_us_lists_are_as_large_as_promised_and_led_by_the_census() -> None:
    lists = NamesSpec(shipped="us").lists
    assert (len(lists["female"]), len(lists["male"]), len(lists["surnames"])) == (200, 200, 300)
    assert next(iter(lists["female"])) == "Mary"
    assert next(iter(lists["surnames"])) == "Smith"


@pytest.mark.parametrize("shipped", ["us", "harbour"])
def test_full_names_are_unique_over_a_large_population(shipped: str) -> None:
    book = NameBook(NamesSpec(shipped=shipped), 3, "key")
    rng = np.random.default_rng(0)
    labels: list[NameList] = [LISTS[c] for c in rng.integers(0, 3, 30_000)]
    names = book.names(np.arange(30_000), labels)
    assert len({n.full for n in names}) == 30_000


def test_one_at_a_time_gives_the_same_names_in_any_order() -> None:
    book = NameBook(NamesSpec(), 3, "key")
    whole = book.names(np.arange(50), ["female"] * 50)
    assert [NameBook(NamesSpec(), 3, "key").name(k, "female") for k in reversed(range(50))] == whole[::-1]
    assert NameBook(NamesSpec(), 4, "key").names(np.arange(50), ["female"] * 50) != whole


def test_common_names_are_common_and_small_populations_need_no_initials() -> None:
    names = [
        name for seed in range(60) for name in NameBook(NamesSpec(), seed, "k").names(np.arange(100), ["female"] * 100)
    ]
    surnames = [n.family for n in names]
    assert surnames.count("Smith") > 2 * surnames.count("Ball")
    assert sum(n.given == "Mary" for n in names) > 5 * sum(n.given == "Natalie" for n in names)
    assert all(n.full == f"{n.given} {n.family}" for n in names)


def test_initials_come_when_the_names_run_out() -> None:
    spec = NamesSpec.model_validate({"given": {"neutral": ["Kim", "Lou"]}, "surnames": ["Abel"]})
    names = [n.full for n in NameBook(spec, 0, "k").names(np.arange(7), ["neutral"] * 7)]
    assert len(set(names)) == 7
    bare = [n.replace("Kim", "_").replace("Lou", "_") for n in names]
    assert bare == ["_ Abel"] * 2 + ["_ A. Abel"] * 2 + ["_ B. Abel"] * 2 + ["_ C. Abel"]
    assert [initials(turn) for turn in (0, 1, 23, 24)] == ["", "A. ", "Z. ", "A. A. "]


def test_names_of_widely_known_people_are_not_given() -> None:
    barred = _known_people()
    assert len(barred) > 100
    for name in NameBook(NamesSpec(), 1, "k").names(np.arange(40_000), (["female"] * 20_000) + (["male"] * 20_000)):
        if not name.full.count("."):
            assert name.given not in barred.get(name.family, ())


def test_lists_follow_the_label() -> None:
    assert [list_of(w) for w in ("female", "Woman", "man", "boy", "nonbinary person", "x")] == [
        "female", "female", "male", "male", "neutral", "neutral",
    ]  # fmt: skip


def test_people_get_names_of_their_sex_and_nobody_the_same() -> None:
    people = list(Population("us_adults", 500, 2))
    female = NamesSpec().lists["female"]
    assert len({p.name for p in people}) == 500
    assert all((p.get("names.given") in female) == (p.get("social.sex") == "female") for p in people)


def test_unknown_list() -> None:
    with pytest.raises(UnknownKeyError, match="wrold"):
        NamesSpec(shipped="wrold")
