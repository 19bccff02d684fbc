"""`personae models`: weights of the embedded models."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from personae.cli._output import Debug, Json, Reply, guarded, note

models_app = typer.Typer(no_args_is_help=True)

Name = Annotated[
    str, typer.Argument(help="smollm2, gemma3-270m (language models) or minilm (tokenizer of the encoder).")
]


@models_app.command("get")
@guarded
def get(
    name: Name,
    force: Annotated[bool, typer.Option("--force", help="Fetch and convert again.")] = False,
    accept_licence: Annotated[
        bool,
        typer.Option("--accept-licence", help="You have read the terms that the model comes under, and accept them."),
    ] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Fetch weights into the user's cache and make the copies the engine wants, with checksums."""
    from personae.models import fetch_minilm, get_weights, minilm_tokenizer_path

    reply = Reply(as_json=as_json)
    if name == "minilm":
        path = minilm_tokenizer_path()
        if force or not path.exists():
            path = fetch_minilm()
        reply.line(f"minilm: {path}")
        reply.done({"name": name, "files": [str(path)]})
        return
    accepted = accept_licence or _accepts(name, force=force, as_json=as_json)
    manifest = get_weights(name, note, force=force, accept_licence=accepted)
    for kind, cached in manifest.files.items():
        reply.line(f"{name} {kind}: {cached.file}  {cached.bytes / 1e6:.0f} MB  sha256 {cached.sha256[:16]}…")
    reply.done({"name": name, "weights": manifest.model_dump(mode="json")})


def _accepts(name: str, *, force: bool, as_json: bool) -> bool:
    """Show terms and ask, where something is to be fetched and somebody is there to answer."""
    from personae.models import list_weights

    known = next((row for row in list_weights() if row.name == name), None)
    if known is None or not known.terms or (known.present and not force):
        return False
    if as_json or not sys.stdin.isatty():
        return False
    note(f"{known.title} comes under the {known.licence}, which are not an open-source licence: {known.terms}")
    return typer.confirm("Have you read them, and do you accept them?", default=False)


@models_app.command("list")
@guarded
def list_(as_json: Json = False, debug: Debug = False) -> None:
    """Models this release knows, and which are on this machine."""
    from personae.models import list_weights

    reply = Reply(as_json=as_json)
    rows = [
        {
            "name": w.name,
            "title": w.title,
            "licence": w.licence,
            "download": f"{w.download_bytes / 1e6:.0f} MB",
            "on disk": f"{w.cached_bytes / 1e6:.0f} MB",
            "present": w.problem or ("yes" if w.present else "no"),
        }
        for w in list_weights()
    ]
    reply.table(rows, ("name", "title", "licence", "download", "on disk", "present"))
    reply.done({"models": rows})


@models_app.command("verify")
@guarded
def verify(name: Name = "smollm2", as_json: Json = False, debug: Debug = False) -> None:
    """Compute the checksums of the cached copies again and compare."""
    from personae.models import verify_weights

    reply = Reply(as_json=as_json)
    manifest = verify_weights(name)
    for cached in manifest.files.values():
        reply.line(f"ok  sha256 {cached.sha256[:16]}…  {cached.file}")
    reply.done({"name": name, "weights": manifest.model_dump(mode="json")})
