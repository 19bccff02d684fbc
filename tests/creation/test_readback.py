"""Read-back: the labelled set, traps, special categories, evidence, conflicts, models with made-up quotations."""

from __future__ import annotations

import csv
import json
import re
import time
from pathlib import Path

import pytest
import yaml

import personae.creation
from personae.core import Consent, ConsentError, Conversation, Fact, InputError, UnknownKeyError
from personae.creation import SPECIAL_CATEGORIES, read_back, read_back_asked, self_statements
from personae.models import Capability, Completion, Generation, Usage, open_model
from personae.runs import run_sync
from personae.statistics import wilson_interval

SET = Path(personae.creation.__file__).parent / "data" / "readback" / "labelled.yaml"
ITEMS = yaml.safe_load(SET.read_text("utf-8"))["items"]
CHATS = Path("/work/shared/data/synthetic_persona_chat/valid.csv")


def plain(value: object) -> set[str]:
    return set(re.sub(r"^(?:an?|the|my) ", "", str(value).casefold()).split())


def close(a: object, b: object) -> bool:
    x, y = plain(a), plain(b)
    return len(x & y) / max(1, len(x | y)) >= 0.5


def counts(split: str) -> tuple[int, int, int, dict[str, list[int]]]:
    """True, false and missed facts, and the same per path."""
    tp = fp = fn = 0
    paths: dict[str, list[int]] = {}
    for item in (i for i in ITEMS if i["split"] == split):
        read = read_back(item["text"], person=item.get("person", "first"), special=item.get("special", ()))
        left = [(f[0], f[1], f[2] if len(f) > 2 else "") for f in item["facts"]]
        for fact in read.facts:
            note = "denied" if fact.polarity < 0 else "past" if fact.tense == "past" else ""
            hit = next((g for g in left if g[0] == fact.path and g[2] == note and close(g[1], fact.value)), None)
            told = paths.setdefault(fact.path.split(".")[0], [0, 0, 0])
            if hit is None:
                fp, told[1] = fp + 1, told[1] + 1
            else:
                left.remove(hit)
                tp, told[0] = tp + 1, told[0] + 1
        for path, *_ in left:
            fn += 1
            paths.setdefault(path.split(".")[0], [0, 0, 0])[2] += 1
    return tp, fp, fn, paths


@pytest.mark.parametrize(("split", "least"), [("dev", 0.95), ("test", 0.85)])
def test_precision_and_recall_on_the_labelled_set(split: str, least: float) -> None:
    tp, fp, fn, paths = counts(split)
    assert tp + fn >= 60
    print(split, paths)
    for name, n in (("precision", tp + fp), ("recall", tp + fn)):
        interval = wilson_interval(tp, n)
        print(split, name, f"{tp}/{n} = {tp / n:.3f} [{interval.low:.2f}, {interval.high:.2f}]")
        assert tp / n >= least


def test_evidence_stands_in_the_text_word_for_word() -> None:
    for item in ITEMS:
        read = read_back(item["text"], person=item.get("person", "first"), special=SPECIAL_CATEGORIES)
        for fact in read.facts:
            (span,) = fact.evidence
            assert item["text"][span.start : span.end] == span.text
            assert span.text


@pytest.mark.parametrize("category", SPECIAL_CATEGORIES)
def test_special_categories_are_silent_unless_asked_for(category: str) -> None:
    text = {
        "health": "I'm a nurse with asthma. I have diabetes. I love my insulin pump.",
        "religion": "I am Catholic. I love going to church. My sister is a Buddhist.",
        "politics": "I'm a liberal. I voted for the Greens.",
        "orientation": "I'm gay. I'm a gay man and I live in Oslo.",
        "ethnicity": "I'm Black. I am a Hispanic woman.",
    }[category]
    words = re.compile("asthma|diabet|insulin|catholic|church|buddhis|liberal|vote|gay|black|hispanic", re.IGNORECASE)
    quiet = read_back(text)
    assert not words.search(quiet.model_dump_json())
    assert not words.search(json.dumps(quiet.to_persona().dump()))
    assert any(f.category == category for f in read_back(text, special=(category,)).facts)


def test_a_category_nobody_knows_is_refused() -> None:
    with pytest.raises(UnknownKeyError, match="Did you mean 'health'"):
        read_back("Hello.", special=("helth",))


def test_conflicts_are_kept_with_their_evidence() -> None:
    read = read_back("I'm 34. I live in Oslo. Actually I am 35 years old.")
    assert [f.value for f in read.conflicts["social.age"]] == [34, 35]
    persona = read.to_persona()
    assert persona.get("social.age") is None
    assert persona.get("attributes.conflict.social.age") == (34, 35)
    assert "conflict at social.age: 34, 35" in persona.provenance.issues


def test_a_persona_from_read_back_says_where_each_leaf_comes_from() -> None:
    persona = read_back(
        "I'm 41. I love tea. I don't eat meat. I used to be a cook. My sister Ann is a vet."
    ).to_persona(name="Jo")
    age = persona.fact("social.age")
    assert isinstance(age, Fact)
    assert (age.value, age.source.kind, age.source.ref, age.confidence) == (41, "user", "text:0-7", 0.95)
    assert persona.get("attributes.not.food.eats") == "meat"
    assert persona.get("attributes.past.social.occupation") == "cook"
    assert persona.get("social.occupation") is None
    assert [(str(r.name.value), r.kind) for r in persona.relations] == [("Ann", "sister")]
    with pytest.raises(ConsentError):
        read_back("I'm 41.").to_persona(synthetic=False)
    real = read_back("I'm 41.").to_persona(synthetic=False, consent=Consent(who="Jo", scope="test", date="2025-01-01"))
    assert not real.synthetic


