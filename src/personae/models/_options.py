"""From the scores of options to an answer distribution, under the normalisations that the literature uses."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from personae.core import CapabilityError, InputError, UnknownKeyError
from personae.models._protocol import OptionScores

Normalisation: TypeAlias = Literal["sum", "mean", "first", "pmi"]
"""What an option is compared by, with l_k = log p(option k | context) over all its tokens:

- `sum`: l_k. Long options pay for their length.
- `mean`: l_k / tokens of k. Rewards options whose last tokens follow from the first.
- `first`: log p of the first token of k alone, as most leaderboards read letters. Options that start alike tie.
- `pmi`: l_k − log p(option k | empty context), pointwise mutual information: how likely the text is anyway, its length
  included, is taken out. Source: Holtzman et al. (2021), Surface Form Competition, equation 2.
"""
NORMALISATIONS: Final[tuple[str, ...]] = get_args(Normalisation)


def option_logits(
    scores: OptionScores, normalisation: Normalisation = "sum", *, empty: OptionScores | None = None
) -> NDArray[np.float64]:
    """What the options are compared by, in nats, shape (options,).

    Args:
        scores: of the options in their context.
        normalisation: see `Normalisation`.
        empty: of the same options in an empty context; needed by `pmi`, of no use to the others.

    Raises:
        CapabilityError: `first` where an endpoint told whole options alone.
        InputError: `pmi` without `empty`, or with the scores of another number of options.
        UnknownKeyError: no such normalisation.
    """
    if normalisation not in NORMALISATIONS:
        raise UnknownKeyError.of(normalisation, NORMALISATIONS, where="normalisation")
    logprobs = np.asarray(scores.logprobs, dtype=np.float64)
    match normalisation:
        case "sum":
            return logprobs
        case "mean":
            return logprobs / np.maximum(np.asarray(scores.tokens), 1)
        case "first":
            if not scores.firsts:
                raise CapabilityError(
                    f"first tokens are not known where options are scored by {scores.method!r}.",
                    hint="Use 'sum' or 'pmi', or a model in process.",
                )
            return np.asarray(scores.firsts, dtype=np.float64)
        case "pmi":
            if empty is None or len(empty.logprobs) != len(logprobs):
                given = "none" if empty is None else f"those of {len(empty.logprobs)}"
                raise InputError(
                    f"'pmi' needs the scores of the same {len(logprobs)} options in an empty context, got {given}.",
                    hint="Score them there too, or use 'sum'.",
                )
            return logprobs - np.asarray(empty.logprobs, dtype=np.float64)


def option_probabilities(
    scores: OptionScores, normalisation: Normalisation = "sum", *, empty: OptionScores | None = None
) -> NDArray[np.float64] | None:
    """Softmax of `option_logits`, shape (options,); None when nothing finite is left to compare.

    >>> scores = OptionScores((-2.0, -3.0), (1, 3), False, "exact", usage=Usage())
    >>> option_probabilities(scores, "mean").round(3).tolist()
    [0.269, 0.731]
    """
    logits = option_logits(scores, normalisation, empty=empty)
    if np.isnan(logits).any() or not np.isfinite(logits.max()):
        return None
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()
