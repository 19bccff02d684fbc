"""The steps between drafts of student records and finished people: slots, owners, who stands, near-copies, people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from personae.core import CorpusRow, FitRow, IssueRow, PersonaRow, Row, SlotRow, canonical_json
from personae.creation._bulk import BULK_RULE, RecordsFolder, write_records
from personae.creation._compose import DraftLog, Guard, Owner, Slot, pack_guard, pack_owners
from personae.creation._dedup import lexical_duplicates
from personae.creation._packs import load_pack
from personae.creation._student_records import read_levels, student_persona, student_schemas
from personae.creation._students import PARAGRAPHS, StudentSource

STUDENT_TARGETS: Final = {
    "grade": "target_grade", "sex": "target_sex", "academic_level": "target_level", "subject_cluster": "target_cluster",
}  # fmt: skip
"""key of a student's slot to the field of the pack that remembers it"""
_COPY: Final = "near_copy"


def student_slot(source: StudentSource, k: int) -> Slot:
    """Grade, sex, subject cluster and academic level of student k."""
    codes = source.slot_codes(np.array([k], dtype=np.int64))
    fixed: dict[str, str | int] = {name: str(column.texts()[0]) for name, column in codes.items()}
    return Slot(k=k, fixed=fixed | {"grade": int(fixed["grade"])})


def student_owners(
    briefs: Mapping[str, str],
    *,
    temperatures: Mapping[str, float],
    max_tokens: Mapping[str, int],
    guided: bool = False,
    own_levels: bool = False,
) -> tuple[Owner, ...]:
    """The five owners of the student pack.

    Args:
        briefs: owner to what it is told.
        temperatures: owner to its sampling temperature.
        max_tokens: owner to the most tokens of one reply.
        guided: paragraphs under patterns (see `student_schemas`).
        own_levels: the writer gives level fields itself, as the grammar does; a model's are read from its paragraphs.
    """
    pack = load_pack("student")
    schemas: dict[str, Any] = student_schemas(guided=guided)
    if own_levels:
        groups = ("value_dimensions", "creativity_dimensions", "health_dimensions")
        schemas |= {f: {"enum": list(pack.vocab["level"].words)} for g in groups for f in pack.groups[g]}
    return pack_owners(pack, schemas, briefs, temperatures=temperatures, max_tokens=max_tokens)


def student_guard(*, anchors: bool = True) -> Guard:
    """The rules of the student pack as a guard; `anchors=False` leaves the anti-optimism anchors out."""
    return pack_guard(
        load_pack("student"),
        read_levels,
        skip=lambda code: not anchors and code.startswith("anchor_"),
        targets=STUDENT_TARGETS,
    )


def standing_drafts(log: DraftLog) -> dict[int, SlotRow]:
    """The accepted draft of each slot that no gate has sent back: k to its row."""
    copies = {(i.k, i.attempt) for i in log.issues if i.code == _COPY}
    rows = sorted(log.slots, key=lambda r: r.attempt)
    return {r.k: r for r in rows if r.accepted and (r.k, r.attempt) not in copies}


def near_copy_issues(standing: Mapping[int, SlotRow], *, unit: str) -> list[IssueRow]:
    """One issue for each standing draft whose paragraphs nearly copy those of a smaller k."""
    held = sorted(standing.values(), key=lambda r: r.k)
    texts = [" ".join(str(json.loads(r.fields).get(p, "")) for p in PARAGRAPHS) for r in held]
    losers = lexical_duplicates(texts, BULK_RULE).losers
    return [
        IssueRow(
            unit=unit, k=held[i].k, attempt=held[i].attempt, round=-1, code=_COPY, owner=None, fields=PARAGRAPHS,
            description="a near-copy of an earlier record", severity="error", source="gate",
        )
        for i in losers.tolist()
    ]  # fmt: skip


def bulk_students(
    source: StudentSource, folder: Path, *, dedup: bool, shown: int, unit: str
) -> list[CorpusRow | PersonaRow | FitRow]:
    """Everybody into Parquet parts under `folder`; evidence is the check's report, the first `shown` and the quotas."""
    report = write_records(source, folder, dedup=dedup)
    assert report is not None  # noqa: S101 - one shard writes everything
    corpus = RecordsFolder(source, folder, rule=BULK_RULE if dedup else None)
    people = [student_persona(r, recipe=source.slots.hash, seed=source.seed) for r in corpus.first(shown)]
    body = canonical_json(report.model_dump(mode="json", exclude={"fit"}) | {"quota_error": report.quota_error})
    return [
        CorpusRow(unit=unit, name="records", rows=report.rows, digest=report.digest, report=body),
        *(PersonaRow.of(p, unit=unit, k=p.provenance.k or 0, role="student") for p in people),
        *(row.model_copy(update={"unit": unit}) for row in report.fit),
    ]


def finished_students(source: StudentSource, standing: Mapping[int, SlotRow], *, unit: str) -> list[Row]:
    """The people of the standing drafts, and how they meet the quotas."""
    records = [
        read_levels(json.loads(row.fields))
        | {STUDENT_TARGETS[name]: value for name, value in student_slot(source, k).fixed.items()}
        | {"k": k, "attempt": row.attempt}
        for k, row in sorted(standing.items())
    ]
    rows: list[Row] = []
    for record in records:
        person = student_persona(record, recipe=source.slots.hash, seed=source.seed)
        rows.append(PersonaRow.of(person, unit=unit, k=int(record["k"]), role="student"))
    if records:
        fields = ("grade", "sex", "target_cluster", "academic_level")
        rows += source.fit({f: [r.get(f) for r in records] for f in fields}, unit=unit)
    return rows
