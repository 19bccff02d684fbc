"""The work of a scoring group: every shared stretch of tokens once, in an order that depends on the group alone.

A group is a set of prompts with options. All token sequences (prompt followed by option) are merged into a trie; its
nodes are the tokens to compute. The last token of an option is never computed: its probability is read at the node
before it. Children are visited by token id, so neither the order of requests nor that of options matters.

`plan_pieces` cuts the trie, written down parents first, into pieces of about equal length: for an engine that can look
at any set of earlier tokens. `plan_rounds` cuts it for an engine that knows sequences only: a round hangs off a spine
(the path from the root to it, computed before) and holds blocks, sub-trees that see the spine and themselves, never
each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from personae.core import InputError, ModelError
from personae.models._protocol import OptionScores, Usage


@dataclass(frozen=True, slots=True)
class Prompt:
    """Token ids of one prompt and of its options."""

    ids: tuple[int, ...]
    options: tuple[tuple[int, ...], ...]


@dataclass(slots=True)
class Tree:
    """The trie. Parents come before their children; node 0 is the empty root."""

    token: list[int]
    depth: list[int]
    """position of the token in its sequence; -1 at the root"""
    parent: list[int]
    children: list[dict[int, int]]
    reads: list[list[int]]
    """tokens whose log-probability is wanted after this node"""
    ends: list[list[list[tuple[int, int]]]]
    """for each prompt and option, the (node, index into its reads) to add up"""
    asked: list[bool]
    """does the node belong to a prompt (and not to options alone)"""

    @property
    def size(self) -> int:
        """Nodes that have to be computed."""
        return len(self.token) - 1


@dataclass(frozen=True, slots=True)
class Round:
    """Nodes computed together. `spine` is the length of the path they hang off."""

    spine: int
    blocks: tuple[tuple[int, ...], ...]
    extends: bool
    """True when the nodes are a chain that becomes part of the spine"""


@dataclass(frozen=True, slots=True)
class Piece:
    """Nodes computed together, parents first. A node sees its ancestors: in the piece, and on the spine before it."""

    nodes: tuple[int, ...]
    spine: tuple[int, ...]
    """path from below the root to the parent of the first node; earlier pieces computed it"""
    level: int
    """pieces of one level are independent of each other; those before it must be done"""


@dataclass(frozen=True, slots=True)
class Scores:
    """Log-probability of each option of each prompt, and how many tokens were computed."""

    logprobs: tuple[tuple[float, ...], ...]
    computed: int
    firsts: tuple[tuple[float, ...], ...]
    """log-probability of the first token of each option"""

    def answers(self, prompts: Sequence[Prompt], *, method: str) -> tuple[OptionScores, ...]:
        """As the answers to a group of score requests: each gets an equal share of what was computed.

        `usage.prompt` counts what one call per option would compute, `usage.prefilled` what was.
        """
        share, rest = divmod(self.computed, len(prompts))
        return tuple(
            OptionScores(
                logprobs=self.logprobs[index],
                tokens=tuple(len(option) for option in prompt.options),
                approximate=False,
                method=method,
                usage=Usage(
                    calls=1,
                    prompt=sum(len(prompt.ids) + len(option) - 1 for option in prompt.options),
                    prefilled=share + (index < rest),
                ),
                firsts=self.firsts[index],
            )
            for index, prompt in enumerate(prompts)
        )


def build_tree(prompts: Sequence[Prompt]) -> Tree:
    """Merge the sequences of a group.

    Raises:
        ModelError: an empty prompt.
        InputError: an option without tokens.
    """
    tree = Tree([-1], [-1], [-1], [{}], [[]], [], [True])
    for prompt in prompts:
        if not prompt.ids:
            raise ModelError("an empty prompt cannot be scored.", hint="Give at least one message.")
        last = 0
        for token in prompt.ids:
            last = _child(tree, last, token)
            tree.asked[last] = True
        ends: list[list[tuple[int, int]]] = []
        for option in prompt.options:
            if not option:
                raise InputError("an option has no text, so it has no probability.", hint="Give every option a text.")
            node, path = last, list[tuple[int, int]]()
            for position, token in enumerate(option):
                path.append((node, _read(tree, node, token)))
                if position + 1 < len(option):
                    node = _child(tree, node, token)
            ends.append(path)
        tree.ends.append(ends)
    return tree


def _child(tree: Tree, node: int, token: int) -> int:
    found = tree.children[node].get(token)
    if found is not None:
        return found
    index = len(tree.token)
    tree.children[node][token] = index
    tree.token.append(token)
    tree.depth.append(tree.depth[node] + 1)
    tree.parent.append(node)
    tree.children.append({})
    tree.reads.append([])
    tree.asked.append(False)
    return index


def _read(tree: Tree, node: int, token: int) -> int:
    reads = tree.reads[node]
    if token not in reads:
        reads.append(token)
    return reads.index(token)


def plan_pieces(tree: Tree, *, limit: int) -> tuple[Piece, ...]:
    """Cut a tree into pieces of about equal size, at most `limit` nodes each, in the order of computing.

    In an order that puts each sub-tree together, whatever a node needs from earlier pieces lies on the path to the
    first node of its own piece. Cuts are moved to where that path is short, which leaves pieces independent.
    """
    order = _preorder(tree, 0)[1:]
    piece_of = [0] * len(tree.token)
    pieces: list[Piece] = []
    end = 0
    while end < len(order):
        start, end = end, _cut(tree, order, end, limit)
        nodes = order[start:end]
        spine: list[int] = []
        node = tree.parent[nodes[0]]
        while node:
            spine.append(node)
            node = tree.parent[node]
        level = max((pieces[piece_of[node]].level + 1 for node in spine), default=0)
        for node in nodes:
            piece_of[node] = len(pieces)
        pieces.append(Piece(nodes, tuple(reversed(spine)), level))
    return tuple(pieces)


def piece_sees(piece: Piece, tree: Tree, window: int | None = None) -> NDArray[np.bool_]:
    """True where a node of the piece sees a node of the spine or of the piece; shape (nodes, spine + nodes).

    Args:
        piece: from `plan_pieces` of `tree`.
        tree: the trie.
        window: tokens back that a node sees, itself included; None = all.
    """
    spine, place = len(piece.spine), {node: row for row, node in enumerate(piece.nodes)}
    sees = np.zeros((len(place), spine + len(place)), np.bool_)
    for node, row in place.items():
        above = place.get(tree.parent[node])
        if above is None:
            sees[row, : tree.depth[node]] = True  # what comes before it, which is on the spine
        else:
            sees[row, : spine + row] = sees[above, : spine + row]
        sees[row, spine + row] = True
    if window is not None:
        depth = np.array([tree.depth[node] for node in (*piece.spine, *piece.nodes)])
        sees &= depth[None] > depth[spine:, None] - window
    return sees


def _cut(tree: Tree, order: Sequence[int], start: int, limit: int) -> int:
    """Where the piece that starts at `start` ends: near an equal share of what is left, before a shallow node."""
    left = len(order) - start
    if left <= limit:
        return len(order)
    share = left / -(-left // limit)
    ends = range(start + max(1, int(share * 0.75)), start + min(limit, int(share * 1.25)) + 1)
    return min(ends, key=lambda end: (tree.depth[order[end]], abs(end - start - share), end))


def plan_rounds(tree: Tree, *, limit: int, leaves: int | None = None) -> tuple[Round, ...]:
    """Cut a tree into rounds.

    Args:
        tree: from `build_tree`.
        limit: most nodes in a round.
        leaves: most leaf sequences in a round, None for any number.
    """
    sizes, tips = _measure(tree)
    most = leaves if leaves is not None else len(tree.token)
    rounds: list[Round] = []
    stack = [(0, False)]
    while stack:
        node, enter = stack.pop()
        if enter:
            chain = _chain(tree, node)
            for start in range(0, len(chain), limit):
                part = tuple(chain[start : start + limit])
                rounds.append(Round(tree.depth[node] + start, (part,), extends=True))
            stack.append((chain[-1], False))
            continue
        children = [child for _, child in sorted(tree.children[node].items())]
        small = [child for child in children if sizes[child] <= limit and tips[child] <= most]
        rounds += [
            Round(tree.depth[node] + 1, tuple(_preorder(tree, root) for root in pack), extends=False)
            for pack in _packs(small, sizes, tips, limit, most)
        ]
        held = set(small)
        stack += [(child, True) for child in reversed(children) if child not in held]
    return tuple(rounds)


def _measure(tree: Tree) -> tuple[list[int], list[int]]:
    """Nodes and leaves at or below each node."""
    sizes = [1] * len(tree.token)
    tips = [0 if children else 1 for children in tree.children]
    for node in range(len(tree.token) - 1, 0, -1):
        sizes[tree.parent[node]] += sizes[node]
        tips[tree.parent[node]] += tips[node]
    return sizes, tips


def _chain(tree: Tree, node: int) -> list[int]:
    """`node` and its only descendants, down to the next fork or end."""
    chain = [node]
    while len(tree.children[chain[-1]]) == 1:
        chain.append(next(iter(tree.children[chain[-1]].values())))
    return chain


def _preorder(tree: Tree, root: int) -> tuple[int, ...]:
    found, stack = list[int](), [root]
    while stack:
        node = stack.pop()
        found.append(node)
        stack += [child for _, child in sorted(tree.children[node].items(), reverse=True)]
    return tuple(found)


def _packs(roots: Sequence[int], sizes: list[int], tips: list[int], limit: int, most: int) -> list[list[int]]:
    """Sub-trees packed, in their order, into rounds of about equal size."""
    total = sum(sizes[root] for root in roots)
    target = total / max(1, -(-total // limit))
    packs: list[list[int]] = []
    filled = held = 0
    for root in roots:
        size, tip = sizes[root], tips[root]
        full = filled + size > limit or held + tip > most or filled + size / 2 > target
        if not packs or full:
            packs.append([])
            filled = held = 0
        packs[-1].append(root)
        filled += size
        held += tip
    return packs


def check_length(tree: Tree, context: int) -> None:
    """Refuse a group with a sequence that does not fit into `context` tokens.

    Raises:
        ModelError: with both lengths.
    """
    longest = max(tree.depth) + 1
    if longest > context:
        raise ModelError(
            f"a prompt with its option holds {longest} tokens, the context holds {context}.",
            hint="Shorten the persona or the items, or open the model with a larger context.",
        )


def log_probabilities(logits: NDArray[np.float32], nodes: Sequence[int], tree: Tree) -> dict[int, NDArray[np.float64]]:
    """Log-probabilities of the tokens to read at `nodes`, whose logits have shape (nodes, vocabulary).

    The array of logits is used up. Sums over the vocabulary are kept in float64.
    """
    logits -= logits.max(axis=1, keepdims=True)
    raw = [logits[row, tree.reads[node]].astype(np.float64) for row, node in enumerate(nodes)]
    np.exp(logits, out=logits)
    norms = np.log(logits.sum(axis=1, dtype=np.float64))
    return {node: values - norm for node, values, norm in zip(nodes, raw, norms, strict=True)}


def sum_scores(tree: Tree, found: dict[int, NDArray[np.float64]]) -> Scores:
    """Add up the log-probabilities along each option."""
    steps = [[[float(found[node][index]) for node, index in path] for path in ends] for ends in tree.ends]
    totals = tuple(tuple(sum(path) for path in ends) for ends in steps)
    return Scores(totals, tree.size, tuple(tuple(path[0] for path in ends) for ends in steps))
