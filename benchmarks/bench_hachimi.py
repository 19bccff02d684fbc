"""Student records in bulk: seconds, CPU, memory and counts by stage.

    python benchmarks/bench_hachimi.py N [--shards S] [--seed SEED] [--copies] [--out FOLDER]

Stages: the gate (texts of everybody, near-copies drawn again), the parts (records, Parquet), and the check (every rule
on the columns of the files, quotas counted anew). With `--shards 2` parts and checks run in two processes. `--copies`
searches the written files for near-copies once more. CPU counts all processes; peak memory is of the largest one.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from personae.creation import RecordsFolder, StudentSource


def spent() -> float:
    """CPU seconds of this process and its finished children."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def peak() -> float:
    """Largest resident set so far, GiB."""
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 2**20


def sharded(verb: str, args: argparse.Namespace, folder: Path) -> None:
    """Run `verb` in one process a shard."""
    command = [sys.executable, __file__, str(args.n), "--seed", str(args.seed), "--out", str(folder)]
    runs = [subprocess.Popen([*command, "--only", verb, "--shard", f"{s}/{args.shards}"]) for s in range(args.shards)]
    if max(run.wait() for run in runs):
        sys.exit("a shard failed")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("n", type=int)
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--part-rows", type=int, default=20_000)
    parser.add_argument("--copies", action="store_true")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--only", choices=("write", "check"))
    parser.add_argument("--shard", default="0/1")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.out or Path(scratch) / "records"
        corpus = RecordsFolder(StudentSource(args.n, args.seed), folder, args.part_rows)
        if args.only:
            which, of = map(int, args.shard.split("/"))
            getattr(corpus, args.only)(shard=(which, of))
            return
        stages = ["gate", "write", "check", *(["copies"] if args.copies else [])]
        found = 0
        for stage in stages:
            wall, cpu = time.perf_counter(), spent()
            if stage in {"write", "check"} and args.shards > 1:
                sharded(stage, args, folder)
            else:
                answer = getattr(corpus, stage)()
                found = answer if stage == "copies" else found
            wall, cpu = time.perf_counter() - wall, spent() - cpu
            print(f"{stage:8} {wall:8.1f} s wall {cpu:8.1f} s CPU {args.n / cpu:10,.0f} a CPU-s  peak {peak():.2f} GiB")
        report = corpus.report()
        assert report is not None
        size = sum(p.stat().st_size for p in folder.glob("*.parquet")) / 2**20
        print(f"rows {report.rows:,} in {report.parts} parts, {size:,.0f} MiB, load {os.getloadavg()[0]:.2f}")
        print(f"hard errors {report.errors}, warnings {report.warnings}, quota error {report.quota_error}")
        print(f"near-copies drawn again by round {report.redrawn}, given up {len(report.exhausted)}")
        if args.copies:
            print(f"near-copies left in the files {found}")
        print(f"levels drawn {report.drawn:,}; sent back by rule {report.rejected}")
        print(f"digest {report.digest}")


if __name__ == "__main__":
    main()
