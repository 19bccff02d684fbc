"""Schwartz's ten values drawn from the Big Five: z = B·traits + correlated residual, centred over the ten."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, Self

import numpy as np
from pydantic import Field, model_validator

from personae.core import DOMAINS, Frozen, RecipeError, UnknownKeyError
from personae.creation._documents import parse_yaml, shipped
from personae.creation._draws import Floats, Indexes
from personae.creation._traits import TraitModel

VALUES: Final = (
    "power", "achievement", "hedonism", "stimulation", "self-direction", "universalism", "benevolence", "tradition",
    "conformity", "security",
)  # fmt: skip
"""In the order of the circle (Schwartz 1992): neighbours go together, opposites apart."""
_ROUNDS: Final = 200


class ValuesModel(Frozen):
    """How ten values follow from Big Five scores.

    Scores are centred: each person's ten sum to 0, and each has standard deviation 1 in the reference population, so
    they say what matters more to a person than other things do.

    Args:
        correlations: {value: {domain: r}} entries to change; the rest stay as shipped. Each domain's ten have to sum
            to 0 within 0.02, because the scores are centred.
        circle: share of the residual that follows the circle of values (neighbours correlate, opposites are apart).
        top: how many value names a person gets.

    Raises:
        RecipeError: correlations that cannot occur together.

    Source: Parks-Leduc, Feldman and Bardi (2015) for the strongest correlations; the others and `circle` are our
    approximations (see the data file).
    """

    correlations: dict[str, dict[str, float]] = Field(default_factory=dict)
    circle: float = Field(default=0.5, ge=0, lt=1)
    top: int = Field(default=3, ge=1, le=len(VALUES))

    @model_validator(mode="after")
    def _filled(self) -> Self:
        out = {value: dict(row) for value, row in _shipped().items()}
        for value, row in self.correlations.items():
            if value not in out:
                raise UnknownKeyError.of(value, VALUES, where="values.correlations")
            for domain, r in row.items():
                if domain not in DOMAINS:
                    raise UnknownKeyError.of(domain, DOMAINS, where=f"values.correlations.{value}")
                if not -1 < r < 1:
                    raise RecipeError(f"values.correlations.{value}.{domain} is {r!r}, expected between -1 and 1.")
                out[value][domain] = r
        for domain in DOMAINS:
            total = sum(out[value].get(domain, 0.0) for value in VALUES)
            if abs(total) > 0.02:
                raise RecipeError(
                    f"values: the ten correlations with {domain} sum to {total:+.2f}, expected 0.",
                    hint="Scores are centred: what one value gains, others lose.",
                )
        object.__setattr__(self, "correlations", out)
        return self

    @property
    def table(self) -> Floats:
        """Correlations, shape (10 values, 5 domains)."""
        return np.array([[self.correlations[v].get(d, 0.0) for d in DOMAINS] for v in VALUES])

    def weights(self, traits: TraitModel) -> tuple[Floats, Floats]:
        """B, shape (10, 5), and the lower factor of the residual, shape (10, 10).

        Raises:
            RecipeError: the traits would explain more than all of a value.
        """
        b = self.table @ np.linalg.inv(traits.correlation)
        explained = np.einsum("vd,vd->v", b, self.table)
        worst = int(explained.argmax())
        if explained[worst] >= 0.95:
            raise RecipeError(
                f"values: traits would explain {explained[worst]:.0%} of {VALUES[worst]!r}.",
                hint="Bring its correlations nearer to 0.",
            )
        angles = np.arange(len(VALUES)) * (2 * np.pi / len(VALUES))
        shape = (1 - self.circle) * np.eye(len(VALUES)) + self.circle * np.cos(angles[:, None] - angles[None, :])
        centre = np.eye(len(VALUES)) - 1 / len(VALUES)
        scale = np.sqrt(1 - explained)
        for _ in range(_ROUNDS):  # residual scales that leave each centred score with variance 1
            spread = np.diag(centre @ (shape * np.outer(scale, scale)) @ centre.T)
            scale = scale * np.sqrt((1 - explained) / spread)
        return b, np.asarray(np.linalg.cholesky(shape * np.outer(scale, scale)), dtype=np.float64)

    def scores(self, t_scores: Floats, noise: Floats, weights: tuple[Floats, Floats]) -> Floats:
        """Centred scores in the order of `VALUES`, to two decimals.

        Args:
            t_scores: Big Five in the order of `DOMAINS`, shape (people, 5).
            noise: standard normals, shape (people, 10).
            weights: from `weights`.

        Returns:
            Shape (people, 10).
        """
        b, root = weights
        out = np.empty(noise.shape)
        for v in range(len(VALUES)):  # term by term: a matrix product may round differently for other batch sizes
            z = np.zeros(len(noise))
            for d in range(len(DOMAINS)):
                z = z + b[v, d] * ((t_scores[:, d] - 50) / 10)
            for j in range(v + 1):
                z = z + root[v, j] * noise[:, j]
            out[:, v] = z
        mean = np.zeros(len(noise))
        for v in range(len(VALUES)):
            mean = mean + out[:, v] / len(VALUES)
        return np.round(out - mean[:, None], 2)

    def leading(self, scores: Floats) -> Indexes:
        """Indexes of the `top` values of each person, strongest first, shape (people, top)."""
        return np.argsort(-scores, axis=1, kind="stable")[:, : self.top]


@lru_cache(maxsize=1)
def _shipped() -> dict[str, dict[str, float]]:
    body: Any = parse_yaml(shipped("values", "schwartz.yaml") or "", "values/schwartz.yaml")
    return {value: {**body["filled"].get(value, {}), **body["reported"][value]} for value in VALUES}
