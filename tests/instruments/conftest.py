"""A person on a small fake model whose answers follow planted traits, told by tags alone."""

import math
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pytest

from personae.core import Names, Persona, ReplyError, derive_rng
from personae.models import (
    Capability,
    Completion,
    Generation,
    Message,
    OptionScores,
    Usage,
)


class TraitModel:
    """Scores options by a graded distance from a latent value; remembers what it was asked."""

    def __init__(self, traits=None, *, effect=1.0, noise=0.3, bias=(), replies=None, capabilities=None):
        self.traits = traits or {}
        self.effect = effect
        self.noise = noise
        self.bias = bias
        self.replies = replies
        self.requests = []
        self.calls = 0
        self.sessions = []
        self.inside = False
        self._capabilities = frozenset(capabilities or {Capability.SCORE, Capability.GENERATE})

    reference = "fake:tests"
    fingerprint = MappingProxyType({"kind": "tests"})
    determinism = "exact"
    parallel = 1

    @property
    def capabilities(self):
        return self._capabilities

    def count_tokens(self, text):
        return len(text.split())

    def show_prompt(self, request):
        return "\n".join([f"<{m.role}>{m.content}" for m in request.messages] + [f"<assistant>{request.prefill}"])

    def latent(self, tags):
        if not tags["persona"]:
            return 0.0
        z = self.traits[tags["persona"]][tags["scale"]] * int(tags["key"])
        deviate = float(derive_rng(0, tags["persona"], tags["item"]).standard_normal())
        return self.effect * z + self.noise * deviate

    async def score_options(self, requests):
        assert self.inside, "score_options outside a session"
        self.calls += 1
        self.requests += requests
        out = []
        for request in requests:
            centres = np.linspace(-2, 2, len(request.options))
            logprobs = -((centres - self.latent(request.tags)) ** 2)
            if len(self.bias):
                logprobs = logprobs + np.asarray(self.bias)
            out.append(OptionScores(tuple(map(float, logprobs)), (2,) * len(centres), False, "fake", Usage(), "call"))
        return tuple(out)

    async def generate(self, request):
        assert self.inside, "generate outside a session"
        self.requests.append(request)
        text, reason = self.replies(request)
        return Generation((Completion(text, reason, 3),), Usage(), "call")

    @asynccontextmanager
    async def session(self, unit):
        self.sessions.append(unit)
        self.inside = True
        yield
        self.inside = False


class BrokenModel(TraitModel):
    """Scores that cannot be used: `fault` is nan, infinite, short or few."""

    def __init__(self, fault, **more):
        super().__init__(**more)
        self.fault = fault

    async def score_options(self, requests):
        scores = list(await super().score_options(requests))
        if self.fault == "few":
            return tuple(scores[:-1])
        bad = {"nan": (math.nan,) * 5, "infinite": (-math.inf,) * 5, "short": (-1.0,)}[self.fault]
        scores[-1] = OptionScores(bad, (1,) * len(bad), False, "fake", Usage())
        return tuple(scores)


class FailingModel(TraitModel):
    """Raises inside the call."""

    async def score_options(self, requests):
        raise ReplyError("the endpoint answered nonsense")


@dataclass
class TestActor:
    """The Actor protocol with nothing around it."""

    __test__ = False
    name: str
    persona: Persona | None
    model: object
    condition: str = "self"
    condition_hash: str = "cond-1"
    system_default: bool = False
    system: str | None = None

    def context(self):
        return () if self.system is None else (Message("system", self.system),)

    async def act(self, messages, *, seed, tags=None):
        raise AssertionError("an inventory never asks for a line")


@pytest.fixture
def make_model():
    return TraitModel


@pytest.fixture
def broken_model():
    return BrokenModel


@pytest.fixture
def failing_model():
    return FailingModel


@pytest.fixture
def make_actor():
    def make(model, name="Ana Reis", *, persona=True, **more):
        who = Persona(names=Names(full=name)) if persona else None
        system = more.pop("system", who.render() if who else None)
        return TestActor(name, who, model, system=system, **more)

    return make
