"""Names: frequent, unique in a population, and never looked up in what came before."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from personae.core import RecipeError, UnknownKeyError
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


# Lists by birth decade and other locales ------------------------------------------------------------------------------

DECADES = NamesSpec(shipped="us_decades", year=2020)


def test_names_follow_the_birth_decade() -> None:
    book = NameBook(DECADES, 3, "key")
    k = np.arange(20_000)
    old = Counter(n.given for n in book.names(k, ["female"] * 20_000, np.full(20_000, 1945)))
    young = Counter(n.given for n in book.names(k, ["female"] * 20_000, np.full(20_000, 2012)))
    assert old["Linda"] > 300
    assert young["Linda"] == 0
    assert young["Emma"] > 200
    assert old["Emma"] < young["Emma"] / 4
    assert {name for name, _ in old.most_common(3)} <= {"Mary", "Linda", "Barbara", "Patricia"}
    for counts, decade in ((old, 1940), (young, 2010)):
        weights = DECADES.eras[decade]["female"]
        assert set(counts) <= set(weights)
        share = counts.total() / sum(weights.values())
        common = [name for name, _ in Counter(weights).most_common(40)]
        assert all(0.5 < counts[name] / (weights[name] * share) < 1.7 for name in common)


def test_decades_outside_the_lists_take_the_nearest() -> None:
    book = NameBook(DECADES, 3, "key")
    for born, decade in ((1890, 1930), (1930, 1930), (1939, 1930), (1940, 1940), (2019, 2010), (2044, 2010)):
        names = book.names(np.arange(300), ["male"] * 300, np.full(300, born))
        assert {n.given for n in names} <= set(DECADES.eras[decade]["male"])


def test_full_names_by_decade_are_unique() -> None:
    n = 60_000
    rng = np.random.default_rng(1)
    born = rng.integers(1930, 2020, n)
    labels = np.array(["female", "male", "neutral"])[rng.integers(0, 3, n)].tolist()
    names = NameBook(DECADES, 1, "key").names(np.arange(n), labels, born)
    assert len({name.full for name in names}) == n
    some = NameBook(DECADES, 1, "key").names(np.array([7, 59_000]), [labels[7], labels[59_000]], born[[7, 59_000]])
    assert some == [names[7], names[59_000]]


def test_short_own_lists_by_decade_stay_unique() -> None:
    spec = NamesSpec.model_validate({
        "decades": {1950: {"female": ["Ada", "Bea", "Cleo"]}, 1990: {"female": {"Ada": 3, "Dot": 1}}},
        "given": {"neutral": ["Kim", "Lou"]},
        "surnames": ["Abel", "Bell"],
        "year": 2020,
    })  # fmt: skip
    n = 3000
    born = np.where(np.arange(n) % 2 == 0, 1955, 1999)
    names = NameBook(spec, 0, "k").names(np.arange(n), (["female", "neutral", "female"] * n)[:n], born)
    assert len({name.full for name in names}) == n


def test_families_share_a_surname_and_no_full_name() -> None:
    book = NameBook(NamesSpec(), 4, "k")
    family, slot = np.repeat(np.arange(5000), 4), np.tile(np.arange(4), 5000)
    names = book.names(family, ["female", "male", "female", "male"] * 5000, slot=slot, slots=4)
    assert len({name.full for name in names}) == 20_000
    assert all(len({n.family for n in names[k : k + 4]}) == 1 for k in range(0, 20_000, 4))


def test_decades_need_a_year_and_the_year_needs_decades() -> None:
    with pytest.raises(RecipeError, match="needs a year"):
        NamesSpec(shipped="us_decades")
    with pytest.raises(RecipeError, match="needs lists by decade"):
        NamesSpec(shipped="us", year=2020)
    with pytest.raises(RecipeError, match="expected a decade such as 1950"):
        NamesSpec.model_validate({"decades": {1955: {"female": ["Ada"]}}, "surnames": ["Abel"], "year": 2020})


def test_the_year_is_part_of_the_digest() -> None:
    assert NamesSpec(shipped="us_decades", year=2010).digest != DECADES.digest


@pytest.mark.parametrize("locale", ["de", "es"])
def test_locales_are_large_and_apart(locale: str) -> None:
    lists = NamesSpec(shipped=locale).lists
    assert len(lists["female"]) >= 80
    assert len(lists["male"]) >= 80
    assert len(lists["surnames"]) >= 150
    assert not set(lists["female"]) & set(lists["male"])
    assert not set(lists["neutral"]) & {*lists["female"], *lists["male"]}


def test_nobody_of_eighty_is_called_emma() -> None:
    people = Population("us_adults_rich", n=3000, seed=9)
    called: dict[str, list[int]] = {}
    for person in people:
        called.setdefault(str(person.get("names.given")), []).append(int(person.get("social.age")))
    assert np.mean(called["Linda"]) > 50 > np.mean(called["Jessica"])
    assert all(age < 60 for name in ("Ashley", "Brittany", "Tyler") for age in called[name])
