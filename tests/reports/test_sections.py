import json
import random

import pytest

from personae.core import FailureRow, Frozen, InputError, Persona, ResponseRow, Span, extensions
from personae.models import Usage
from personae.reports import (
    BarChart,
    Columns,
    ConversationView,
    DataTable,
    DetectableEffect,
    Fold,
    KeyFacts,
    Notice,
    Page,
    Prose,
    SideBySide,
    answers_section,
    conversations_section,
    cost_section,
    environment_section,
    failures_section,
    limits_section,
    model_size,
    people_section,
    power_section,
    render_page,
    results_section,
    status_counts,
)


class Letters(Frozen):
    own: str
    many: dict[str, int]


def of(section, kind):
    found = []
    for block in section.blocks:
        for inner in getattr(block, "blocks", ()):
            found += [inner] if isinstance(inner, kind) else []
        found += [block] if isinstance(block, kind) else []
    return found


def response(k: int, **more) -> ResponseRow:
    body = {
        "unit": f"u{k}",
        "persona_id": f"p{k}",
        "actor": f"a{k}",
        "condition": "self",
        "condition_hash": "h",
        "instrument": "i",
        "item": "e1",
        "scale": "e",
        "key": 1,
        "order": "none",
        "method": "score",
        "status": "ok",
        "value": 3.0,
        "keyed": 3.0,
        "model": "fake",
        "seed": 1,
        "call": f"call{k}",
    }
    return ResponseRow.model_validate(body | more)


def test_people_are_drawn_by_seed_whatever_order_they_come_in(people, fits) -> None:
    rows = people()
    titles = [f.title for f in of(people_section(rows, fits(), seed=3, show=2), Fold)]
    random.Random(0).shuffle(rows)
    assert [f.title for f in of(people_section(iter(rows), iter(fits()), seed=3, show=2), Fold)] == titles
    assert len(titles) == 2
    others = {tuple(f.title for f in of(people_section(rows, [], seed=s, show=2), Fold)) for s in range(12)}
    assert len(others) > 1
    assert not any("twin" in t for titles in others for t in titles)


def test_a_large_population_is_drawn_the_same_as_a_small_one(people) -> None:
    rows = [people()[0].model_copy(update={"persona_id": f"p-{k}", "k": k}) for k in range(500)]
    drawn = [f.title for f in of(people_section(rows, [], seed=1, show=1), Fold)]
    assert [f.title for f in of(people_section(rows[::-1], [], seed=1, show=1), Fold)] == drawn


def test_domain_fields_of_a_person_are_shown_and_counted_where_they_are_many(people) -> None:
    row = people()[0]
    extensions.add("test_letters", Letters)
    ext = {"test_letters": {"own": "Dear all.", "many": {f"k{k}": k for k in range(70)}}, "source": {"format": "x"}}
    body = Persona.parse({"names": {"full": "A"}, "ext": ext}).dump()
    section = people_section([row.model_copy(update={"body": json.dumps(body)})], [], seed=1, show=1)
    (table,) = of(section, DataTable)
    told = dict(table.rows)
    assert told["ext.test_letters.own"] == "Dear all."
    assert told["ext"] == "and 11 more"
    assert "ext.source.format" not in told


def test_fit_is_shown_against_the_margins(people, fits) -> None:
    section = people_section(people(), fits(), "Counts of a small sample.", seed=1)
    charts = {c.caption: c for c in of(section, BarChart)}
    assert set(charts) == {"Margin age", "Margin education", "Margin region", "Margin sex"}
    assert charts["Margin sex"].observed == [50.0, 50.0]
    assert charts["Margin sex"].target == [51.2, 48.8]
    facts = of(section, KeyFacts)[0].facts
    assert facts["Hard quotas met exactly"] == "6 of 6"
    assert facts["Largest gap to a margin"] == "−2.5 points (education: less than high school)"
    missed = [f.model_copy(update={"count": f.count - 1}) if f.cell == "female" else f for f in fits()]
    assert of(people_section([], missed), KeyFacts)[0].facts["Hard quotas met exactly"] == "5 of 6"


def test_a_margin_of_many_cells_is_folded(fits) -> None:
    cell = fits()[0]
    many = [cell.model_copy(update={"margin": "state", "cell": f"s{k:02}"}) for k in range(51)]
    section = people_section([], many)
    assert [f.title for f in section.blocks if isinstance(f, Fold)] == ["Margin state, 51 cells"]
    assert not [b for b in section.blocks if isinstance(b, Columns)]


