import asyncio
from collections import Counter

import pytest

from personae.core import CapabilityError
from personae.instruments import administer_free_text, answers_of, load_instrument, score_responses
from personae.models import Capability

IPIP = load_instrument("ipip50")


def ask(actor, **more):
    return asyncio.run(administer_free_text(actor, IPIP, **more))


def replies(by_item, default="moderately accurate"):
    return lambda request: (by_item.get(request.tags["item"], default), "stop")


def test_replies_become_values_and_nothing_becomes_zero(make_actor, make_model):
    model = make_model(
        replies=replies({"E1": "Very inaccurate.", "A1": "I cannot answer that.", "C1": "Hm.", "N1": "9"})
    )
    rows = {r.item: r for r in ask(make_actor(model))}
    assert (rows["E1"].status, rows["E1"].value, rows["E1"].keyed) == ("ok", 1, 1)
    assert (rows["A1"].status, rows["A1"].value, rows["A1"].keyed) == ("refused", None, None)
    assert rows["C1"].status == rows["N1"].status == "unparsed"
    assert rows["E2"].value == 4
    assert rows["E2"].keyed == 2
    assert rows["C1"].text == "Hm."
    assert Counter(r.status for r in rows.values()) == {"ok": 47, "refused": 1, "unparsed": 2}
    assert score_responses(IPIP, answers_of(list(rows.values())))["E"].answered == 10


def test_each_item_is_its_own_short_greedy_chat(make_actor, make_model):
    model = make_model(replies=replies({}))
    ask(make_actor(model))
    assert len(model.requests) == 50
    assert len(model.sessions) == 1
    assert len({r.seed for r in model.requests}) == 50
    for request in model.requests:
        assert [m.role for m in request.messages] == ["system", "user"]
        assert request.sampling.temperature == 0
        assert request.sampling.max_tokens <= 32


@pytest.mark.parametrize(
    ("reason", "status"), [("refused", "refused"), ("empty", "unparsed"), ("malformed", "unparsed")]
)
def test_what_the_endpoint_says_counts(make_actor, make_model, reason, status):
    model = make_model(replies=lambda _: ("very accurate", reason))
    rows = ask(make_actor(model), items=["E1", "E2"])
    assert {r.status for r in rows} == {status}
    assert {r.value for r in rows} == {None}


def test_both_orders_are_averaged_and_one_unread_reply_takes_the_row(make_actor, make_model):
    def reply(request):
        first = request.messages[-1].content
        up = first.index("moderately inaccurate") < first.index("moderately accurate")
        if request.tags["item"] == "E1":
            return ("very accurate" if up else "moderately accurate"), "stop"
        return ("very accurate" if up else "no idea"), "stop"

    rows = {r.item: r for r in ask(make_actor(make_model(replies=reply)), rotation="full", items=["E1", "E2"])}
    assert (rows["E1"].value, rows["E1"].order) == (4.5, "both")
    assert (rows["E2"].value, rows["E2"].status) == (None, "unparsed")


def test_ten_equal_answers_are_zero_variance(make_actor, make_model):
    model = make_model(replies=replies({"E1": "I refuse to answer."}))
    rows = ask(make_actor(model))
    assert Counter(r.status for r in rows) == {"zero_variance": 49, "refused": 1}
    few = ask(make_actor(model), items=["E2", "E3"])
    assert {r.status for r in few} == {"ok"}


def test_a_model_that_cannot_generate(make_actor, make_model):
    with pytest.raises(CapabilityError, match="cannot generate"):
        ask(make_actor(make_model(capabilities={Capability.SCORE})))
    with pytest.raises(CapabilityError, match="has no model"):
        ask(make_actor(None))
