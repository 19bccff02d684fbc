"""ctypes binding to the llama.cpp C interface that the xllamacpp wheel carries in its shared object.

The wheel's Python surface can neither score a given text nor keep a prompt's state in a canonical shape; the C
interface underneath can. Its structures change between releases without notice, so the release is pinned, every
structure is checked against known defaults before it is used, and what was set is read back from the engine. A release
that does not fit is refused with a clear word; nothing is guessed.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import importlib.util
import os
from collections.abc import Sequence
from ctypes import Structure, c_bool, c_char_p, c_float, c_int32, c_size_t, c_uint32, c_void_p
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from personae.core import MissingDependencyError, ModelError

ENGINE: Final = "xllamacpp"
PINNED: Final = "2026.10.11549"
"""The release whose structures are written down below."""

KV_F32: Final = 0
KV_F16: Final = 1
_QUIET: Final = {0: 1.0, 1: 1.2, 2: 2.4}
"""Load average up to which two threads are right, by the threads that are in use."""

_INSTALL: Final = f"Run: pip install {ENGINE}=={PINNED}"


class ModelParams(Structure):
    """`llama_model_params`."""

    _fields_ = [
        ("devices", c_void_p), ("buffer_overrides", c_void_p), ("n_gpu_layers", c_int32), ("split_mode", c_int32),
        ("load_mode", c_int32), ("lazy_mode", c_int32), ("main_gpu", c_int32), ("tensor_split", c_void_p),
        ("progress", c_void_p), ("progress_data", c_void_p), ("overrides", c_void_p), ("vocab_only", c_bool),
        ("check_tensors", c_bool), ("use_extra_buffers", c_bool), ("no_host", c_bool), ("no_alloc", c_bool),
        ("load_mtp", c_bool),
    ]  # fmt: skip


class ContextParams(Structure):
    """`llama_context_params`."""

    _fields_ = [
        ("n_ctx", c_uint32), ("n_batch", c_uint32), ("n_ubatch", c_uint32), ("n_seq_max", c_uint32),
        ("n_rs_seq", c_uint32), ("n_outputs_max", c_uint32), ("n_outputs_max_per_seq", c_uint32),
        ("n_threads", c_int32), ("n_threads_batch", c_int32), ("context_type", c_int32), ("rope_scaling", c_int32),
        ("pooling", c_int32), ("attention", c_int32), ("flash_attention", c_int32), ("rope_base", c_float),
        ("rope_scale", c_float), ("yarn_extrapolation", c_float), ("yarn_attention", c_float),
        ("yarn_fast", c_float), ("yarn_slow", c_float), ("yarn_context", c_uint32), ("defragment", c_float),
        ("evaluate", c_void_p), ("evaluate_data", c_void_p), ("type_k", c_int32), ("type_v", c_int32),
        ("abort", c_void_p), ("abort_data", c_void_p), ("reserved", c_void_p), ("embeddings", c_bool),
        ("offload_kqv", c_bool), ("no_perf", c_bool), ("op_offload", c_bool), ("swa_full", c_bool),
        ("kv_unified", c_bool), ("samplers", c_void_p), ("n_samplers", c_size_t), ("other", c_void_p),
    ]  # fmt: skip


class Batch(Structure):
    """`llama_batch`."""

    _fields_ = [
        ("n_tokens", c_int32), ("token", c_void_p), ("embd", c_void_p), ("pos", c_void_p), ("n_seq_id", c_void_p),
        ("seq_id", c_void_p), ("logits", c_void_p),
    ]  # fmt: skip


class ChainParams(Structure):
    """`llama_sampler_chain_params`."""

    _fields_ = [("no_perf", c_bool)]


_P, _I = c_void_p, c_int32
_SIGNATURES: Final[dict[str, tuple[Any, tuple[Any, ...]]]] = {
    "llama_backend_init": (None, ()),
    "llama_log_set": (None, (_P, _P)),
    "llama_model_default_params": (ModelParams, ()),
    "llama_context_default_params": (ContextParams, ()),
    "llama_model_load_from_file": (_P, (c_char_p, ModelParams)),
    "llama_model_free": (None, (_P,)),
    "llama_model_get_vocab": (_P, (_P,)),
    "llama_model_n_ctx_train": (_I, (_P,)),
    "llama_init_from_model": (_P, (_P, ContextParams)),
    "llama_free": (None, (_P,)),
    "llama_n_ctx": (c_uint32, (_P,)),
    "llama_n_batch": (c_uint32, (_P,)),
    "llama_n_ubatch": (c_uint32, (_P,)),
    "llama_n_seq_max": (c_uint32, (_P,)),
    "llama_n_threads": (_I, (_P,)),
    "llama_n_threads_batch": (_I, (_P,)),
    "llama_set_n_threads": (None, (_P, _I, _I)),
    "llama_get_memory": (_P, (_P,)),
    "llama_memory_clear": (None, (_P, c_bool)),
    "llama_memory_seq_cp": (None, (_P, _I, _I, _I, _I)),
    "llama_memory_seq_rm": (c_bool, (_P, _I, _I, _I)),
    "llama_decode": (_I, (_P, Batch)),
    "llama_set_adapter_cvec": (_I, (_P, _P, c_size_t, _I, _I, _I)),
    "llama_get_logits": (ctypes.POINTER(c_float), (_P,)),
    "llama_vocab_n_tokens": (_I, (_P,)),
    "llama_vocab_is_control": (c_bool, (_P, _I)),
    "llama_vocab_is_eog": (c_bool, (_P, _I)),
    "llama_vocab_get_add_bos": (c_bool, (_P,)),
    "llama_vocab_bos": (_I, (_P,)),
    "llama_vocab_eos": (_I, (_P,)),
    "llama_vocab_get_text": (c_char_p, (_P, _I)),
    "llama_tokenize": (_I, (_P, c_char_p, _I, _P, _I, c_bool, c_bool)),
    "llama_token_to_piece": (_I, (_P, _I, c_char_p, _I, _I, c_bool)),
    "llama_sampler_chain_default_params": (ChainParams, ()),
    "llama_sampler_chain_init": (_P, (ChainParams,)),
    "llama_sampler_chain_add": (None, (_P, _P)),
    "llama_sampler_init_greedy": (_P, ()),
    "llama_sampler_init_dist": (_P, (c_uint32,)),
    "llama_sampler_init_top_k": (_P, (_I,)),
    "llama_sampler_init_top_p": (_P, (c_float, c_size_t)),
    "llama_sampler_init_min_p": (_P, (c_float, c_size_t)),
    "llama_sampler_init_temp": (_P, (c_float,)),
    "llama_sampler_init_penalties": (_P, (_I, _I, c_float, c_float, c_float)),
    "llama_sampler_sample": (_I, (_P, _P, _I)),
    "llama_sampler_accept": (None, (_P, _I)),
    "llama_sampler_free": (None, (_P,)),
}
_CONTEXT_DEFAULTS: Final = {
    "n_ctx": 512, "n_batch": 2048, "n_ubatch": 512, "n_seq_max": 1, "rope_scaling": -1, "pooling": -1,
    "attention": -1, "flash_attention": -1, "type_k": KV_F16, "type_v": KV_F16, "embeddings": False,
    "offload_kqv": True, "no_perf": True, "op_offload": True, "swa_full": True, "kv_unified": False,
}  # fmt: skip
_MODEL_DEFAULTS: Final = {
    "n_gpu_layers": -1, "split_mode": 1, "load_mode": -1, "main_gpu": 0, "vocab_only": False,
    "check_tensors": False, "use_extra_buffers": True, "no_host": False, "no_alloc": False,
}  # fmt: skip


def default_threads(current: int = 0) -> int:
    """Two threads on an idle machine, else one: engine threads spin at barriers, and a shared core is a cliff.

    On wide vector units the number of threads may change the last bits of a result: only a reader of likelihoods,
    which promises them to a tolerance, follows the load while it runs; what generates keeps the number it began with.

    Args:
        current: threads in use now; they are part of the load and allowed for.
    """
    if os.environ.get("CI") or (os.cpu_count() or 1) < 2:
        return 1
    try:
        busy = os.getloadavg()[0]
    except (AttributeError, OSError):
        return 1
    return 2 if busy <= _QUIET[current] else 1


def engine_version() -> str:
    """Release of the engine that is installed.

    Raises:
        MissingDependencyError: none is.
    """
    try:
        return importlib.metadata.version(ENGINE)
    except importlib.metadata.PackageNotFoundError:
        raise MissingDependencyError.of(ENGINE, "gguf") from None


@cache
def library() -> Any:
    """The engine's C interface, checked.

    Raises:
        MissingDependencyError: the engine is not installed.
        ModelError: its structures are not those of the pinned release.
    """
    version = engine_version()
    if version != PINNED:
        raise ModelError(f"{ENGINE} {version} is installed; its C interface is only known for {PINNED}.", hint=_INSTALL)
    spec = importlib.util.find_spec(ENGINE)
    folder = Path(spec.origin).parent if spec and spec.origin else Path()
    shared = sorted(path for path in folder.glob(f"{ENGINE}*") if path.suffix in {".so", ".pyd", ".dylib"})
    if not shared:
        raise ModelError(f"{ENGINE} {version} has no shared object in {str(folder)!r}.", hint=_INSTALL)
    loaded = ctypes.CDLL(str(shared[0]))
    for name, (result, arguments) in _SIGNATURES.items():
        try:
            function = getattr(loaded, name)
        except AttributeError as error:
            raise ModelError(f"{ENGINE} {version} does not export {name!r}.", hint=_INSTALL) from error
        function.restype, function.argtypes = result, list(arguments)
    _check_defaults(loaded.llama_context_default_params(), _CONTEXT_DEFAULTS)
    _check_defaults(loaded.llama_model_default_params(), _MODEL_DEFAULTS)
    loaded.llama_backend_init()
    return loaded


def _check_defaults(params: Structure, expected: dict[str, int | bool]) -> None:
    wrong = {name: getattr(params, name) for name, value in expected.items() if getattr(params, name) != value}
    if wrong:
        raise ModelError(
            f"{type(params).__name__} of the installed {ENGINE} is laid out differently: {wrong!r}, "
            f"expected { {name: expected[name] for name in wrong}!r}.",
            hint=_INSTALL,
        )


def _silence(lib: Any) -> None:
    # The engine calls back for every log line. A constant function of the engine itself takes the calls: a Python
    # callback would have to live until the last engine thread has ended.
    lib.llama_log_set(ctypes.cast(lib.llama_supports_mmap, c_void_p), None)


class NativeModel:
    """A GGUF file opened by the engine: its tokenizer, and with `vocab_only=False` its weights."""

    def __init__(self, path: Path, *, vocab_only: bool = False) -> None:
        self.path = path
        self.lib = library()
        _silence(self.lib)
        params = self.lib.llama_model_default_params()
        params.n_gpu_layers, params.vocab_only = 0, vocab_only
        self.pointer: int | None = self.lib.llama_model_load_from_file(str(path).encode(), params)
        if not self.pointer:
            raise ModelError(f"the engine cannot load {str(path)!r}.", hint="Is it a whole GGUF file of a known kind?")
        self.vocab: int = self.lib.llama_model_get_vocab(self.pointer)
        self.n_tokens: int = self.lib.llama_vocab_n_tokens(self.vocab)
        self._control: NDArray[np.bool_] | None = None
        self._pieces: dict[int, bytes] = {}

    @property
    def control(self) -> NDArray[np.bool_]:
        """True at the ids that are control tokens, shape (vocabulary,)."""
        if self._control is None:
            test, vocab = self.lib.llama_vocab_is_control, self.vocab
            self._control = np.array([test(vocab, token) for token in range(self.n_tokens)], dtype=np.bool_)
        return self._control

    @property
    def start(self) -> str:
        """Text of the token that the model wants in front of every text, '' when it wants none."""
        return self.bos if self.lib.llama_vocab_get_add_bos(self.vocab) else ""

    @property
    def bos(self) -> str:
        """Text of the token that begins a text, '' when there is none."""
        return self._spelled(self.lib.llama_vocab_bos(self.vocab))

    @property
    def eos(self) -> str:
        """Text of the token that ends one, '' when there is none."""
        return self._spelled(self.lib.llama_vocab_eos(self.vocab))

    def _spelled(self, token: int) -> str:
        return "" if token < 0 else (self.lib.llama_vocab_get_text(self.vocab, token) or b"").decode()

    def tokenize(self, text: str, *, special: bool) -> list[int]:
        """Token ids of a text on its own; `special` says whether control tokens are recognised in it."""
        if not text:
            return []
        raw = text.encode("utf-8", "replace")
        room = np.empty(len(raw) + 8, np.int32)
        found = self.lib.llama_tokenize(self.vocab, raw, len(raw), room.ctypes.data, len(room), 0, special)
        if found < 0:
            room = np.empty(-found, np.int32)
            found = self.lib.llama_tokenize(self.vocab, raw, len(raw), room.ctypes.data, len(room), 0, special)
        if found < 0:
            raise ModelError(f"the tokenizer failed on {text[:60]!r}.", hint="Shorten the text.")
        return room[:found].tolist()

    def piece(self, token: int) -> bytes:
        """Bytes that a token stands for; control tokens stand for nothing."""
        known = self._pieces.get(token)
        if known is None:
            room = ctypes.create_string_buffer(256)
            size = self.lib.llama_token_to_piece(self.vocab, token, room, len(room), 0, 0)
            if size < 0:
                room = ctypes.create_string_buffer(-size)
                size = self.lib.llama_token_to_piece(self.vocab, token, room, len(room), 0, 0)
            known = self._pieces[token] = room.raw[: max(0, size)]
        return known

    def ends_turn(self, token: int) -> bool:
        """Does this token end the model's turn?"""
        return bool(self.lib.llama_vocab_is_eog(self.vocab, token))

    def close(self) -> None:
        """Free the file's memory. Contexts made from it must be closed before."""
        if self.pointer:
            self.lib.llama_model_free(self.pointer)
            self.pointer = None