def test_conversations_are_paired_drawn_by_seed_and_never_forks(talks) -> None:
    rows, turns = talks()
    fork = rows[0].model_copy(update={"conversation": "fork", "parent": rows[0].digest})
    section = conversations_section([*rows, fork], turns, 3, 2, prompts=lambda call: f"prompt of {call}")
    shown = [b for b in section.blocks if isinstance(b, SideBySide)]
    assert len(shown) == 2
    for pair in shown:
        assert [v.title for v in pair.views] == ["concat", "ecp"]
        for view in pair.views:
            assert [t.side for t in view.turns[:8]] == ["left", "right"] * 4
            assert view.turns[8].side == "note"
            assert view.turns[0].prompt.startswith("prompt of c-")
            assert view.turns[8].prompt is None
    random.Random(1).shuffle(rows)
    random.Random(2).shuffle(turns)
    again = conversations_section(rows, turns, 3, 2, prompts=lambda call: f"prompt of {call}")
    assert again == section
    assert section.lead.startswith("4 of 8 conversations, drawn with seed 3")
    retried = [t for pair in shown for v in pair.views for t in v.turns if t.note]
    assert {t.note for t in retried} == {"1 retry, guard: echo"}


def test_unpaired_conversations_stand_alone_and_none_is_said(talks) -> None:
    rows, turns = talks()
    section = conversations_section([r for r in rows if r.condition == "ecp"], turns, 1)
    assert all(isinstance(b, ConversationView) for b in section.blocks)
    assert len(section.blocks) == 3
    assert isinstance(conversations_section([], [], 1).blocks[0], Notice)


def test_answers_carry_their_exact_prompts(people) -> None:
    rows = [response(k, value=None, keyed=None, status="unparsed") if k == 4 else response(k) for k in range(5)]
    section = answers_section(rows, seed=1, n=5, prompts=lambda call: f"<|im_start|>{call}")
    table = of(section, DataTable)[0]
    assert sorted(table.prompts) == [f"<|im_start|>call{k}" for k in range(5)]
    assert [row[7] for row in table.rows if row[6] == "unparsed"] == [None]
    assert "&lt;|im_start|&gt;call3" in render_page(Page("T", "", (section,)))
    assert answers_section(rows[::-1], seed=1, n=3).blocks == answers_section(rows, seed=1, n=3).blocks


def test_failures_open_with_the_counts() -> None:
    rows = [response(k) for k in range(6)]
    rows += [response(7, status="refused", value=None), response(8, status="zero_variance")]
    counts = status_counts(rows)
    assert counts == {"ok": 6, "zero_variance": 1, "refused": 1, "unparsed": 0, "failed": 0, "missing": 0}
    failures = [
        FailureRow(unit=f"u{k}", stage="talk", boundary="provider", code="endpoint", message="x" * 400)
        for k in range(3)
    ]
    section = failures_section(failures, counts, units=10, limit=0.2)
    assert section.lead == (
        "Of 8 answers: 6 answered, 1 zero variance, 1 refused, 0 unparsed, 0 failed, 0 missing. 3 failed units."
    )
    warnings = [b.text for b in section.blocks if isinstance(b, Notice) and b.kind == "warning"]
    assert len(warnings) == 2
    assert "3 of 10 units failed." in warnings[1]
    table = of(section, DataTable)[0]
    assert table.rows[0][:4] == ("talk", "provider", "endpoint", 3)
    assert len(table.rows[0][5]) < 340
    calm = failures_section([], {}, units=10, limit=0.2)
    assert calm.lead == "0 failed units."
    assert not [b for b in calm.blocks if isinstance(b, Notice)]


def test_cost_adds_up() -> None:
    section = cost_section(
        {"a": Usage(2, 100, 25, 0), "b": Usage(3, 50, 50, 20)}, {"a": 10.0, "c": 1.0}, note="Load 0.1."
    )
    assert of(section, DataTable)[0].rows == [
        ("a", 2, 100, 25, "75 %", 0, "10.0 s"),
        ("b", 3, 50, 50, "0 %", 20, None),
        ("c", None, None, None, None, None, "1.0 s"),
        ("total", 5, 150, 75, "50 %", 20, "11.0 s"),
    ]


