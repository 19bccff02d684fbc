"""Read-back with a model: what it must never be shown, thresholds that hold, and an endpoint on loopback."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from personae.core import Conversation, InputError, PersonaRow, derive_rng
from personae.creation import (
    SPECIAL_CATEGORIES,
    AnswerThresholds,
    ReadBack,
    answer_threshold,
    calibrate_answers,
    planted_texts,
    read_back,
    read_back_asked,
    self_statements,
)
from personae.creation._readback_asked import CLOSED
from personae.creation._readback_shown import shown
from personae.creation._readback_thresholds import _planted
from personae.creation._readback_values import given_away
from personae.models import (
    Capability,
    Completion,
    GenerateRequest,
    Generation,
    OptionScores,
    ScoreRequest,
    Usage,
    open_model,
    wrap_model,
)
from personae.models._shown import PLAIN_FORM
from personae.runs import Run, run_sync
from personae.statistics import wilson_interval

if TYPE_CHECKING:
    from loopback import Endpoint

PLANTED = {
    "health": ("I was told it is leukemia, stage two.", "leukemia"),
    "religion": ("I am a devout Catholic and sing in church.", "Catholic"),
    "politics": ("I have been voting for the Greens since 1990.", "voting"),
    "orientation": ("I'm gay, my mother knows.", "gay"),
    "ethnicity": ("I am Hispanic on both sides.", "Hispanic"),
}
TALK = (
    "I bake bread at night. {health} The oven hums.",
    "{religion}",
    "My sister rows.\n{politics} Half the street keeps bees.",
    "We moved the piano. {orientation} {ethnicity}",
    "Weekends I mend old clocks.",
)


def talk() -> Conversation:
    said = [line.format(**{k: v[0] for k, v in PLANTED.items()}) for line in TALK]
    log = Conversation(key="c", participants=("A", "B"))
    for line in said:
        log = log.append("utterance", "A", line).append("utterance", "B", "Go on, are you a Buddhist?")
    return log


class Listing:
    """Keeps what it is asked, and answers with facts: true ones, and whatever it can find of special categories."""

    reference = "fake:listing"
    capabilities = frozenset({Capability.GENERATE, Capability.SCORE})
    fingerprint = {"kind": "fake", "name": "listing"}  # noqa: RUF012 - as the protocol has it
    determinism = "exact"
    parallel = 1
    prompt_form = PLAIN_FORM

    def __init__(self, *invented: dict[str, Any]) -> None:
        self.seen: list[GenerateRequest | ScoreRequest] = []
        self.invented = invented

    async def generate(self, request: GenerateRequest, *, on_text: object = None) -> Generation:
        del on_text
        self.seen.append(request)
        text = request.messages[-1].content
        facts = [_said("context.interests", "mending clocks", "mend old clocks")]
        for sentence, word in PLANTED.values():
            if word in text:
                facts.append(_said("context.likes", word, sentence))
        told = json.dumps({"facts": [*facts, *self.invented]})
        return Generation((Completion(told, "stop", 9),), Usage())

    async def score_options(self, requests: Sequence[ScoreRequest]) -> list[OptionScores]:
        self.seen += requests
        return [OptionScores(tuple(-1.0 - k for k in range(len(r.options))), (1,) * len(r.options), False, "exact",
                             usage=Usage()) for r in requests]  # fmt: skip


def _said(path: str, value: str, quote: str) -> dict[str, Any]:
    return {"path": path, "value": value, "quote": quote, "denied": False, "past": False}


SECRET = re.compile("|".join(w for _, w in PLANTED.values()) + "|stage two|devout|since 1990|both sides", re.IGNORECASE)


def everything_in(folder: Path) -> str:
    """Every byte and every cell of a run folder, as text."""
    import pyarrow.parquet as pq

    out: list[str] = []
    for file in sorted(f for f in folder.rglob("*") if f.is_file()):
        if file.suffix == ".parquet":
            out.append(json.dumps(pq.read_table(file).to_pylist(), default=str))
        elif file.suffix == ".sqlite":
            with sqlite3.connect(file) as base:
                for (table,) in base.execute("select name from sqlite_master where type = 'table'").fetchall():
                    out += [repr(row) for row in base.execute(f"select * from '{table}'")]
            base.close()
        out.append(file.read_bytes().decode("latin-1"))
    return "\n".join(out)


def test_nobody_is_shown_what_was_not_asked_for(tmp_path: Path) -> None:
    bare = Listing()
    with Run.create_or_resume(
        tmp_path / "run", study="trial", spec={}, seed=1, model="fake:listing", determinism="exact"
    ) as run:
        model = wrap_model(bare, log=run.calls)
        read = run_sync(read_back_asked(model, talk(), speaker="A", threshold=0.0))
        person = read.to_persona(name="A")
        run.record("a", [PersonaRow.of(person, unit="a", k=0, role="subject")], stage="read")
    assert len(bare.seen) == 9
    assert not any(SECRET.search(m.content) for request in bare.seen for m in request.messages)
    assert not SECRET.search(read.model_dump_json())
    # Nothing of it is in the run, which does hold the rest.
    text = everything_in(tmp_path / "run")
    assert "mend old clocks" in text
    assert "keeps bees" in text
    assert not SECRET.search(text)
    assert [f.value for f in read.facts if f.method == "model"] == ["mending clocks"]
    assert read.hidden == 4  # two sentences side by side are one stretch


def test_a_lucky_guess_at_what_was_hidden_is_not_taken() -> None:
    model = Listing(_said("context.likes", "hymns", PLANTED["religion"][0]), _said("goals", "rest", "stage two"))
    read = run_sync(read_back_asked(model, talk(), speaker="A"))
    assert [f.value for f in read.facts if f.method == "model"] == ["mending clocks"]
    assert read.unverified == 1  # `stage two` stands in what the writer wrote, though not in what the model saw
    assert not SECRET.search(read.model_dump_json())


def test_what_is_asked_for_is_shown_and_nothing_else() -> None:
    model = Listing()
    read = run_sync(read_back_asked(model, talk(), speaker="A", special=("religion",)))
    (request,) = model.seen
    assert "devout Catholic" in request.messages[-1].content
    assert SECRET.sub("", request.messages[-1].content).count("[left out]") == 3
    for category in PLANTED.keys() - {"religion"}:
        assert PLANTED[category][0] not in request.messages[-1].content
    assert "social.religion" in json.dumps(request.json_schema)
    assert "context.health" not in json.dumps(request.json_schema)
    assert any(f.path == "context.likes" and f.value == "Catholic" for f in read.facts)


@pytest.mark.parametrize("special", [(), *((c,) for c in SPECIAL_CATEGORIES)])
def test_no_special_field_is_asked_or_scored(special: tuple[str, ...]) -> None:
    model = Listing()
    run_sync(read_back_asked(model, "I bake. I row.", special=special, threshold=0.0))
    of = {"health": "context.health", "religion": "social.religion", "politics": "social.politics",
          "orientation": "attributes.identity.orientation", "ethnicity": "social.ethnicity"}  # fmt: skip
    for request in model.seen:
        if isinstance(request, GenerateRequest):
            asked = json.dumps(request.json_schema)
            assert [c for c, path in of.items() if f'"{path}"' in asked] == list(special)
        else:
            assert request.tags["path"] in CLOSED
            assert not given_away(" ".join((request.prefill, *request.options)), frozenset())
    assert not CLOSED.keys() & set(of.values())


def test_what_is_left_of_a_message_keeps_its_places() -> None:
    for text in (
        "I bake. I am Muslim. I row.",
        "i am muslim",
        "Ill. I row! I have\nasthma. Fine.",
        "",
        "a heart\nattack",
    ):
        (message,) = shown((("m", text, None),), frozenset())
        assert not given_away(message.prompt, frozenset())
        left = [text[low:high] for low, high in message.clear()]
        assert [p for p in message.prompt.split("[left out]") if p.strip()] == left
        assert all(message.find(piece) >= 0 for piece in left)
        for low, high in message.hidden:
            assert message.find(text[low:high]) == -1


# Thresholds --------------------------------------------------------------------------------------------------------


class Guessing:
    """Scores options by what the text says (`effect` nats for what is planted) and noise of its own (`noise` nats)."""

    reference = "fake:guessing"
    capabilities = frozenset({Capability.SCORE})

    def __init__(self, *, effect: float, noise: float, seed: int) -> None:
        self.effect, self.noise, self.seed = effect, noise, seed
        self.asked = 0
        cues, _ = _planted()
        self.cues = {(p, v): tuple(told) for p, values in cues.items() for v, told in values.items()}

    @property
    def fingerprint(self) -> dict[str, str | float]:
        return {"kind": "fake", "effect": self.effect, "noise": self.noise, "seed": self.seed}

    async def score_options(self, requests: Sequence[ScoreRequest]) -> list[OptionScores]:
        out: list[OptionScores] = []
        for request in requests:
            self.asked += 1
            path, text = request.tags["path"], request.messages[-1].content
            rng = derive_rng(self.seed, path, text)
            logits = rng.normal(0, self.noise if "(none)" not in text else 0, len(request.options))
            for k, value in enumerate(CLOSED[path][1]):
                logits[k] += self.effect * any(c in text for c in self.cues[path, value])
            out.append(OptionScores(tuple(logits), (1,) * len(logits), False, "exact", usage=Usage()))
        return out


def test_a_model_that_guesses_reports_nothing() -> None:
    passed = looked = 0
    for seed in range(12):
        model = Guessing(effect=0.0, noise=6.0, seed=seed)  # sure of itself, and knows nothing
        thresholds = run_sync(calibrate_answers(model, n=160, seed=seed))
        passed += sum(c.cut is not None for c in thresholds.cuts.values())
        looked += len(thresholds.cuts)
        if seed < 3:
            for item in planted_texts(20, seed=100 + seed):
                read = run_sync(read_back_asked(model, item.text, threshold=thresholds, generate=False))
                assert [f for f in read.facts if f.method == "option"] == []
    print(f"{passed}/{looked} questions of guessing models got a threshold")
    assert passed == 0


def test_thresholds_hold_the_precision_on_new_texts_and_are_silent_on_empty_ones() -> None:
    model = Guessing(effect=9.0, noise=0.9, seed=4)
    thresholds = run_sync(calibrate_answers(model, n=240, seed=1))
    assert all(c.cut is not None and c.low is not None and c.low >= 0.9 for c in thresholds.cuts.values())
    assert any(c.cut is not None and c.cut > 0.5 for c in thresholds.cuts.values())
    right = told = wrong_at_none = reported = 0
    for item in planted_texts(300, seed=2):
        read = run_sync(read_back_asked(model, item.text, threshold=thresholds, generate=False))
        options = [f for f in read.facts if f.method == "option"]
        right += sum(f.value == item.truth.get(f.path) for f in options)
        reported += len(options)
        told += len(item.truth)
        wrong_at_none += sum(f.path not in item.truth for f in options)
    interval = wilson_interval(right, reported)
    print(f"precision {right}/{reported} [{interval.low:.3f}, {interval.high:.3f}], recall {right / told:.3f}")
    assert right / reported >= 0.9
    assert right / told > 0.7
    assert wrong_at_none == reported - right


def test_planted_texts_are_told_in_words_that_no_rule_reads() -> None:
    cues, fillers = _planted()
    assert {p: set(v) for p, v in cues.items()} == {p: set(o) for p, (_, o) in CLOSED.items()}
    everything = [s for values in cues.values() for told in values.values() for s in told] + fillers
    assert len(set(everything)) == len(everything)
    assert not [s for s in everything if given_away(s, frozenset())]
    assert not [(s, r.path) for s in everything for r in self_statements(s) if r.path in {*CLOSED, "social.age"}]
    texts = planted_texts(400, seed=3)
    assert planted_texts(10, seed=3) == texts[:10]
    assert planted_texts(10, seed=4) != texts[:10]
    for path in CLOSED:
        share = sum(path in t.truth for t in texts) / len(texts)
        assert 0.4 < share < 0.6


def test_thresholds_belong_to_one_model() -> None:
    model = Guessing(effect=9.0, noise=1.0, seed=0)
    thresholds = run_sync(calibrate_answers(model, n=120))
    assert AnswerThresholds.model_validate_json(thresholds.model_dump_json()) == thresholds
    other = Guessing(effect=9.0, noise=1.1, seed=0)
    with pytest.raises(InputError, match=r"calibrated for 'fake:guessing'.*Calibrate this one"):
        read_back("Hello there.", model=other, threshold=thresholds)
    before = model.asked
    assert not read_back("Hello there.", model=model).facts
    assert model.asked == before  # without a threshold nothing is asked


def test_a_question_without_a_threshold_is_not_asked() -> None:
    model = Guessing(effect=9.0, noise=1.0, seed=0)
    thresholds = run_sync(calibrate_answers(model, n=120))
    quiet = {p: c if p == "social.sex" else c.model_copy(update={"cut": None}) for p, c in thresholds.cuts.items()}
    before = model.asked
    run_sync(read_back_asked(model, "Hi.", threshold=thresholds.model_copy(update={"cuts": quiet}), generate=False))
    assert model.asked == before + 2


def test_a_threshold_comes_from_labelled_answers() -> None:
    assert answer_threshold([0.5, 0.9], [False, True]) is None
    assert answer_threshold([0.99] * 40, [True] * 40) is None  # 40 of 40 is not enough for .9 after seven looks
    assert answer_threshold([0.99] * 80, [True] * 80) == 0.5
    with pytest.raises(InputError):
        answer_threshold([0.5], [])


# An endpoint -------------------------------------------------------------------------------------------------------


def over_http(endpoint: Endpoint, source: str | Conversation, **words: Any) -> ReadBack:
    """Open the endpoint, read back, close it: all in one event loop."""

    async def asked() -> ReadBack:
        model = open_model(f"openai:tiny-1@{endpoint.url}", cache="off")
        try:
            return await read_back_asked(model, source, **words)
        finally:
            await model.close()

    return run_sync(asked())


def test_an_endpoint_reads_back(endpoint: Endpoint) -> None:
    def reply(body: dict[str, Any]) -> str:
        text = body["messages"][-1]["content"]
        quotes = [q for q in ("mend old clocks", "My sister rows", "leukemia, stage two") if q in text]
        return json.dumps({"facts": [_said("context.interests", q, q) for q in (*quotes, "sails round the world")]})

    endpoint.reply = reply
    endpoint.echoes = True
    read = over_http(endpoint, talk(), speaker="A", threshold=0.0)
    found = {f.value: f for f in read.facts if f.method == "model"}
    assert found.keys() == {"mend old clocks", "My sister rows"}
    span = found["mend old clocks"].evidence[0]
    assert (span.source, span.text) == ("c#8", "mend old clocks")
    assert talk().utterances[8].text[span.start : span.end] == span.text
    assert read.unverified == 1
    assert {f.path for f in read.facts if f.method == "option"} == CLOSED.keys()
    assert not SECRET.search(json.dumps(endpoint.requests))
    (asked,) = endpoint.bodies()
    assert "response_format" in asked


def test_an_endpoint_that_never_answers_in_json_is_said(endpoint: Endpoint) -> None:
    endpoint.reply = lambda body: "Sure! The writer is a Catholic who bakes."
    read = over_http(endpoint, "I am 41. Weekends I mend old clocks.", person="first")
    assert [(f.path, f.value) for f in read.facts] == [("social.age", 41)]
    assert read.problems
    assert "Catholic" not in read.model_dump_json()
