"""Scoring engine for models that the numpy engine cannot run: the same rounds, on the compiled engine.

Every leaf of a round is a sequence of the engine; shared tokens belong to several sequences, so each is computed once.
The spine is sequence 0. Memory is cleared first and batches are cut in the same places every time, so a group gives
the same bits whatever was computed before.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from personae.core import ModelError
from personae.models._native import ENGINE, KV_F32, NativeContext, NativeModel, Shape
from personae.models._tree import (
    Prompt,
    Round,
    Scores,
    Tree,
    build_tree,
    check_length,
    log_probabilities,
    plan_rounds,
    sum_scores,
)

_ROUND: Final = 96
"""Tokens of a round: attention runs over every cell in use, so short rounds keep it short."""

_SEQUENCES: Final = 128
"""Leaf sequences at a time; the engine allows 256."""

_BATCH: Final = 256
_TOLERANCE: Final = 0.02
"""Nats between tree and plain evaluation: half-precision weights leave about 0.012, eight-bit ones 0.3."""


class SequenceEngine:
    """Log-probabilities of options, a group at a time, through the engine's sequences."""

    method: Final = "sequences-kv32"

    def __init__(self, path: Path, *, context: int, threads: int | None = 1, tolerance: float = _TOLERANCE) -> None:
        self._model = NativeModel(path)
        self.context = min(context, int(self._model.lib.llama_model_n_ctx_train(self._model.pointer)))
        self._lock = threading.Lock()
        self._vectors: NDArray[np.float32] | None = None
        shape = Shape(
            context=self.context + _ROUND, batch=_BATCH, sequences=_SEQUENCES, unified=True, kv=KV_F32,
            outputs=_BATCH, threads=threads,
        )  # fmt: skip
        try:
            self._engine = NativeContext(self._model, shape)
            self._self_check(tolerance)
        except ModelError:
            self.close()
            raise

    def _self_check(self, tolerance: float) -> None:
        """A tree of three branches must agree with plain evaluation of each branch.

        Raises:
            ModelError: it does not, so the engine's interface is not understood.
        """
        ids = self._model.tokenize("The sun rises in the east and sets in the west. One two three", special=False)
        trunk, tail = tuple(ids[:-4]), ids[-4:]
        options = ((tail[0], tail[1], tail[2]), (tail[1], tail[2]), (tail[0], tail[3], tail[2]))
        together = self.score([Prompt(trunk, options)]).logprobs[0]
        apart = [self.score([Prompt(trunk, (option,))]).logprobs[0][0] for option in options]
        worst = max(abs(a - b) for a, b in zip(together, apart, strict=True))
        if not worst <= tolerance:
            raise ModelError(
                f"tree and plain evaluation of {self._model.path.name!r} differ by {worst:.3f} nats, "
                f"at most {tolerance} is expected: option scores of this file would depend on the group.",
                hint=f"Score on an F16 file, and keep {ENGINE} at its pinned release.",
            )

    def score(
        self, prompts: Sequence[Prompt], threads: int | None = None, vectors: NDArray[np.float32] | None = None
    ) -> Scores:
        """Score one group, on at most as many threads as given.

        `vectors` of shape (blocks, width) are added to every token after each block.

        Raises:
            ModelError: a prompt is empty, or longer with its option than the context.
            InputError: an option is empty.
        """
        tree = build_tree(prompts)
        check_length(tree, self.context)
        with self._lock:
            if self._model.pointer is None:
                raise ModelError("the scoring engine is closed.", hint="Open the model again.")
            self._engine.follow_load(threads)
            self._engine.clear()
            if vectors is not self._vectors:
                self._engine.add_vectors(vectors)
                self._vectors = vectors
            found: dict[int, NDArray[np.float64]] = {}
            for item in plan_rounds(tree, limit=_ROUND, leaves=_SEQUENCES - 1):
                found |= self._round(item, tree)
            return sum_scores(tree, found)

    def close(self) -> None:
        """Free the engine's memory."""
        engine = getattr(self, "_engine", None)
        if engine is not None:
            engine.close()
        self._model.close()

    def _round(self, item: Round, tree: Tree) -> dict[int, NDArray[np.float64]]:
        self._engine.cut(0, item.spine)
        if item.extends:
            nodes = item.blocks[0]
            return self._decode(nodes, [(0,)] * len(nodes), tree)
        owners: dict[int, list[int]] = {}
        last = 0
        for block in item.blocks:
            inside = set(block)
            tips = [node for node in block if not tree.children[node]]
            for tip in tips:
                last += 1
                self._engine.copy(0, last, item.spine)
                node = tip
                while node in inside:
                    owners.setdefault(node, []).append(last)
                    node = tree.parent[node]
        nodes = tuple(node for block in item.blocks for node in block)
        found = self._decode(nodes, [owners[node] for node in nodes], tree)
        for sequence in range(1, last + 1):
            self._engine.cut(sequence)
        return found

    def _decode(
        self, nodes: Sequence[int], owners: Sequence[Sequence[int]], tree: Tree
    ) -> dict[int, NDArray[np.float64]]:
        wanted = [bool(tree.reads[node]) for node in nodes]
        logits = self._engine.decode(
            [tree.token[node] for node in nodes], [tree.depth[node] for node in nodes], owners, wanted
        )
        return log_probabilities(logits, [node for node, want in zip(nodes, wanted, strict=True) if want], tree)
