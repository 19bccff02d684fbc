"""`personae cache`: the answers of earlier calls, kept for the user. The file only saves time, and may be deleted."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from personae.cli._output import Debug, Json, Reply, guarded

if TYPE_CHECKING:
    from personae.models import CacheShrunk, ResponseCache

cache_app = typer.Typer(no_args_is_help=True)
Wait = Annotated[float, typer.Option("--wait", min=0, help="Seconds to wait while another process uses the file.")]


@cache_app.command("info")
@guarded
def info(as_json: Json = False, debug: Debug = False) -> None:
    """Where the cache is, what it holds, and how much of it is unused."""
    from personae.models import ResponseCache, cache_path

    reply = Reply(as_json=as_json)
    if not cache_path().exists():
        _none_yet(reply)
        return
    with ResponseCache() as cache:
        found = cache.info()
    verbs = ", ".join(f"{verb} {count:,}" for verb, count in found.verbs.items())
    reply.line(f"   path: {found.path}")
    reply.line(f"entries: {found.entries:,}{f' ({verbs})' if verbs else ''}")
    reply.line(f"on disk: {_size(found.bytes)} (write-ahead log: {_size(found.log_bytes)})")
    reply.line(f" unused: {found.free_share:.1%} of the file")
    data: dict[str, Any] = {"path": str(found.path), "exists": True, "entries": found.entries}
    data |= {"verbs": dict(found.verbs), "bytes": found.bytes, "file_bytes": found.file_bytes}
    reply.done(data | {"log_bytes": found.log_bytes, "free_share": found.free_share})


@cache_app.command("vacuum")
@guarded
def vacuum(wait: Wait = 30.0, as_json: Json = False, debug: Debug = False) -> None:
    """Give unused space back to the disk; runs that use the cache go on."""
    from personae.models import ResponseCache, cache_path

    reply = Reply(as_json=as_json)
    if not cache_path().exists():
        _none_yet(reply)
        return
    with ResponseCache() as cache:
        done = cache.vacuum(wait=wait)
    reply.line(f"on disk: {_size(done.before)} before, {_size(done.after)} after")
    _done(reply, done)


@cache_app.command("clear")
@guarded
def clear(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; needed with --json and without a terminal.")] = False,
    wait: Wait = 30.0,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Delete every kept answer and give the space back. Run folders keep their own calls."""
    from personae.models import ResponseCache, cache_path

    reply = Reply(as_json=as_json)
    if not cache_path().exists():
        _none_yet(reply)
        return
    with ResponseCache() as cache:
        if not (yes or _confirmed(cache, as_json=as_json)):
            reply.line("Nothing was deleted.")
            return
        done = cache.clear(wait=wait)
    reply.line(f"deleted: {done.deleted:,} answer(s)")
    reply.line(f"on disk: {_size(done.before)} before, {_size(done.after)} after")
    _done(reply, done)


def _confirmed(cache: ResponseCache, *, as_json: bool) -> bool:
    from personae.core import InputError

    if as_json or not _somebody_there():
        raise InputError(
            f"clearing {str(cache.path)!r} deletes every answer in it, and nobody can be asked here.",
            hint="Give --yes to delete them.",
        )
    return typer.confirm(f"Delete {len(cache):,} answer(s) of {str(cache.path)!r}?")


def _somebody_there() -> bool:
    return sys.stdin.isatty()


def _none_yet(reply: Reply) -> None:
    from personae.models import cache_path

    reply.line(f"There is no cache yet: {cache_path()}")
    reply.done({"path": str(cache_path()), "exists": False, "entries": 0, "bytes": 0, "deleted": 0})


def _done(reply: Reply, done: CacheShrunk) -> None:
    from personae.models import cache_path

    data: dict[str, Any] = {"path": str(cache_path()), "exists": True, "bytes_before": done.before}
    reply.done(data | {"bytes_after": done.after, "deleted": done.deleted})


def _size(count: int) -> str:
    return f"{count:,} bytes" if count < 1_000_000 else f"{count / 1e6:,.1f} MB"
