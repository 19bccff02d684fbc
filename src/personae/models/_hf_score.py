"""Option scoring on a torch network: the pieces of a trie, attention by mask, every shared token computed once.

Before the first group the network is asked to prove that it takes such masks: three branches computed together must
agree with each alone. One that does not is asked plainly, a sequence at a time, and says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from personae.models._changes import Flow
from personae.models._hf_net import Net, Passed, Past
from personae.models._tree import (
    Piece,
    Prompt,
    Scores,
    Tree,
    build_tree,
    check_length,
    log_probabilities,
    piece_sees,
    plan_pieces,
    sum_scores,
)

if TYPE_CHECKING:
    from torch import Tensor

Logs = dict[int, NDArray[np.float64]]

_PIECE: Final = 320
_LOGITS: Final = 24_000_000
"""Most logits in memory at a time; a vocabulary of a quarter of a million leaves 91 rows."""

_TOLERANCE: Final = 2e-3
"""Nats between tree and plain evaluation in float32; a mask that is not understood costs whole nats."""


class TorchScorer:
    """Log-probabilities of options, a group at a time. The same group gives the same bits whatever came before."""

    def __init__(self, net: Net, *, context: int) -> None:
        self._net, self._context = net, context
        self._by_tree: bool | None = None

    @property
    def method(self) -> str:
        """How the last group was scored."""
        return "plain-float32" if self._by_tree is False else "torch-float32"

    def score(self, prompts: Sequence[Prompt]) -> Scores:
        """Score one group.

        Raises:
            ModelError: a prompt is empty, or longer with its option than the context.
            InputError: an option is empty.
        """
        tree = build_tree(prompts)
        check_length(tree, self._context)
        self.try_out()
        if self._by_tree:
            return sum_scores(tree, self._pieces(tree))
        return self._plainly(prompts)

    def try_out(self) -> None:
        """Find out once how the network has to be asked; with no change in force, for the answer holds for all."""
        if self._by_tree is None:
            self._by_tree = self._takes_trees()

    def _takes_trees(self) -> bool:
        size = self._vocabulary
        ids = [(7 * k + 11) % size for k in range(24)]
        tails = ((ids[20], ids[21], ids[22]), (ids[21], ids[23]), (ids[20], ids[23], ids[21]))
        prompts = [Prompt(tuple(ids[:16]), tails), Prompt(tuple(ids[:12]), tails)]
        tree = build_tree(prompts)
        try:
            together = sum_scores(tree, self._pieces(tree, limit=12)).logprobs
        except (RuntimeError, ValueError, TypeError, IndexError):
            return False
        apart = self._plainly(prompts).logprobs
        gaps = [abs(a - b) for x, y in zip(together, apart, strict=True) for a, b in zip(x, y, strict=True)]
        return max(gaps) <= _TOLERANCE

    def _pieces(self, tree: Tree, limit: int = _PIECE) -> Logs:
        pieces = plan_pieces(tree, limit=limit)
        place = {node: at for at, node in enumerate(sorted({node for piece in pieces for node in piece.spine}))}
        trunk: list[tuple[Tensor, Tensor]] = []
        found: Logs = {}
        for piece in pieces:
            found |= self._piece(piece, tree, place, trunk)
        return found

    def _piece(self, piece: Piece, tree: Tree, place: dict[int, int], trunk: Past) -> Logs:
        torch = self._net.torch
        window = self._net.window
        deep = max(tree.depth[node] for node in piece.nodes)
        sees = piece_sees(piece, tree)
        near = piece_sees(piece, tree, window) if window is not None and deep >= window else None
        mask = torch.as_tensor(sees)[None, None]
        windowed = None if near is None else torch.as_tensor(near)[None, None]
        spine = torch.as_tensor([place[node] for node in piece.spine], dtype=torch.long)
        past = [(k[:, :, spine], v[:, :, spine]) for k, v in trunk] if len(spine) else None
        asked = torch.as_tensor([[tree.asked[node] for node in piece.nodes]])

        def run(rows: Sequence[int], *, cache: bool) -> Passed:
            return self._net.forward(
                [[tree.token[node] for node in piece.nodes]],
                [[tree.depth[node] for node in piece.nodes]],
                mask,
                windowed=windowed,
                past=past,
                keep=rows,
                flow=Flow(asked, torch.ones_like(asked)),
                cache=cache,
            )

        wanted = [row for row, node in enumerate(piece.nodes) if tree.reads[node]]
        most = max(1, _LOGITS // self._vocabulary)
        found: Logs = {}
        # Logits beyond what fits in memory take another pass.
        for start in range(0, max(1, len(wanted)), most):
            rows = wanted[start : start + most]
            passed = run(rows or [0], cache=start == 0)
            if start == 0:
                self._keep(piece, place, trunk, passed.past)
            if rows:
                array = passed.logits[0].numpy().astype(np.float32, copy=True)
                found |= log_probabilities(array, [piece.nodes[row] for row in rows], tree)
        return found

    def _keep(self, piece: Piece, place: dict[int, int], trunk: Past, fresh: Past) -> None:
        """Put keys and values that later pieces look back on into the trunk, shape (1, key heads, nodes, head)."""
        torch = self._net.torch
        rows = [row for row, node in enumerate(piece.nodes) if node in place]
        if not rows:
            return
        if not trunk:
            for keys, values in fresh:
                trunk.append(
                    tuple(torch.zeros((*t.shape[:2], len(place), t.shape[3]), dtype=t.dtype) for t in (keys, values))
                )
        at = torch.as_tensor([place[piece.nodes[row]] for row in rows])
        own = torch.as_tensor(rows) - len(piece.nodes)  # the piece stands at the end
        for (keys, values), (new_keys, new_values) in zip(trunk, fresh, strict=True):
            keys[:, :, at] = new_keys[:, :, own]
            values[:, :, at] = new_values[:, :, own]

    def _plainly(self, prompts: Sequence[Prompt]) -> Scores:
        torch = self._net.torch
        totals: list[tuple[float, ...]] = []
        firsts: list[tuple[float, ...]] = []
        computed = 0
        for prompt in prompts:
            own: list[float] = []
            first: list[float] = []
            for option in prompt.options:
                ids = [*prompt.ids, *option]
                asked = torch.as_tensor([[True] * len(prompt.ids) + [False] * (len(option) - 1)])
                passed = self._net.forward(
                    [ids[:-1]],
                    [range(len(ids) - 1)],
                    torch.ones((1, len(ids) - 1), dtype=torch.long),
                    keep=range(len(prompt.ids) - 1, len(ids) - 1),
                    flow=Flow(asked, torch.ones_like(asked)),
                    cache=False,
                )
                logs = torch.log_softmax(passed.logits[0].double(), dim=-1)
                steps = logs[torch.arange(len(option)), torch.as_tensor(option)]
                own.append(float(steps.sum()))
                first.append(float(steps[0]))
                computed += len(ids) - 1
            totals.append(tuple(own))
            firsts.append(tuple(first))
        return Scores(tuple(totals), computed, tuple(firsts))

    @property
    def _vocabulary(self) -> int:
        return int(self._net.config.get_text_config().vocab_size)
