"""Deep people: consistent, conditional, the same in any order, with the source of every value."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import yaml

from personae.core import Fact, InputError, MissingError, Names, Persona, RecipeError, Social, UnknownKeyError
from personae.creation import (
    ROOTS,
    DeepPeople,
    DeepRecord,
    NarrativeBudget,
    Population,
    check_deep,
    choose_leaves,
    lint,
    lint_many,
    load_value_tree,
    write_values,
)
from personae.models import OpenAIModel, SentenceEncoder, open_model

TREE = "tree:\n  lifestyle:\n    food:\n"


@pytest.fixture(scope="module")
def population() -> Population:
    return Population("us_adults", n=1000, seed=11)


@pytest.fixture(scope="module")
def people(population: Population) -> list[Persona]:
    return [*DeepPeople(population, depth=60).draw(range(24))]


def grammar(tmp_path: Path, tree: str, head: str = "") -> str:
    file = tmp_path / "own.yaml"
    file.write_text(head + tree)
    return str(file)


def test_a_person_is_the_same_in_any_order_and_batch(population: Population, people: list[Persona]) -> None:
    crowd = DeepPeople(population, depth=60)
    backwards = [*DeepPeople(population, depth=60).draw(reversed(range(24)))][::-1]
    assert [p.id for p in backwards] == [p.id for p in people]
    assert crowd[7] == people[7] == crowd.person(7)
    assert crowd.person(7, attempt=1) != people[7]
    assert crowd.person(7, attempt=1).name == people[7].name


def test_a_sentence_encoder_gives_the_same_people_in_any_batch_and_order(population: Population) -> None:
    try:
        encoder = SentenceEncoder()
    except MissingError as error:
        pytest.skip(str(error))
    once = [p.id for p in DeepPeople(population, depth=40, encoder=encoder, budget=None).draw(range(70))]
    again = DeepPeople(population, depth=40, encoder=SentenceEncoder(), budget=None)
    assert [again[k].id for k in reversed(range(60, 70))][::-1] == once[60:]
    assert [p.id for p in again.draw(range(30, 70))] == once[30:]


def test_what_is_kept_of_parts_changes_nobody(population: Population, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = [p.id for p in DeepPeople(population, depth=40, budget=None).draw(range(130))]
    monkeypatch.setattr("personae.creation._deep_choice._KEPT", 8)
    assert [p.id for p in DeepPeople(population, depth=40, budget=None).draw(range(130))] == usual
    whole = DeepPeople(population, depth=40, core_vector="whole", budget=None)
    chosen = [next(iter(crowd.choose([3]))).leaves.tolist() for crowd in (whole, DeepPeople(population, depth=40))]
    assert chosen[0] != chosen[1]
    with pytest.raises(InputError, match="core_vector"):
        DeepPeople(population, core_vector="half")  # type: ignore[arg-type]


def test_a_shallow_person_is_part_of_the_deep_one(population: Population) -> None:
    shallow, deep = DeepPeople(population, depth=30)[5], DeepPeople(population, depth=600)[5]
    assert len(shallow.ext["deep"]["marks"]) == 30
    assert shallow.attributes.items() <= deep.attributes.items()


@pytest.mark.parametrize("recipe", ["us_adults", "harbour_town"])
@pytest.mark.parametrize("n", [60, pytest.param(1000, marks=pytest.mark.slow)])
def test_nobody_breaks_a_word_rule(recipe: str, n: int) -> None:
    crowd = DeepPeople(Population(recipe, n=n, seed=11), depth=200, budget=None)
    assert not [v for person in crowd for v in check_deep(person)]


def test_the_rules_see_what_the_grammar_would_never_write(people: list[Persona]) -> None:
    diet = {"lifestyle.food.diet": "vegetarian", "lifestyle.food.favourite_dish": "beef stew"}
    person = people[0].model_copy(update={"attributes": people[0].attributes | diet})
    assert [v.code for v in check_deep(person)] == ["meat_without_meat"]
    car = {
        "demographics.standing.driving_licence": "never learned",
        "demographics.standing.vehicle": "a small electric car",
    }
    assert [v.code for v in check_deep(person.model_copy(update={"attributes": car}))] == ["car_without_licence"]


def test_every_attribute_says_where_it_is_from_which_third_and_when(people: list[Persona]) -> None:
    roots = list(ROOTS)
    for person in people:
        record = DeepRecord.model_validate(person.ext["deep"])
        own = sorted(record.marks, key=lambda p: record.marks[p].order)
        assert [record.marks[p].order for p in own] == list(range(60))
        assert [roots.index(p.partition(".")[0]) for p in own] == sorted(roots.index(p.partition(".")[0]) for p in own)
        for path in own:
            leaf = person.attributes[path]
            assert isinstance(leaf, Fact)
            assert leaf.source.kind in {"table", "rule"}
            assert 0 < len(str(leaf.value)) <= 50
        assert person.timeline
        assert all(e.age <= person.get("social.age") for s in record.stories for e in s.key_events)
        assert record.values_orientation in person.personal.values
        assert Persona.parse(person.dump()) == person


def test_fields_of_the_population_are_copied_not_made_up(population: Population) -> None:
    for k, person in enumerate(DeepPeople(population, depth=600, budget=None).draw(range(5))):
        leaf = person.attributes["demographics.identity.age"]
        assert leaf.value == population[k].get("social.age")
        assert leaf.source.kind == "table"


def test_a_child_has_all_twelve_roots_and_no_career_yet() -> None:
    child = Persona(names=Names(full="Ada Lind"), social=Social(age=9, sex="female", employment="at school"))
    deep = DeepPeople([child], depth=600)[0]
    paths = [*deep.ext["deep"]["marks"]]
    assert {p.partition(".")[0] for p in paths} == set(ROOTS)
    assert not [p for p in paths if p.startswith(("career.current_work", "career.past_work", "relationships.love"))]
    assert deep.ext["deep"]["missing"] == 600 - len(paths) > 0
    assert not check_deep(deep)


def test_tones_are_drawn_alike_and_values_follow_them(population: Population) -> None:
    crowd = DeepPeople(population, depth=10, budget=None)
    tones = Counter(p.ext["deep"]["tone"] for p in crowd.draw(range(300)))
    assert all(abs(count - 100) < 3 * (300 * 2 / 9) ** 0.5 for count in tones.values())
    dark = [*DeepPeople(population, depth=300, tone="negative", budget=None).draw(range(8))]
    bright = [*DeepPeople(population, depth=300, tone="positive", budget=None).draw(range(8))]
    assert {p.ext["deep"]["tone"] for p in dark} == {"negative"}
    assert {p.ext["deep"]["values_orientation"] for p in dark}.isdisjoint(
        p.ext["deep"]["values_orientation"] for p in bright
    )


def test_anchors_hold_and_the_rest_comes_from_people_who_fit(population: Population) -> None:
    crowd = DeepPeople(population, anchors={"age": 33, "occupation": "nurse", "city": "Toronto"}, depth=40)
    for person in crowd.draw(range(6)):
        assert (person.get("social.age"), person.get("social.occupation"), person.get("social.residence")) == (
            33, "nurse", "Toronto",
        )  # fmt: skip
        assert person.fact("social.age").source.kind == "user"
        assert person.get("social.employment") == "employed"
    with pytest.raises(UnknownKeyError, match="agee"):
        DeepPeople(population, anchors={"agee": 33})


def test_thirds_are_drawn_five_three_two() -> None:
    rng = np.random.default_rng(1)
    roots = np.repeat(np.arange(12), 60)
    cosines, keys = rng.random(720), rng.random(720)
    picked, tier = choose_leaves(cosines, roots, keys, 240, "5:3:2")
    assert np.bincount(tier[picked]).tolist() == [120, 72, 48]
    assert np.bincount(roots[picked]).tolist() == [20] * 12
    near, tier = choose_leaves(cosines, roots, keys, 240, "near")
    assert set(tier[near]) == {0}
    wide, tier = choose_leaves(cosines, roots, keys, 600, "5:3:2")
    assert len(wide) == 600 == len(set(wide.tolist()))
    assert len(choose_leaves(cosines, roots, keys, 10, "4:4:2")[0]) == 10
    assert len(choose_leaves(cosines, roots, keys, 900, "uniform")[0]) == 720


def test_a_narrative_grows_with_its_budget_and_says_when_it_cannot(population: Population) -> None:
    def told(budget: NarrativeBudget) -> tuple[str, dict]:
        person = DeepPeople(population, depth=250, budget=budget)[2]
        return str(person.get("description")), person.ext["deep"]["narrative"]

    usual, report = told(NarrativeBudget())
    assert report["complete"]
    assert 150 <= len(usual.split()) <= 400
    assert usual.startswith("My name is ")
    longer, report = told(NarrativeBudget(least=900, most=1200))
    assert report["complete"]
    assert 900 <= len(longer.split()) <= 1200
    huge, report = told(NarrativeBudget(unit="characters", least=1_000_000, most=1_000_000))
    assert not report["complete"]
    assert report["used"] == len(huge) < 1_000_000
    assert "the record holds no more" in report["reason"]
    with pytest.raises(ValueError, match="above most"):
        NarrativeBudget(least=10, most=5)


@pytest.mark.parametrize(
    ("tree", "error", "words"),
    [
        ("      a: x ?vegan\n", UnknownKeyError, "vegan"),
        ("      a: x ?veg\n      b: y +veg\n", RecipeError, "set later"),
        ("      a: x\n      b,a: y\n", RecipeError, "twice"),
        (f"      a: {'x' * 51}\n", RecipeError, "at most 50"),
        ("      a: x /  / y\n", RecipeError, "without words"),
        ("      a: x ^-1\n", RecipeError, "weight"),
        ("      a: <nothing>\n", UnknownKeyError, "nothing"),
        ("      a: [x, y]\n", RecipeError, "list"),
    ],
)
def test_a_grammar_that_cannot_work_is_refused(tmp_path: Path, tree: str, error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        load_value_tree(grammar(tmp_path, TREE + tree))


def test_an_own_grammar_is_filled_in_order(tmp_path: Path) -> None:
    own = "      diet: vegetarian +veg\n      dish, snack: stew ?!veg / {leaf} of beans ?veg / <2..age-30> beans ?veg\n"
    people = DeepPeople(
        [Persona(names=Names(full="Bo"), social=Social(age=33))],
        tree=load_value_tree(grammar(tmp_path, TREE + own)),
        depth=3,
    )
    for attempt in range(20):
        found = people.person(0, attempt).attributes
        assert found["lifestyle.food.dish"].value in {"dish of beans", "2 beans", "3 beans"}
        assert found["lifestyle.food.snack"].value in {"snack of beans", "2 beans", "3 beans"}


def test_bad_settings_are_refused(population: Population) -> None:
    for wrong in ({"depth": 0}, {"sampling": "6:2:2"}, {"tone": "sunny"}):
        with pytest.raises(InputError):
            DeepPeople(population, **wrong)


# A model writes ------------------------------------------------------------------------------------------------------


class Writer(BaseHTTPRequestHandler):
    """An endpoint that fills in the keys it is asked for, with faults where the test wants them."""

    answers: ClassVar[dict[str, str]] = {}
    broken: tuple[str, ...] = ()

    def log_message(self, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        keys = body["messages"][1]["content"].rpartition("Fill in these keys:\n")[2].splitlines()
        said = json.dumps({key: self.answers.get(key, f"own words {k}") for k, key in enumerate(keys)})
        if any(key.startswith(self.broken) for key in keys) and self.broken:
            said = "Of course! Here is a lovely description."
        reply = {
            "id": "x", "object": "chat.completion", "model": body["model"],
            "choices": [{"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20},
        }  # fmt: skip
        data = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def endpoint() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Writer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()
    thread.join()


def written(url: str, person: Persona, **more: object) -> Persona:
    async def scene() -> Persona:
        model = OpenAIModel("writer", url)
        try:
            return await write_values(model, person, 3, **more)
        finally:
            await model.close()

    return asyncio.run(scene())


def test_a_model_writes_and_its_faults_fall_back_with_a_reason(
    population: Population, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = DeepPeople(population, depth=600)[4]
    own = [p for p in person.ext["deep"]["marks"] if p.startswith("lifestyle.home_life")]
    monkeypatch.setattr(Writer, "answers", {own[0]: "n/a", own[1]: "   ", own[2]: "a tidy hall"})
    monkeypatch.setattr(Writer, "broken", ("hobbies.sports",))
    told = written(endpoint, person)
    record = DeepRecord.model_validate(told.ext["deep"])
    assert told.attributes[own[2]].value == "a tidy hall"
    assert told.attributes[own[2]].source.kind == "model"
    assert record.fallbacks[own[0]] == "hollow"
    assert record.fallbacks[own[1]] in {"empty", "hollow"}
    assert told.attributes[own[0]] == person.attributes[own[0]]
    failed = [b for b in record.failed_batches if b.section == "hobbies"]
    assert failed
    assert "not JSON" in failed[0].problem
    assert sum(r == "failed_batch" for r in record.fallbacks.values()) == sum(b.leaves for b in record.failed_batches)
    assert set(record.marks) == set(person.ext["deep"]["marks"])
    sources = Counter(told.attributes[p].source.kind for p in record.marks)
    assert sources["model"] + sources["rule"] + sources["table"] == len(record.marks)
    assert sources["model"] > 300


def test_a_models_value_that_breaks_a_rule_is_not_taken(
    population: Population, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd = DeepPeople(population, depth=600, budget=None)
    person = next(p for p in crowd if p.attributes["lifestyle.food.diet"].value == "vegetarian")
    dish = "lifestyle.food.favourite_dish"
    grammar_dish = person.attributes[dish]
    monkeypatch.setattr(Writer, "answers", {"lifestyle.food.diet": "vegetarian since school", dish: "roast lamb"})
    told = written(endpoint, person, budget=None)
    assert told.attributes["lifestyle.food.diet"].source.kind == "model"
    assert told.attributes[dish] == grammar_dish
    assert told.ext["deep"]["fallbacks"][dish] == "rule meat_without_meat"


def test_people_without_a_record_and_wrong_batches_are_refused(people: list[Persona], population: Population) -> None:
    model = open_model("fake:echo")
    with pytest.raises(InputError, match="no deep record"):
        asyncio.run(write_values(model, population[0], 1))
    with pytest.raises(InputError, match="batch"):
        asyncio.run(write_values(model, people[0], 1, batch=51))


@pytest.mark.model
def test_the_embedded_model_writes_one_shallow_person(population: Population) -> None:
    person = DeepPeople(population, depth=20)[0]

    async def scene() -> Persona:
        model = open_model("smollm2")
        try:
            async with model.session("deep"):
                return await write_values(model, person, 1, batch=10)
        finally:
            await model.close()

    told = asyncio.run(scene())
    assert set(told.ext["deep"]["marks"]) == set(person.ext["deep"]["marks"])
    kinds = Counter(told.attributes[p].source.kind for p in told.ext["deep"]["marks"])
    assert kinds["model"] + len(told.ext["deep"]["fallbacks"]) + kinds["table"] == 20
    assert all(len(str(told.attributes[p].value)) <= 50 for p in told.ext["deep"]["marks"])


# Contradictions ------------------------------------------------------------------------------------------------------

PLANTED: dict[str, dict[str, object]] = yaml.safe_load(
    (Path(__file__).parent / "fixtures" / "contradictions.yaml").read_text("utf-8")
)


def planted(person: Persona, values: dict[str, object]) -> Persona:
    body = person.dump()
    body.pop("id", None)
    for path, value in values.items():
        group, _, leaf = path.partition(".")
        if group == "social":
            body["social"][leaf] = value
        else:
            body["attributes"][path.removeprefix("attributes.")] = value
    return Persona.parse(body)


def test_contradictions_are_found_where_planted_and_nowhere_else(population: Population) -> None:
    clean = [*DeepPeople(population, depth=600, budget=None).draw(range(60))]
    assert [v for p in clean for v in check_deep(p)] == []
    found = {
        code: sum(code in {v.code for v in check_deep(planted(p, values))} for p in clean) / len(clean)
        for code, values in PLANTED.items()
    }
    assert {code: share for code, share in found.items() if share < 1.0} == {}


@pytest.mark.parametrize("recipe", ["us_adults", "harbour_town", "us_adults_rich"])
def test_the_linter_has_nothing_to_say_about_deep_people(recipe: str) -> None:
    population = Population(recipe, n=66, seed=5)
    before = {f.code for findings in lint_many(population) for f in findings}
    crowd = DeepPeople(population, depth=250)
    assert [str(f) for findings in lint_many(crowd) for f in findings if f.code not in before] == []


def test_the_linter_reads_the_attributes_of_a_deep_person(people: list[Persona]) -> None:
    broken = planted(people[0], PLANTED["dances_though_never"])
    assert "dances_though_never" in {f.code for f in lint(broken)}
    assert {f.code for f in lint(broken)} == {f.code for f in lint(broken.dump())}


def test_a_group_is_told_by_whole_words() -> None:
    tree = load_value_tree()

    def groups(**social: object) -> set[str]:
        person = Persona(names=Names(full="Bo"), social=Social(age=40, **social))
        return {t for t in tree.tags.names(tree.state(person)) if t in tree.groups}

    assert groups(occupation="factory worker") == {"g_trade", "g_factory"}
    assert groups(occupation="police officer") == {"g_security"}
    assert groups(occupation="nurses' caretaker") == {"g_care", "g_clean"}
    assert groups(religion="Lutheran") == {"religion_told"}
    assert groups(religion="not religious") == {"religion_told", "secular"}


def test_stories_happen_at_an_age_at_which_they_can(population: Population) -> None:
    themes = {t.name: t for t in load_value_tree().stories}
    assert [*themes["birth"].ages(30)] == [*range(21, 31)]
    assert [*themes["birth"].ages(70)] == []
    assert [*themes["birth_of_a_parent"].ages(60)] == [20, 21, 22, 23, 24]
    for person in DeepPeople(population, depth=10, budget=None).draw(range(120)):
        age = int(person.get("social.age"))
        stories = person.ext["deep"]["stories"]
        assert all(s["key_events"][0]["age"] in themes[s["theme"]].ages(age) for s in stories)
        ends = [s["text"].rpartition(". ")[2] for s in stories]
        assert len(set(ends)) == len(ends)
