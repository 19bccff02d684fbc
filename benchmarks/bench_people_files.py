"""Ten million rows of somebody else's CSV with one broken line: the error, what is kept, going on, rows per second.

    python benchmarks/bench_people_files.py [ROWS] [--part]

Three files, each in a process of its own: a line with too few cells, a byte that is no UTF-8, and a quote that opens
before megabytes of text and is never closed; the broken line stands in the middle of the first file and after a tenth
of the others. The first file is then mended and gone on with to its end, and people are compared by place: the first,
the last, those around the break. With `--part` the first file too breaks after a tenth, and going on ends at a second
broken line after two tenths.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from _table import Line, python, show

MAPPING = """columns:
  Name: names.full
  Age: social.age
  Sex: {to: social.sex, values: {F: female, M: male}}
  Town: social.residence
  Job: social.occupation
"""
TOWNS = ("Faro", "Oslo", "Lima", "Graz", "Umeå", "Cork", "Brno")
JOBS = ("nurse", '"cook, head"', "teacher", "welder", "clerk")
HEAD = b"Name,Age,Sex,Town,Job,Panel\n"
BREAKS = {
    "cells": lambda k: f"P{k},31,F,Faro\n".encode(),
    "bytes": lambda k: f"P{k},31,F,Fa".encode() + b"\xffro,nurse,w1\n",
    "quote": lambda k: f'P{k},31,F,"Fa'.encode() + b"ro " * 2_000_000 + b",nurse,w1\n",
}
RUN = """
import json, resource, sys, time
from personae.core import InputError
from personae.formats import import_file
began, told = (time.time(), time.process_time()), {}
try:
    done = import_file(sys.argv[1], sys.argv[2], mapping=sys.argv[3], resume=sys.argv[4] == "resume")
    told = {"people": done.people, "resumed": done.resumed, "twice": done.twice}
except InputError as error:
    told = {"error": error.message, "hint": error.hint}
told |= {"wall": time.time() - began[0], "cpu": time.process_time() - began[1],
         "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
print(json.dumps(told))
"""


def row(k: int) -> bytes:
    """Row number k, from 0."""
    return f"P{k} Q{k % 977},{18 + k % 70},{'FM'[k % 2]},{TOWNS[k % 7]},{JOBS[k % 5]},w{k % 12}\n".encode()


def write(path: Path, rows: int, at: int, broken: bytes | None) -> None:
    """A table whose row `at` is `broken`."""
    with path.open("wb") as file:
        file.write(HEAD)
        for low in range(0, rows, 10_000):
            lines = [row(k) for k in range(low, min(rows, low + 10_000))]
            if broken is not None and low <= at < low + 10_000:
                lines[at - low] = broken
            file.write(b"".join(lines))


def run(folder: Path, mode: str) -> dict[str, object]:
    """One import in a fresh process."""
    names = (folder / "t.csv", folder / "people.jsonl", folder / "m.yaml")
    done = subprocess.run(python("-c", RUN, *map(str, names), mode), check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def name_at(path: Path, place: int) -> str:
    """Who stands in line `place`, from 0."""
    with path.open("rb") as file:
        for k, line in enumerate(file):
            if k == place:
                return json.loads(line)["names"]["full"]
    return ""


def main(rows: int, *, part: bool) -> None:
    """Measure, print."""
    lines: list[Line] = []
    for kind, broken in BREAKS.items():
        at = rows // (2 if kind == "cells" and not part else 10)
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            (folder / "m.yaml").write_text(MAPPING)
            write(folder / "t.csv", rows, at, broken(at))
            lines += _told(kind, run(folder, "begin"), at, place)
            if kind == "cells":
                end = 2 * at
                write(folder / "t.csv", rows, end, broken(end) if part else None)
                told = run(folder, "resume")
                people = folder / ("people.jsonl.partial/people.jsonl" if part else "people.jsonl")
                if not part:
                    assert (told["people"], told["resumed"], told["twice"]) == (rows, at, 0)
                for k in (0, at - 1, at, at + 1, end - 1):
                    assert name_at(people, k) == f"P{k} Q{k % 977}"
                assert name_at(people, end) == ""
                lines += _told("gone on with", told, end - at, place)
    show(lines)


def _told(what: str, told: dict[str, object], rows: int, place: str) -> list[Line]:
    for key in ("error", "hint"):
        if key in told:
            print(f"{what}: {str(told[key]).replace(place, '')}", flush=True)
    cpu, wall = float(str(told["cpu"])), float(str(told["wall"]))
    return [
        Line(f"{what}, {rows:,} rows", [rows / cpu], "rows/CPU s", f"{cpu:.0f} CPU s, {wall:.0f} s"),
        Line(f"{what}, {rows:,} rows", [float(str(told["mib"]))], "MiB", "peak RSS", ("at most", 2048)),
    ]


if __name__ == "__main__":
    words = [w for w in sys.argv[1:] if w != "--part"]
    main(int(words[0]) if words else 10_000_000, part="--part" in sys.argv)
