"""Big Five drawn jointly: T = 50 + 10 z, z = B·(sex, age) + correlated residual; and twins with swapped traits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, Self

import numpy as np
from pydantic import Field, field_validator, model_validator

from personae.core import DOMAINS, BigFive, Frozen, InputError, Persona, RecipeError, UnknownKeyError, plain
from personae.creation._draws import Floats

Swap = Literal["exchange", "mirror"]

# Computed from psych::bfi (N = 2,800; 25 items, 1–6 scale, seven reversed): female minus male, and per decade of age,
# both in standard deviations; correlations of scale means.
_SEX: Final[dict[str, float]] = dict(zip(DOMAINS, (-0.14, 0.19, 0.24, 0.43, 0.26), strict=True))
_AGE: Final[dict[str, float]] = dict(zip(DOMAINS, (0.06, 0.09, 0.05, 0.15, -0.10), strict=True))
_CORRELATIONS: Final = {
    "OC": 0.20, "OE": 0.21, "OA": 0.15, "ON": -0.09, "CE": 0.26,
    "CA": 0.26, "CN": -0.23, "EA": 0.46, "EN": -0.22, "AN": -0.19,
}  # fmt: skip
_INITIALS: Final = "OCEAN"


class TraitModel(Frozen):
    """How Big Five scores depend on sex and age, and on each other.

    A recipe may name only the entries it changes; the rest stay as computed from psych::bfi.

    Args:
        sex: female minus male, per domain, in standard deviations.
        age: change per decade of age, per domain, in standard deviations.
        correlations: by two initials of OCEAN (`OC` = openness with conscientiousness), in the reference population.
        reference_age, reference_age_sd: years; the age at which the mean score is 50, and its spread.
        reference_female: share of women among whom the mean score is 50.

    Raises:
        RecipeError: the residual correlation matrix that follows is not positive definite.

    Source: figures computed from the bfi data of the R package psych; linear in age, so ages far from the reference
    are an extrapolation.
    """

    sex: dict[str, float] = Field(default_factory=lambda: dict(_SEX))
    age: dict[str, float] = Field(default_factory=lambda: dict(_AGE))
    correlations: dict[str, float] = Field(default_factory=lambda: dict(_CORRELATIONS))
    reference_age: float = Field(default=28.8, ge=0, le=120)
    reference_age_sd: float = Field(default=11.1, gt=0)
    reference_female: float = Field(default=0.67, ge=0, le=1)
    norm: str = "psych::bfi, N = 2,800"
    source: str = "psych::bfi (R package psych): 25 items, N = 2,800, ages 3 to 86, figures computed by us"
    note: str = (
        "The reference is a web sample of mostly young English readers: T-scores compare with them, not with a "
        "national population; effects of age are linear and extrapolate beyond about 60."
    )

    @field_validator("sex", "age")
    @classmethod
    def _domains(cls, value: dict[str, float]) -> dict[str, float]:
        for name in value:
            if name not in DOMAINS:
                raise UnknownKeyError.of(name, DOMAINS, where="traits")
        return value

    @field_validator("correlations")
    @classmethod
    def _pairs(cls, value: dict[str, float]) -> dict[str, float]:
        out: dict[str, float] = {}
        for pair, r in value.items():
            spelt = next((p for p in (pair, pair[::-1]) if p in _CORRELATIONS), None)
            if spelt is None:
                raise UnknownKeyError.of(pair, _CORRELATIONS, where="traits.correlations")
            if not -1 < r < 1:
                raise RecipeError(f"traits.correlations.{pair} is {r!r}, expected a number between -1 and 1.")
            if spelt in out:
                raise RecipeError(f"traits.correlations names the pair {spelt!r} twice.", hint="Keep one of them.")
            out[spelt] = r
        return out

    @model_validator(mode="after")
    def _filled(self) -> Self:
        for name, base in (("sex", _SEX), ("age", _AGE), ("correlations", _CORRELATIONS)):
            object.__setattr__(self, name, {k: getattr(self, name).get(k, v) for k, v in base.items()})
        _ = self.residual_root
        return self

    @property
    def effects(self) -> Floats:
        """B, shape (5, 2): per domain, the effect of sex (female minus male) and of a decade of age."""
        return np.array([[self.sex[d], self.age[d]] for d in DOMAINS])

    @property
    def correlation(self) -> Floats:
        """R, shape (5, 5): correlations in the reference population."""
        out = np.eye(5)
        for pair, r in self.correlations.items():
            i, j = _INITIALS.index(pair[0]), _INITIALS.index(pair[1])
            out[i, j] = out[j, i] = r
        return out

    @property
    def residual(self) -> Floats:
        """R minus what sex and age explain in the reference population, shape (5, 5)."""
        spread = np.array([self.reference_female * (1 - self.reference_female), (self.reference_age_sd / 10) ** 2])
        return self.correlation - (self.effects * spread) @ self.effects.T

    @property
    def residual_root(self) -> Floats:
        """Lower Cholesky factor of `residual`."""
        try:
            return np.asarray(np.linalg.cholesky(self.residual), dtype=np.float64)
        except np.linalg.LinAlgError as cause:
            least = float(np.linalg.eigvalsh(self.residual).min())
            raise RecipeError(
                f"traits: these correlations and effects cannot occur together (smallest eigenvalue {least:.3f}).",
                hint="Bring the correlations nearer to zero or weaken the effects.",
            ) from cause

    def scores(self, female: Floats, age: Floats, noise: Floats) -> Floats:
        """T-scores in the order of `DOMAINS`, shape (people, 5), to one decimal.

        Args:
            female: 1 for women, 0 for men, NaN for others or unknown (the mean of the reference), shape (people,).
            age: years, NaN when unknown, shape (people,).
            noise: standard normals, shape (people, 5).
        """
        is_female = np.where(np.isnan(female), 0.0, female - self.reference_female)
        decades = np.where(np.isnan(age), 0.0, (age - self.reference_age) / 10)
        b, root = self.effects, self.residual_root
        out = np.empty(noise.shape)
        for d in range(5):  # term by term: a matrix product may round differently for other batch sizes
            z = b[d, 0] * is_female + b[d, 1] * decades
            for j in range(d + 1):
                z = z + root[d, j] * noise[:, j]
            out[:, d] = z
        return np.clip(np.round(50 + 10 * out, 1), 0, 100)


def swapped_trait_twins(
    personas: Sequence[Persona], rng: np.random.Generator, *, swap: Swap = "exchange"
) -> tuple[Persona, ...]:
    """A twin of each person: the same in everything but the Big Five.

    Args:
        personas: people with all five domains known.
        rng: breaks ties, and cuts more than 1,000 people into random blocks (the assignment is cubic in its size).
        swap: `exchange` gives each person another person's scores, paired so that the total distance is largest and
            nobody keeps their own: the distribution of scores stays exactly the same. `mirror` turns each score T
            into 100 - T.

    Returns:
        Twins in the order of `personas`; `provenance.generator` names whose twin it is and how it was made.

    Raises:
        InputError: a person without Big Five, or fewer than two people to exchange.
    """
    if swap not in {"exchange", "mirror"}:
        raise InputError(f"swapped_trait_twins: swap {swap!r}.", hint="Expected 'exchange' or 'mirror'.")
    for person in personas:
        known = person.personal.big_five.scores() if person.personal.big_five else {}
        if len(known) < len(DOMAINS):
            missing = ", ".join(d for d in DOMAINS if d not in known)
            raise InputError(
                f"swapped_trait_twins: {person.name!r} has no score for {missing}.",
                hint="Twins need all five domains: draw people from a recipe with traits.",
            )
    if swap == "mirror":
        return tuple(_twin(p, _mirrored(p), "mirror", p) for p in personas)
    if len(personas) < 2:
        raise InputError(
            f"swapped_trait_twins: {len(personas)} person(s); an exchange needs at least two.",
            hint="Use swap='mirror'.",
        )
    donors = _derangement(np.array([[_scores(p)[d] for d in DOMAINS] for p in personas]), rng)
    return tuple(
        _twin(p, _big_five(personas[d]), "exchange", personas[d]) for p, d in zip(personas, donors, strict=True)
    )


def _derangement(points: Floats, rng: np.random.Generator) -> list[int]:
    """For each row the index of another row, a permutation without fixed points of the largest total distance."""
    from scipy.optimize import linear_sum_assignment

    n = len(points)
    order = rng.permutation(n)
    blocks = np.array_split(order, max(1, -(-n // 1000)))
    donors = np.empty(n, dtype=np.int64)
    for block in blocks:
        own = points[block]
        cost = -np.sqrt(((own[:, None, :] - own[None, :, :]) ** 2).sum(axis=2))
        np.fill_diagonal(cost, 1e9)
        rows, columns = linear_sum_assignment(cost)
        donors[block[rows]] = block[columns]
    return donors.tolist()


def _scores(person: Persona) -> dict[str, float]:
    return _big_five(person).scores()


def _big_five(person: Persona) -> BigFive:
    if person.personal.big_five is None:
        raise InputError(f"{person.name!r} has no Big Five.", hint="Draw people from a recipe with traits.")
    return person.personal.big_five


def _mirrored(person: Persona) -> BigFive:
    own = _big_five(person)
    facets = {k: 100 - float(plain(v)) for k, v in own.facets.items()}
    flipped = {d: round(100 - t, 1) for d, t in own.scores().items()}
    return BigFive.model_validate({**flipped, "facets": facets, "norm": own.norm})


def _twin(person: Persona, traits: BigFive, swap: Swap, donor: Persona) -> Persona:
    whose = "" if donor is person else f", traits of {donor.id}"
    made = person.provenance.model_copy(update={"generator": f"twin of {person.id} ({swap}{whose})"})
    personal = person.personal.model_copy(update={"big_five": traits})
    # A copy keeps the cached content id of the original, so the twin is built anew.
    body = person.model_dump(exclude_defaults=True)
    body["personal"] = personal
    body["provenance"] = made
    return Persona.model_validate(body)
