from importlib.metadata import EntryPoint

import pytest

from personae.core import InputError, Registry
from personae.core import _registry as home


def test_names_and_things():
    shelf = Registry("test_shelf")
    thing = object()
    assert shelf.add("b", thing) is thing
    shelf.add("a", 1)
    assert shelf.add("b", thing) is thing
    assert list(shelf) == shelf.names() == ["a", "b"]
    assert shelf.get("b") is thing


def test_two_things_of_one_name():
    shelf = Registry("test_shelf")
    shelf.add("a", 1)
    with pytest.raises(InputError, match="registered twice"):
        shelf.add("a", 2)


def test_unknown_names():
    shelf = Registry("test_shelf")
    with pytest.raises(InputError, match="Known: none"):
        shelf.get("spasm")
    shelf.add("spasm", 1)
    with pytest.raises(InputError, match="Did you mean 'spasm'"):
        shelf.get("spams")
    with pytest.raises(InputError, match="Known: spasm"):
        shelf.get("zzz")


def test_plug_ins_come_through_entry_points(monkeypatch):
    point = EntryPoint("outside", "json:dumps", "personae.test_shelf")
    monkeypatch.setattr(home, "entry_points", lambda group: [point] if group == "personae.test_shelf" else [])
    shelf = Registry("test_shelf")
    import json

    assert shelf.get("outside") is json.dumps
