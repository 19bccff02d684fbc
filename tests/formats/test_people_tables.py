"""People as tables and dataset folders: the same people and ids come back, whatever they hold."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from personae.core import (
    PII,
    Belief,
    BigFive,
    Context,
    Demonstration,
    DiskFullError,
    Evidence,
    Fact,
    Goal,
    InputError,
    Knowledge,
    LifeEvent,
    Line,
    Names,
    Persona,
    Personal,
    Provenance,
    Relation,
    SchemaError,
    Score,
    Social,
    Source,
)
from personae.creation import Population, load_gallery
from personae.formats import CardFacts, PeopleMapping, export_people, import_people
from personae.formats import _flat as flat

text = st.text(max_size=12)
leaf = text | st.builds(
    Fact,
    value=text,
    source=st.none() | st.builds(Source, kind=text, ref=st.none() | text),
    confidence=st.none() | st.floats(0, 1),
    pii=st.none() | st.sampled_from(list(PII)),
)
scalar = text | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
paths = st.from_regex(r"[a-c0-9_]{1,3}(\.[a-c0-9_]{1,2}){0,2}", fullmatch=True)
leaves = st.lists(leaf, max_size=3).map(tuple)
people = st.builds(
    Persona,
    names=st.builds(Names, full=leaf, aliases=st.lists(text, max_size=2).map(tuple)),
    social=st.builds(Social, age=st.none() | st.integers(0, 120), residence=st.none() | leaf),
    personal=st.builds(
        Personal,
        big_five=st.none() | st.builds(BigFive, openness=st.none() | st.floats(20, 80), facets=st.just({"x.y": 51.0})),
        types=st.dictionaries(text, leaf, max_size=2),
        values=leaves,
        psychometrics=st.lists(
            st.builds(Score, instrument=text, scale=text, value=st.floats(0, 5), answers=st.just({"1": 2, "e.2": 3})),
            max_size=2,
        ).map(tuple),
    ),
    context=st.builds(Context, likes=leaves),
    relations=st.lists(st.builds(Relation, name=leaf, kind=text), max_size=12).map(tuple),
    goals=st.lists(st.builds(Goal, text=leaf), max_size=2).map(tuple),
    beliefs=st.lists(st.builds(Belief, topic=text, stance=leaf, strength=st.none() | st.floats(-1, 1))).map(tuple),
    timeline=st.lists(st.builds(LifeEvent, when=text, what=leaf), max_size=1).map(tuple),
    knowledge=st.builds(Knowledge, skills=st.dictionaries(text | st.just("C.1"), leaf, max_size=2)),
    demonstrations=st.lists(
        st.builds(Demonstration, lines=st.lists(st.builds(Line, speaker=text, text=text), max_size=2).map(tuple)),
        max_size=2,
    ).map(tuple),
    evidence=st.lists(st.builds(Evidence, text=text, when=text), max_size=1).map(tuple),
    description=st.none() | leaf,
    attributes=st.dictionaries(paths, scalar | st.lists(scalar, max_size=2).map(tuple) | leaf, max_size=3),
    ext=st.sampled_from([{}, {"source": {"format": "x", "body": {"a.b": [1, None]}}}]),
    provenance=st.builds(Provenance, seed=st.none() | st.integers(0, 9), cell=st.dictionaries(text, text, max_size=2)),
)


def without_nul(persons: list[Persona]) -> list[Persona]:
    return [p for p in persons if "\\u0000" not in json.dumps(p.dump())]


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(people, max_size=3))
def test_anybody_comes_back_from_any_table(tmp_path: Path, persons: list[Persona]) -> None:
    for name, file in (
        ("parquet", "p.parquet"), ("parquet_nested", "n.parquet"), ("personae", "p.jsonl"), ("csv", "p.csv"),
    ):  # fmt: skip
        some = without_nul(persons) if name == "csv" else persons
        done = export_people(some, tmp_path / file, name)
        back = list(import_people(tmp_path / file, "parquet" if "parquet" in name else name))
        assert [p.id for p in back] == [p.id for p in some]
        assert back == some
        assert [p.provenance for p in back] == [p.provenance for p in some]
        assert (done.people, done.dropped) == (len(some), {})


@settings(max_examples=200, deadline=None)
@given(scalar | st.lists(scalar, min_size=1, max_size=2))
def test_a_cell_reads_back_as_the_same_value(value: object) -> None:
    cell = flat.csv_cell(value)
    assert cell != ""
    again = flat.csv_value(cell, "x")
    assert (type(again), again) == (type(value), value)


def test_flat_columns_carry_type_and_class(tmp_path: Path) -> None:
    ana = Persona(
        names=Names(full="Ana Reis"),
        social=Social(age=58, religion="none of your business", languages=("Portuguese", "English")),
        attributes={"pets": 2, "contact": Fact(value="ana@example.org", pii=PII.DIRECT)},
    )
    bo = Persona(names=Names(full="Bo Lind"), attributes={"pets": "two", "contact": "none"})
    export_people([ana, bo], tmp_path / "p.parquet")
    table = pq.read_table(tmp_path / "p.parquet")
    fields = {f.name: (str(f.type), f.metadata[b"personae.pii"].decode()) for f in table.schema}
    assert fields["names.full"] == ("string", "direct")
    assert fields["social.age"] == ("int64", "quasi")
    assert fields["social.religion"] == ("string", "sensitive")
    assert fields["social.languages"][0].startswith("list<")
    assert fields["attributes.contact"] == ("string", "direct")
    assert table.column("social.age").to_pylist() == [58, None]
    assert table.column("attributes.pets").to_pylist() == ["2", '"two"']
    export_people([ana], tmp_path / "n.parquet", "parquet_nested")
    nested = pq.read_table(tmp_path / "n.parquet")
    (row,) = nested.to_pylist()
    assert row["social"]["age"] == 58
    assert row["social"]["languages"] == ["Portuguese", "English"]
    assert dict(row["attributes"])["contact"] == "ana@example.org"
    struct = nested.schema.field("social").type
    assert struct.field("religion").metadata[b"personae.pii"] == b"sensitive"


def test_an_edited_row_says_so(tmp_path: Path) -> None:
    export_people(load_gallery()[:1], tmp_path / "p.csv")
    told = (tmp_path / "p.csv").read_text("utf-8").replace("Wanda", "Vanda", 1)
    (tmp_path / "p.csv").write_text(told, "utf-8")
    name = load_gallery()[0].name
    if "Wanda" not in name:
        told = told.replace(name, "Somebody Else")
        (tmp_path / "p.csv").write_text(told, "utf-8")
    with pytest.raises(SchemaError, match="edited after it was written"):
        list(import_people(tmp_path / "p.csv"))


def test_rare_leaves_go_into_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flat, "COLUMN_LIMIT", 5)
    persons = [Persona(names=Names(full=f"P{k}"), attributes={f"a{k}": k, "common": 1}) for k in range(20)]
    export_people(persons, tmp_path / "p.parquet")
    assert len(pq.read_schema(tmp_path / "p.parquet").names) == 5 + 2
    assert {"names.full", "attributes.common"} <= set(pq.read_schema(tmp_path / "p.parquet").names)
    assert list(import_people(tmp_path / "p.parquet")) == persons


def test_a_dataset_folder_has_a_card_that_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from personae.formats import _exporters

    monkeypatch.setattr(_exporters, "SHARD", 20)
    persons = list(Population("harbour_town", 50, 3))
    card = CardFacts(title="Harbour", licence="CC-BY-4.0", limits=("Only a test.",))
    done = export_people(persons, tmp_path / "ds", "hf_dataset", card=card)
    files = sorted(f.name for f in (tmp_path / "ds" / "data").iterdir())
    assert files == [f"train-{k:05d}-of-00003.parquet" for k in range(3)]
    assert [p.id for p in import_people(tmp_path / "ds")] == [p.id for p in persons]
    text = (tmp_path / "ds" / "README.md").read_text("utf-8")
    header = yaml.safe_load(text.split("---")[1])
    assert header["license"] == "cc-by-4.0"
    assert header["size_categories"] == ["n<1K"]
    assert header["dataset_info"]["splits"] == [
        {"name": "train", "num_bytes": sum(f.stat().st_size for f in (tmp_path / "ds" / "data").iterdir()),
         "num_examples": 50}
    ]  # fmt: skip
    features = [f["name"] for f in header["dataset_info"]["features"]]
    assert features == pq.read_schema(tmp_path / "ds" / "data" / files[0]).names
    assert persons[0].provenance.recipe in text
    for words in ("| Seed | 3 |", "Everybody here is invented", "Nothing was anonymised", "Only a test."):
        assert words in text
    assert {f.name for f in done.files} == {"README.md", *(f"data/{f}" for f in files)}
    before = {f.name: f.sha256 for f in done.files}
    again = export_people(persons, tmp_path / "ds", "hf_dataset", card=card)
    assert {f.name: f.sha256 for f in again.files} == before


def test_anonymised_people_bear_no_names_and_no_addresses(tmp_path: Path) -> None:
    rows = "Name,Mail,Town,Note\nRagna Holm,ragna@example.org,Bergen,Ragna Holm: call +1 212-555-0147\n"
    (tmp_path / "t.csv").write_text(rows)
    (tmp_path / "m.yaml").write_text(
        "columns: {Name: names.full, Mail: {to: attributes.mail, pii: direct}, Town: social.residence}\n"
        "unmapped: attributes\n"
    )
    done = export_people(
        import_people(tmp_path / "t.csv", mapping=tmp_path / "m.yaml"), tmp_path / "p.jsonl", anonymise=True
    )
    text = (tmp_path / "p.jsonl").read_text("utf-8")
    for secret in ("Ragna", "Holm", "example.org", "555"):
        assert secret not in text
    assert "Bergen" in text
    assert done.dropped["attributes.mail"] == 1
    assert done.redactions["name"] == 2
    (person,) = import_people(tmp_path / "p.jsonl")
    assert person.name.startswith("Person-")
    cards = Path(__file__).parents[2] / "examples" / "people" / "character_card.json"
    done = export_people(import_people(cards), tmp_path / "c.json", "character_card", anonymise=True)
    assert "Works best" not in (tmp_path / "c.json").read_text("utf-8")
    assert done.dropped["source.data.creator_notes"] == 1


def test_what_a_record_holds_beside_a_value_is_cleaned_too(tmp_path: Path) -> None:
    """A mapping with a `value` in it is a fact only if it has nothing but the fields of one."""
    from personae.formats._privacy import Cleaner
    from personae.text import redact

    cleaner = Cleaner(redact, anonymise=False)
    body = cleaner.persona({"x": {"value": "a@example.org", "note": "b@example.org"}}, "p")
    assert "example.org" not in json.dumps(body)


def test_files_appear_whole_or_not_at_all(tmp_path: Path) -> None:
    def failing():
        yield load_gallery()[0]
        raise OSError(28, "No space left on device")

    for name in ("p.jsonl", "p.csv", "p.parquet", "p.json"):
        (tmp_path / name).write_text("old")
        with pytest.raises(DiskFullError):
            export_people(failing(), tmp_path / name)
        assert (tmp_path / name).read_text() == "old"
    with pytest.raises((DiskFullError, OSError)):
        export_people(failing(), tmp_path / "n.parquet", "parquet_nested")
    assert sorted(f.name for f in tmp_path.iterdir()) == ["p.csv", "p.json", "p.jsonl", "p.parquet"]


def test_wrong_endings_and_names(tmp_path: Path) -> None:
    person = load_gallery()[0]
    with pytest.raises(InputError, match="which format"):
        export_people([person], tmp_path / "p.txt")
    with pytest.raises(InputError, match=r"not written with the ending '.csv'"):
        export_people([person], tmp_path / "p.csv", "tinytroupe")
    with pytest.raises(InputError, match="one card, got several"):
        export_people(load_gallery()[:2], tmp_path / "p.png", "character_card")
    with pytest.raises(InputError, match="one card, got no"):
        export_people([], tmp_path / "p.png", "character_card")
    mapping = PeopleMapping.model_validate({"columns": {"a": "names.full"}})
    with pytest.raises(InputError, match="A mapping is for csv"):
        export_people(
            [person],
            tmp_path / "p.json",
            "tinytroupe",
            mapping=mapping,
        )
    with pytest.raises(InputError, match="NUL"):
        export_people([Persona(names=Names(full="A\0"))], tmp_path / "p.csv")
    assert list(tmp_path.iterdir()) == []


def test_many_people_never_stand_in_memory_together(tmp_path: Path) -> None:
    def crowd(n: int):
        for k in range(n):
            yield Persona(names=Names(full=f"P{k}"), description="x" * 500)

    def peak(n: int, name: str) -> int:
        tracemalloc.start()
        export_people(crowd(n), tmp_path / name)
        for _ in import_people(tmp_path / name):
            pass
        _, top = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return top

    for name in ("p.jsonl", "p.csv"):
        peak(10, name)
        assert peak(600, name) < peak(100, name) + 200_000
