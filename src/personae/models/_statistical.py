"""The statistical persona model: answers from trait-dependent distributions with planted effects.

It exists so that every measure is proven to find an effect that is really there, and to stay at its nominal error rate
when there is none. Who answers what comes from request tags, which reach no prompt and no key; prompt text is read only
where echo is planted, to copy from it. Answers are therefore never cached.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import Final

import numpy as np

from personae.core import DOMAINS, InputError, ModelError, Persona, canonical_json, derive_rng, derive_seed, sha256_hex
from personae.models._embed import HashEncoder
from personae.models._fakes import finished
from personae.models._protocol import (
    Capability,
    Determinism,
    Embeddings,
    GenerateRequest,
    Generation,
    Model,
    OnText,
    OptionScores,
    ScoreRequest,
    Usage,
)
from personae.models._requests import estimate_tokens
from personae.models._shown import PLAIN_FORM, PromptForm
from personae.models._structured import example
from personae.models._worlds import SLOPE, VOCABULARY, answer_probabilities
from personae.models._wrapper import unwrap

DEFAULT_LOADING: Final = 0.7
"""Loading of an item nobody gave one for; typical of five-factor markers (alpha near .8 with ten items)."""
_TINY: Final = 1e-12
_T_MEAN: Final = 50.0
_T_SD: Final = 10.0

_SYNONYMS: Final[Mapping[str, tuple[str, int]]] = {
    **{domain: (domain, 1) for domain in DOMAINS},
    **{domain[0]: (domain, 1) for domain in DOMAINS},
    "es": ("neuroticism", -1),
    "emotional_stability": ("neuroticism", -1),
    "emotional stability": ("neuroticism", -1),
    "intellect": ("openness", 1),
    "i": ("openness", 1),
}


@dataclass(frozen=True, slots=True)
class Planted:
    """What is planted in a statistical model.

    Attributes:
        effect: share of the trait that reaches the answer: 1 full, 0 none (a null world). One number, or one per
            condition label (conditions not named get 1).
        noise: sd of the person-by-item deviate, on the scale of z.
        slope: discrimination of the graded response model.
        echo: share of the partner's previous words that a line copies, 0 to 1. One number, or one per condition label
            (conditions not named get 0).
        words: length of a line.
    """

    effect: float | Mapping[str, float] = 1.0
    noise: float = 0.5
    slope: float = SLOPE
    echo: float | Mapping[str, float] = 0.0
    words: int = 12

    def effect_under(self, condition: str) -> float:
        """The effect under one condition."""
        return self.effect if isinstance(self.effect, (int, float)) else self.effect.get(condition, 1.0)

    def echo_under(self, condition: str) -> float:
        """The share of copied words under one condition."""
        return self.echo if isinstance(self.echo, (int, float)) else self.echo.get(condition, 0.0)


class StatisticalModel:
    """A model whose answers are drawn from known distributions. Tags say who answers what.

    Tags read: `actor`, `persona`, `condition`, `item`, `scale`, `key`, `z` and, for options that are not shown from low
    to high, `order` ("descending") or `values` (comma-separated, in the order shown).

    Args:
        traits: actor or persona id → {scale or domain: z}. More can be taught later with `learn`.
        loadings: item id → (scale or domain, loading); negative for reversed items. Items not named load
            `DEFAULT_LOADING` × `key` on their `scale` tag.
        planted: effect sizes.
        seed: of the person-by-item deviates and of lines.

    A request with a persona whose traits nobody taught is an error; one without any persona (a control) has z = 0.
    """

    def __init__(
        self,
        traits: Mapping[str, Mapping[str, float]] | None = None,
        loadings: Mapping[str, tuple[str, float]] | None = None,
        *,
        planted: Planted | None = None,
        seed: int = 0,
    ) -> None:
        self._planted = planted or Planted()
        self._seed = seed
        self._traits: dict[str, dict[str, float]] = {}
        self._loadings = {item: (scale, float(loading)) for item, (scale, loading) in (loadings or {}).items()}
        self._encoder = HashEncoder()
        self._open = True
        for who, scores in (traits or {}).items():
            self.learn(who, scores)
        self._given = sha256_hex([self._traits, self._loadings])

    @property
    def reference(self) -> str:
        return "fake:statistical"

    @property
    def fingerprint(self) -> Mapping[str, str | int | float | bool]:
        p = self._planted
        return {
            "kind": "fake",
            "reference": self.reference,
            "version": 1,
            "given": self._given,
            "planted": canonical_json([p.effect, p.noise, p.slope, p.echo, p.words]),
            "seed": self._seed,
        }

    @property
    def capabilities(self) -> frozenset[Capability]:
        return frozenset({Capability.GENERATE, Capability.SCORE, Capability.EMBED})

    @property
    def determinism(self) -> Determinism:
        return "exact"

    @property
    def parallel(self) -> int:
        return 64

    def learn(self, who: str, scores: Mapping[str, float]) -> None:
        """Teach the traits of an actor or a persona: {scale code or domain: z}. Five-factor names and initials meet."""
        known: dict[str, float] = {}
        for scale, z in scores.items():
            if not math.isfinite(z):
                raise InputError(f"fake:statistical: trait {scale!r} of {who!r} is {z!r}, expected a finite z score.")
            name, sign = _canonical(scale)
            known[name] = sign * float(z)
        self._traits[who] = known

    def count_tokens(self, text: str) -> int:
        return estimate_tokens(text)

    @property
    def prompt_form(self) -> PromptForm:
        return PLAIN_FORM

    def show_prompt(self, request: GenerateRequest | ScoreRequest) -> str:
        return self.prompt_form.show(request)

    async def generate(self, request: GenerateRequest, *, on_text: OnText | None = None) -> Generation:
        """Lines of made-up words; each word is copied from the partner's last line with the planted probability."""
        self._check_open()
        completions = tuple(finished(self._line(request, k), request.sampling) for k in range(request.n))
        if on_text is not None:
            on_text(completions[0].text)
        return Generation(completions, Usage(1, 0, 0, sum(c.tokens for c in completions)))

    async def score_options(self, requests: Sequence[ScoreRequest]) -> tuple[OptionScores, ...]:
        self._check_open()
        return tuple(self._score(r) for r in requests)

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        self._check_open()
        return Embeddings(self._encoder.encode(texts), Usage(1))

    def session(self, unit: str) -> AbstractAsyncContextManager[None]:
        del unit
        return nullcontext()

    async def close(self) -> None:
        self._open = False

    def _score(self, request: ScoreRequest) -> OptionScores:
        tags = request.tags
        who = tags.get("actor", "") or tags.get("persona", "")
        condition = tags.get("condition", "")
        item = tags.get("item", "")
        z, loading = self._trait(tags)
        deviate = _normal(self._seed, who, item, condition) if item else 0.0  # a baseline without item is neutral
        eta = self._planted.effect_under(condition) * loading * z + self._planted.noise * deviate
        p = answer_probabilities(np.float64(eta), len(request.options), slope=self._planted.slope)
        ranks = _ranks(tags, len(request.options))
        logprobs = tuple(math.log(max(float(p[r]), _TINY)) for r in ranks)
        tokens = tuple(max(1, estimate_tokens(o)) for o in request.options)
        return OptionScores(logprobs, tokens, approximate=False, method="graded response", usage=Usage(1))

    def _trait(self, tags: Mapping[str, str]) -> tuple[float, float]:
        """The z score of the answering person on the item's scale, and the loading of the item."""
        item = tags.get("item", "")
        if item in self._loadings:
            scale, loading = self._loadings[item]
        else:
            scale, loading = tags.get("scale", ""), DEFAULT_LOADING * _number(tags, "key", 1.0)
        name, sign = _canonical(scale)
        for who in (tags.get("actor"), tags.get("persona")):
            if who and who in self._traits:
                return sign * self._traits[who].get(name, 0.0), loading
        if "z" in tags:
            return _number(tags, "z", 0.0), loading
        if tags.get("persona"):
            raise InputError(
                f"fake:statistical was never taught the traits of persona {tags['persona']!r}.",
                hint="Call teach(model, persona) (or learn(model, persona_id, {scale: z})) before asking.",
            )
        return 0.0, loading

    def _line(self, request: GenerateRequest, index: int) -> str:
        tags = request.tags
        key = [tags.get(k, "") for k in ("unit", "actor", "persona", "condition")]
        turn = sum(m.role != "system" for m in request.messages)
        rng = derive_rng(self._seed, "line", *key, turn, request.seed, request.replicate, index)
        if request.json_schema is not None:
            return canonical_json(example(request.json_schema, int(rng.integers(2**31))))
        words = [VOCABULARY[k] for k in rng.integers(len(VOCABULARY), size=self._planted.words)]
        partner = next((m.content for m in reversed(request.messages) if m.role == "user"), "").split()
        if partner:
            copied = rng.random(len(words)) < self._planted.echo_under(tags.get("condition", ""))
            words = [partner[k % len(partner)] if copied[k] else word for k, word in enumerate(words)]
        return " ".join(words)

    def _check_open(self) -> None:
        if not self._open:
            raise ModelError(f"{self.reference!r} is closed.", hint="Open the model again.")


