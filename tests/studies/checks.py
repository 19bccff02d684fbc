"""What must be true of the leavings of any study."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from personae.core import Measurement, MeasurementRow, Row
from personae.runs import open_run

# What would make a browser fetch something: links are allowed, loads are not.
LOADS = re.compile(
    r"""(?ix) <script | <iframe | <object | <embed | <link\b(?![^>]*href="data:,") | @import
    | \b(?:src|srcset|poster|data)\s*=\s*["']?(?!data:|["'])(?:https?:|//|[\w./]) | url\(\s*["']?(?!data:|\#)"""
)


def rows(folder: Path, kind: type[Row]) -> list:
    with open_run(folder) as run:
        return list(run.rows(kind))


def measured(folder: Path) -> dict[str, Measurement]:
    found = [row.measurement for row in rows(folder, MeasurementRow)]
    assert len({m.name for m in found}) == len(found)
    return {m.name: m for m in found}


def counts(folder: Path) -> dict[str, int]:
    with open_run(folder) as run:
        return run.tables()


def self_contained(report: Path) -> str:
    text = report.read_text("utf-8")
    assert text.startswith("<!DOCTYPE html>")
    found = LOADS.search(text)
    assert found is None, text[max(0, found.start() - 80) : found.end() + 80]
    return text


def sound_exports(folder: Path) -> set[str]:
    """Names of the exported files; every checksum fits."""
    listed = json.loads((folder / "checksums.json").read_text("utf-8"))["files"]
    assert listed
    for name, known in listed.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == known["sha256"]
    return {p.name for p in folder.iterdir()}
