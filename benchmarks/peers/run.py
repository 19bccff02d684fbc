"""The same work done by ours and by peers, on one loopback endpoint with the same model and threads.

    python benchmarks/peers/run.py [--people 10 --items 20 --dialogues 4 --turns 8] [--only edsl,plain] [--repeats N]

Each driver runs alone, against a fresh server (one engine thread, its own process) behind a counting proxy. Time and
CPU of a client are those of its whole process, imports and, for ours in the process, loading the model included; the
server's are read from /proc. See README.md beside the other benchmarks for what the columns mean.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _proxy import Counts, counting
from _report import Measured, show
from _venvs import PEERS, CannotRunError, bench_home, venv_python
from _work import make_work

from personae.core import MissingError
from personae.models import models_dir, weights_path

HERE = Path(__file__).resolve().parent
JOBS = ("survey", "dialogue")
OURS = {
    "ours": ("process", JOBS, "ours, in process"),
    "ours-http": ("http", JOBS, "ours, openai:"),
    "ours-http-1": ("http-1", ("survey",), "ours, openai:, one order"),
}
SLOTS, CONTEXT, GRACE = 8, 4096, 20.0


@dataclass(frozen=True)
class Entry:
    """One driver on one job."""

    name: str
    title: str
    job: str
    command: tuple[str, ...]
    """Interpreter and driver; the orders are put in after the second word, the rest is passed on."""


def entries(only: Sequence[str]) -> tuple[list[Entry], list[str]]:
    """What can run, in order, and one line for each that cannot."""
    found, excuses = list[Entry](), list[str]()
    for name, (way, jobs, title) in OURS.items():
        if not only or name in only:
            found += [Entry(name, title, job, (sys.executable, str(HERE / "ours.py"), way)) for job in jobs]
    for name, peer in PEERS.items():
        if only and name not in only:
            continue
        try:
            python = venv_python(peer)
        except CannotRunError as error:
            excuses.append(f"{peer.title}: not run: {error}")
            continue
        found += [Entry(name, peer.title, job, (str(python), str(HERE / peer.driver))) for job in peer.jobs]
    if not only or "tinytroupe" in only:
        excuses.append("TinyTroupe: not run: its entry on the package index is an empty placeholder")
    return sorted(found, key=lambda e: JOBS.index(e.job)), excuses


@contextmanager
def serving(folder: Path) -> Generator[tuple[str, int]]:
    """A fresh server that has answered once. Yields its base URL and its process id."""
    path = weights_path("smollm2", "generate")
    command = [sys.executable, str(HERE / "_server.py"), str(path), str(SLOTS), str(CONTEXT)]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            command, env=_with_sources(os.environ), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
        )
    try:
        assert server.stdout is not None
        url = server.stdout.readline().decode().strip()
        body = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
        request = urllib.request.Request(
            f"{url}/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        urllib.request.urlopen(request).read()
        yield url, server.pid
    finally:
        server.kill()
        server.communicate()


def _with_sources(environ: Mapping[str, str]) -> dict[str, str]:
    """These sources, also where the working directory is another or another copy is installed."""
    return {**environ, "PYTHONPATH": str(HERE.parents[1] / "src")}


def cpu_of(pid: int) -> float:
    """CPU seconds of a process so far, its threads included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def environment(folder: Path) -> dict[str, str]:
    """A home of its own for each driver, so that no cache of an earlier run answers for it."""
    home = folder / "home"
    home.mkdir()
    hidden = ("PYTHONPATH", "PERSONAE_", "OPENAI_", "EDSL_", "INSPECT_", "EXPECTED_PARROT_")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(hidden)}
    caches = {f"XDG_{kind}_HOME": str(home / kind.lower()) for kind in ("CACHE", "DATA", "CONFIG", "STATE")}
    return {
        **kept,
        **caches,
        "HOME": str(home),
        "PERSONAE_HOME": str(models_dir().parent),
        "OMP_NUM_THREADS": "1",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }


