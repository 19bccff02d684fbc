import pytest

from personae.core import (
    ConversationRow,
    Goal,
    JudgementRow,
    Names,
    Persona,
    PersonaRow,
    Relation,
    ResponseRow,
    Social,
    TurnRow,
    canonical_json,
)
from personae.formats import Evidence

LINES = (
    "Hello, I am {name}.",
    "Hello {given}. How can I help?",
    "=1+1 write me at ana@example.org",
    "Noted.\u2028\nBye.",
)


@pytest.fixture
def evidence() -> Evidence:
    people = [
        Persona(
            names=Names(full=name, given=name.split()[0], family=name.split()[1]),
            social=Social(age=40 + k, occupation="nurse", languages=("Portuguese", "English")),
            goals=(Goal(text="Sleep well; call +1 212-555-0147."),),
            relations=(Relation(name="Tom", kind="brother"),),
            attributes={"food.breakfast": "oat porridge", "pets": 2, "smokes": False},
        )
        for k, name in enumerate(("Ana Reis", "Bo Lind"))
    ]
    rows = [
        PersonaRow(unit=f"u{k}", persona_id=p.id, k=k, name=p.name, role="subject", body=canonical_json(p.dump()))
        for k, p in enumerate(people)
    ]
    conversations, turns, responses = [], [], []
    for p in people:
        for condition in ("ecp", "concat"):
            key = f"c-{p.name[:2]}-{condition}"
            conversations.append(
                ConversationRow(
                    unit=key,
                    conversation=key,
                    digest=key,
                    participants=("Robin", p.name),
                    persona_id=p.id,
                    condition=condition,
                    seed=7,
                    utterances=4,
                    end_reason="closing cue",
                )
            )
            for k, line in enumerate(LINES):
                turns.append(
                    TurnRow(
                        unit=key,
                        conversation=key,
                        persona_id=p.id,
                        condition=condition,
                        index=k,
                        kind="utterance",
                        speaker=(p.name, "Robin")[k % 2],
                        role=("client", "responder")[k % 2],
                        text=line.format(name=p.name, given=p.name.split()[0]),
                    )
                )
            turns.append(turns[-1].model_copy(update={"index": 9, "kind": "end", "text": "ended"}))
        for k in range(3):
            responses.append(
                ResponseRow(
                    unit=f"r{k}",
                    persona_id=p.id,
                    actor=p.name,
                    condition="self",
                    condition_hash="h",
                    instrument="i",
                    item=f"e{k}",
                    scale="e",
                    key=-1,
                    order="none",
                    method="free_text",
                    status="ok" if k else "unparsed",
                    value=3.0 if k else None,
                    keyed=3.0 if k else None,
                    probabilities=(0.25, 0.75),
                    text="-1, or mail ana@example.org",
                    model="fake",
                    seed=1,
                )
            )
    judgements = [
        JudgementRow(
            unit="audit",
            conversation=conversation,
            persona_id=people[0].id,
            condition="ecp",
            judge=judge,
            subject="1",
            verdict=verdict,
            agreement="rule",
        )
        for conversation, judge, verdict in (
            ("c-An-ecp", "audit", "prompt_leak"),
            ("c-An-ecp", "audit", "contact_email"),
            ("c-An-ecp", "audit", "contact_email"),
            ("c-An-concat", "audit", "clean"),
            ("c-Bo-ecp", "ended", "validated"),
        )
    ]
    fork = conversations[0].model_copy(update={"conversation": "fork", "parent": "x"})
    manifest = {"config": {"model": "smollm2", "seed": 11}}
    return Evidence(rows, [*conversations, fork], turns, responses, judgements, manifest)
