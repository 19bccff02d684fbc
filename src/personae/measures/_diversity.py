"""Diversity of a corpus of texts: of its words, and of what they mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from personae.core import InputError, Measurement, derive_rng
from personae.measures._make import Direction, Maker
from personae.models import Encoder
from personae.statistics import (
    Statistic,
    bootstrap_interval,
    jackknife_interval,
    mean_cosine,
    mean_interval,
    nearest_cosines,
    vendi_score,
)
from personae.text import CorpusGrams, corpus_grams, self_bleu

_GROUPS: Final = 20
"""Parts of the corpus of which one at a time is left out: redrawing texts with repeats would count as repetition."""

_QUANTILES: Final = ((0.5, "median"), (0.95, "95th percentile"), (0.99, "99th percentile"))


def diversity_measurements(
    texts: Sequence[str],
    *,
    model: str,
    seed: int,
    vectors: ArrayLike | None = None,
    encoder: str = "",
    sample: int = 2000,
    condition: str | None = None,
) -> list[Measurement]:
    """Distinct-1 and -2, type coverage, self-BLEU-2 to -4; with vectors Vendi score, mean and nearest similarity.

    All of them change with the number of texts: compare corpora at the same `sample` only.

    Args:
        texts: the corpus.
        model: who wrote it.
        seed: of the sample and the groups.
        vectors: of the texts, shape (texts, dimensions); rows of zeros are left out.
        encoder: what made them, said in the method.
        sample: texts that are looked at, drawn by `seed` without repeats.
        condition: as in Measurement.

    Raises:
        InputError: vectors that do not fit, or a sample below 2.
    """
    if sample < 2:
        raise InputError(f"sample {sample!r} given, expected at least 2 texts.")
    if vectors is not None and len(np.asarray(vectors)) != len(texts):
        raise InputError(f"{len(np.asarray(vectors))} vectors for {len(texts)} texts given, expected one each.")
    rng = derive_rng(seed, "diversity")
    chosen = np.sort(rng.choice(len(texts), min(sample, len(texts)), replace=False)) if len(texts) else np.arange(0)
    groups = rng.permutation(len(chosen)) % _GROUPS
    make = _Diversity(Maker(model=model, seed=seed, cluster="text"), len(chosen), len(texts), groups, condition)
    drawn = [texts[k] for k in chosen.tolist()]
    out = [*_of_words(make, drawn), *_of_self_bleu(make, drawn)]
    if vectors is not None:
        out.extend(_of_vectors(make, np.asarray(vectors)[chosen], encoder or "encoder not named"))
    return out


def encoded_diversity(
    texts: Sequence[str], encoder: Encoder, *, model: str, seed: int, sample: int = 2000
) -> list[Measurement]:
    """`diversity_measurements` with the vectors of an encoder; nothing when there are no texts."""
    if not texts:
        return []
    return diversity_measurements(
        texts, model=model, seed=seed, vectors=encoder.encode(texts), encoder=encoder.name, sample=sample
    )


class _Diversity:
    """Measurements over one sample."""

    def __init__(self, maker: Maker, n: int, of: int, groups: NDArray[np.int64], condition: str | None) -> None:
        self.maker, self.n, self.groups, self.condition = maker, n, groups, condition
        self.note = f"Sample of {n} of {of} texts." if n < of else None

    def left_out(
        self, name: str, label: str, statistic: Statistic, *, unit: str, method: str, direction: Direction
    ) -> Measurement:
        """A value of the whole sample; its interval from leaving out one group of texts at a time."""
        if self.n < 2:
            return self.maker.number(
                f"diversity.{name}", label, None, unit=unit, n=self.n, method=method, direction=direction,
                condition=self.condition, reason="fewer than two texts",
            )  # fmt: skip
        found = jackknife_interval(statistic, self.n, self.groups if self.n >= 2 * _GROUPS else None)
        made = self.maker.estimate(
            f"diversity.{name}", label, found, unit=unit, direction=direction, condition=self.condition, note=self.note,
            method=f"{method}; jackknife over {found.clusters} groups of texts",
        )  # fmt: skip
        return made.model_copy(update={"n": self.n, "rows": None})


def _of_words(make: _Diversity, texts: Sequence[str]) -> list[Measurement]:
    out = [
        make.left_out(
            f"distinct_{n}",
            f"Different word {n}-grams",
            _counted(corpus_grams(texts, n), lambda counts: np.count_nonzero(counts) / counts.sum()),
            unit="share",
            direction="higher is better",
            method=f"different over all word {n}-grams of the sample",
        )
        for n in (1, 2)
    ]
    grams = corpus_grams(texts, 1)
    out.append(
        make.left_out(
            "type_coverage",
            "Type coverage",
            _counted(grams, lambda counts: 1 - np.count_nonzero(counts == 1) / counts.sum()),
            unit="share",
            direction="neither",
            method=f"1 − words seen once over all words (Good 1953); {grams.kinds} different words",
        )
    )
    return out


def _counted(grams: CorpusGrams, formula: Callable[[NDArray[np.int64]], float]) -> Statistic:
    """`formula` of how often each n-gram stands in the texts of the given rows; NaN when there are none."""

    def statistic(rows: NDArray[np.intp]) -> float:
        kept = np.zeros(grams.texts, dtype=bool)
        kept[rows] = True
        counts = np.bincount(grams.codes[kept[grams.owner]], minlength=1)
        return float(formula(counts)) if counts.any() else float("nan")

    return statistic


def _of_self_bleu(make: _Diversity, texts: Sequence[str]) -> list[Measurement]:
    out: list[Measurement] = []
    for n in (2, 3, 4):
        scores = self_bleu(texts, n) if len(texts) else np.array([np.nan])
        made = make.maker.estimate(
            f"diversity.self_bleu_{n}", f"Self-BLEU-{n}", mean_interval(scores), unit="BLEU",
            direction="lower is better", condition=make.condition, note=make.note,
            method="mean over texts, each against all others of the sample; absent orders count 0.1 matches",
        )  # fmt: skip
        out.append(made)
    return out


def _of_vectors(make: _Diversity, vectors: NDArray[np.floating], encoder: str) -> list[Measurement]:
    filled = np.flatnonzero(np.any(vectors, axis=1))
    table = np.asarray(vectors, dtype=np.float64)
    zero = ~np.any(table, axis=1)

    def on(score: Statistic) -> Statistic:
        return lambda rows: score(rows[~zero[rows]])

    out = [
        make.left_out(
            "vendi", "Vendi score", on(lambda rows: vendi_score(table[rows])), unit="effective texts",
            direction="higher is better", method=f"exp of the entropy of the cosine matrix's eigenvalues, {encoder}",
        ),
        make.left_out(
            "mean_similarity", "Mean pairwise similarity", on(lambda rows: mean_cosine(table[rows])), unit="cosine",
            direction="lower is better", method=f"mean cosine over all pairs, {encoder}",
        ),
    ]  # fmt: skip
    nearest = nearest_cosines(table[filled])
    for share, name in _QUANTILES:
        label = f"Similarity to the nearest other text, {name}"
        key, method = f"nearest_similarity.p{round(100 * share)}", f"{name} over texts of the nearest cosine, {encoder}"
        if nearest.size < 2:
            out.append(
                make.maker.number(
                    f"diversity.{key}",
                    label,
                    None,
                    unit="cosine",
                    n=nearest.size,
                    method=method,
                    direction="lower is better",
                    condition=make.condition,
                    reason="fewer than two texts",
                )
            )
            continue
        found = bootstrap_interval(
            lambda rows, share=share: float(np.quantile(nearest[rows], share)), nearest.size, rng=make.maker.seed,
            draws=500,
        )  # fmt: skip
        out.append(
            make.maker.estimate(
                f"diversity.{key}",
                label,
                found,
                unit="cosine",
                direction="lower is better",
                condition=make.condition,
                note=make.note,
                method=f"{method}; percentile bootstrap over texts",
            )
        )
    return out
