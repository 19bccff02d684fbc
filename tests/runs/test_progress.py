"""Progress: plain lines now and then, a bar on a terminal, and never before the commit."""

import io
from pathlib import Path

import pytest

from personae.core import ReplyError, RunFailedError
from personae.runs import PlainProgress, Status, TerminalProgress, execute_sync, progress_for
from personae.runs._progress import describe, duration


def _status(done: int, seconds: float = 10.0, total: int | None = 100, **more: int) -> Status:
    return Status("talk", done, more.get("failed", 0), more.get("skipped", 0), total, seconds, more.get("tokens", 0))


def test_line_says_all() -> None:
    line = describe(_status(30, 60.0, failed=2, skipped=8, tokens=12345))
    assert line == "talk: 40/100, 8 from before, 2 failed, 12,345 tokens, 60 s, about 112 s left".replace(
        "112 s", "1 min 52 s"
    )
    assert describe(_status(3, 1.0, total=None)) == "talk: 3, 1.0 s"
    assert _status(0).eta is None
    assert _status(100).eta == 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (59.6, "60 s"), (200, "3 min 20 s"), (3000, "50 min"), (7500, "2 h 5 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_plain_lines_come_every_ten_seconds_or_five_percent() -> None:
    lines: list[str] = []
    time = [0.0]
    progress = PlainProgress(lines.append, clock=lambda: time[0])
    progress.start(_status(0))
    for moment, done in [(0.5, 50), (1.1, 51), (2.0, 52), (9.0, 55), (11.2, 55), (21.3, 56)]:
        time[0] = moment
        progress.update(_status(done))
    progress.finish(_status(100))
    assert [line.split(",")[0] for line in lines] == ["talk: 51/100", "talk: 55/100", "talk: 56/100", "talk: 100/100"]


def test_terminal_or_not() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    plain = io.StringIO()
    progress = progress_for(plain)
    progress.start(_status(0))
    progress.finish(_status(100))
    assert plain.getvalue().startswith("talk: 100/100")
    terminal = Terminal()
    bar = progress_for(terminal)
    assert isinstance(bar, TerminalProgress)
    bar.start(_status(0))
    bar.update(_status(40, failed=3))
    bar.finish(_status(97, failed=3))
    assert terminal.getvalue().rstrip().endswith("talk: 100/100, 3 failed, 10 s")


def test_told_after_the_commit_and_at_the_end(start, fit, units, tmp_path: Path) -> None:
    run = start(tmp_path / "run")

    class Witness:
        def __init__(self) -> None:
            self.seen: list[tuple[int, int]] = []
            self.ended = 0

        def start(self, status: Status) -> None:
            assert status.done == 0
            assert status.total == 600

        def update(self, status: Status) -> None:
            self.seen.append((status.done, run.count()))

        def finish(self, status: Status) -> None:
            self.ended += 1

    async def work(unit):
        if unit.payload > 500:
            raise ReplyError("no")
        return [fit(unit.key)]

    witness = Witness()
    with pytest.raises(RunFailedError):
        execute_sync(run, units(600), work, progress=witness)
    assert witness.seen
    assert all(told == committed for told, committed in witness.seen)
    assert witness.ended == 1