def learn(model: Model, who: str, scores: Mapping[str, float]) -> bool:
    """Teach a statistical model the traits of `who`; any other model learns from its prompt and is left alone.

    Returns:
        True when `model` is (a wrapper of) a statistical model.
    """
    inner = unwrap(model)
    if isinstance(inner, StatisticalModel):
        inner.learn(who, scores)
        return True
    return False


def teach(model: Model, persona: Persona) -> bool:
    """Teach a statistical model the Big Five of `persona` under its content id; domains without score are average.

    Returns:
        True when `model` is (a wrapper of) a statistical model.
    """
    traits = persona.personal.big_five
    scores = {} if traits is None else traits.scores()
    return learn(model, persona.id, {domain: (t - _T_MEAN) / _T_SD for domain, t in scores.items()})


def _canonical(scale: str) -> tuple[str, int]:
    return _SYNONYMS.get(scale.strip().lower(), (scale, 1))


def _ranks(tags: Mapping[str, str], options: int) -> list[int]:
    """Rank (0 = lowest) of each option, in the order shown."""
    if "values" in tags:
        values = [float(v) for v in tags["values"].split(",")]
        if len(values) != options:
            raise InputError(f"tag 'values' is {tags['values']!r}, expected {options} numbers.")
        order = sorted(range(options), key=values.__getitem__)
        return [order.index(k) for k in range(options)]
    ascending = list(range(options))
    return ascending[::-1] if tags.get("order") == "descending" else ascending


def _number(tags: Mapping[str, str], name: str, default: float) -> float:
    text = tags.get(name)
    if text is None or text == "":
        return default
    try:
        return float(text)
    except ValueError as error:
        raise InputError(f"tag {name!r} is {text!r}, expected a number.") from error


def _normal(seed: int, *key: str) -> float:
    """One standard normal deviate that depends on `seed` and `key` alone (Box–Muller on two hashed uniforms)."""
    digest = hashlib.blake2b(f"{derive_seed(seed, *key)}".encode(), digest_size=16).digest()
    u = (int.from_bytes(digest[:8], "big") + 1) / (2**64 + 1)
    v = int.from_bytes(digest[8:], "big") / 2**64
    return math.sqrt(-2.0 * math.log(u)) * math.cos(2.0 * math.pi * v)
