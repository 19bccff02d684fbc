"""A whole report with numbers of the size a real demo gives."""

import json
from collections.abc import Callable

import pytest

from personae.core import (
    BigFive,
    ConversationRow,
    FailureRow,
    FitRow,
    Measurement,
    Names,
    Persona,
    Personal,
    PersonaRow,
    ResponseRow,
    Social,
    Span,
    TurnRow,
    canonical_json,
    derive_rng,
)
from personae.models import Usage
from personae.reports import (
    Block,
    DetectableEffect,
    Download,
    Downloads,
    Fold,
    IntervalChart,
    KeyFacts,
    LineChart,
    Notice,
    Page,
    Point,
    PromptView,
    Prose,
    ScatterChart,
    Section,
    Series,
    answers_section,
    conversations_section,
    cost_section,
    environment_section,
    failures_section,
    limits_section,
    people_section,
    power_section,
    results_section,
)

MODEL = "smollm2 F16"
PEOPLE = (
    ("Marisol Vega", 34, "female", "dental hygienist", 58.2),
    ("Curtis Holloway", 61, "male", "retired bus mechanic", 41.7),
    ("Denise Okafor", 47, "female", "school district accountant", 52.9),
    ("Tyler Brandt", 22, "male", "barista and part-time student", 63.4),
)
LINES = (
    "Hi. I keep putting off calling the clinic about my knee, and I don't know why I find it so hard to start.",
    "That sounds frustrating. What happens in the moment when you pick up the phone?",
    "I think about the questions they'll ask, and then I remember something else I should be doing first.",
    "Would it help to write the two things you want to say on a card before you call?",
    "Maybe. I could do it after lunch, when the house is quiet. I'd want to keep it short, though.",
    "Short is fine. Name, knee, how long it has hurt. You can stop there.",
    "Okay. I'll do that today. Thank you, this was useful.",
    "You're welcome. I hope the call goes well.",
)


def person_rows() -> list[PersonaRow]:
    rows = []
    for k, (name, age, sex, work, extraversion) in enumerate(PEOPLE):
        persona = Persona(
            names=Names(full=name, given=name.split()[0]),
            social=Social(age=age, sex=sex, occupation=work, residence="Ohio"),
            personal=Personal(
                big_five=BigFive(extraversion=extraversion, neuroticism=100 - extraversion, openness=49.1)
            ),
            attributes={"food.breakfast": "oat porridge"},
        )
        rows.append(
            PersonaRow(
                unit=f"people/{k}",
                persona_id=persona.id,
                k=k,
                name=name,
                role="subject",
                body=canonical_json(persona.dump()),
            )
        )
    twin = rows[0].model_copy(update={"persona_id": "p-twin", "role": "twin", "twin_of": rows[0].persona_id})
    return [*rows, twin]


def fit_rows() -> list[FitRow]:
    margins = {
        "sex": (("female", 0.512, 12, True), ("male", 0.488, 12, True)),
        "age": (
            ("18–29", 0.205, 5, True),
            ("30–44", 0.251, 6, True),
            ("45–64", 0.327, 8, True),
            ("65+", 0.217, 5, True),
        ),
        "education": (
            ("less than high school", 0.108, 2, False),
            ("high school", 0.271, 7, False),
            ("some college", 0.289, 7, False),
            ("bachelor's", 0.204, 5, False),
            ("graduate", 0.128, 3, False),
        ),
        "region": (
            ("Midwest", 0.206, 5, False),
            ("Northeast", 0.173, 4, False),
            ("South", 0.384, 9, False),
            ("West", 0.237, 6, False),
        ),
    }
    return [
        FitRow(
            unit="people",
            margin=margin,
            cell=cell,
            target_share=share,
            target_count=count if hard else 24 * share,
            count=count,
            hard=hard,
        )
        for margin, cells in margins.items()
        for cell, share, count, hard in cells
    ]


