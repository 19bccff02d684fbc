"""The command line: thin faces over the Python API."""

from __future__ import annotations


def main() -> None:
    """Entry point of the `personae` command."""
    from personae.cli._app import app

    app()


__all__ = ["main"]