def run_capped(
    command: Sequence[str], environ: Mapping[str, str], folder: Path, cap: float
) -> tuple[float, float, int]:
    """Wall seconds, CPU seconds and exit code. At the cap it is interrupted, and killed when that does not help."""
    start = time.monotonic()
    with (folder / "driver.log").open("wb") as log:
        child = subprocess.Popen(
            command, cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    due = [(cap, signal.SIGINT), (cap + GRACE, signal.SIGKILL)]
    while True:
        pid, status, used = os.wait4(child.pid, os.WNOHANG)
        if pid:
            break
        if due and time.monotonic() - start > due[0][0]:
            os.killpg(child.pid, due.pop(0)[1])
        time.sleep(0.02)
    child.returncode = os.waitstatus_to_exitcode(status)
    return time.monotonic() - start, used.ru_utime + used.ru_stime, child.returncode


def measure(entry: Entry, work: dict[str, Any], folder: Path) -> Measured:
    """Run one driver once."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    orders, result = folder / "work.json", folder / "result.json"
    given = {**work, "people": work["people"][: work["asked"]]} if entry.job == "survey" else work
    orders.write_text(json.dumps(given))
    with serving(folder) as (upstream, pid), counting(upstream) as (url, counts):
        before = cpu_of(pid)
        interpreter, driver, *rest = entry.command
        command = [interpreter, driver, str(orders), str(result), entry.job, url, *rest]
        environ = environment(folder)
        environ = _with_sources(environ) if entry.name in OURS else environ
        wall, client, code = run_capped(command, environ, folder, work["cap"])
        server = cpu_of(pid) - before
    told = json.loads(result.read_text()) if result.exists() else {}
    return Measured(
        name=entry.name,
        title=entry.title,
        job=entry.job,
        wall=wall,
        client_cpu=client,
        server_cpu=server,
        counts=_with_own(counts, told.get("usage")),
        exit_code=code,
        claims=told.get("claims") or _last_words(folder / "driver.log"),
        result=told,
    )


def _with_own(counts: Counts, usage: dict[str, int] | None) -> Counts:
    """What a driver without calls says about its tokens."""
    if usage:
        counts.sent, counts.computed, counts.generated = (usage[k] for k in ("sent", "computed", "generated"))
    return counts


def _last_words(log: Path) -> str:
    rows = [row.strip() for row in log.read_text(errors="replace").splitlines() if row.strip()]
    return f"no result; last words: {rows[-1][:160] if rows else 'none'}"


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="The same work by ours and by peers, on one loopback endpoint.")
    parser.add_argument("--people", type=int, default=10)
    parser.add_argument("--items", type=int, default=20, help="Likert items for each person, at most 50")
    parser.add_argument("--dialogues", type=int, default=4)
    parser.add_argument("--turns", type=int, default=8, help="lines of a dialogue, both speakers together")
    parser.add_argument("--repeats", type=int, default=1, help="rounds; every second one in the opposite order")
    parser.add_argument("--cap", type=float, default=300.0, help="seconds for one driver on one job")
    parser.add_argument("--only", default="", help=f"some of: {', '.join([*OURS, *PEERS])}")
    parser.add_argument("--jobs", default=",".join(JOBS), help="survey, dialogue or both")
    return parser.parse_args()


def main() -> None:
    """Run everybody in turn, print."""
    given = arguments()
    try:
        weights_path("smollm2", "generate")
        weights_path("smollm2", "score")
    except MissingError:
        print("skipped: no weights (run: personae models get smollm2)")
        return
    only = [name for name in given.only.split(",") if name]
    unknown = sorted(set(only) - {*OURS, *PEERS, "tinytroupe"})
    if unknown:
        sys.exit(f"--only {', '.join(unknown)}: expected some of {', '.join([*OURS, *PEERS])}")
    work = make_work(
        people=given.people,
        items=given.items,
        dialogues=given.dialogues,
        turns=given.turns,
        slots=SLOTS,
        cap=given.cap,
    )
    able, excuses = entries(only)
    able = [entry for entry in able if entry.job in given.jobs.split(",")]
    measured: list[Measured] = []
    for repeat in range(given.repeats):
        for entry in able if repeat % 2 == 0 else reversed(able):
            folder = bench_home() / "last" / f"{entry.name}-{entry.job}-{repeat}"
            measured.append(measure(entry, work, folder))
            print(f"{entry.title}, {entry.job}: {measured[-1].wall:.1f} s", file=sys.stderr, flush=True)
    sys.path.append(str(HERE.parent))
    from _table import machine

    show(measured, work, excuses, machine())


if __name__ == "__main__":
    main()
