"""The tree of attributes: nested JSON there and back, what is refused, what the lint finds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personae.core import SchemaError, UnknownKeyError
from personae.creation import ROOTS, Taxonomy, lint_taxonomy, load_value_tree, read_taxonomy

NAMES = st.text("abcdefgh", min_size=1, max_size=4)


@st.composite
def branches(draw: st.DrawFn, parent: str = "", depth: int = 4) -> dict:
    if depth == 0:
        return {}
    names = draw(st.lists(NAMES.filter(lambda n: n != parent), max_size=3, unique=True))
    return {name: draw(branches(name, depth - 1)) for name in names}


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(ROOTS)), branches(), max_size=4))
def test_nested_json_comes_back_as_it_was(nested: dict) -> None:
    tree = Taxonomy.from_nested(json.loads(json.dumps(nested)))
    assert tree.to_nested() == nested
    assert Taxonomy.model_validate(tree.model_dump(mode="json")) == tree
    assert Taxonomy.from_paths(tree.leaves).to_nested() == nested


def test_titles_of_roots_are_understood(tmp_path: Path) -> None:
    tree = Taxonomy.from_nested({"Core values, beliefs & philosophy": {}, "Lifestyle and daily routine": {"Food": {}}})
    assert tree.leaves == ("core_values", "lifestyle.food")
    assert read_taxonomy(tree.save(tmp_path / "tree.json")).to_nested() == tree.to_nested()


@pytest.mark.parametrize(
    ("nested", "error", "words"),
    [
        ({"lifestyl": {}}, UnknownKeyError, "lifestyl"),
        ({"lifestyle": {"food": "bread"}}, SchemaError, "lifestyle / food"),
        ({"lifestyle": {"food": {}, "Food": {}}}, SchemaError, "lifestyle.food"),
        ({"lifestyle": {"food": {"food": {}}}}, SchemaError, "named like its parent"),
        ({"lifestyle": {"a": {"b": {"c": {"d": {"e": {}}}}}}}, SchemaError, "depth"),
        ({"lifestyle": {"!!": {}}}, SchemaError, "without letters"),
    ],
)
def test_what_is_no_tree_is_refused_by_name(nested: dict, error: type, words: str) -> None:
    with pytest.raises(error, match=words.replace(".", r"\.")):
        Taxonomy.from_nested(nested)


def test_a_name_twice_in_a_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "twice.json"
    file.write_text('{"lifestyle": {"food": {}, "food": {"a": {}}}}')
    with pytest.raises(SchemaError, match="given twice"):
        read_taxonomy(file)


def test_the_lint_finds_what_released_trees_are_full_of() -> None:
    found = lint_taxonomy(
        {
            "Core values, beliefs and philosophy": {"Honesty": {}},
            "Core Values, Beliefs, Philosophy": {"UserProfileAttributes": {}},
            "lifestyle": {"food": {"foods": {}}, "hobby": {}, "hobbies": {}, "city of lowmere": {}, "x": 3},
        }
    )
    assert {"near_roots", "not_a_person", "parent_is_child", "near_siblings", "place_name", "not_a_branch"} <= {
        f.code for f in found
    }
    assert not lint_taxonomy({"lifestyle": {"food": {"breakfast": {}, "supper": {}}}})


def test_the_shipped_tree_is_large_sound_and_clean() -> None:
    tree = load_value_tree().taxonomy
    assert len(tree.leaves) >= 600
    assert tree.roots == tuple(ROOTS)
    assert tree.depth <= 5
    assert not [f for f in lint_taxonomy(tree) if f.severity == "error"]
