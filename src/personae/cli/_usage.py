"""Command lines that do not fit: what typer finds wrong before a command runs, in the envelope that was asked for."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final, cast

import typer
from typer.core import TyperGroup

from personae.cli._output import fail

UsageError: Final = cast("type[typer.BadParameter]", typer.BadParameter.__base__)
"""What all of typer's complaints about a command line have in common; it has no public name."""
_ASKED: Final = "personae.json"


class Root(TyperGroup):
    """The top of the command tree: with `--json` on the line, wrong usage gets an envelope like every other error."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Parse what stands before the command."""
        asked = "--json" in args
        with _enveloped(asked):
            context = super().make_context(info_name, args, parent, **extra)
        context.meta[_ASKED] = asked
        return context

    def invoke(self, ctx: Any) -> Any:
        """Parse the rest and run the command."""
        with _enveloped(ctx.meta[_ASKED]):
            return super().invoke(ctx)


@contextmanager
def _enveloped(asked: bool) -> Generator[None, None, None]:
    try:
        yield
    except UsageError as error:
        if not asked:
            raise  # typer prints usage and complaint on standard error
        message, hint = _wording(error)
        fail("usage", message, hint, as_json=True)
        raise typer.Exit(error.exit_code) from None


def _wording(error: Any) -> tuple[str, str]:
    """Message and suggestion; the nearest option goes from the one into the other."""
    near = getattr(error, "possibilities", None)
    message = error.message if near else error.format_message()
    hint = f"Did you mean {near[0]!r}? " if near else ""
    if getattr(error, "option_name", None) == "--json":
        hint = "--json stands behind a command that knows it. "
    return message, f"{hint}See: {error.ctx.command_path if error.ctx else 'personae'} --help"
