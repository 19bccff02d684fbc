"""Scoring engine for small models of the Llama family: the forward pass in numpy, float32 throughout.

Three things speak for it beside the compiled engine. Its matrix products run on the BLAS inside numpy, about three
times as fast per CPU second for this work. Float32 activations make the result nearly independent of the shape of the
computation (1e-4 nats, where half-precision activations give 1e-2). And tree attention needs no sequence bookkeeping:
a token sees whatever a mask lets it see.

Source: the network is LLaMA (arXiv:2302.13971 §2.2: pre-norm RMSNorm, SwiGLU, rotary positions) with grouped-query
attention (arXiv:2305.13245 §2.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from personae.core import InputError, ModelError
from personae.models._blas import one_blas_thread
from personae.models._ggufile import F16, F32, Header, tensor_f32
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

Floats: TypeAlias = NDArray[np.float32]
Logs: TypeAlias = NDArray[np.float64]

_LARGEST: Final = 600_000_000
"""Weights. Beyond it the float32 copy in memory (four bytes each) is too large, and the compiled engine scores."""

_PIECE: Final = 320
"""Tokens computed together: large enough for the matrix products, small enough for the caches."""

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
class _Trunk:
    """Keys and values of the nodes that later pieces look back on, shape (layers, key heads, nodes, head size)."""

    place: dict[int, int]
    keys: Floats
    values: Floats


class _Shelf:
    """One block of memory for all weights: large enough that freeing it gives it back to the system at once.

    Hundreds of blocks of a few megabytes would stay with the allocator, a model's worth for each thread that loads one.
    """

    def __init__(self, size: int) -> None:
        self._block, self._used = np.empty(size, np.float32), 0

    def put(self, *parts: Floats) -> Floats:
        """A copy of the parts, one under the other."""
        rows = sum(len(part) for part in parts)
        size = sum(part.size for part in parts)
        place = self._block[self._used : self._used + size].reshape(rows, *parts[0].shape[1:])
        self._used += size
        return np.concatenate(parts, out=place)


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

    The same group gives the same bits in any order of requests, with any number of threads (pieces are fixed by the
    group; threads only share them out), whatever was computed before. Groups may be scored side by side.
    """

    method: Final = "dense-float32"

    def __init__(self, header: Header, *, context: int) -> None:
        if not dense_fits(header):
            raise InputError(f"{str(header.path)!r} is not a small Llama-family model with F16 weights.")
        self.context = min(context, header.integer("context_length"))
        self._heads = header.integer("attention.head_count")
        self._key_heads = header.integer("attention.head_count_kv")
        self._width = header.integer("embedding_length")
        self._inner = header.integer("feed_forward_length")
        self._head = header.integer("rope.dimension_count", self._width // self._heads)
        self._epsilon = np.float32(header.number("attention.layer_norm_rms_epsilon"))
        shelf = _Shelf(header.parameters)
        self._layers: list[Layer] | None = self._load_layers(header, shelf)
        self._embedding = shelf.put(tensor_f32(header, header.tensors["token_embd.weight"]))
        output = header.tensors.get("output.weight")
        self._output = self._embedding if output is None else shelf.put(tensor_f32(header, output))
        self._output_norm = shelf.put(tensor_f32(header, header.tensors["output_norm.weight"]))
        base = header.number("rope.freq_base", 10000.0)
        angles = np.arange(self.context)[:, None] * base ** (-np.arange(0, self._head, 2) / self._head)
        self._cos = np.cos(angles).astype(np.float32)  # Shape: (context, head/2)
        self._sin = np.sin(angles).astype(np.float32)

    def _load_layers(self, header: Header, shelf: _Shelf) -> list[Layer]:
        def weights(index: int, name: str) -> Floats:
            return tensor_f32(header, header.tensors[f"blk.{index}.{name}.weight"])

        def halves(rows: Floats) -> Floats:
            # The file pairs neighbouring rows for the rotation; here the first half is paired with the second.
            paired = rows.reshape(-1, self._head // 2, 2, self._width)
            return paired.transpose(0, 2, 1, 3).reshape(rows.shape)

        return [
            Layer(
                attn_norm=shelf.put(weights(i, "attn_norm")),
                qkv=shelf.put(halves(weights(i, "attn_q")), halves(weights(i, "attn_k")), weights(i, "attn_v")),
                output=shelf.put(weights(i, "attn_output")),
                ffn_norm=shelf.put(weights(i, "ffn_norm")),
                gate_up=shelf.put(weights(i, "ffn_gate"), weights(i, "ffn_up")),
                down=shelf.put(weights(i, "ffn_down")),
            )
            for i in range(header.integer("block_count"))
        ]

    def score(self, prompts: Sequence[Prompt], threads: int | None = None, vectors: Floats | None = None) -> Scores:
        """Score one group, on as many threads as given.

        `vectors` of shape (blocks, width) are added to every token after each block.

        Raises:
            ModelError: a prompt is empty, or longer with its option than the context.
            InputError: an option is empty.
        """
        tree = build_tree(prompts)
        check_length(tree, self.context)
        with one_blas_thread():
            return sum_scores(tree, self._run(tree, threads or 1, vectors))

    def close(self) -> None:
        """Drop the weights. Nothing may be running."""
        self._layers = None
        self._embedding = self._output = self._output_norm = np.zeros((0, 0), np.float32)

    def _run(self, tree: Tree, threads: int, vectors: Floats | None) -> dict[int, Logs]:
        if self._layers is None:
            raise ModelError("the scoring engine is closed.", hint="Open the model again.")
        pieces = plan_pieces(tree, limit=_PIECE)
        place = {node: at for at, node in enumerate(sorted({node for piece in pieces for node in piece.spine}))}
        shape = (len(self._layers), self._key_heads, len(place), self._head)
        trunk = _Trunk(place, np.zeros(shape, np.float32), np.zeros(shape, np.float32))
        found: dict[int, Logs] = {}
        with ThreadPoolExecutor(threads) as pool:
            for _, level in groupby(sorted(pieces, key=_level), key=_level):
                work = partial(self._piece, tree=tree, trunk=trunk, layers=self._layers, vectors=vectors)
                for part in pool.map(work, level):
                    found.update(part)
        return found

    def _piece(
        self, piece: Piece, tree: Tree, trunk: _Trunk, layers: Sequence[Layer], vectors: Floats | None
    ) -> dict[int, Logs]:
        wanted = np.array([i for i, node in enumerate(piece.nodes) if tree.reads[node]], dtype=np.int64)
        kept = np.array([i for i, node in enumerate(piece.nodes) if node in trunk.place], dtype=np.int64)
        places = np.array([trunk.place[piece.nodes[i]] for i in kept], dtype=np.int64)
        before = np.array([trunk.place[node] for node in piece.spine], dtype=np.int64)
        x = self._embedding[[tree.token[node] for node in piece.nodes]]  # Shape: (n, width); a copy
        positions = [tree.depth[node] for node in piece.nodes]
        cos, sin = self._cos[positions][:, None], self._sin[positions][:, None]
        mask = np.where(piece_sees(piece, tree), np.float32(0), _HIDDEN)
        with np.errstate(over="ignore", under="ignore"):
            for index, layer in enumerate(layers):
                q, k, v = self._project(x, layer, cos, sin)
                trunk.keys[index][:, places] = k[:, kept]
                trunk.values[index][:, places] = v[:, kept]
                k = np.concatenate([trunk.keys[index][:, before], k], axis=1)
                v = np.concatenate([trunk.values[index][:, before], v], axis=1)
                if index == len(layers) - 1:
                    # Only nodes with something to read need the rest of the last layer.
                    x, q, mask = x[wanted], q[:, wanted], mask[wanted]
                x += _attend(q, k, v, mask) @ layer.output.T
                inner = self._normal(x, layer.ffn_norm) @ layer.gate_up.T
                gate, up = inner[:, : self._inner], inner[:, self._inner :]
                gate /= 1 + np.exp(-gate)
                gate *= up
                x += gate @ layer.down.T
                if vectors is not None:
                    x += vectors[index]
            return self._read(x, [piece.nodes[i] for i in wanted], tree)

    def _project(self, x: Floats, layer: Layer, cos: Floats, sin: Floats) -> tuple[Floats, Floats, Floats]:
        """Queries (key heads, n, group, head), keys and values (key heads, n, head); the first two rotated."""
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
        q = rotated[:, : self._heads].reshape(n, self._key_heads, -1, self._head)
        return q.swapaxes(0, 1), rotated[:, self._heads :].swapaxes(0, 1), heads[:, turned:].swapaxes(0, 1)

    def _normal(self, x: Floats, weight: Floats) -> Floats:
        square = np.einsum("ij,ij->i", x, x)[:, None] / np.float32(x.shape[1])
        return x * (1 / np.sqrt(square + self._epsilon)) * weight

    def _read(self, x: Floats, nodes: Sequence[int], tree: Tree) -> dict[int, Logs]:
        """Log-probabilities of the tokens to read at each node. Sums over the vocabulary are kept in float64."""
        found: dict[int, Logs] = {}
        x = self._normal(x, self._output_norm)
        for start in range(0, len(nodes), _LOGIT_ROWS):
            logits = x[start : start + _LOGIT_ROWS] @ self._output.T  # Shape: (rows, vocabulary)
            found |= log_probabilities(logits, nodes[start : start + _LOGIT_ROWS], tree)
        return found


def _level(piece: Piece) -> int:
    return piece.level


def _attend(q: Floats, k: Floats, v: Floats, mask: Floats) -> Floats:
    """Softmax attention under a mask (n, seen); q is (key heads, n, group, head); result (n, heads * head)."""
    key_heads, n, group, head = q.shape
    seen = mask.shape[1]
    weights = (q.reshape(key_heads, n * group, head) @ k.swapaxes(-1, -2)).reshape(key_heads, n, group, seen)
    weights += mask[:, None]
    weights -= weights.max(-1, keepdims=True)
    np.exp(weights, out=weights)
    weights /= weights.sum(-1, keepdims=True)
    mixed = weights.reshape(key_heads, n * group, seen) @ v
    return mixed.reshape(key_heads, n, group * head).swapaxes(0, 1).reshape(n, key_heads * group * head)
