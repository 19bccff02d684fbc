"""Scoring engine for small models of the Llama family: the forward pass in numpy, float32 throughout.

Three things speak for it beside the compiled engine. Its matrix products run on the BLAS inside numpy, about three
times as fast per CPU second for this work. Float32 activations make the result nearly independent of the shape of the
computation (1e-4 nats, where half-precision activations give 1e-2). And tree attention needs no sequence bookkeeping:
a block sees its spine and itself.

Source: the network is LLaMA (arXiv:2302.13971 §2.2: pre-norm RMSNorm, SwiGLU, rotary positions) with grouped-query
attention (arXiv:2305.13245 §2.2).
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from personae.core import InputError, ModelError
from personae.models._blas import one_blas_thread
from personae.models._ggufile import F16, F32, Header, tensor_f32
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

Floats: TypeAlias = NDArray[np.float32]
Ints: TypeAlias = NDArray[np.int64]

_LARGEST: Final = 600_000_000
"""Weights. Beyond it the float32 copy in memory (four bytes each) is too large, and the compiled engine scores."""

_ROUND: Final = 192
"""Tokens of a round: large enough for the matrix products, small enough for the caches."""

_LOGIT_ROWS: Final = 128
_HIDDEN: Final = np.float32(-1e30)
_PER_LAYER: Final = (
    "attn_norm", "attn_q", "attn_k", "attn_v", "attn_output", "ffn_norm", "ffn_gate", "ffn_up", "ffn_down",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Layer:
    """Weights of one layer, rows = outputs."""

    attn_norm: Floats
    qkv: Floats
    output: Floats
    ffn_norm: Floats
    gate_up: Floats
    down: Floats


@dataclass(slots=True)
class Spine:
    """Keys and values of the path computed so far, shape (layers, key heads, capacity, head size)."""

    keys: Floats
    values: Floats


def dense_fits(header: Header) -> bool:
    """Can this engine run the model: Llama family, plain rotary positions, F16 or F32 weights, small."""
    names = set(header.tensors)
    wanted = {f"blk.0.{name}.weight" for name in _PER_LAYER} | {"token_embd.weight", "output_norm.weight"}
    return (
        header.architecture == "llama"
        and wanted <= names
        and not any(name.endswith(".bias") or name.startswith("rope_") or "_exps" in name for name in names)
        and not any("rope.scaling" in key for key in header.meta)
        and header.integer("attention.head_count_kv", 0) > 0
        and {tensor.kind for tensor in header.tensors.values()} <= {F16, F32}
        and header.parameters <= _LARGEST
    )


class DenseEngine:
    """Exact log-probabilities of options, a group at a time.

    The same group gives the same bits in any order of requests, with any number of threads (rounds are fixed by the
    group; threads only share rounds out), whatever was computed before.
    """

    method: Final = "dense-float32"

    def __init__(self, header: Header, *, context: int, threads: int = 1) -> None:
        if not dense_fits(header):
            raise InputError(f"{str(header.path)!r} is not a small Llama-family model with F16 weights.")
        self.context = min(context, header.integer("context_length"))
        self.threads = threads
        self._heads = header.integer("attention.head_count")
        self._key_heads = header.integer("attention.head_count_kv")
        self._width = header.integer("embedding_length")
        self._inner = header.integer("feed_forward_length")
        self._head = header.integer("rope.dimension_count", self._width // self._heads)
        self._epsilon = np.float32(header.number("attention.layer_norm_rms_epsilon"))
        self._lock = threading.Lock()
        self._layers: list[Layer] | None = self._load_layers(header)
        self._embedding = tensor_f32(header, header.tensors["token_embd.weight"])
        output = header.tensors.get("output.weight")
        self._output = self._embedding if output is None else tensor_f32(header, output)
        self._output_norm = tensor_f32(header, header.tensors["output_norm.weight"])
        base = header.number("rope.freq_base", 10000.0)
        angles = np.arange(self.context)[:, None] * base ** (-np.arange(0, self._head, 2) / self._head)
        self._cos = np.cos(angles).astype(np.float32)  # Shape: (context, head/2)
        self._sin = np.sin(angles).astype(np.float32)

    def _load_layers(self, header: Header) -> list[Layer]:
        def weights(index: int, name: str) -> Floats:
            return tensor_f32(header, header.tensors[f"blk.{index}.{name}.weight"])

        def halves(rows: Floats) -> Floats:
            # The file pairs neighbouring rows for the rotation; here the first half is paired with the second.
            paired = rows.reshape(-1, self._head // 2, 2, self._width)
            return paired.transpose(0, 2, 1, 3).reshape(rows.shape)

        return [
            Layer(
                attn_norm=weights(i, "attn_norm"),
                qkv=np.concatenate([halves(weights(i, "attn_q")), halves(weights(i, "attn_k")), weights(i, "attn_v")]),
                output=weights(i, "attn_output"),
                ffn_norm=weights(i, "ffn_norm"),
                gate_up=np.concatenate([weights(i, "ffn_gate"), weights(i, "ffn_up")]),
                down=weights(i, "ffn_down"),
            )
            for i in range(header.integer("block_count"))
        ]

    def score(self, prompts: Sequence[Prompt]) -> Scores:
        """Score one group.

        Raises:
            ModelError: a prompt is empty, or longer with its option than the context.
            InputError: an option is empty.
        """
        tree = build_tree(prompts)
        check_length(tree, self.context)
        with self._lock, one_blas_thread(), np.errstate(over="ignore", under="ignore"):
            return sum_scores(tree, self._run(tree))

    def close(self) -> None:
        """Drop the weights."""
        with self._lock:
            self._layers = None
            self._embedding = self._output = np.zeros((0, 0), np.float32)

    def _run(self, tree: Tree) -> dict[int, NDArray[np.float64]]:
        if self._layers is None:
            raise ModelError("the scoring engine is closed.", hint="Open the model again.")
        rounds = plan_rounds(tree, limit=_ROUND)
        longest = max((r.spine + len(r.blocks[0]) for r in rounds if r.extends), default=0)
        shape = (len(self._layers), self._key_heads, longest, self._head)
        spine = Spine(np.zeros(shape, np.float32), np.zeros(shape, np.float32))
        found: dict[int, NDArray[np.float64]] = {}
        with ThreadPoolExecutor(max(1, self.threads)) as pool:
            at = 0
            while at < len(rounds):
                # Rounds up to the next one that moves the spine are independent of each other.
                end = at + 1
                while not rounds[at].extends and end < len(rounds) and not rounds[end].extends:
                    end += 1
                for part in pool.map(partial(self._round, tree=tree, spine=spine), rounds[at:end]):
                    found.update(part)
                at = end
        return found

    def _round(self, item: Round, tree: Tree, spine: Spine) -> dict[int, NDArray[np.float64]]:
        layers = self._layers or []
        grid = _grid(item, tree)
        wanted = np.array([i for i, node in enumerate(grid.nodes) if tree.reads[node]], dtype=np.int64)
        x = self._embedding[grid.tokens]  # Shape: (n, width); a copy, because it is indexed by an array
        cos, sin = self._cos[grid.positions][:, None], self._sin[grid.positions][:, None]
        for index, layer in enumerate(layers):
            q, k, v = self._project(x, layer, cos, sin)
            if item.extends:
                spine.keys[index, :, item.spine : item.spine + len(k)] = k.transpose(1, 0, 2)
                spine.values[index, :, item.spine : item.spine + len(v)] = v.transpose(1, 0, 2)
            past = (spine.keys[index, :, : item.spine], spine.values[index, :, : item.spine])
            mixed = _attend(q, k, v, past, grid)
            if index == len(layers) - 1:
                # Only nodes with something to read need the rest of the last layer.
                x, mixed = x[wanted], mixed[wanted]
            x += mixed @ layer.output.T
            inner = self._normal(x, layer.ffn_norm) @ layer.gate_up.T
            gate, up = inner[:, : self._inner], inner[:, self._inner :]
            gate /= 1 + np.exp(-gate)
            gate *= up
            x += gate @ layer.down.T
        return self._read(x, [grid.nodes[i] for i in wanted], tree)

    def _project(self, x: Floats, layer: Layer, cos: Floats, sin: Floats) -> tuple[Floats, Floats, Floats]:
        """Queries (n, key heads, group, head), keys and values (n, key heads, head); the first two rotated."""
        n, turned = len(x), self._heads + self._key_heads
        heads: Floats = (self._normal(x, layer.attn_norm) @ layer.qkv.T).reshape(
            n, turned + self._key_heads, self._head
        )
        half = self._head // 2
        left, right = heads[:, :turned, :half], heads[:, :turned, half:]
        rotated = np.empty((n, turned, self._head), np.float32)
        rotated[..., :half] = left * cos - right * sin
        rotated[..., half:] = left * sin + right * cos
        rotated[:, : self._heads] *= np.float32(self._head**-0.5)
        q = rotated[:, : self._heads]
        return q.reshape(n, self._key_heads, -1, self._head), rotated[:, self._heads :], heads[:, turned:]

    def _normal(self, x: Floats, weight: Floats) -> Floats:
        square = np.einsum("ij,ij->i", x, x)[:, None] / np.float32(x.shape[1])
        return x * (1 / np.sqrt(square + self._epsilon)) * weight

    def _read(self, x: Floats, nodes: Sequence[int], tree: Tree) -> dict[int, NDArray[np.float64]]:
        """Log-probabilities of the tokens to read at each node. Sums over the vocabulary are kept in float64."""
        found: dict[int, NDArray[np.float64]] = {}
        x = self._normal(x, self._output_norm)
        for start in range(0, len(nodes), _LOGIT_ROWS):
            logits = x[start : start + _LOGIT_ROWS] @ self._output.T  # Shape: (rows, vocabulary)
            found |= log_probabilities(logits, nodes[start : start + _LOGIT_ROWS], tree)
        return found


@dataclass(frozen=True, slots=True)
class _Grid:
    """A round laid out for block attention: blocks padded to one length."""

    nodes: tuple[int, ...]
    tokens: Ints
    positions: Ints
    cells: Ints
    """place of each node in the padded layout (blocks * longest)"""
    mask: Floats
    """0 where a node sees another of its block, else -1e30; shape (blocks, longest, longest)"""


def _grid(item: Round, tree: Tree) -> _Grid:
    blocks = item.blocks
    longest = max(len(block) for block in blocks)
    if len(blocks) * longest > 2 * sum(len(block) for block in blocks):
        # Very unequal blocks: one block with a sparse mask wastes less than the padding.
        blocks = (tuple(node for block in blocks for node in block),)
        longest = len(blocks[0])
    mask = np.full((len(blocks), longest, longest), _HIDDEN, np.float32)
    mask[:, np.arange(longest), np.arange(longest)] = 0
    cells: list[int] = []
    for row, block in enumerate(blocks):
        place = {node: column for column, node in enumerate(block)}
        for node, column in place.items():
            above = place.get(tree.parent[node])
            if above is not None:
                np.copyto(mask[row, column, :column], mask[row, above, :column])
        cells += range(row * longest, row * longest + len(block))
    nodes = tuple(node for block in blocks for node in block)
    return _Grid(
        nodes,
        np.array([tree.token[node] for node in nodes]),
        np.array([tree.depth[node] for node in nodes]),
        np.array(cells),
        mask,
    )


def _attend(q: Floats, k: Floats, v: Floats, past: tuple[Floats, Floats], grid: _Grid) -> Floats:
    """Softmax attention of each node over the spine and over its own block; shape (n, heads * head)."""
    blocks, longest, _ = grid.mask.shape
    n, key_heads, group, head = q.shape
    rows = blocks * longest

    def padded(part: Floats) -> Floats:
        full = np.zeros((rows, *part.shape[1:]), np.float32)
        full[grid.cells] = part
        return full

    queries = padded(q).transpose(1, 0, 2, 3).reshape(key_heads, rows * group, head)
    keys = padded(k).transpose(1, 0, 2).reshape(key_heads, blocks, longest, head)
    values = padded(v).transpose(1, 0, 2).reshape(key_heads, blocks, longest, head)
    near = queries.reshape(key_heads, blocks, longest * group, head) @ keys.swapaxes(-1, -2)
    near = near.reshape(key_heads, blocks, longest, group, longest)
    near += grid.mask[:, :, None]
    near = near.reshape(key_heads, rows * group, longest)
    far = queries @ past[0].swapaxes(-1, -2)  # Shape: (key heads, rows * group, spine)
    top = near.max(-1, keepdims=True)
    if far.shape[-1]:
        top = np.maximum(top, far.max(-1, keepdims=True))
    near -= top
    far -= top
    np.exp(near, out=near)
    np.exp(far, out=far)
    total = near.sum(-1, keepdims=True) + far.sum(-1, keepdims=True)
    mixed = (near.reshape(key_heads, blocks, longest * group, longest) @ values).reshape(queries.shape)
    mixed += far @ past[1]
    mixed /= total
    return mixed.reshape(key_heads, rows, group, head)[:, grid.cells].transpose(1, 0, 2, 3).reshape(n, -1)