def test_one_side_of_a_conversation_is_read_with_its_message_ids() -> None:
    talk = Conversation(key="c1", participants=("A", "B")).append(
        "utterance", "A", "I live in Oslo.", meta={"when": "2025-02-03"}
    )
    talk = talk.append("utterance", "B", "I live in Lima. I'm a vet.")
    (fact,) = read_back(talk, speaker="A").facts
    assert (fact.value, fact.evidence[0].source, fact.evidence[0].when) == ("Oslo", "c1#0", "2025-02-03")
    with pytest.raises(InputError, match="2 people speak"):
        read_back(talk)
    with pytest.raises(InputError, match="Known: A, B"):
        read_back(talk, speaker="C")


def test_statements_for_miners_are_the_same_rules() -> None:
    assert [(r.path, r.value) for r in self_statements("I play chess and my dog barks.")] == [
        ("context.interests", "play chess"),
        ("attributes.home.pets", "dog"),
    ]


@pytest.mark.parametrize(
    "text", ["", "?!…", "\x00" * 50, "I " * 5000, '"' * 999, "I'm " + "a " * 3000, "\ud800 I am 5"]
)
def test_odd_texts_are_read_quickly_and_without_errors(text: str) -> None:
    began = time.process_time()
    self_statements(text)
    assert time.process_time() - began < 2


class Quoting:
    """Answers with facts, some of whose quotations are made up."""

    reference = "fake:quoting"
    capabilities = frozenset({Capability.GENERATE})

    def __init__(self, facts: list[dict]) -> None:
        self.facts = facts

    async def generate(self, request, *, on_text=None):
        del request, on_text
        return Generation((Completion(json.dumps({"facts": self.facts}), "stop", 9),), Usage())


def said(path: str, value: str, quote: str) -> dict:
    return {"path": path, "value": value, "quote": quote, "denied": False, "past": False}


def test_a_quotation_that_does_not_stand_in_the_text_is_dropped_and_counted() -> None:
    model = Quoting([
        said("context.interests", "gliding", "spends weekends gliding"),
        said("social.residence", "Rome", "home is Rome"),
        said("context.likes", "church music", "church music"),
        said("social.age", "old", "spends"),
    ])  # fmt: skip
    text = "Anyone around here spends weekends gliding. The church music begins at ten."
    read = run_sync(read_back_asked(model, text, person="first"))
    assert [(f.value, f.method) for f in read.facts] == [("gliding", "model")]
    assert read.unverified == 2
    assert read.facts[0].evidence[0].text == "spends weekends gliding"


def test_closed_questions_are_approximate_and_under_a_threshold() -> None:
    model = open_model("fake:statistical", cache="off")
    low = run_sync(read_back_asked(model, "Good morning everyone.", threshold=0.0, generate=False))
    asked = [f for f in low.facts if f.method == "option"]
    assert {f.path for f in asked} == {"social.sex", "attributes.age_band", "social.education", "social.marital_status"}
    assert all(f.approximate and f.evidence[0].text == "Good morning everyone." for f in asked)
    high = run_sync(read_back_asked(model, "Good morning everyone.", threshold=1.01, generate=False))
    assert not high.facts


def test_speed_of_the_rules() -> None:
    texts = [i["text"] for i in ITEMS] * 7
    began = time.process_time()
    for text in texts:
        read_back(text, person="first")
    assert len(texts) / (time.process_time() - began) > 500


@pytest.mark.skipif(not CHATS.is_file(), reason="the conversations of Synthetic-Persona-Chat are not on this machine")
def test_persona_sentences_are_found_again_in_conversations() -> None:
    with CHATS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:201]
    told = found = facts = sentences = 0
    for row in rows:
        for side, speaker in ((0, "User 1"), (1, "User 2")):
            lines = [x.split(":", 1)[1] for x in row[2].splitlines() if x.startswith(f"{speaker}:")]
            back = [f for line in lines for f in self_statements(line)]
            for sentence in filter(str.strip, row[side].splitlines()):
                sentences += 1
                own = self_statements(sentence)
                facts += bool(own)
                told += len(own)
                found += sum(any(o.path == b.path and plain(o.value) & plain(b.value) for b in back) for o in own)
    print(f"rules read {facts}/{sentences} sentences; {found}/{told} of the facts again in the talk")
    assert facts / sentences > 0.4
    assert found / told > 0.2


@pytest.mark.model
def test_the_embedded_model_answers_closed_questions() -> None:
    model = open_model("smollm2", cache="off")
    read = run_sync(read_back_asked(model, "I drove my kids to school before work.", threshold=0.0, generate=False))
    assert {f.method for f in read.facts} <= {"option", "rule"}
    assert any(f.method == "option" and 0 < f.confidence <= 1 for f in read.facts)
