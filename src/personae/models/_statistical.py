"""The statistical persona model: answers from trait-dependent distributions with planted effects.

It exists so that every measure is proven to find an effect that is really there, and to stay at its nominal error rate
when there is none. Who answers what, and how it was shown, comes from request tags, which reach no prompt and no key;
prompt text is read only where echo is planted, to copy from it. Answers are therefore never cached.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from personae.core import DOMAINS, InputError, ModelError, Persona, canonical_json, derive_rng, derive_seed, sha256_hex
from personae.models._embed import HashEncoder
from personae.models._fakes import finished
from personae.models._planted import Effect, Planted
from personae.models._protocol import (
    Capability,
    Completion,
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
from personae.models._worlds import (
    TINY,
    VOCABULARY,
    answer_probabilities,
    draw_answers,
    latent_values,
    weigh_positions,
)
from personae.models._wrapper import unwrap

DEFAULT_LOADING: Final = 0.7
"""Loading of an item nobody gave one for; typical of five-factor markers (alpha near .8 with ten items)."""
REFUSAL: Final = "I would rather not answer that."
"""Text of a planted refusal."""
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


class StatisticalModel:
    """A model whose answers are drawn from known distributions. Tags say who answers what.

    Tags read: `actor`, `persona`, `condition`, `item`, `scale`, `key`, `z`; for options that are not listed from low to
    high in the request, `order` ("descending") or `values` (comma-separated, one per option); and for options that the
    prompt shows in another order than the request lists them, `shown` (place of each option, comma-separated from 0).
    A generate request with the tag `options` (a JSON list of texts) is a closed question and gets one of them.

    Both verbs answer from one distribution (see `Planted`): scoring tells it, generating draws from it, whatever the
    temperature. Without an `item` (an empty context) there is nothing to agree with: no noise and no acquiescence, but
    position. So subtracting an empty context takes out a position bias and leaves acquiescence.

    Args:
        traits: actor or persona id → {scale or domain: z}. More can be taught later with `learn`.
        loadings: item id → (scale or domain, loading); negative for reversed items. Items not named load
            `DEFAULT_LOADING` × `key` on their `scale` tag.
        planted: effects and response styles.
        seed: of all deviates, lines, drawn answers and refusals; each depends on it, on who answers what under which
            condition, and on the request's own seed, never on the order of calls.

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
        return {
            "kind": "fake",
            "reference": self.reference,
            "version": 1,
            "given": self._given,
            "planted": canonical_json(self._planted.described()),
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
        """Answers to closed questions, values for a JSON schema, or lines of made-up words; some are refusals.

        Each word of a line is copied from the partner's last line with the planted probability.
        """
        self._check_open()
        completions = tuple(self._completion(request, k) for k in range(request.n))
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
        p, ranks = self._distribution(request.tags, len(request.options))
        logprobs = tuple(math.log(max(float(p[r]), TINY)) for r in ranks)
        tokens = tuple(max(1, estimate_tokens(o)) for o in request.options)
        return OptionScores(logprobs, tokens, approximate=False, method="graded response", usage=Usage(1))

    def _distribution(self, tags: Mapping[str, str], options: int) -> tuple[NDArray[np.float64], list[int]]:
        """Probability of each answer, lowest first, shape (options,); and the rank of each option of the request."""
        ranks = _ranks(tags, options)
        places = np.empty(options, dtype=np.int64)
        places[ranks] = _places(tags, options)
        p = answer_probabilities(np.asarray(self._latent(tags)), options, slope=self._planted.slope)
        return weigh_positions(p, places, self._under(tags, "position")), ranks

    def _latent(self, tags: Mapping[str, str]) -> NDArray[np.float64] | np.float64:
        z, loading = self._trait(tags)
        signal = np.float64(self._under(tags, "effect") * loading * z)
        item = tags.get("item", "")
        if not item:
            return signal
        who = tags.get("actor", "") or tags.get("persona", "")
        sd = self._under(tags, "acquiescence_sd")
        return latent_values(
            signal,
            _normal(self._seed, who, item, tags.get("condition", "")),
            _normal(self._seed, "acquiescence", who) if sd else 0.0,
            noise=self._under(tags, "noise"),
            acquiescence=self._under(tags, "acquiescence"),
            acquiescence_sd=sd,
        )

    def _under(self, tags: Mapping[str, str], effect: Effect) -> float:
        return self._planted.under(tags.get("condition", ""), effect)

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

    def _completion(self, request: GenerateRequest, index: int) -> Completion:
        refusal = self._under(request.tags, "refusal")
        # rng of its own, so that what is not refused reads the same at every rate
        if refusal and self._rng(request, index, "refusal", request.tags.get("item", "")).random() < refusal:
            return replace(finished(REFUSAL, request.sampling), finish_reason="refused")
        closed = "options" in request.tags and request.json_schema is None
        text = self._answer(request, index) if closed else self._line(request, index)
        return finished(text, request.sampling)

    def _answer(self, request: GenerateRequest, index: int) -> str:
        options = _options(request.tags["options"])
        p, ranks = self._distribution(request.tags, len(options))
        u = self._rng(request, index, "answer", request.tags.get("item", "")).random()
        return options[ranks.index(int(draw_answers(p, u)))]

    def _rng(self, request: GenerateRequest, index: int, *what: str) -> np.random.Generator:
        """Randomness of one completion: a function of the seeds, of who says `what`, and of where in the talk."""
        key = [request.tags.get(k, "") for k in ("unit", "actor", "persona", "condition")]
        turn = sum(m.role != "system" for m in request.messages)
        return derive_rng(self._seed, *what, *key, turn, request.seed, request.replicate, index)

    def _line(self, request: GenerateRequest, index: int) -> str:
        rng = self._rng(request, index, "line")
        if request.json_schema is not None:
            return canonical_json(example(request.json_schema, int(rng.integers(2**31))))
        words = [VOCABULARY[k] for k in rng.integers(len(VOCABULARY), size=self._planted.words)]
        partner = next((m.content for m in reversed(request.messages) if m.role == "user"), "").split()
        if partner:
            copied = rng.random(len(words)) < self._under(request.tags, "echo")
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


def _places(tags: Mapping[str, str], options: int) -> list[int]:
    """Place (0 = first) at which each option is shown, in the order of the request."""
    if "shown" not in tags:
        return list(range(options))
    places = [int(place) if place.strip().isdecimal() else -1 for place in tags["shown"].split(",")]
    if sorted(places) != list(range(options)):
        raise InputError(
            f"tag 'shown' is {tags['shown']!r}, expected the places 0 to {options - 1} in some order.",
            hint="Give the place of each option of the request, or no such tag when they are shown in its order.",
        )
    return places


def _options(text: str) -> list[str]:
    """The options of a closed question, in the order of the tag."""
    try:
        options: object = json.loads(text)
    except ValueError:
        options = None
    if not isinstance(options, list) or not options or not all(isinstance(option, str) for option in options):
        raise InputError(f"tag 'options' is {text!r}, expected a JSON list of texts.", hint="Write it with json.dumps.")
    return options


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
