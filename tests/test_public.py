"""What the package shows to the outside."""

from __future__ import annotations

from importlib import import_module
from inspect import isclass, isroutine
from pathlib import Path

import pytest

import personae

ROOT = Path(personae.__file__).parent
ROOMS = sorted(p.parent.name for p in ROOT.glob("*/__init__.py"))
NOUNS = {
    "Actor",
    "Condition",
    "Conversation",
    "Instrument",
    "Measurement",
    "Model",
    "Persona",
    "Population",
    "Run",
    "Study",
}


def test_the_package_exports_exactly_its_nouns() -> None:
    assert set(personae.__all__) == NOUNS | {"__version__"}
    assert len(NOUNS) <= 12
    assert personae.__all__ == sorted(personae.__all__)
    assert dir(personae) == personae.__all__


@pytest.mark.parametrize("noun", sorted(NOUNS))
def test_each_noun_is_the_one_of_its_room(noun: str) -> None:
    thing = getattr(personae, noun)
    assert thing.__name__ == noun
    assert thing.__module__.startswith("personae.")
    assert thing.__doc__


def test_a_noun_nobody_knows_lists_those_there_are() -> None:
    with pytest.raises(AttributeError, match="Persona, Population"):
        personae.Humans  # noqa: B018


def test_every_room_is_here() -> None:
    first = "cli conditioning core creation formats instruments measures models reports runs simulation statistics"
    assert [*first.split(), "steering", "studies", "text"] == ROOMS


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_lists_what_it_shows_sorted_and_all_of_it_is_there(room: str) -> None:
    module = import_module(f"personae.{room}")
    assert module.__doc__
    # As ruff sorts `__all__`: constants, classes, the rest.
    order = sorted(module.__all__, key=lambda n: (0 if n.isupper() else 1 if n[0].isupper() else 2, n))
    assert list(module.__all__) == order
    assert len(set(module.__all__)) == len(module.__all__)
    for name in module.__all__:
        assert getattr(module, name) is not None
        assert not name.startswith("_")


@pytest.mark.parametrize("room", ROOMS)
def test_what_a_room_shows_is_documented(room: str) -> None:
    module = import_module(f"personae.{room}")
    for name in module.__all__:
        thing = getattr(module, name)
        if isclass(thing) or isroutine(thing):
            assert thing.__doc__, f"personae.{room}.{name}"


def test_typed() -> None:
    assert (ROOT / "py.typed").is_file()