@dataclass(frozen=True, slots=True)
class Shape:
    """How a context computes. Everything here except `threads` can change the bits of a result."""

    context: int
    """tokens of one sequence (of all sequences together when unified)"""
    batch: int
    sequences: int
    unified: bool
    kv: int = KV_F16
    flash: bool = False
    outputs: int = 1
    threads: int | None = 1
    """None follows the load of the machine"""


class NativeContext:
    """Working memory of a model: computes batches of tokens that belong to sequences."""

    def __init__(self, model: NativeModel, shape: Shape) -> None:
        self.model, self.lib, self.shape = model, model.lib, shape
        params = self.lib.llama_context_default_params()
        params.n_ctx = shape.context * (1 if shape.unified else shape.sequences)
        params.n_batch = params.n_ubatch = min(shape.batch, params.n_ctx)
        params.n_seq_max = shape.sequences
        # The engine ends the process when it may output less than one row per sequence.
        params.n_outputs_max, params.n_outputs_max_per_seq = max(shape.outputs, shape.sequences), 0
        self._threads = shape.threads or default_threads()
        params.n_threads = params.n_threads_batch = self._threads
        params.type_k = params.type_v = shape.kv
        params.flash_attention, params.kv_unified = int(shape.flash), shape.unified
        params.offload_kqv = params.op_offload = False
        self.pointer: int | None = self.lib.llama_init_from_model(model.pointer, params)
        if not self.pointer:
            raise ModelError(
                f"the engine cannot make a context of {params.n_ctx} tokens for {str(model.path)!r}.",
                hint="Is there enough memory?",
            )
        self._check(params)
        self.memory: int = self.lib.llama_get_memory(self.pointer)

    def _check(self, params: ContextParams) -> None:
        got = {
            name: int(getattr(self.lib, f"llama_{name}")(self.pointer))
            for name in ("n_batch", "n_ubatch", "n_seq_max", "n_threads", "n_threads_batch")
        }
        wrong = {name: value for name, value in got.items() if value != getattr(params, name)}
        if wrong or self.lib.llama_n_ctx(self.pointer) < params.n_ctx:
            self.close()
            raise ModelError(f"{ENGINE} took other settings than were given: {wrong!r}.", hint=_INSTALL)

    def follow_load(self, most: int | None = None) -> None:
        """Choose the number of threads anew, where it was left open; never more than `most`."""
        if self.shape.threads is None:
            threads = default_threads(self._threads)
            if most is not None:
                threads = min(threads, most)
            if threads != self._threads:
                self.lib.llama_set_n_threads(self.pointer, threads, threads)
                self._threads = threads

    def decode(
        self,
        tokens: Sequence[int],
        positions: Sequence[int],
        sequences: Sequence[Sequence[int]],
        outputs: Sequence[bool],
    ) -> NDArray[np.float32]:
        """Compute a batch; returns the logits of the marked tokens, shape (marked, vocabulary), valid until the next.

        Raises:
            ModelError: the engine refused the batch.
        """
        counts = np.array([len(s) for s in sequences], np.int32)
        flat = np.array([s for owners in sequences for s in owners], np.int32)
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.uint64)
        pointers = starts * np.uint64(4) + np.uint64(flat.ctypes.data)
        token, position = np.array(tokens, np.int32), np.array(positions, np.int32)
        marked = np.array(outputs, np.int8)
        self.run(
            Batch(
                len(token), token.ctypes.data, None, position.ctypes.data, counts.ctypes.data, pointers.ctypes.data,
                marked.ctypes.data,
            )
        )  # fmt: skip
        return self.logits(int(marked.sum()))

    def run(self, batch: Batch) -> None:
        """Compute a batch that lies ready in memory."""
        code = self.lib.llama_decode(self.pointer, batch)
        if code != 0:
            raise ModelError(
                f"the engine refused a batch of {batch.n_tokens} tokens (code {code}).",
                hint="Shorten the prompt." if code == 1 else None,
            )

    def logits(self, rows: int) -> NDArray[np.float32]:
        """Logits of the last batch, shape (rows, vocabulary), valid until the next."""
        if not rows:
            return np.zeros((0, self.model.n_tokens), np.float32)
        return np.ctypeslib.as_array(self.lib.llama_get_logits(self.pointer), (rows, self.model.n_tokens))

    def add_vectors(self, vectors: NDArray[np.float32] | None) -> None:
        """From now on add a vector to every token of each block, shape (blocks, width); None = add nothing.

        The first row stays zero: the engine adds nothing after block 0. What is remembered of sequences was computed
        under the vectors of that time.
        """
        code = 0
        if vectors is None:
            code = self.lib.llama_set_adapter_cvec(self.pointer, None, 0, 0, -1, -1)
        else:
            rows = np.ascontiguousarray(vectors[1:], np.float32)
            blocks, width = vectors.shape
            # The engine numbers blocks from 0 as we do, and holds the vector of block b in row b − 1.
            code = self.lib.llama_set_adapter_cvec(self.pointer, rows.ctypes.data, rows.size, width, 1, blocks - 1)
        if code != 0:
            raise ModelError(f"the engine refused the vectors (code {code}).", hint=_INSTALL)

    def clear(self) -> None:
        """Forget all sequences."""
        self.lib.llama_memory_clear(self.memory, 1)

    def copy(self, source: int, target: int, length: int) -> None:
        """Let a sequence share the first `length` tokens of another."""
        self.lib.llama_memory_seq_cp(self.memory, source, target, 0, length)

    def cut(self, sequence: int, length: int = 0) -> None:
        """Forget everything of a sequence after its first `length` tokens."""
        self.lib.llama_memory_seq_rm(self.memory, sequence, length, -1)

    def close(self) -> None:
        """Free the memory."""
        if self.pointer:
            self.lib.llama_free(self.pointer)
            self.pointer = None