def test_faults_and_money_stand_beside_the_cost() -> None:
    section = cost_section({"a": Usage(2, 9, 9, 1)}, {}, faults={"503": 2, "timeout": 5, "429": 2}, money="It cost 3.")
    _, faults = of(section, DataTable)
    assert faults.rows == [("timeout", 5), ("429", 2), ("503", 2)]
    assert [b.text for b in of(section, Prose)] == ["It cost 3."]
    assert len(of(cost_section({"a": Usage(2, 9, 9, 1)}, {}), DataTable)) == 1


def test_environment_leaves_secrets_out() -> None:
    manifest = {
        "seed": 7,
        "model": {"api_key": "sk-1", "headers": {"Authorization": "Bearer x"}, "max_tokens": 9},
        "caps": [{"calls": 3}],
        "tags": ["a", "b"],
        "none": None,
    }
    section = environment_section(manifest)
    html = render_page(Page("T", "", (section,)))
    assert "sk-1" not in html
    assert "Bearer" not in html
    cells = {row[0]: row[1] for table in of(section, DataTable) for row in table.rows}
    assert cells["max_tokens"] == "9"
    assert cells["0.calls"] == "3"
    assert cells["api_key"] == "(left out)"
    assert of(section, KeyFacts)[0].facts == {"seed": 7, "none": None}
    assert environment_section(Span(low=0, high=1, method="t")).blocks[0].facts["method"] == "t"


@pytest.mark.parametrize(
    ("reference", "fingerprint", "size"),
    [
        ("smollm2", {}, 135e6),
        ("gguf:/x/SmolLM2-360M-Instruct.Q8_0.gguf", {}, 360e6),
        ("openai:qwen2.5-7b@http://127.0.0.1:1", {}, 7e9),
        ("openai:mystery@http://127.0.0.1:1", {}, None),
        ("anything", {"parameters": 1_700_000_000}, 1.7e9),
        ("gguf:/x/model.gguf", {"name": "SmolLM2 135M Instruct"}, 135e6),
    ],
)
def test_model_sizes(reference, fingerprint, size) -> None:
    assert model_size(reference, fingerprint) == size


def test_limits_fit_the_model() -> None:
    def words(reference, fingerprint=None) -> str:
        return render_page(Page("T", "", (limits_section(reference, fingerprint or {}),)))

    assert "135 million parameters" in words("smollm2")
    assert "Believable people" in words("smollm2")
    assert "is not a language model" in words("fake:statistical")
    assert "No model was asked" in words("none")
    assert "is not known" in words("openai:x@http://127.0.0.1:1")
    assert "7 billion" in words("openai:qwen-7b@http://127.0.0.1:1")
    assert "70 billion" in words("openai:llama-70b@http://127.0.0.1:1")


def test_null_results_and_failed_controls_are_said(recovered) -> None:
    section = results_section(recovered)
    notices = {b.kind: b.text for b in section.blocks if isinstance(b, Notice)}
    assert "Agreeableness recovered" in notices["null_result"]
    assert "Extraversion" not in notices["null_result"]
    assert "shuffled" not in notices["null_result"]
    assert "one actor has no correlation" in notices["warning"]
    rate = recovered[0].model_copy(
        update={"unit": "share", "p": None, "value": 0.1, "interval": Span(low=-0.1, high=0.3, method="t")}
    )
    assert not [b for b in results_section([rate]).blocks if isinstance(b, Notice)]
    tested = rate.model_copy(update={"p": 0.4})
    assert [b.kind for b in results_section([tested]).blocks if isinstance(b, Notice)] == ["null_result"]
    fired = recovered[0].model_copy(update={"control": True})
    texts = [b.text for b in results_section([fired]).blocks if isinstance(b, Notice)]
    assert texts == ["A control that should show nothing does: Extraversion recovered."]
    assert not [b for b in results_section([fired], reference=None).blocks if isinstance(b, Notice)]


def test_power_stands_beside_what_was_seen() -> None:
    section = power_section(
        [
            DetectableEffect("r", 0.53, "correlation", 24, "people", "permutation", observed=-0.61),
            DetectableEffect("d", None, "sd", 1, "actor", "none", reason="one actor"),
        ]
    )
    rows = of(section, DataTable)[0].rows
    assert rows[0][5] == "yes"
    assert rows[1][1] == "not computed: one actor"


def test_a_section_with_a_bad_anchor_is_refused(recovered) -> None:
    with pytest.raises(InputError):
        render_page(Page("T", "", (results_section(recovered, section="Not good"),)))
