"""The command line: thin faces over the Python API."""

from __future__ import annotations


def main() -> None:
    """Entry point of the `personae` command."""
    import sys

    if sys.argv[1:] == ["--version"]:  # answered before anything else is imported
        from personae import __version__

        sys.stdout.write(f"personae {__version__}\n")
        return
    from personae.cli._app import app

    app()


__all__ = ["main"]
