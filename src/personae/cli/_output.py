"""What every command shares: one envelope for machines, plain lines for people, one way to fail.

With `--json`, standard output is one JSON object: `{"status": "ok", "data": …, "warnings": […]}` or
`{"status": "error", "error": {"code", "message", "suggestion"}}`. Progress and notes go to standard error.

Exit codes: 0 ok · 1 unexpected · 2 bad input · 3 something is missing · 4 model or endpoint · 5 run folder or cache ·
6 too many failed units or a cap reached · 130 interrupted (resumable).
"""

from __future__ import annotations

import functools
import json
import math
import re
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, ParamSpec, TypeVar

import typer

P = ParamSpec("P")
R = TypeVar("R")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON envelope on standard output.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Model = Annotated[
    str, typer.Option("--model", help="Model reference: smollm2, gguf:PATH, openai:NAME@URL, fake:KIND, replay:RUN.")
]
Seed = Annotated[
    int, typer.Option("--seed", help="Root seed: the same seed gives the same people and, in exact mode, the same run.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, with counts, and do nothing.")]
ShowPrompt = Annotated[
    bool, typer.Option("--show-prompt", help="Print what the model really gets, control tokens visible.")
]
Out = Annotated[Path, typer.Option("--out", help="Folder to write; the same call again resumes it.")]


_STEERING: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that move a cursor, colour or turn round what follows, and halves of characters that cannot be printed."""


def visible(text: str) -> str:
    r"""Text that steers no terminal: what a file or a model says is printed, not obeyed.

    >>> visible("a\x1b[2Jb")
    'a\\u001b[2Jb'
    """
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def say(text: str = "") -> None:
    """One line for people, on standard output."""
    typer.echo(visible(text))


def note(text: str) -> None:
    """One line of progress or advice, on standard error."""
    typer.echo(visible(text), err=True)


def _envelope(body: Mapping[str, Any]) -> str:
    """JSON that every reader takes: null for what is no number, escapes for what cannot be printed."""
    return json.dumps(_numbers(body), ensure_ascii=False, allow_nan=False, default=str)


def _numbers(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _numbers(inner) for key, inner in value.items()}
    return [_numbers(inner) for inner in value] if isinstance(value, (list, tuple)) else value


class Reply:
    """Collects what a command has to say and prints it once, in the asked form."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.warnings: list[str] = []
        self._prompt: str | None = None

    def warn(self, text: str) -> None:
        """A warning: in the envelope, or on standard error."""
        self.warnings.append(text)
        if not self.as_json:
            note(f"warning: {text}")

    def line(self, text: str = "") -> None:
        """A line for people; silent with `--json`."""
        if not self.as_json:
            say(text)

    def prompt(self, text: str) -> None:
        """What the model gets (`--show-prompt`): printed, or in the envelope's data."""
        self._prompt = text
        self.line(text)

    def table(self, rows: Sequence[Mapping[str, Any]], columns: tuple[str, ...]) -> None:
        """Aligned columns for people; silent with `--json`."""
        if self.as_json or not rows:
            return
        cells = [[str(r.get(c, "")) for c in columns] for r in rows]
        widths = [max(len(c), *(len(row[k]) for row in cells)) for k, c in enumerate(columns)]
        say("  ".join(c.upper().ljust(w) for c, w in zip(columns, widths, strict=True)).rstrip())
        for row in cells:
            say("  ".join(v.ljust(w) for v, w in zip(row, widths, strict=True)).rstrip())

    def done(self, data: Mapping[str, Any]) -> None:
        """Close the command: the envelope, if asked for."""
        if self.as_json:
            told = data if self._prompt is None else {**data, "prompt": self._prompt}
            say(_envelope({"status": "ok", "data": told, "warnings": self.warnings}))


def guarded(command: Callable[P, R]) -> Callable[P, R]:
    """Turn errors into one message and a fixed exit code; the traceback only with `--debug`."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        as_json, debug = bool(kwargs.get("as_json")), bool(kwargs.get("debug"))
        try:
            return command(*args, **kwargs)
        except KeyboardInterrupt:
            fail("interrupted", "Interrupted.", "Run the same command again to resume.", as_json=as_json)
            raise typer.Exit(130) from None
        except (typer.Exit, typer.Abort, typer.BadParameter, BrokenPipeError):
            raise  # typer knows what to do: usage errors, and readers that went away (`| head`)
        except Exception as error:  # noqa: BLE001 - the last line of defence: one clear word instead of a trace
            if debug:
                traceback.print_exc()
            raise typer.Exit(_told(error, as_json=as_json)) from None

    return run


def _told(error: Exception, *, as_json: bool) -> int:
    """Say what went wrong; returns the exit code."""
    from personae.core import PersonaeError

    if isinstance(error, PersonaeError):
        fail(error.code, error.message, error.hint, as_json=as_json)
        return error.exit_code
    kind = type(error).__name__
    fail("unexpected", f"Unexpected {kind}: {error}", "This is a bug; --debug shows where.", as_json=as_json)
    return 1


def fail(code: str, message: str, hint: str | None, *, as_json: bool) -> None:
    """An error in the asked form: the envelope, or lines on standard error."""
    if as_json:
        body = {"status": "error", "error": {"code": code, "message": message, "suggestion": hint}}
        say(_envelope(body))
    else:
        note(f"error ({code}): {message}")
        if hint:
            note(f"  {hint.strip()}")
    sys.stdout.flush()
