"""All pairs of conditions that the same people went through."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np

from personae.core import Measurement, derive_rng
from personae.measures._make import Maker, adjusted
from personae.statistics import paired_interval, sign_flip_test


def paired_contrasts(
    make: Maker, stem: str, label: str, values: Mapping[str, Mapping[str, float]], *, unit: str, family: str
) -> list[Measurement]:
    """Difference of every pair of conditions over the people who have both: t interval, sign-flip test, Holm.

    Args:
        make: what the measurements share.
        stem: names become `stem.A_minus_B`.
        label: what is compared, in words.
        values: condition → person → value.
        unit: of a difference.
        family: what the tests adjusted together are called.
    """
    out: list[Measurement] = []
    for one, two in combinations(values, 2):
        people = sorted(set(values[one]) & set(values[two]))
        if len(people) < 2:
            continue
        a, b = (np.array([values[c][p] for p in people]) for c in (one, two))
        out.append(
            make.estimate(
                f"{stem}.{one}_minus_{two}", f"{label}, {one} minus {two}", paired_interval(a, b), unit=unit,
                test=sign_flip_test(a - b, rng=derive_rng(make.seed, stem, "contrast", one, two)),
                method="paired by person, t",
            )
        )  # fmt: skip
    return adjusted(out, family=family)
