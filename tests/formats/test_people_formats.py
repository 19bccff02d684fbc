"""Other tools' records: in and out again without loss, edits visible, and every loss across formats named."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from personae.core import Consent, ConsentError, InputError, Names, Persona, SchemaError, SourceRecord
from personae.creation import load_gallery
from personae.formats import (
    IMPORTERS,
    embed_card,
    export_people,
    exporters,
    extract_card,
    import_people,
    load_mapping,
    sniff,
)
from personae.formats._shape import look, same, unspell

EXAMPLES = Path(__file__).parents[2] / "examples" / "people"
FORMATS = {
    "character_card.json": "character_card", "hachimi.jsonl": "hachimi", "key_values.txt": "key_values",
    "nemotron.jsonl": "nemotron", "persona_chat.jsonl": "persona_chat", "persona_chat.txt": "persona_chat",
    "persona_hub.jsonl": "persona_hub", "persona_hub.txt": "persona_hub", "people.jsonl": "personae",
    "synthetic_persona_chat.csv": "synthetic_persona_chat", "table.csv": "csv", "tinytroupe.json": "tinytroupe",
}  # fmt: skip
laws = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

text = st.text(max_size=24)
words = st.text("abc äß {}<|>\n:;,", min_size=1, max_size=24)
scalars = text | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
anything = st.recursive(
    st.none() | scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
texts = st.lists(text, max_size=3)
level = st.sampled_from(["High. Curious.", "Low", "medium.  Rather so", "high-strung", "", "Lowly", "None of it"])
age = st.integers(-2, 140) | st.sampled_from(["58", "058", " 7", "old", 3.0, True, None])


def objects(**fields: st.SearchStrategy) -> st.SearchStrategy:
    """Objects with any of the fields, each sometimes of another type than it should be, and fields nobody knows."""
    known = st.fixed_dictionaries({}, optional={k: v | anything for k, v in fields.items()})
    return st.tuples(st.dictionaries(text, anything, max_size=2), known).map(lambda pair: pair[0] | pair[1])


tiny = st.fixed_dictionaries(
    {
        "type": st.just("TinyPerson"),
        "persona": objects(
            name=words, age=age, gender=text, residence=text, education=text, long_term_goals=texts, style=text,
            occupation=text | objects(title=text, organization=text, description=text), skills=texts, beliefs=texts,
            personality=objects(traits=texts, big_five=objects(openness=level, neuroticism=level)),
            preferences=objects(interests=texts, likes=texts, dislikes=texts), health=text,
            behaviors=objects(general=texts, routines=st.dictionaries(text, texts, max_size=2)),
            relationships=st.lists(objects(name=text, description=text), max_size=2), other_facts=texts,
        ),
    }
)  # fmt: skip
hub = st.fixed_dictionaries({"persona": text}, optional={"synthesized text": text, "x": anything}) | (
    st.fixed_dictionaries({"input persona": text | anything}, optional={"description": text})
)
chat = st.lists(text, min_size=1, max_size=4) | objects(history=texts).map(lambda o: {"personality": ["i am."]} | o)
row = objects(
    uuid=text, persona=text, professional_persona=text, age=age, sex=text, zipcode=text, city=text,
    skills_and_expertise_list=st.lists(text, max_size=3).map(repr) | text, career_goals_and_ambitions=text,
    hobbies_and_interests_list=st.lists(text, max_size=3).map(repr) | texts, bachelors_field=st.none() | text,
).map(lambda o: {"persona": "P.", "professional_persona": "Q."} | o)  # fmt: skip
student = objects(
    id=st.integers(), name=words, age=age, sex=text, gender=text, grade=scalars, handle=text, strong_subjects=texts,
    developmental_stage=objects(piaget=text, erikson=text), academic_level=text, values=text, mental_health=text,
    _sampling=anything,
).map(lambda o: {"姓名": "林月", "价值观": "家庭。"} | o)  # fmt: skip
example_dialogue = st.sampled_from([
    "<START>\n{{user}}: Hi\n{{char}}: Yes\nand no", "{{char}}: <START>", "no speaker", "<START>", "\n<START>\r\na: b\n",
]) | text  # fmt: skip
card = objects(
    name=words, description=text, personality=text, scenario=text, first_mes=text, mes_example=example_dialogue,
    creator_notes=text, alternate_greetings=texts, tags=texts, extensions=st.dictionaries(text, anything, max_size=2),
    character_book=anything,
).map(lambda data: {"spec": "chara_card_v2", "spec_version": "2.0", "data": {"name": "N"} | data})  # fmt: skip
flat_json = objects(name=words, Age=age, age=age, hobbies=text | texts, occupation=text, openness=level, Job=text)
CASES = {
    "tinytroupe": tiny, "persona_hub": hub, "persona_chat": chat, "nemotron": row, "hachimi": student,
    "character_card": card, "key_values": flat_json,
}  # fmt: skip


def write_jsonl(path: Path, documents: list) -> Path:
    path.write_text("".join(json.dumps(d, ensure_ascii=False) + "\n" for d in documents), "utf-8")
    return path


def read_jsonl(path: Path) -> list:
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]


def rows_of(path: Path) -> list[dict]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


# The law -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_any_record_comes_back_as_it_was(name: str, tmp_path: Path) -> None:
    @laws
    @given(st.lists(CASES[name], min_size=1, max_size=3))
    def law(documents: list) -> None:
        file = write_jsonl(tmp_path / "in.jsonl", documents)
        people = list(import_people(file, name))
        done = export_people(people, tmp_path / "out.jsonl", name)
        back = read_jsonl(tmp_path / "out.jsonl")
        assert all(same(a, b) for a, b in zip(documents, back, strict=True)), (documents, back)
        assert not done.dropped
        # Nothing is there twice: what was mapped is gone from the record that is kept.
        for person in people:
            source = SourceRecord.model_validate(person.ext["source"])
            for pointer in (*source.spelled, *source.places.values()):
                assert not isinstance(look(source.body, unspell(pointer)), (str, int, list, dict))
        again = list(import_people(tmp_path / "out.jsonl", name))
        assert [p.id for p in again] == [p.id for p in people]

    law()


cells = st.text(st.characters(exclude_characters="\0\r", exclude_categories=("Cs",)), max_size=20)


@laws
@given(st.lists(st.tuples(cells, st.sampled_from(["58", "058", "n/a", "", " 4"]), cells, cells), max_size=4))
def test_any_row_under_a_mapping_comes_back_as_it_was(tmp_path: Path, rows: list) -> None:
    file, mapping = tmp_path / "t.csv", tmp_path / "m.yaml"
    with file.open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows([("Name", "Age", "Sex", "Other"), *rows])
    mapping.write_text(
        "columns: {Name: names.full, Age: {to: social.age, missing: [n/a]}, Sex: {to: social.sex, values: {F: female}}}"
    )
    people = list(import_people(file, mapping=mapping))
    done = export_people(people, tmp_path / "out.csv", "csv", mapping=mapping)
    assert rows_of(tmp_path / "out.csv") == rows_of(file)
    assert not done.dropped


nemotron_cells = st.fixed_dictionaries(
    dict.fromkeys(("uuid", "persona", "professional_persona", "sex", "city", "zipcode", "other"), cells)
    | {"age": st.sampled_from(["52", "052", "", "old"]), "skills_and_expertise_list": st.lists(cells).map(repr)}
)


@laws
@given(st.lists(nemotron_cells, min_size=1, max_size=3))
def test_any_table_row_comes_back_as_it_was(tmp_path: Path, rows: list[dict[str, str]]) -> None:
    file = tmp_path / "in.csv"
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    people = list(import_people(file, "nemotron"))
    export_people(people, tmp_path / "out.csv", "nemotron")
    for before, after in zip(rows_of(file), rows_of(tmp_path / "out.csv"), strict=True):
        assert before == {k: v for k, v in after.items() if k in before}
        assert not any(v for k, v in after.items() if k not in before)


def test_rows_of_a_parquet_file_of_another_tool(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    export_people(import_people(EXAMPLES / "nemotron.jsonl"), tmp_path / "n.parquet", "nemotron")
    assert pq.read_table(tmp_path / "n.parquet").to_pylist() == read_jsonl(EXAMPLES / "nemotron.jsonl")
    seen = sniff(tmp_path / "n.parquet")
    assert (seen.format, seen.form) == ("nemotron", "parquet")
    assert list(import_people(tmp_path / "n.parquet")) == list(import_people(EXAMPLES / "nemotron.jsonl"))


lines = st.text("abc ä'{}|<>", min_size=1, max_size=20).filter(str.strip)


@laws
@given(st.lists(lines, min_size=1, max_size=5))
def test_any_lines_come_back_as_they_were(tmp_path: Path, said: list[str]) -> None:
    file = tmp_path / "in.txt"
    file.write_text("".join(f"{s}\n" for s in said), "utf-8")
    export_people(import_people(file, "persona_hub"), tmp_path / "hub.txt", "persona_hub")
    assert (tmp_path / "hub.txt").read_text("utf-8") == file.read_text("utf-8")
    export_people(import_people(file, "persona_chat"), tmp_path / "chat.txt", "persona_chat")
    assert (tmp_path / "chat.txt").read_text("utf-8") == file.read_text("utf-8") + "\n"


keys = st.text("abcN ä_", min_size=1, max_size=8).map(str.strip).filter(bool)
values = st.text("ab c:;,\nö", max_size=16).map(lambda v: "\n".join(line.strip() for line in v.strip().split("\n")))


@laws
@given(st.lists(st.dictionaries(keys | st.sampled_from(["Age", "Hobbies", "job"]), values, min_size=1), max_size=3))
def test_any_block_of_traits_comes_back_as_it_was(tmp_path: Path, blocks: list[dict[str, str]]) -> None:
    file = tmp_path / "in.txt"
    told = ["".join(f"{k}: {v}".replace("\n", "\n  ") + "\n" for k, v in block.items()) for block in blocks]
    file.write_text("\n".join(told), "utf-8")
    export_people(people := list(import_people(file, "key_values")), tmp_path / "out.txt", "key_values")
    again = list(import_people(tmp_path / "out.txt", "key_values"))
    assert [p.id for p in again] == [p.id for p in people]
    for block, person in zip(blocks, people, strict=True):
        written = IMPORTERS.get("key_values").write(person.model_dump(mode="json", exclude_defaults=True), "text")
        assert written.document == block


sentences = st.lists(st.text("ab i.", max_size=12), min_size=1, max_size=3).map("\n".join)
talk = st.sampled_from(["User 1: Hi!\nUser 2: Hello!", "hello\nUser 2: x", "User 1:Hi\nand more", "", "\nUser 1: "])


@laws
@given(st.lists(st.tuples(sentences, sentences, talk), max_size=3))
def test_any_pair_of_users_comes_back_as_it_was(tmp_path: Path, rows: list) -> None:
    file = tmp_path / "in.csv"
    with file.open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows([("user 1 personas", "user 2 personas", "Best Generated Conversation"), *rows])
    people = list(import_people(file))
    assert len(people) == 2 * len(rows)
    export_people(people, tmp_path / "out.csv", "synthetic_persona_chat")
    assert rows_of(tmp_path / "out.csv") == rows_of(file)


# Example files -----------------------------------------------------------------------------------------------------


def test_there_is_an_example_of_every_format() -> None:
    files = {f.name for f in EXAMPLES.iterdir() if f.suffix not in {".md", ".yaml"}}
    assert files == set(FORMATS)
    assert {*FORMATS.values(), "parquet"} == set(IMPORTERS.names())


@pytest.mark.parametrize("name", FORMATS)
def test_examples_are_recognised_and_come_back(name: str, tmp_path: Path) -> None:
    file = EXAMPLES / name
    mapping = EXAMPLES / "table.yaml" if name == "table.csv" else None
    people = import_people(file, mapping=mapping)
    everyone = list(people)
    assert (people.format, people.rejected) == (FORMATS[name], 0)
    assert len(everyone) == people.people >= 1
    if mapping is None:
        assert sniff(file).format == FORMATS[name]
    done = export_people(everyone, tmp_path / name, people.format, mapping=mapping)
    assert not done.dropped
    assert done.people == len(everyone)
    out = tmp_path / name
    if file.suffix == ".jsonl":
        assert read_jsonl(out) == read_jsonl(file)
    elif file.suffix == ".json":
        assert json.loads(out.read_text("utf-8")) == json.loads(file.read_text("utf-8"))
    elif file.suffix == ".csv":
        assert rows_of(out) == rows_of(file)
    else:
        assert out.read_text("utf-8").strip() == file.read_text("utf-8").strip()
    assert [p.id for p in import_people(out, people.format, mapping)] == [p.id for p in everyone]
    assert [f.name for f in tmp_path.iterdir()] == [name]


def test_what_the_examples_mean() -> None:
    (oda,) = import_people(EXAMPLES / "tinytroupe.json")
    assert (oda.name, oda.get("social.age"), oda.get("social.occupation")) == ("Oda Brekke", 47, "Boat engine mechanic")
    assert oda.personal.big_five is not None
    assert oda.personal.big_five.scores()["conscientiousness"] == 60
    assert oda.fact("personal.big_five.extraversion").source.ref == "Low. Talks when there is something to say."
    assert oda.get("attributes.routines.morning") == ("Coffee on the quay at six.",)
    assert oda.ext["source"]["body"]["persona"] == {"extras": {"boat": {"name": "Tordis", "length_m": 9.2}}}
    (marrow,) = import_people(EXAMPLES / "character_card.json")
    assert (marrow.kind, marrow.synthetic, marrow.consent) == ("character", True, None)
    assert marrow.demonstrations[0].lines[1].speaker == "{{char}}"
    assert "Works best" not in marrow.render()
    ragna, piet, ada = import_people(EXAMPLES / "table.csv", mapping=EXAMPLES / "table.yaml")
    assert (ragna.get("social.sex"), ada.get("social.sex"), ada.get("social.age")) == ("female", "X", None)
    assert (piet.get("social.age"), piet.get("attributes.habits.smokes")) == (41, True)
    assert ragna.pii()["attributes.contact.email"] == "direct"
    assert ragna.get("context.situation") == "answers a panel about public transport"
    (ines,) = import_people(EXAMPLES / "nemotron.jsonl")
    assert ines.get("attributes.skills.list") == ("pruning", "hiring", "grower's accounts")
    assert ines.name == ""
    assert ines.render().startswith("You are someone.")
    tomas, efua = import_people(EXAMPLES / "key_values.txt")
    assert tomas.get("attributes.favourite_soup") == "garlic,\nwith a great deal of bread"
    assert efua.get("context.likes") == ("rain", "markets, early")


@pytest.mark.parametrize(
    ("name", "change", "shown"),
    [
        ("tinytroupe.json", {"names": Names(full="Ode")}, lambda d: d["persona"]["name"] == "Ode"),
        ("character_card.json", {"description": "New."}, lambda d: d["data"]["description"] == "New."),
    ],
)
def test_an_edit_shows_and_nothing_else_changes(name: str, change: dict, shown, tmp_path: Path) -> None:
    (person,) = import_people(EXAMPLES / name)
    export_people([person.model_copy(update=change)], tmp_path / name, FORMATS[name])
    before = json.loads((EXAMPLES / name).read_text("utf-8"))
    after = json.loads((tmp_path / name).read_text("utf-8"))
    assert shown(after)
    path = ("persona", "name") if "names" in change else ("data", "description")
    before[path[0]][path[1]] = after[path[0]][path[1]]
    assert before == after


def test_an_edited_score_replaces_the_words_it_was_read_from(tmp_path: Path) -> None:
    (oda,) = import_people(EXAMPLES / "tinytroupe.json")
    assert oda.personal.big_five is not None
    scores = oda.personal.big_five.scores()
    done = export_people([oda.with_traits(scores | {"openness": 31.0})], tmp_path / "o.json", "tinytroupe")
    big_five = json.loads((tmp_path / "o.json").read_text("utf-8"))["persona"]["personality"]["big_five"]
    assert big_five["openness"] == "Low."
    assert done.dropped["personal.big_five.openness (the score, written as a word)"] == 1


def test_an_edit_of_a_cell_spelled_in_another_way(tmp_path: Path) -> None:
    mapping = load_mapping(EXAMPLES / "table.yaml")
    people = list(import_people(EXAMPLES / "table.csv", mapping=mapping))
    older = people[1].model_copy(update={"social": people[1].social.model_copy(update={"age": 42, "sex": "female"})})
    export_people([people[0], older], tmp_path / "t.csv", "csv", mapping=mapping)
    first, second = rows_of(tmp_path / "t.csv")
    assert (first["Age"], first["Sex"], second["Age"], second["Sex"]) == ("58", "F", "42", "F")


# Across formats ----------------------------------------------------------------------------------------------------

RECORDS = ("tinytroupe", "persona_hub", "persona_chat", "nemotron", "hachimi", "character_card", "key_values")


@pytest.mark.parametrize("target", RECORDS)
@pytest.mark.parametrize("name", [n for n in FORMATS if n != "table.csv"])
def test_what_does_not_cross_is_named(name: str, target: str, tmp_path: Path) -> None:
    """A leaf is either named as dropped (or changed), or there again after reading back."""
    people = [*import_people(EXAMPLES / name), load_gallery()[3]]
    for k, person in enumerate(people):
        out = tmp_path / f"{k}.jsonl"
        done = export_people([person], out, target)
        (again,) = import_people(out, target)
        named = {entry.split(" ")[0] for entry in done.dropped}
        kept = {p: v for p, v in again.leaves() if v != ""}
        for path, leaf in person.leaves():
            starred = ".".join("*" if part.isdigit() else part for part in path.split("."))
            held = starred in named or any(starred.startswith(f"{n}.") for n in named)
            assert held or leaf == "" or path in kept, (path, named)
        assert again.kind == person.kind or "kind" in named or target == "character_card"


def test_every_exporter_takes_our_own_people(tmp_path: Path) -> None:
    people = load_gallery()[:4]
    endings = {"parquet": "p.parquet", "parquet_nested": "n.parquet", "csv": "t.csv", "hf_dataset": "folder",
               "synthetic_persona_chat": "s.csv"}  # fmt: skip
    for name in exporters():
        done = export_people(people, tmp_path / endings.get(name, f"{name}.jsonl"), name)
        assert done.people == 4
        ours = {"personae", "csv", "parquet", "parquet_nested", "hf_dataset"}
        assert bool(done.dropped) == (name not in ours), name


# Cards in pictures -------------------------------------------------------------------------------------------------


@laws
@given(card)
def test_any_card_survives_a_picture(document: dict) -> None:
    picture = embed_card(document)
    assert same(extract_card(picture), document)
    assert extract_card(embed_card({"other": 1}, picture)) == {"other": 1}


def test_a_picture_keeps_its_own_chunks(tmp_path: Path) -> None:
    base = embed_card({"old": True})
    (tmp_path / "base.png").write_bytes(base)
    people = list(import_people(EXAMPLES / "character_card.json"))
    export_people(people, tmp_path / "card.png", "character_card", image=tmp_path / "base.png")
    made = (tmp_path / "card.png").read_bytes()
    assert made.count(b"tEXtchara") == 1
    assert made.startswith(base[: base.index(b"tEXt") - 4])
    seen = sniff(tmp_path / "card.png")
    assert (seen.format, seen.form) == ("character_card", "png")
    assert list(import_people(tmp_path / "card.png")) == people


# Consent -----------------------------------------------------------------------------------------------------------


def test_real_people_need_consent(tmp_path: Path) -> None:
    consent = Consent(who="panel 4", scope="research", date="2026-01-05")
    (person,) = import_people(EXAMPLES / "tinytroupe.json", consent=consent)
    assert (person.synthetic, person.consent) == (False, consent)
    done = export_people([person], tmp_path / "o.json", "tinytroupe")
    assert {"synthetic", "consent.who", "consent.scope", "consent.date"} <= set(done.dropped)
    file = tmp_path / "m.yaml"
    file.write_text("columns: {Full name: names.full}\nsynthetic: false\n")
    with pytest.raises(ConsentError, match=r"table.csv:2.*no consent"):
        list(import_people(EXAMPLES / "table.csv", mapping=file))
    file.write_text(
        "columns: {Full name: names.full}\nsynthetic: false\nconsent: {who: panel, scope: s, date: 2026-01-05}\n"
    )
    assert all(not p.synthetic for p in import_people(EXAMPLES / "table.csv", mapping=file))


# Folders and our own forms ------------------------------------------------------------------------------------------


def test_folders_of_files(tmp_path: Path) -> None:
    for k in range(3):
        document = json.loads((EXAMPLES / "tinytroupe.json").read_text("utf-8"))
        document["persona"]["name"] = f"Oda {k}"
        (tmp_path / f"{k}.agent.json").write_text(json.dumps(document))
    assert [p.name for p in import_people(tmp_path)] == ["Oda 0", "Oda 1", "Oda 2"]
    export_people(import_people(tmp_path), tmp_path / "out" / "all.json", "tinytroupe")
    assert [p.name for p in import_people(tmp_path / "out" / "all.json")] == ["Oda 0", "Oda 1", "Oda 2"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no file of people"):
        import_people(tmp_path / "empty")


def test_people_of_the_gallery_are_read_in_all_our_forms(tmp_path: Path) -> None:
    people = load_gallery()
    for ending in ("jsonl", "json", "yaml"):
        export_people(people, tmp_path / f"p.{ending}")
        assert sniff(tmp_path / f"p.{ending}").format == "personae"
        assert [p.id for p in import_people(tmp_path / f"p.{ending}")] == [p.id for p in people]
    assert Persona.parse(read_jsonl(tmp_path / "p.jsonl")[0]) == people[0]


def test_what_is_kept_may_be_nested_as_deeply_as_a_record_may(tmp_path: Path) -> None:
    deep: dict = {}
    for _ in range(31):
        deep = {"x": [deep]}
    document = {"persona": "x", "deep": deep}
    with pytest.raises(SchemaError, match=r"a\.jsonl:1: nested deeper than 64 levels"):
        list(import_people(write_jsonl(tmp_path / "a.jsonl", [document | {"deep": [[deep]]}]), "persona_hub"))
    people = list(import_people(write_jsonl(tmp_path / "a.jsonl", [document]), "persona_hub"))
    export_people(people, tmp_path / "b.jsonl")
    for file in ("c.parquet", "c.csv", "c.yaml"):
        export_people(import_people(tmp_path / "b.jsonl"), tmp_path / file)
        assert list(import_people(tmp_path / file)) == people
    export_people(people, tmp_path / "d.jsonl", "persona_hub")
    assert read_jsonl(tmp_path / "d.jsonl") == [document]
