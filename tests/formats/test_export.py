import csv
import errno
import hashlib
import json
import random
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from personae.core import DiskFullError, InputError, Persona, PersonaRow, StorageError, UnknownKeyError
from personae.formats import CardFacts, Evidence, export_run, read_chat, read_conversations, read_people
from personae.text import redact


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_bytes().split(b"\n") if line]


def test_conversations_have_the_published_record_shape(evidence: Evidence, tmp_path: Path) -> None:
    export = export_run(evidence, tmp_path, formats=("jsonl",), redact=False)
    records = lines(tmp_path / "conversations.jsonl")
    assert len(records) == 4
    first = records[0]
    shape = "persona_id conversation_id persona_fields persona_description turns termination_reason synthetic"
    assert set(shape.split()) <= first.keys()
    assert first["synthetic"] is True
    assert [t["speaker"] for t in first["turns"]] == ["client", "tested", "client", "tested"]
    assert [t["turn_index"] for t in first["turns"]] == [0, 1, 2, 3]
    assert first["persona_fields"]["attributes.pets"] == 2
    assert first["persona_fields"]["social.languages"] == ["Portuguese", "English"]
    assert first["persona_description"].startswith("You are")
    assert first["termination_reason"] == "closing cue"
    assert export.counts.utterances == 16
    assert export.counts.redactions is None


def test_files_round_trip_without_loss(evidence: Evidence, tmp_path: Path) -> None:
    from personae.formats import from_chat

    export_run(evidence, tmp_path, redact=False)
    records = list(read_conversations(tmp_path / "conversations.jsonl"))
    said = {t.text for t in evidence.turns if t.kind == "utterance"}
    assert {t.text for r in records for t in r.turns} == said
    chats = list(read_chat(tmp_path / "chat.jsonl"))
    assert len(chats) == 2 * len(records)
    for perspective in ("client", "tested"):
        assert [from_chat(c) for c in chats if c.perspective == perspective] == records
    people = list(read_people(tmp_path / "people.jsonl"))
    assert [p.id for p in people] == [row.persona_id for row in evidence.personas]
    assert people == [Persona.parse(row.body) for row in evidence.personas]


def test_order_of_rows_changes_no_byte(evidence: Evidence, tmp_path: Path) -> None:
    rng = random.Random(4)
    shuffled = Evidence(
        *(rng.sample(rows, len(rows)) for rows in (evidence.personas, evidence.conversations, evidence.turns)),
        evidence.responses, evidence.judgements, evidence.manifest,
    )  # fmt: skip
    export_run(evidence, tmp_path / "a")
    export_run(shuffled, tmp_path / "b")
    export_run(evidence, tmp_path / "a")
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")


