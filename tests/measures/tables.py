"""Evidence rows made by hand, with everything that does not matter filled in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from personae.core import (
    BigFive,
    ConversationRow,
    Instrument,
    Item,
    JudgementRow,
    Measurement,
    Names,
    Persona,
    Personal,
    ProbeRow,
    ResponseOption,
    ResponseRow,
    SlotRow,
    Social,
    TurnRow,
)

SCALES = {"O": "openness", "C": "conscientiousness", "E": "extraversion", "A": "agreeableness", "N": "neuroticism"}
TINY = Instrument(
    name="tiny",
    title="Two items a scale, the second reversed",
    licence="ours",
    source="made for tests",
    instructions="Say how well each statement fits.",
    options=tuple(
        ResponseOption(text=word, value=float(k + 1)) for k, word in enumerate(("no", "hm", "so", "la", "yes"))
    ),
    scales=SCALES,
    items=tuple(
        Item(id=f"{code}{sign}", text=f"I am {name} {sign}.", scale=code, key=1 if sign == "+" else -1)
        for code, name in SCALES.items()
        for sign in "+-"
    ),
)
SHARED = {"model": "fake:tests", "seed": 7}


def person(name: str, **traits: float) -> Persona:
    given = {domain: traits.get(domain, 50.0) for domain in SCALES.values()}
    return Persona(
        names=Names(full=name), personal=Personal(big_five=BigFive(**given)), social=Social(occupation="baker")
    )


def response(
    who: str | None, item: str, value: float | None, condition: str = "self", status: str = "ok"
) -> ResponseRow:
    return ResponseRow(
        unit=f"{condition}/{who}",
        persona_id=who,
        actor=who or condition,
        condition=condition,
        condition_hash="c",
        instrument="tiny",
        item=item,
        scale=item[0],
        key=1 if item.endswith("+") else -1,
        order="none",
        method="score",
        status=status,
        value=value,
        keyed=None,
        model="fake:tests",
        seed=0,
    )


def answers(who: str | None, scores: Mapping[str, float], condition: str = "self") -> list[ResponseRow]:
    """Answers that give exactly these scale means: the reversed item is its mirror image."""
    out: list[ResponseRow] = []
    for code, name in SCALES.items():
        value = scores.get(name, 3.0)
        out += [response(who, f"{code}+", value, condition), response(who, f"{code}-", 6.0 - value, condition)]
    return out


def head(
    key: str, who: str, condition: str, *, seed: int = 1, end: str = "turn_cap", lines: int = 0
) -> ConversationRow:
    return ConversationRow(
        unit=key,
        conversation=key,
        digest="",
        participants=("client", "responder"),
        persona_id=who,
        condition=condition,
        seed=seed,
        utterances=lines,
        end_reason=end,
    )


def said(key: str, who: str, condition: str, lines: Sequence[str], **more: object) -> list[TurnRow]:
    """Turns of a client and a responder in turn."""
    return [
        TurnRow(
            unit=key,
            conversation=key,
            persona_id=who,
            condition=condition,
            index=k,
            kind="utterance",
            speaker=("client", "responder")[k % 2],
            role=("client", "responder")[k % 2],
            text=text,
            **more,
        )
        for k, text in enumerate(lines)
    ]


def probe_row(
    key: str, who: str, condition: str, moment: str, p: float, *, group: str = "facts", item: str = "x"
) -> ProbeRow:
    return ProbeRow(
        unit=key,
        conversation=key,
        persona_id=who,
        condition=condition,
        at=1,
        moment=moment,
        group=group,
        item=item,
        target=1,
        probabilities=((1 - p) / 3, p, (1 - p) / 3, (1 - p) / 3),
        logprobs=(0.0, 0.0, 0.0, 0.0),
        model="fake:tests",
        seed=0,
    )


def verdict(
    key: str, who: str, condition: str, verdict: str, *, judge: str = "audit", value: float | None = None
) -> JudgementRow:
    return JudgementRow(
        unit="audit",
        conversation=key,
        persona_id=who,
        condition=condition,
        judge=judge,
        subject="0",
        verdict=verdict,
        value=value,
        agreement="rule",
    )


def slot(k: int, attempt: int, *, accepted: bool) -> SlotRow:
    return SlotRow(
        unit=f"people/{k}", k=k, attempt=attempt, accepted=accepted, rule=None if accepted else "odd", fields="{}"
    )


def by_name(measurements: Sequence[Measurement]) -> dict[str, Measurement]:
    names = [m.name for m in measurements]
    assert len(set(names)) == len(names)
    return {m.name: m for m in measurements}