def conversation_rows() -> tuple[list[ConversationRow], list[TurnRow]]:
    conversations, turns = [], []
    for person in person_rows()[:4]:
        for condition in ("ecp", "concat"):
            key = f"c-{person.k}-{condition}"
            conversations.append(
                ConversationRow(
                    unit=f"talk/{person.k}/{condition}",
                    conversation=key,
                    digest=key,
                    condition=condition,
                    seed=700 + person.k,
                    participants=(person.name, "Robin"),
                    persona_id=person.persona_id,
                    utterances=8,
                    end_reason="closing cue" if condition == "ecp" else "turn cap",
                )
            )
            for k, line in enumerate(LINES):
                text = line if condition == "ecp" or k < 4 else LINES[k - 2]
                turns.append(
                    TurnRow(
                        unit="talk",
                        conversation=key,
                        persona_id=person.persona_id,
                        condition=condition,
                        index=k,
                        kind="utterance",
                        speaker=(person.name, "Robin")[k % 2],
                        role=("client", "responder")[k % 2],
                        text=text,
                        retries=int(condition == "concat" and k == 5),
                        guard="echo" if condition == "concat" and k == 5 else None,
                        call=f"{key}/{k}",
                    )
                )
            turns.append(
                TurnRow(
                    unit="talk",
                    conversation=key,
                    persona_id=person.persona_id,
                    condition=condition,
                    index=8,
                    kind="end",
                    speaker="scene",
                    role="",
                    text="The conversation was ended by the termination detector.",
                )
            )
    return conversations, turns


def response_rows() -> list[ResponseRow]:
    return [
        ResponseRow(
            unit=f"self/{p}",
            persona_id=f"p-{p}",
            actor=PEOPLE[p][0],
            condition="self",
            condition_hash="c0ffee",
            instrument="ipip50",
            item=f"e{k + 1}",
            scale="extraversion",
            key=1 if k % 2 else -1,
            order="ascending",
            method="score",
            status="ok" if (p, k) != (1, 3) else "unparsed",
            value=None if (p, k) == (1, 3) else 2.4 + p / 3,
            keyed=None if (p, k) == (1, 3) else 3.6,
            probabilities=(0.08, 0.21, 0.33, 0.27, 0.11),
            model=MODEL,
            seed=20260712,
            call=f"call-{p}-{k}",
        )
        for p in range(4)
        for k in range(10)
    ]


