"""The trie of a scoring group and its rounds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personae.core import InputError, ModelError
from personae.models._tree import Prompt, build_tree, check_length, plan_pieces, plan_rounds

TOKENS = st.lists(st.integers(0, 2), min_size=1, max_size=9).map(tuple)
GROUPS = st.lists(
    st.builds(Prompt, TOKENS, st.lists(TOKENS, min_size=1, max_size=4).map(tuple)), min_size=1, max_size=9
)


def computed(prompts):
    """What has to be computed: every distinct prefix, except the last token of each option."""
    return {(p.ids + o[:-1])[:k] for p in prompts for o in p.options for k in range(1, len(p.ids + o))}


def path(tree, node):
    found = []
    while node:
        found.append(tree.token[node])
        node = tree.parent[node]
    return tuple(reversed(found))


@given(GROUPS)
@settings(max_examples=80, deadline=None)
def test_every_distinct_prefix_is_one_node(prompts):
    tree = build_tree(prompts)
    assert sorted(path(tree, node) for node in range(1, len(tree.token))) == sorted(computed(prompts))
    assert tree.size == len(computed(prompts))


@given(GROUPS)
@settings(max_examples=80, deadline=None)
def test_reads_spell_the_options(prompts):
    tree = build_tree(prompts)
    for prompt, ends in zip(prompts, tree.ends, strict=True):
        for option, steps in zip(prompt.options, ends, strict=True):
            assert tuple(tree.reads[node][index] for node, index in steps) == option
            assert [path(tree, node) for node, _ in steps] == [prompt.ids + option[:k] for k in range(len(option))]


@given(GROUPS, st.integers(1, 12), st.integers(1, 5), st.randoms())
@settings(max_examples=120, deadline=None)
def test_rounds_are_sound(prompts, limit, leaves, random):
    tree = build_tree(prompts)
    rounds = plan_rounds(tree, limit=limit, leaves=leaves)
    nodes = [node for item in rounds for block in item.blocks for node in block]
    assert sorted(nodes) == list(range(1, len(tree.token)))
    spine: list[int] = []
    for item in rounds:
        inside = [node for block in item.blocks for node in block]
        assert len(inside) <= limit
        assert len(spine) >= item.spine
        del spine[item.spine :]
        if item.extends:
            assert len(item.blocks) == 1
        else:
            assert sum(not tree.children[node] for node in inside) <= leaves
        for block in item.blocks:
            for place, node in enumerate(block):
                above = tree.parent[node]
                seen = block[:place] if place else (spine[-1] if spine else 0,)
                assert above in seen
                assert tree.depth[node] == len(path(tree, node)) - 1
        if item.extends:
            spine += inside
    shuffled = list(prompts)
    random.shuffle(shuffled)
    other = build_tree(shuffled)
    spelled = [[[path(tree, n) for n in block] for block in item.blocks] for item in rounds]
    again = [
        [[path(other, n) for n in block] for block in item.blocks]
        for item in plan_rounds(other, limit=limit, leaves=leaves)
    ]
    assert spelled == again


@given(GROUPS, st.integers(1, 12), st.randoms())
@settings(max_examples=120, deadline=None)
def test_pieces_are_sound(prompts, limit, random):
    tree = build_tree(prompts)
    pieces = plan_pieces(tree, limit=limit)
    assert sorted(node for piece in pieces for node in piece.nodes) == list(range(1, len(tree.token)))
    level_of: dict[int, int] = {}
    for piece in pieces:
        assert 0 < len(piece.nodes) <= limit
        assert [tree.depth[node] for node in piece.spine] == list(range(len(piece.spine)))
        assert all(level_of[node] < piece.level for node in piece.spine)
        visible = {0, *piece.spine}
        for node in piece.nodes:
            assert tree.parent[node] in visible
            visible.add(node)
            level_of[node] = piece.level
    shuffled = list(prompts)
    random.shuffle(shuffled)
    other = build_tree(shuffled)
    spelled = [[path(tree, n) for n in piece.nodes] for piece in pieces]
    assert spelled == [[path(other, n) for n in piece.nodes] for piece in plan_pieces(other, limit=limit)]


def test_pieces_of_one_trunk_are_independent():
    persona = tuple(range(30))
    tree = build_tree([Prompt((*persona, 100 + item, 7, 8, 9, item), ((1, 2), (3, 4))) for item in range(40)])
    assert [piece.level for piece in plan_pieces(tree, limit=80)] == [0, 1, 1, 1]


def test_shared_tokens_are_counted_once():
    persona = tuple(range(100))
    prompts = [Prompt((*persona, 200 + item), ((1, 2), (1, 3), (4,))) for item in range(10)]
    assert build_tree(prompts).size == 100 + 10 * 2


def test_what_cannot_be_scored_is_refused():
    with pytest.raises(InputError, match="no text"):
        build_tree([Prompt((1,), ((),))])
    with pytest.raises(ModelError, match="empty prompt"):
        build_tree([Prompt((), ((1,),))])
    with pytest.raises(ModelError, match=r"holds 6 tokens, the context holds 5"):
        check_length(build_tree([Prompt((1, 2, 3, 4), ((5, 6, 7),))]), 5)
