"""The client-responder scene: what each side gets to see, what both projections share, what is recorded."""

from __future__ import annotations

import asyncio

import pytest

from personae.conditioning import Prompt
from personae.core import ConversationRow, InputError, Names, Persona, ProbeRow, Social, TurnRow
from personae.models import Sampling, ScriptedModel
from personae.simulation import CLIENT, RESPONDER, Dialogue, converse

ANA = Persona(names=Names(full="Ana Reis"), social=Social(age=58, occupation="nurse", residence="Lisbon"))
BO = Persona(names=Names(full="Bo Lind"), social=Social(age=31, occupation="baker", residence="Malmo"))
RULES = {"client": Prompt(rules="CLIENT RULES."), "responder": Prompt(rules="RESPONDER RULES.")}


class Listening(ScriptedModel):
    """Remembers what it was asked, and in which sessions."""

    def __init__(self, *args) -> None:
        super().__init__(*args)
        self.asked, self.sessions = [], []

    async def generate(self, request):
        self.asked.append(request)
        return await super().generate(request)

    def session(self, unit):
        self.sessions.append(unit)
        return super().session(unit)


def talk(model=None, *, mode="ecp", seed=5, persona=ANA, **settings):
    settings = {"utterances": 6, "probes": False, **RULES} | settings
    return asyncio.run(
        converse(
            Dialogue(**settings), persona, model or ScriptedModel(), mode=mode, unit="u", seed=seed, pool=[ANA, BO]
        )
    )


def turns(rows) -> list[str]:
    return [r.text for r in rows if isinstance(r, TurnRow)]


def test_rows_tell_who_said_what_about_whom() -> None:
    rows = talk()
    (head,) = (r for r in rows if isinstance(r, ConversationRow))
    said = [r for r in rows if isinstance(r, TurnRow)]
    assert head.participants == (CLIENT, RESPONDER)
    assert head.utterances == len(said) <= 6
    assert (head.persona_id, head.condition, head.seed, head.parent) == (ANA.id, "ecp", 5, None)
    assert [t.speaker for t in said] == [CLIENT, RESPONDER] * (len(said) // 2) + [CLIENT] * (len(said) % 2)
    assert {t.persona_id for t in said} == {ANA.id}
    assert all(r.unit == "u" for r in rows)


def test_the_same_seed_gives_the_same_conversation_and_another_seed_another() -> None:
    assert talk() == talk()
    assert turns(talk()) != turns(talk(seed=6))


def test_projection_law_the_partner_never_gets_the_persona_or_the_others_rules() -> None:
    for mode in ("ecp", "concat"):
        model = Listening()
        talk(model, mode=mode)
        clients = [r for r in model.asked if "CLIENT RULES." in r.messages[0].content]
        responders = [r for r in model.asked if "RESPONDER RULES." in r.messages[0].content]
        assert len(clients) + len(responders) == len(model.asked)
        assert all("Ana Reis" in r.messages[0].content for r in clients)
        for request in responders:
            text = "\n".join(m.content for m in request.messages)
            assert "CLIENT RULES." not in text
            assert "Ana Reis" not in text
            assert "nurse" not in text


def test_both_projections_share_prompts_seeds_and_the_first_line() -> None:
    asked = {}
    for mode in ("ecp", "concat"):
        model = Listening()
        rows = talk(model, mode=mode)
        asked[mode] = model.asked, turns(rows)
    one, other = asked["ecp"], asked["concat"]
    assert one[1][0] == other[1][0]
    assert one[0][0].messages == other[0][0].messages
    for a, b in zip(one[0][:2], other[0][:2], strict=True):
        assert a.seed == b.seed
        assert a.messages[0] == b.messages[0]
        assert a.sampling == b.sampling
    # The third line is where they part: the client reads its own first line under another role.
    assert [m.role for m in one[0][2].messages[1:]] != [m.role for m in other[0][2].messages[1:]]


def test_sampling_of_each_side_is_its_own() -> None:
    model = Listening()
    client, responder = Sampling(temperature=0.1, max_tokens=9), Sampling(temperature=0.9, max_tokens=30)
    talk(model, client_sampling=client, responder_sampling=responder, utterances=2)
    assert [r.sampling for r in model.asked[:2]] == [client, responder]


def test_one_unit_holds_a_shared_model_once() -> None:
    model = Listening()
    talk(model)
    assert model.sessions == ["u"]


def test_tags_name_unit_person_and_line_and_reach_no_message() -> None:
    model = Listening()
    talk(model, utterances=2)
    first = model.asked[0]
    assert (first.tags["unit"], first.tags["persona"], first.tags["condition"]) == ("u", ANA.id, "ecp")
    assert first.tags["line"] == "0"
    assert not any(ANA.id in m.content for m in first.messages)


def test_guards_can_be_switched_off_to_measure_the_bare_model() -> None:
    model = ["I am a large language model and I keep saying so every time."]
    guarded, bare = talk(ScriptedModel(model)), talk(ScriptedModel(model), guarded=False)
    assert all(t.guard for t in guarded if isinstance(t, TurnRow))
    assert all(t.retries == 1 for t in guarded if isinstance(t, TurnRow))
    assert not any(t.guard or t.retries for t in bare if isinstance(t, TurnRow))


def test_a_loop_ends_as_stuck_and_a_goodbye_as_closed() -> None:
    stuck = talk(ScriptedModel(["I am just so tired of all of this work."]), utterances=20)
    assert next(r for r in stuck if isinstance(r, ConversationRow)).end_reason == "stuck"
    lines = ["I slept badly last night.", "Thank you, that helps a lot. Goodbye!", "You are welcome. Goodbye!"]
    closed = talk(ScriptedModel(lines), utterances=20)
    assert next(r for r in closed if isinstance(r, ConversationRow)).end_reason == "closed"


def test_probes_come_after_the_talk_and_only_for_the_client() -> None:
    rows = talk(probes=True)
    asked = [r for r in rows if isinstance(r, ProbeRow)]
    assert asked
    assert {r.persona_id for r in asked} == {ANA.id}
    assert rows.index(asked[0]) > max(k for k, r in enumerate(rows) if isinstance(r, TurnRow))


def test_only_the_moments_asked_for_are_probed() -> None:
    moments = {r.moment for r in talk(probes=True, moments=("first", "last"), utterances=8) if isinstance(r, ProbeRow)}
    assert moments == {"first", "last"}


def test_a_negative_number_of_retries_is_refused() -> None:
    with pytest.raises(InputError, match="retries is -1"):
        talk(retries=-1)
