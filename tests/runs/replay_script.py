"""A scripted run of 200 units that tests kill. Started as: replay_script.py FOLDER STARTS [--limit BYTES] [--hold]

Appends the key of every unit it starts to STARTS. Prints `go` when work begins. Parts are small, so that kills hit
compaction too; every 41st unit fails. `--limit` forbids larger files, `--hold` keeps the run open until stdin closes.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

from personae.core import FitRow, PersonaeError, ReplyError, Row, SlotRow, derive_rng
from personae.runs import Run, Unit, execute_sync

UNITS = 200


async def work(unit: Unit) -> list[Row]:
    rng = derive_rng(7, unit.key)
    await asyncio.sleep(float(rng.uniform(0.001, 0.02)))
    if unit.payload % 41 == 40:
        raise ReplyError(f"nothing usable for {unit.key}")
    slots = [
        SlotRow(unit=unit.key, k=k, attempt=0, accepted=True, rule=None, fields="x" * int(rng.integers(1, 2000)))
        for k in range(int(rng.integers(0, 4)))
    ]
    row = FitRow(
        unit=unit.key, margin="m", cell="c", target_share=float(rng.random()), target_count=1.0, count=1, hard=True
    )
    return [row, *slots]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("starts")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--hold", action="store_true")
    given = parser.parse_args()
    if given.limit:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (given.limit, given.limit))
    starts = os.open(given.starts, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    async def recorded(unit: Unit) -> list[Row]:
        os.write(starts, f"{unit.key}\n".encode())
        return await work(unit)

    units = (Unit(f"unit/{k:03d}", "kill", k) for k in range(UNITS))
    settings = {"study": "kill", "spec": {}, "seed": 7, "model": None, "determinism": "exact", "part_rows": 40}
    try:
        with Run.create_or_resume(given.folder, **settings) as run:
            print("go", flush=True)
            if given.hold:
                sys.stdin.read()
                return 0
            execute_sync(run, units, recorded, concurrency=8)
    except PersonaeError as error:
        print(type(error).__name__, flush=True)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