def prompt_of(call: str) -> str:
    return (
        "<|im_start|>system\nYou are Marisol Vega, 34 years old, a dental hygienist in Ohio. You are fairly outgoing, "
        f"talkative and sociable.<|im_end|>\n<|im_start|>user\n({call}) Hi. What brings you here?<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def measurement(name: str, label: str, value: float | None, low: float, high: float, **more: object) -> Measurement:
    body = {
        "name": name,
        "label": label,
        "value": value,
        "unit": "correlation",
        "n": 24,
        "cluster": "people",
        "rows": 2400,
        "interval": None if value is None else Span(low=low, high=high, method="studentised bootstrap over people"),
        "p": 0.004,
        "p_adjusted": 0.02,
        "method": "permutation test over people, 9,999 draws",
        "seed": 20260712,
        "model": MODEL,
        "direction": "higher is better",
    }
    return Measurement.model_validate(body | more)


def recovery() -> list[Measurement]:
    none = {"p": 0.71, "p_adjusted": 1.0}
    return [
        measurement("r.e", "Extraversion recovered", 0.412, 0.087, 0.661),
        measurement("r.a", "Agreeableness recovered", 0.238, -0.141, 0.557, p=0.21, p_adjusted=0.63),
        measurement("r.c", "Conscientiousness recovered", 0.301, -0.061, 0.598, p=0.093, p_adjusted=0.37),
        measurement("r.n", "Neuroticism recovered", 0.517, 0.221, 0.744, p=0.0004, p_adjusted=0.002),
        measurement("r.o", "Openness recovered", 0.064, -0.311, 0.428, **none),
        measurement(
            "r.t", "Swapped-trait twins follow their own traits", 0.388, 0.064, 0.641, p=0.011, p_adjusted=0.04
        ),
        measurement(
            "r.s", "Answers shuffled across people", -0.012, -0.288, 0.265, control=True, direction="neither", **none
        ),
        measurement(
            "r.0",
            "No persona, empty system message",
            None,
            0,
            0,
            control=True,
            n=1,
            rows=50,
            p=None,
            p_adjusted=None,
            direction="neither",
            reason="one actor has no correlation over people",
        ),
    ]


def echo() -> list[Measurement]:
    share = {
        "unit": "share of 4-grams, ECP − CONCAT",
        "direction": "lower is better",
        "rows": 192,
        "condition": "ecp, concat",
    }
    return [
        measurement("e.d", "Directional copy", -0.0312, -0.0688, 0.0064, p=0.102, p_adjusted=0.2, **share),
        measurement("e.s", "Self-repetition", -0.0071, -0.0411, 0.0269, p=0.67, p_adjusted=0.67, **share),
        measurement(
            "e.r",
            "Role swaps",
            -0.0833,
            -0.1571,
            -0.0095,
            unit="share of turns, ECP − CONCAT",
            p=0.031,
            p_adjusted=0.093,
            direction="lower is better",
            rows=192,
            failures=2,
            condition="ecp, concat",
            validated="κ = 0.71 against 120 author-labelled turns",
            method="exact paired sign-flip over people",
            note="rule scanner, no judge model",
        ),
    ]


def scatter() -> ScatterChart:
    rng = derive_rng(5, "fixture")
    points = []
    for k in range(24):
        x = round(float(rng.normal(50, 10)), 1)
        points.append(Point(x, round(3 + 0.018 * (x - 50) + float(rng.normal(0, 0.25)), 2), f"person {k}", "self"))
        points.append(Point(100 - x, round(3 - 0.015 * (x - 50) + float(rng.normal(0, 0.25)), 2), f"twin {k}", "twin"))
    return ScatterChart(
        points,
        "Intended extraversion (T-score)",
        "Answered extraversion (mean of 10 items)",
        "Intended and answered extraversion of 24 people and their twins",
    )


def drift() -> LineChart:
    return LineChart(
        (
            Series("ECP", (0, 6, 12), (0.41, 0.44, 0.46), (0.35, 0.37, 0.38), (0.47, 0.51, 0.54)),
            Series("CONCAT", (0, 6, 12), (0.42, 0.49, 0.55), (0.36, 0.42, 0.46), (0.48, 0.56, 0.64)),
        ),
        "Events in the log when it was forked",
        "Share of probes answered against the persona",
        "Drift from the persona over a conversation",
    )


@pytest.fixture
def sample_page() -> Page:
    conversations, turns = conversation_rows()
    statuses = {"ok": 2376, "zero_variance": 50, "refused": 0, "unparsed": 74, "failed": 0, "missing": 0}
    failures = [
        FailureRow(
            unit=f"talk/{k}/ecp",
            stage="conversation",
            boundary="provider",
            code="endpoint",
            message="Timed out after 60 s.",
        )
        for k in (7, 19)
    ]
    question: list[Block] = [
        Prose(
            "Twenty-four people drawn from the shipped recipe answer **50 items** as themselves and as a twin with "
            "swapped traits. Client and responder then talk under two ways of showing the history, *ECP* and "
            "`CONCAT`, with the same seeds."
        ),
        KeyFacts({"People": 24, "Items": 50, "Conversations": 48, "Turns per conversation": 8, "Root seed": 20260712}),
        Notice("limit", "A model of 135 million parameters checks the machinery. It does not make believable people."),
    ]
    results = results_section(
        recovery(),
        lead="Does an answered trait follow the intended one?",
        caption="Recovery of intended traits, with controls",
    )
    dialogue = results_section(
        echo(),
        section="dialogue",
        title="Dialogue",
        lead="Does ECP lower echo and role swaps against CONCAT?",
        caption="Paired differences between conditions",
    )
    detectable = [
        DetectableEffect("Trait recovery", 0.53, "correlation", 24, "people", "permutation test", observed=0.412),
        DetectableEffect(
            "Directional copy", 0.054, "share of 4-grams", 24, "people", "paired sign-flip", observed=-0.0312
        ),
        DetectableEffect("No persona", None, "correlation", 1, "actor", "none", reason="one actor"),
    ]
    usage = {"administer": Usage(50, 241_380, 61_204, 0), "talk": Usage(402, 188_412, 188_412, 14_470)}
    manifest = {
        "run": "run-3f2a81bc",
        "status": "completed",
        "seed": 20260712,
        "determinism": "exact",
        "model": {
            "reference": "smollm2",
            "quantisation": "F16 for scores, Q8_0 for text",
            "api_key": "sk-should-not-show",
        },
        "packages": {"numpy": "2.4.6", "pydantic": "2.14.3", "xllamacpp": "2026.10"},
        "machine": {"cores": 2, "load": [0.24, 0.11, 0.08], "python": "3.11.7"},
    }
    return Page(
        title="Twenty-four people on a small model",
        subtitle="Do answers follow the traits a persona was given, and does the way history is shown change who "
        "echoes whom?",
        meta={
            "Run": "run-3f2a81bc",
            "Model": "smollm2, 135 million parameters",
            "Seed": 20260712,
            "People": 24,
            "State": "completed",
        },
        sections=(
            Section("question", "Question and design", question),
            people_section(
                person_rows(), fit_rows(), "Margins: counts of a small public-use sample; see the recipe.", seed=3
            ),
            Section(results.id, results.title, (*results.blocks, scatter()), results.lead),
            Section(dialogue.id, dialogue.title, (*dialogue.blocks, drift()), dialogue.lead),
            power_section(detectable),
            conversations_section(conversations, turns, 3, 2, prompts=prompt_of),
            answers_section(response_rows(), seed=3, n=6, prompts=prompt_of),
            failures_section(failures, statuses, units=124, limit=0.05),
            cost_section(
                usage, {"administer": 148.2, "talk": 402.6, "report": 2.1}, note="Load average at the start: 0.24."
            ),
            environment_section(manifest),
            limits_section("smollm2", {"weights": "sha256:ab12"}),
            Section(
                "files",
                "Files",
                (
                    Downloads(
                        (
                            Download("../exports/conversations.jsonl", "48 conversations"),
                            Download("../exports/people.jsonl"),
                        )
                    ),
                    PromptView("The exact prompt of the first answer", prompt_of("call-0-0")),
                    Fold("The recipe", (Prose("- sex, age: hard quotas\n- education, region: soft margins"),)),
                ),
            ),
        ),
    )


@pytest.fixture
def people() -> Callable[[], list[PersonaRow]]:
    return person_rows


@pytest.fixture
def talks() -> Callable[[], tuple[list[ConversationRow], list[TurnRow]]]:
    return conversation_rows


@pytest.fixture
def fits() -> Callable[[], list[FitRow]]:
    return fit_rows


@pytest.fixture
def recovered() -> list[Measurement]:
    return recovery()


@pytest.fixture
def charts() -> dict[str, IntervalChart | ScatterChart | LineChart]:
    return {"interval": IntervalChart(recovery()), "scatter": scatter(), "line": drift()}


@pytest.fixture
def hostile_person() -> PersonaRow:
    text = "<script>alert(1)</script> <img src=x onerror=alert(2)> [go](javascript:alert(3)) \"' onmouseover='x"
    persona = Persona(names=Names(full=text), social=Social(occupation=text), attributes={"a.b": text})
    return PersonaRow(unit=text, persona_id=persona.id, k=0, name=text, role=text, body=json.dumps(persona.dump()))
