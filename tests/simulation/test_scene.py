"""Scenes: who speaks, when it ends, what guards do, and that nothing but the log is kept."""

from __future__ import annotations

import asyncio

import pytest

from personae.conditioning import ExternalActor
from personae.core import Conversation, InputError
from personae.models import Message
from personae.simulation import (
    Alternating,
    Closing,
    Degenerate,
    Echo,
    FirstOf,
    Identity,
    RoundRobin,
    Scene,
    Stuck,
    TurnCap,
    conversation_rows,
    simulate,
    simulate_sync,
)


def speaker(name: str, *texts: str) -> ExternalActor:
    pending = list(texts)

    def ask(messages: object) -> str:
        return pending.pop(0) if pending else f"{name} has more to say about topic {len(pending)}."

    return ExternalActor(name, ask)


def run(scene: Scene, **more: object) -> Conversation:
    return asyncio.run(simulate(scene, key="k", seed=1, **more))


def test_two_speakers_alternate_until_the_cap_and_the_reason_is_recorded() -> None:
    scene = Scene((speaker("a", "one", "three"), speaker("b", "two", "four")), stop=TurnCap(4), scheduler=Alternating())
    log = run(scene)
    assert [(e.speaker, e.text) for e in log.utterances] == [("a", "one"), ("b", "two"), ("a", "three"), ("b", "four")]
    assert log.events[-1].kind == "end"
    assert log.events[-1].text == "turn_cap"


def test_alternation_refuses_three() -> None:
    scene = Scene((speaker("a"), speaker("b"), speaker("c")), scheduler=Alternating())
    with pytest.raises(InputError, match="two participants"):
        run(scene)


def test_round_robin_gives_everybody_a_turn() -> None:
    scene = Scene(
        tuple(speaker(n, *[f"{n}{k}" for k in range(3)]) for n in "abc"), stop=TurnCap(7), scheduler=RoundRobin()
    )
    assert "".join(e.speaker for e in run(scene).utterances) == "abcabca"


def test_a_natural_end_waits_for_the_responder_and_for_the_minimum() -> None:
    client = ("Hi.", "I sleep badly.", "Thank you, that helps. Goodbye!", "Never said.")
    responder = ("Goodbye!", "Since when?", "You are welcome. Goodbye!", "Never said.")
    scene = Scene((speaker("c", *client), speaker("r", *responder)), stop=FirstOf((Closing("r", 2, 2), TurnCap(20))))
    log = run(scene)
    assert [e.text for e in log.utterances][-2:] == [client[2], responder[2]]
    assert log.events[-1].text == "closed"


def test_bye_inside_a_story_does_not_end_anything() -> None:
    client = ("Hi.", "She said goodbye to her brother and I cried.", "It still hurts a little.")
    responder = ("Hello.", "How long ago was it?", "Tell me more about him.")
    log = run(Scene((speaker("c", *client), speaker("r", *responder)), stop=FirstOf((Closing("r", 1, 2), TurnCap(6)))))
    assert log.events[-1].text == "turn_cap"


def test_a_judge_can_veto_an_end() -> None:
    class No:
        name = "no"
        agreement = "unvalidated"

        async def judge(self, conversation: Conversation, *, seed: int) -> dict[str, float]:
            return {"ended": 0.1}

    def scene(judge: object) -> Scene:
        said = ("Hi.", "Thanks so much, goodbye!", "More.", "Even more here.")
        back = ("Hello.", "Bye, take care!", "Still on.", "Right.")
        return Scene((speaker("c", *said), speaker("r", *back)), stop=FirstOf((Closing("r", 1, 2, judge), TurnCap(8))))

    assert run(scene(None)).events[-1].text == "closed"
    assert run(scene(No())).events[-1].text == "turn_cap"


def test_loops_end_as_stuck() -> None:
    same = ["I am just so tired of all of this work."] * 6
    log = run(Scene((speaker("a", *same), speaker("b", *same)), stop=FirstOf((Stuck(), TurnCap(12)))))
    assert log.events[-1].text == "stuck"


def test_a_guard_sends_a_draft_back_with_feedback_and_the_log_never_sees_the_feedback() -> None:
    heard: list[str] = []
    drafts = ["As an AI language model, I have no feelings.", "I feel fine today."]

    def ask(messages: object) -> str:
        heard.append(messages[-1].content)  # type: ignore[index]
        return drafts.pop(0)

    log = run(Scene((ExternalActor("a", ask), speaker("b")), guards=(Identity(),), stop=TurnCap(1)))
    assert log.utterances[0].text == "I feel fine today."
    assert log.utterances[0].meta["retries"] == 1
    assert "Speak as the person" in heard[1]
    assert "Speak as the person" not in str(log.model_dump())


def test_when_no_draft_passes_the_least_bad_is_kept_and_marked() -> None:
    line = "I walk by the sea every single morning before work."
    drafts = ["", line]
    scene = Scene(
        (speaker("a", line), ExternalActor("b", lambda _: drafts.pop(0))),
        guards=(Degenerate(), Echo()),
        stop=TurnCap(2),
    )
    log = run(scene)
    assert log.utterances[1].text == line
    assert log.utterances[1].meta["guard"] == "echo"


def test_a_scene_continues_from_a_fork_and_the_parent_stays() -> None:
    scene = Scene((speaker("a", "one", "three"), speaker("b", "two")), stop=TurnCap(3))
    log = run(scene)
    digest = log.digest
    fork = log.fork(2)
    assert fork.parent == digest
    longer = run(Scene((speaker("a", "other"), speaker("b")), stop=TurnCap(3)), start=fork)
    assert [e.text for e in longer.utterances] == ["one", "two", "other"]
    assert log.digest == digest


def test_same_names_are_refused() -> None:
    with pytest.raises(InputError, match="different names"):
        Scene((speaker("a"), speaker("a")))


def test_rows_carry_the_person_and_the_end() -> None:
    log = run(Scene((speaker("c", "Hi."), speaker("r", "Hello.")), stop=TurnCap(2)))
    head, *turns = conversation_rows(
        log, unit="u", persona_id="p-1", condition="ecp", seed=3, roles={"c": "client", "r": "responder"}
    )
    assert head.end_reason == "turn_cap"
    assert [t.role for t in turns] == ["client", "responder"]
    assert {t.persona_id for t in turns} == {"p-1"}


def test_the_blocking_twin_works_inside_a_running_loop_and_agrees() -> None:
    def scene() -> Scene:
        return Scene((speaker("a", "one"), speaker("b", "two")), stop=TurnCap(2))

    async def inside() -> Conversation:
        return simulate_sync(scene(), key="k", seed=1)

    assert asyncio.run(inside()).digest == run(scene()).digest == simulate_sync(scene(), key="k", seed=1).digest


def test_people_at_a_keyboard_may_answer_later() -> None:
    async def slow(messages: tuple[Message, ...]) -> str:
        await asyncio.sleep(0)
        return "typed"

    assert run(Scene((ExternalActor("me", slow), speaker("b")), stop=TurnCap(1))).utterances[0].text == "typed"
