"""A static encoder: one vector per word piece, distilled from MiniLM on this machine, averaged over a text.

$PERSONAE_HOME/models/minilm-static/
    pieces.npy      (word pieces, 256), half precision
    static.json     what it was made from, and its checksum
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from personae.core import CorruptRunError, replace_file
from personae.models._embed import TOKENIZER_SHA256, WEIGHTS_PACKAGE, SentenceEncoder
from personae.models._weights import locked, models_dir
from personae.text import words

_VERSION: Final = 1
_DIMENSION: Final = 256
_FIRST_WORD: Final = 1996
"""The vocabulary lists whole words from here on, by falling frequency; characters and special tokens stand before."""

_SIF: Final = 1e-3
_PIECES: Final = 512
_TEXTS: Final = 4096
_KNOWN: Final = 1 << 19
"""Words whose pieces are kept."""

_LOG = logging.getLogger("personae.models")


class StaticEncoder:
    """Weighted mean of static word-piece vectors, 256-d, unit length: thousands of texts per second, no word order.

    Each word piece went through MiniLM alone (between the special tokens), once; mean by frequency taken out, 256
    principal components kept, frequent pieces weighted down. Punctuation is not seen. A text without words has the
    vector of the unknown word.

    Source: distillation after model2vec (Tulkens & van Dongen 2024); weights a / (a + p) of SIF (Arora, Liang & Ma
        2017) with p from Zipf's law over the ranks of the vocabulary. They subtract a component of the corpus; here the
        mean is that of the vocabulary, so that a vector depends on its text alone.

    Raises:
        MissingDependencyError, MissingWeightsError: what MiniLM needs is not here.
        CorruptRunError: the cached table is damaged.
    """

    dimension: int = _DIMENSION
    lexical: bool = False

    def __init__(self) -> None:
        teacher = SentenceEncoder()  # also checks that everything is here, before minutes of work
        self._tokenizer = teacher.tokenizer
        table, self.digest = _cached(teacher)
        self.name = f"all-MiniLM-L6-v2 static {_DIMENSION}-d (semantic, no word order)"
        self._table = table.astype(np.float32)
        self._unknown = int(self._tokenizer.token_to_id("[UNK]") or 0)
        self._pieces: dict[str, list[int]] = {}

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors, shape (texts, 256). Texts of any length are seen whole."""
        out = np.empty((len(texts), _DIMENSION), dtype=np.float32)
        for low in range(0, len(texts), _TEXTS):
            out[low : low + _TEXTS] = self._some(texts[low : low + _TEXTS])
        return out

    def _some(self, texts: Sequence[str]) -> NDArray[np.float32]:
        found = [words(text) or [""] for text in texts]
        place: dict[str, int] = {}
        for word in chain.from_iterable(found):
            place.setdefault(word, len(place))
        self._learn(place)
        of_words = _sums([self._pieces[word] for word in place], len(self._table)) @ self._table
        columns = [[place[word] for word in tokens] for tokens in found]
        sums = np.asarray(_sums(columns, len(place)) @ of_words, dtype=np.float64)
        norms = np.sqrt(np.einsum("ij,ij->i", sums, sums))
        return (sums / np.where(norms > 0, norms, 1.0)[:, None]).astype(np.float32)

    def _learn(self, wanted: Iterable[str]) -> None:
        if len(self._pieces) > _KNOWN:
            self._pieces.clear()
        new = [word for word in wanted if word not in self._pieces]
        encoded = self._tokenizer.encode_batch(new, add_special_tokens=False) if new else []
        for word, pieces in zip(new, encoded, strict=True):
            self._pieces[word] = list(pieces.ids) or [self._unknown]


def static_folder() -> Path:
    """Where the table is kept: beside the weights of the local models."""
    return models_dir() / "minilm-static"


def _sums(rows: Sequence[Sequence[int]], columns: int) -> Any:
    """A sparse matrix with a 1 for each entry, in the order given: products add up in that order too."""
    from scipy.sparse import csr_array

    sizes = np.fromiter((len(row) for row in rows), dtype=np.int64, count=len(rows))
    indptr = np.concatenate([[0], np.cumsum(sizes)])
    total = int(indptr[-1])
    indices = np.fromiter(islice(chain.from_iterable(rows), total), dtype=np.int32, count=total)
    return csr_array((np.ones(total, dtype=np.float32), indices, indptr), shape=(len(rows), columns))


def _cached(teacher: SentenceEncoder) -> tuple[NDArray[np.float16], str]:
    folder = static_folder()
    made_from = {"version": _VERSION, "weights": WEIGHTS_PACKAGE, "tokenizer": TOKENIZER_SHA256}
    with locked(folder):
        table = _read(folder, made_from)
        if table is not None:
            return table
        count = teacher.tokenizer.get_vocab_size()
        _LOG.info("making the static encoder: %d word pieces through MiniLM, once, about half a minute", count)
        start = time.perf_counter()
        buffer = io.BytesIO()
        np.save(buffer, _distilled(teacher, count), allow_pickle=False)
        digest = hashlib.sha256(buffer.getvalue()).hexdigest()
        replace_file(folder / "pieces.npy", [buffer.getvalue()])
        replace_file(folder / "static.json", [json.dumps({**made_from, "sha256": digest}, indent=2).encode(), b"\n"])
        _LOG.info("the static encoder is ready in %s (%.0f s)", folder, time.perf_counter() - start)
        found = _read(folder, made_from)
    if found is None:
        raise CorruptRunError(f"{folder}: the static encoder was written but cannot be read.", hint=_again(folder))
    return found


def _read(folder: Path, made_from: Mapping[str, object]) -> tuple[NDArray[np.float16], str] | None:
    """The table and its checksum; None where there is none yet, or one made from something else."""
    try:
        notes = json.loads((folder / "static.json").read_bytes())
        data = (folder / "pieces.npy").read_bytes()
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise CorruptRunError(f"{folder / 'static.json'}: cannot be read ({error}).", hint=_again(folder)) from error
    if not isinstance(notes, dict) or {key: notes.get(key) for key in made_from} != made_from:
        return None
    digest = hashlib.sha256(data).hexdigest()
    if digest != notes.get("sha256"):
        raise CorruptRunError(
            f"{folder / 'pieces.npy'}: has sha256 {digest[:12]}…, expected {str(notes.get('sha256'))[:12]}….",
            hint=_again(folder),
        )
    return np.load(io.BytesIO(data), allow_pickle=False), digest


def _again(folder: Path) -> str:
    return f"Delete {folder}: it is made again on next use."


def _distilled(teacher: SentenceEncoder, count: int) -> NDArray[np.float16]:
    """Vectors of all word pieces, weighted, shape (pieces, 256)."""
    ids = np.arange(count, dtype=np.int64)
    raw = np.concatenate([teacher.token_vectors(ids[low : low + _PIECES]) for low in range(0, count, _PIECES)])
    raw /= np.linalg.norm(raw, axis=1, keepdims=True)
    rank = np.maximum(ids - (_FIRST_WORD - 1), 1).astype(np.float64)
    share = 1 / rank
    share /= share[_FIRST_WORD:].sum()
    whole = slice(_FIRST_WORD, None)
    centred = raw - np.average(raw[whole], axis=0, weights=share[whole])
    values, axes = np.linalg.eigh(centred[whole].T @ centred[whole])
    axes = axes[:, np.argsort(values)[::-1][:_DIMENSION]]
    axes *= np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(_DIMENSION)])
    weights = _SIF / (_SIF + share)
    return ((centred @ axes) * weights[:, None]).astype(np.float16)
