"""A judge of fit: what it takes out, how it pairs, and what it refuses."""

from __future__ import annotations

import asyncio
import json
import math

import pytest

from personae.core import CapabilityError, InputError, ReplyError, StatementRow
from personae.instruments import FitJudge, FitPair, fit_pairs, judge_fit
from personae.models import ScriptedModel, open_model

PROFILE = "She keeps bees in Tromsø."


def score(request) -> tuple[float, float]:
    """Likes the first letter by 4 nats, and "it is theirs" by 2 whatever it reads; bees beside bees add 1."""
    text = request.messages[-1].content
    theirs = 2.0 + 1.0 * (text.count("bees") >= 2)
    first = 1 if "A: this person" in text else -1
    return 4.0 + first * theirs, 0.0


def said(who: str, condition: str = "C", n: int = 3) -> list[StatementRow]:
    return [
        StatementRow(
            unit="u", persona_id=who, condition=condition, kind="open_self", index=k, text=f"I am {who} {k}.",
            writer="rules",
        )
        for k in range(n)
    ]  # fmt: skip


def test_tastes_for_a_letter_and_for_yes_decide_nothing() -> None:
    judge = FitJudge(ScriptedModel(scores=score))
    bees, nothing = asyncio.run(judge.weigh(PROFILE, ["I love my bees.", "I am tired."]))
    assert bees.gains == pytest.approx((1.0, 1.0))
    assert bees.probability == pytest.approx(1 / (1 + math.exp(-1)))
    assert bees.word == "fits"
    assert nothing.gains == pytest.approx((0.0, 0.0))
    assert nothing.probability == 0.5
    assert nothing.word == "undecided"


def test_an_answer_that_only_follows_the_order_is_undecided() -> None:
    def first_if_told(request) -> tuple[float, float]:
        return (3.0 if "Tromsø" in request.messages[-1].content else 0.0), 0.0

    (verdict,) = asyncio.run(FitJudge(ScriptedModel(scores=first_if_told)).weigh(PROFILE, ["I sing."]))
    assert verdict.gains == pytest.approx((3.0, -3.0))
    assert (verdict.word, verdict.probability) == ("undecided", 0.5)


def test_a_generated_verdict_counts_against_the_one_without_a_profile() -> None:
    def reply(request) -> str:
        text = request.messages[-1].content
        return json.dumps({"verdict": "fits" if text.count("bees") >= 2 else "foreign"})

    judge = FitJudge(ScriptedModel(reply), by="json")
    bees, other = asyncio.run(judge.weigh(PROFILE, ["I love my bees.", "I am tired."]))
    assert bees.gains == (2.0, 2.0)
    assert other.gains == (0.0, 0.0)  # foreign with and without a profile: nothing was learned
    with pytest.raises(ReplyError, match="gave no verdict"):
        asyncio.run(FitJudge(ScriptedModel(["never JSON"]), by="json").weigh(PROFILE, ["I sing."]))


def test_every_statement_stands_beside_its_own_and_another_profile() -> None:
    rows = [*said("p-a"), *said("p-b"), *said("p-c", "S")]
    people = ["p-a", "p-b", "p-c"]
    pairs = fit_pairs(rows, people, per=2, seed=1)
    assert len(pairs) == 3 * 2 * 2
    assert sum(p.own for p in pairs) == 6
    assert all(p.persona_id != p.profile_id for p in pairs if not p.own)
    again = fit_pairs(rows[::-1], people, per=2, seed=1)
    assert sorted(p.key for p in again) == sorted(p.key for p in pairs)
    assert len({p.key for p in pairs}) == len(pairs)
    with pytest.raises(InputError, match="two at least"):
        fit_pairs(rows, ["p-a"], per=2, seed=1)


def test_rows_name_the_pair_and_share_one_profile() -> None:
    own = FitPair.of(said("p-a")[0], "p-a")
    (row,) = asyncio.run(judge_fit(FitJudge(ScriptedModel(scores=score)), [own], PROFILE, unit="judge/0"))
    assert (row.judge, row.subject, row.verdict, row.value) == ("fit", "C/open_self/0/p-a/p-a", "undecided", 0.5)
    with pytest.raises(InputError, match="several profiles"):
        asyncio.run(
            judge_fit(
                FitJudge(ScriptedModel(scores=score)), [own, FitPair.of(said("p-a")[0], "p-b")], PROFILE, unit="u"
            )
        )


def test_a_model_that_cannot_is_told_apart() -> None:
    with pytest.raises(CapabilityError, match="cannot judge by options"):
        asyncio.run(FitJudge(open_model("none", cache="off")).weigh(PROFILE, ["I sing."]))