def test_tables_hold_every_row(evidence: Evidence, tmp_path: Path) -> None:
    export_run(evidence, tmp_path, redact=False)
    turns = pq.read_table(tmp_path / "turns.parquet")
    assert turns.num_rows == 16
    assert set(turns.column("speaker").to_pylist()) == {"client", "tested"}
    answers = pq.read_table(tmp_path / "responses.parquet").to_pylist()
    assert [a["value"] for a in answers] == [None, 3.0, 3.0] * 2
    assert answers[0]["probabilities"] == [0.25, 0.75]
    assert pq.read_table(tmp_path / "conversations.parquet").column("utterances").to_pylist() == [4] * 4
    person = pq.read_table(tmp_path / "people.parquet").to_pylist()[0]
    assert Persona.parse(person["persona"]).id == person["persona_id"]
    with (tmp_path / "responses.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [r["value"] for r in rows] == ["", "3.0", "3.0"] * 2
    assert {r["text"] for r in rows} == {"'-1, or mail ana@example.org"}
    assert {r["key"] for r in rows} == {"-1"}
    assert {r["synthetic"] for r in rows} == {"true"}


def test_contacts_are_redacted_everywhere_and_counted_once(evidence: Evidence, tmp_path: Path) -> None:
    export = export_run(evidence, tmp_path)
    for name, body in bytes_of(tmp_path).items():
        if not name.endswith(".parquet"):
            assert b"ana@example.org" not in body, name
            assert b"555-0147" not in body, name
    for name in ("turns", "responses", "people", "conversations"):
        assert "ana@example.org" not in str(pq.read_table(tmp_path / f"{name}.parquet").to_pylist())
    # One address in each conversation and each answer, one number in each person.
    assert export.counts.redactions == {"EMAIL": 4 + 6, "PHONE": 2}
    assert "| EMAIL | 10 |" in (tmp_path / "README.md").read_text(encoding="utf-8")
    only_lines = export_run(evidence, tmp_path / "lines", formats=("jsonl",))
    assert only_lines.counts.redactions == export.counts.redactions


def test_names_become_stable_placeholders(evidence: Evidence, tmp_path: Path) -> None:
    export = export_run(evidence, tmp_path, anonymise=True)
    text = b"".join(body for name, body in bytes_of(tmp_path).items() if not name.endswith(".parquet")).decode()
    for name in ("Ana", "Reis", "Lind", "Tom"):
        assert name not in text
    records = list(read_conversations(tmp_path / "conversations.jsonl"))
    by_person: dict[str, set[str]] = {}
    for r in records:
        by_person.setdefault(r.persona_id, set()).add(r.turns[0].name or "")
    assert all(len(names) == 1 and names.pop().startswith("Person-") for names in by_person.values())
    assert "Robin" in {t.name for t in records[0].turns}
    assert export.counts.redactions["name"] > 0
    assert len(list(read_people(tmp_path / "people.jsonl"))) == 2
    again = export_run(evidence, tmp_path / "again", anonymise=True, formats=("jsonl",))
    assert (again.folder / "people.jsonl").read_bytes() == (tmp_path / "people.jsonl").read_bytes()


def test_training_pairs_teach_the_chosen_speaker(evidence: Evidence, tmp_path: Path) -> None:
    export_run(evidence, tmp_path, formats=("sft",), redact=False)
    rows = lines(tmp_path / "sft.jsonl")
    assert len(rows) == 8
    assert [m["role"] for m in rows[0]["prompt"]] == ["system"]
    assert [m["role"] for m in rows[1]["prompt"]] == ["system", "assistant", "user"]
    assert rows[1]["completion"] == [{"role": "assistant", "content": "=1+1 write me at ana@example.org"}]
    export_run(evidence, tmp_path / "tested", formats=("sft",), redact=False, sft_speaker="tested")
    rows = lines(tmp_path / "tested" / "sft.jsonl")
    assert [m["role"] for m in rows[0]["prompt"]] == ["user"]
    assert not any("You are" in m["content"] for r in rows for m in r["prompt"])


def test_sharegpt_has_its_own_words(evidence: Evidence, tmp_path: Path) -> None:
    export_run(evidence, tmp_path, formats=("sharegpt",))
    first, second = lines(tmp_path / "sharegpt.jsonl")[:2]
    assert [t["from"] for t in first["conversations"]] == ["system", "gpt", "human", "gpt", "human"]
    assert [t["from"] for t in second["conversations"]] == ["human", "gpt", "human", "gpt"]


def test_checksums_and_card_tell_what_is_there(evidence: Evidence, tmp_path: Path) -> None:
    facts = CardFacts(title="A | B <x>\n# c", licence="CC-BY-4.0", summary="Hi *you*", limits=("small",))
    export = export_run(evidence, tmp_path, card=facts)
    listed = json.loads((tmp_path / "checksums.json").read_text())["files"]
    assert set(listed) == set(bytes_of(tmp_path)) - {"checksums.json"}
    for name, entry in listed.items():
        body = (tmp_path / name).read_bytes()
        assert entry["sha256"] == hashlib.sha256(body).hexdigest()
        assert entry["bytes"] == len(body)
    assert {f.name: f.rows for f in export.files} == {n: e["rows"] for n, e in listed.items()}
    assert listed["turns.parquet"]["rows"] == 16
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    header = yaml.safe_load(card.split("---\n")[1])
    assert header["license"] == "cc-by-4.0"
    assert "# A \\| B &lt;x&gt; \\# c\n" in card
    assert "| Model | smollm2 |" in card
    assert "| Seed | 11 |" in card
    assert "| Conversations | 4 |" in card
    assert f"`{listed['sft.jsonl']['sha256']}`" in card
    assert "- small" in card


def test_a_foreign_file_is_never_overwritten(evidence: Evidence, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    (tmp_path / "notes.txt").write_text("mine too")
    with pytest.raises(InputError, match=r"README\.md would be overwritten"):
        export_run(evidence, tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"README.md", "notes.txt"}
    assert (tmp_path / "README.md").read_text() == "mine"
    (tmp_path / "README.md").unlink()
    export_run(evidence, tmp_path)
    (tmp_path / "sft.jsonl").write_text("edited by hand")
    with pytest.raises(InputError, match=r"sft\.jsonl would be overwritten"):
        export_run(evidence, tmp_path, anonymise=True)
    assert (tmp_path / "notes.txt").read_text() == "mine too"
    (tmp_path / "sft.jsonl").unlink()
    export_run(evidence, tmp_path, anonymise=True)


def test_checksums_that_are_not_ours_are_left_alone(evidence: Evidence, tmp_path: Path) -> None:
    (tmp_path / "checksums.json").write_text('["somebody else\'s"]')
    with pytest.raises(InputError, match="not a list of checksums"):
        export_run(evidence, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["checksums.json"]


@pytest.mark.parametrize("after", range(9))
def test_killed_between_any_two_renames_the_same_call_finishes(
    evidence: Evidence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    export_run(evidence, tmp_path / "whole", anonymise=True)
    export_run(evidence, tmp_path / "out")
    done = 0
    real = Path.replace

    def replace(self: Path, target: Path) -> Path:
        nonlocal done
        if done == after:
            raise KeyboardInterrupt
        done += 1
        return real(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", replace)
        with pytest.raises(KeyboardInterrupt):
            export_run(evidence, tmp_path / "out", anonymise=True)
    export_run(evidence, tmp_path / "out", anonymise=True)
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "whole")


def test_a_full_disk_is_one_clear_error_and_nothing_changes(
    evidence: Evidence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_run(evidence, tmp_path)
    before = bytes_of(tmp_path)
    real = Path.open

    def full(self: Path, *args: object, **more: object):
        if self.name == "chat.jsonl" and args[:1] == ("w",):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(self, *args, **more)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(DiskFullError, match="the disk or quota is full"):
        export_run(evidence, tmp_path, anonymise=True)
    monkeypatch.undo()
    assert bytes_of(tmp_path) == before


def test_what_cannot_be_asked_for_is_refused_before_anything_is_written(evidence: Evidence, tmp_path: Path) -> None:
    with pytest.raises(UnknownKeyError, match="'jsonl'"):
        export_run(evidence, tmp_path / "x", formats=("json",))
    with pytest.raises(InputError, match="no formats"):
        export_run(evidence, tmp_path / "x", formats=())
    assert not (tmp_path / "x").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        export_run(evidence, tmp_path / "file" / "x")


def test_own_redaction_can_be_given(evidence: Evidence, tmp_path: Path) -> None:
    def loud(text: str):
        return redact(text.replace("Noted", "mail a@example.org"))

    export = export_run(evidence, tmp_path, formats=("jsonl",), redact=loud)
    assert export.counts.redactions["EMAIL"] == 4 + 4 + 6


def test_an_empty_run_exports_empty_files(tmp_path: Path) -> None:
    export = export_run(Evidence(), tmp_path)
    assert export.counts.conversations == 0
    assert (tmp_path / "conversations.jsonl").read_bytes() == b""
    assert pq.read_table(tmp_path / "turns.parquet").num_rows == 0


def test_bookkeeping_survives_cleaning_and_words_do_not(tmp_path: Path) -> None:
    from personae.core import Fact, Names, Provenance, Relation, Source

    person = Persona(
        names=Names(full="Ana Reis"),
        relations=(Relation(name="Tom", kind="brother, tom@example.org"),),
        attributes={"source": "mail ana@example.org", "note": Fact(value="a@example.org", source=Source(kind="user"))},
        provenance=Provenance(recipe="us", seed=4),
    )
    row = PersonaRow(
        unit="u", persona_id=person.id, k=0, name="Ana Reis", role="subject", body=json.dumps(person.dump())
    )
    export_run(Evidence([row]), tmp_path, formats=("jsonl",))
    (back,) = read_people(tmp_path / "people.jsonl")
    assert back.attributes["source"] == "mail [EMAIL]"
    assert back.attributes["note"] == Fact(value="[EMAIL]", source=Source(kind="user"))
    assert back.relations[0].kind == "brother, [EMAIL]"
    assert back.provenance == person.provenance
    assert lines(tmp_path / "people.jsonl")[0]["persona_id"] == person.id


def test_a_run_folder_exports_like_its_rows(evidence: Evidence, tmp_path: Path) -> None:
    from personae.runs import Run

    def one_unit(rows):
        return [row.model_copy(update={"unit": "all"}) for row in rows]

    held = (evidence.personas, evidence.conversations, evidence.turns, evidence.responses, evidence.judgements)
    tables = [one_unit(t) for t in held]
    with Run.create_or_resume(
        tmp_path / "run", study="test", spec={"n": 2}, seed=11, model="smollm2", determinism="exact"
    ) as run:
        run.record("all", [row for table in tables for row in table], stage="s")
        run.complete()
        export_run(run, tmp_path / "a")
    export_run(Evidence(*tables, evidence.manifest), tmp_path / "b")
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")


def test_consent_travels_with_a_real_person(tmp_path: Path) -> None:
    from personae.core import Consent, Names

    real = Persona(names=Names(full="R"), synthetic=False, consent=Consent(who="R", scope="all", date="2026-01-01"))
    row = PersonaRow(unit="u", persona_id=real.id, k=0, name="R", role="subject", body=json.dumps(real.dump()))
    export_run(Evidence([row]), tmp_path, formats=("jsonl",))
    assert lines(tmp_path / "people.jsonl")[0]["synthetic"] is False


def test_what_an_audit_found_stands_in_the_records_and_can_be_left_out(evidence: Evidence, tmp_path: Path) -> None:
    export_run(evidence, tmp_path / "all")
    found = {r.conversation_id: r.audit for r in read_conversations(tmp_path / "all" / "conversations.jsonl")}
    assert found["c-An-ecp"] == ("contact_email", "prompt_leak")
    assert found["c-An-concat"] == ()
    assert found["c-Bo-ecp"] is None
    table = pq.read_table(tmp_path / "all" / "conversations.parquet").to_pylist()
    assert {r["conversation_id"]: r["audit"] for r in table}["c-An-ecp"] == "contact_email, prompt_leak"
    assert "1 of 2 conversations had one; the field `audit` names them" in (tmp_path / "all/README.md").read_text()
    export = export_run(evidence, tmp_path / "clean", clean=True)
    kept = [r.conversation_id for r in read_conversations(tmp_path / "clean" / "conversations.jsonl")]
    assert sorted(kept) == ["c-An-concat", "c-Bo-concat", "c-Bo-ecp"]
    assert (export.counts.audited, export.counts.flagged, export.counts.left_out) == (2, 1, 1)
    assert "1 are left out of these files" in (tmp_path / "clean/README.md").read_text()
    assert "c-An-ecp" not in (tmp_path / "clean" / "sft.jsonl").read_text()
