"""Lexical style as a fixed vector, for drift within a speaker and convergence between speakers."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from personae.core import InputError
from personae.text._tokens import sentences, words

Floats = NDArray[np.float64]

_FUNCTION_WORDS: Final[dict[str, frozenset[str]]] = {
    name: frozenset(listed.split())
    for name, listed in {
        "articles": "a an the",
        "prepositions": "about above across after against along among around at before behind below beneath "
        "beside between "
        "beyond by down during for from in inside into near of off on onto out outside over past since through to "
        "toward towards under until up upon with within without",
        "conjunctions": "and but or nor so yet because although though while whereas unless if when than as",
        "auxiliaries": "am is are was were be been being have has had do does did will would shall should can "
        "could may might "
        "must i'm you're he's she's it's we're they're i've you've we've they've i'll you'll we'll they'll i'd you'd",
        "negations": "no not never none nothing nobody neither nor cannot can't don't doesn't didn't won't wouldn't "
        "shouldn't couldn't isn't aren't wasn't weren't haven't hasn't hadn't ain't",
        "first_singular": "i me my mine myself i'm i've i'll i'd",
        "first_plural": "we us our ours ourselves we're we've we'll we'd",
        "second_person": "you your yours yourself yourselves you're you've you'll you'd",
        "third_person": "he him his himself she her hers herself they them their theirs themselves it its itself "
        "he's she's "
        "it's they're they've they'll",
        "quantifiers": "all any both each every few less many more most much several some",
        "hedges": "maybe perhaps probably possibly might seem seems seemed somewhat rather guess suppose kinda sorta",
        "intensifiers": "very really so too extremely totally absolutely quite completely pretty always",
    }.items()
}
_PUNCTUATION: Final[dict[str, re.Pattern[str]]] = {
    "commas": re.compile("[,，、]"),
    "full_stops": re.compile(r"(?<![.…])[.。](?!\.)"),
    "ellipses": re.compile(r"\.{2,}|…"),
    "colons": re.compile("[:;：；]"),
    "dashes": re.compile(r"[–—]|(?<=\s)-(?=\s)"),
    "brackets": re.compile(r"[()\[\]]"),
    "quotes": re.compile('["“”«»]'),
    "emoji": re.compile("[\u2600-\u27bf\U0001f300-\U0001faff]"),
}

STYLE_FEATURES: Final[tuple[str, ...]] = (
    "word_length",
    "sentence_length",
    "long_words",
    "type_token",
    "questions",
    "exclamations",
    "contractions",
    "capitalised_words",
    "numbers",
    *_FUNCTION_WORDS,
    *_PUNCTUATION,
)
"""Names of the entries of `style_vector`, in order. Append only: stored vectors rely on the order."""

_CAPITALS: Final = re.compile(r"\b[A-Z]{2,}\b")
_LONG: Final = 7


def style_vector(text: str) -> Floats:
    """Style of `text`, shape (len(STYLE_FEATURES),), all NaN when it has no word.

    `word_length` is in characters, `sentence_length` in words; `type_token` and `long_words` (7 characters or more) are
    shares of words; `questions` and `exclamations` shares of sentences; all others are counts per word. The entries
    have different scales: use `standardise` over a corpus before comparing vectors by angle.

    English function words; on other scripts those entries are 0.
    """
    tokens = words(text)
    if not tokens:
        return np.full(len(STYLE_FEATURES), np.nan)
    parts = sentences(text)
    count, lines = len(tokens), max(1, len(parts))
    tally = Counter(tokens)
    endings = [part.rstrip("\"'”’»)] ") for part in parts]
    values = [
        sum(len(token) * times for token, times in tally.items()) / count,
        count / lines,
        sum(times for token, times in tally.items() if len(token) >= _LONG) / count,
        len(tally) / count,
        sum(ending.endswith(("?", "？")) for ending in endings) / lines,
        sum(ending.endswith(("!", "！")) for ending in endings) / lines,
        sum(times for token, times in tally.items() if "'" in token) / count,
        len(_CAPITALS.findall(text)) / count,
        sum(times for token, times in tally.items() if token[0].isdigit()) / count,
    ]
    values += [sum(tally[word] for word in listed) / count for listed in _FUNCTION_WORDS.values()]
    values += [sum(1 for _ in pattern.finditer(text)) / count for pattern in _PUNCTUATION.values()]
    return np.array(values, dtype=np.float64)


def standardise(vectors: ArrayLike) -> Floats:
    """Each column minus its mean over its standard deviation (population form), ignoring NaN.

    Columns without spread become 0, so that they carry no weight in an angle; NaN stays NaN.

    Args:
        vectors: Shape (texts, features).

    Raises:
        InputError: the array does not have two axes.
    """
    matrix = np.array(vectors, dtype=np.float64)
    if matrix.ndim != 2:
        raise InputError(f"vectors of shape {matrix.shape!r} cannot be standardised, expected (texts, features).")
    present = ~np.isnan(matrix)
    counts = np.maximum(present.sum(axis=0), 1)
    means = np.where(present, matrix, 0.0).sum(axis=0) / counts
    centred = matrix - means
    spread = np.sqrt(np.square(np.where(present, centred, 0.0)).sum(axis=0) / counts)
    flat = spread <= 1e-12 * np.maximum(1.0, np.abs(means))
    return np.where(flat & present, 0.0, centred / np.where(flat, 1.0, spread))


def cosine(first: ArrayLike, second: ArrayLike) -> float:
    """Cosine of the angle between two vectors, −1 to 1; NaN when one of them is zero or not finite.

    Raises:
        InputError: the vectors differ in shape or are no vectors.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise InputError(f"Vectors of shapes {a.shape!r} and {b.shape!r} have no angle, expected two of equal length.")
    if not a.size or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return float("nan")
    top_a, top_b = float(np.abs(a).max()), float(np.abs(b).max())
    if top_a == 0 or top_b == 0:
        return float("nan")
    a, b = a / top_a, b / top_b
    return float(np.clip(a @ b / np.sqrt((a @ a) * (b @ b)), -1.0, 1.0))
