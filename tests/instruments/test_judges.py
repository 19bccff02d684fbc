import asyncio

import numpy as np
import pytest

from personae.core import Conversation
from personae.instruments import UNVALIDATED, YesNoJudge, transcript
from personae.models import OptionScores, Usage

TALK = Conversation(key="c", participants=("A", "B"))
for who, line in (("A", "Hi."), ("B", "Hello."), ("A", "I have to go, bye!")):
    TALK = TALK.append("utterance", who, line)
TALK = TALK.append("note", "stage", "secret")


@pytest.fixture
def model(make_model):
    class SaysYes(make_model):
        """Likes yes by 2 nats whatever it reads, and by 3 more where somebody says bye."""

        async def score_options(self, requests):
            self.requests += requests
            gaps = [2.0 + 3.0 * ("bye" in r.messages[-1].content) for r in requests]
            return tuple(OptionScores((g, 0.0), (1, 1), False, "fake", Usage()) for g in gaps)

    return SaysYes()


def test_a_taste_for_yes_decides_nothing(model):
    judge = YesNoJudge(model, "Does anyone leave?")
    assert asyncio.run(judge.probabilities(["A: bye"])) == pytest.approx((1 / (1 + np.exp(-3)),))
    assert asyncio.run(judge.probabilities(["A: hello"])) == pytest.approx((0.5,))
    assert asyncio.run(judge.judge(TALK, seed=1)) == {"yes": pytest.approx(1 / (1 + np.exp(-3)))}


def test_agreement_is_printed_or_unvalidated(model):
    judge = YesNoJudge(model, "?")
    assert judge.agreement == UNVALIDATED
    assert judge.validated("kappa .8").agreement == "kappa .8"
    assert judge.validated("kappa .8").question == "?"


def test_a_transcript_holds_what_was_said():
    assert transcript(TALK) == "A: Hi.\nB: Hello.\nA: I have to go, bye!"
    assert transcript(TALK, 1) == "A: I have to go, bye!"
