"""`personae steer` and `personae drift`: directions in a model's activations, and where conversations stand on one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from personae.cli._output import Debug, Json, Reply, Seed, guarded

if TYPE_CHECKING:
    from personae.models import GenerateRequest, Model
    from personae.steering import Direction

steer_app = typer.Typer(no_args_is_help=True)

Weights = Annotated[str, typer.Option("--model", help="Weights in torch: hf:smollm2 (embedded) or hf:FOLDER.")]
File = Annotated[Path, typer.Argument(help="A file of directions: what `steer fit` wrote, or another tool's.")]
Named = Annotated[str | None, typer.Option("--name", help="Which direction, where the file holds several.")]
Blocks = Annotated[
    str | None, typer.Option("--blocks", help="Blocks, counted from 0: 12, or 8-20, or 4,8,12.", show_default="all")
]


@steer_app.command("fit")
@guarded
def fit(
    name: Annotated[str, typer.Argument(help="What the direction stands for: calm, pirate, …")],
    positive: Annotated[list[str], typer.Option("--positive", help="System text with more of it; give several.")],
    negative: Annotated[list[str], typer.Option("--negative", help="System text with less of it; give several.")],
    out: Annotated[Path, typer.Option("--out", help="File to write (.safetensors); how it was made stands beside it.")],
    model: Weights = "hf:smollm2",
    questions: Annotated[
        Path | None, typer.Option("--questions", help="Text file, one question a line.", show_default="twelve of ours")
    ] = None,
    read: Annotated[
        str, typer.Option("--read", help="last: the last token before an answer; reply: the tokens of a written one.")
    ] = "last",
    method: Annotated[str, typer.Option("--method", help="difference, pca (pairs) or logistic.")] = "difference",
    blocks: Blocks = None,
    force: Annotated[bool, typer.Option("--force", help="Write over an existing file.")] = False,
    seed: Seed = 7,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Learn a direction from two kinds of system text, and say for each block how well it holds on unseen rows."""
    import asyncio

    from personae.core import InputError
    from personae.models import open_model
    from personae.steering import block_sites, extract, learn_direction, save_directions

    reply = Reply(as_json=as_json)
    if out.exists() and not force:
        raise InputError(f"{str(out)!r} exists.", hint="Name another file, or add --force to write over it.")
    if read not in {"last", "reply"}:
        raise InputError(f"--read {read!r}.", hint="Use last or reply.")
    asked = _questions(questions)

    async def learn() -> Any:
        llm = open_model(model)
        try:
            sites = block_sites(llm, _numbers(blocks))
            sides = [
                [_request(text, question) for text in texts for question in asked] for texts in (positive, negative)
            ]
            if read == "reply":
                sides = [[await _answered(llm, request, seed) for request in side] for side in sides]
            found = [await extract(llm, side, sites, tokens="reply" if read == "reply" else "last") for side in sides]
            paired = len(positive) == len(negative) > 1
            groups = [k for k in range(len(positive)) for _ in asked] if paired else None
            return learn_direction(name, found[0], found[1], method=method, groups=groups, seed=seed)  # type: ignore[arg-type]
        finally:
            await llm.close()

    learned = asyncio.run(learn())
    path = save_directions(out, [learned.direction, *learned.controls])
    rows: list[dict[str, Any]] = []
    for block, held in learned.held_out.items():
        null = learned.shuffled[block]
        rows.append(
            {
                "block": block, "held-out AUC": f"{held.value:.3f}", "interval": _interval(held.interval),
                "shuffled": f"{null[len(null) // 2]:.3f} to {null[-1]:.3f}", "p": f"{learned.p_value(block):.3f}",
                "length": f"{learned.direction.norm(block):.1f}",
            }
        )  # fmt: skip
    reply.table(rows, ("block", "held-out AUC", "interval", "shuffled", "p", "length"))
    reply.line("AUC: how often a row with more of it is above one with less, on system texts it was not learnt from")
    reply.line(
        "shuffled: the same after exchanging labels, median to largest of 19; length: mean length of activations"
    )
    reply.line(f"n = {len(positive) * len(asked)} and {len(negative) * len(asked)} rows, seed {seed}, {model}: {path}")
    if len(positive) != len(negative) or len(positive) < 2:
        reply.warn(
            "rows of one system text are alike, and the numbers above do not know it: give as many of both kinds."
        )
    elif len(positive) < 6:
        reply.warn(
            f"{len(positive)} pairs of system texts: p cannot get below {2 / 2 ** len(positive):.2f}; give 6 or more."
        )
    reply.done({"file": str(path), "direction": name, "model": learned.direction.model, "blocks": rows})


@steer_app.command("show")
@guarded
def show(
    file: File,
    model_blocks: Annotated[
        int | None, typer.Option("--model-blocks", help="Blocks of the model, for tensors of rows.")
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """What a file of directions holds."""
    from personae.steering import import_directions

    reply = Reply(as_json=as_json)
    rows: list[dict[str, Any]] = []
    for name, d in import_directions(file, blocks=model_blocks).items():
        made = ", ".join(f"{k} {v}" for k, v in d.notes.items())
        span = f"{d.blocks[0]}-{d.blocks[-1]} ({len(d.blocks)})"
        rows.append({"name": name, "part": d.part, "blocks": span, "size": d.size, "model": d.model, "made": made})
    reply.table(rows, ("name", "part", "blocks", "size", "model", "made"))
    reply.done({"directions": rows})


@steer_app.command("apply")
@guarded
def apply(
    file: File,
    prompt: Annotated[str, typer.Argument(help="What is said to the model.")],
    strength: Annotated[
        list[float] | None,
        typer.Option("--strength", help="In mean lengths of the activations; several are shown side by side."),
    ] = None,
    model: Annotated[str, typer.Option("--model", help="hf:smollm2, hf:FOLDER, or a GGUF: smollm2, gguf:PATH.")] = (
        "hf:smollm2"
    ),
    name: Named = None,
    blocks: Blocks = None,
    system: Annotated[str | None, typer.Option("--system", help="System text.")] = None,
    tokens: Annotated[int, typer.Option("--tokens", min=1, help="Most tokens of an answer.")] = 60,
    seed: Seed = 7,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Answer with a direction added at several strengths, beside the plain answer."""
    import asyncio

    from personae.models import GenerateRequest as Request
    from personae.models import Message, Sampling, open_model
    from personae.steering import Add, steered

    reply = Reply(as_json=as_json)
    direction = _direction(file, name, blocks, model)
    told = [Message("system", system)] if system is not None else []
    request = Request((*told, Message("user", prompt)), Sampling(temperature=0.7, max_tokens=tokens), seed=seed)

    async def answers() -> list[tuple[float, str]]:
        llm = open_model(model)
        try:
            out: list[tuple[float, str]] = []
            for value in (0.0, *(strength or [-0.1, 0.1])):
                changed = steered(llm, Add(direction, value)) if value else llm
                out.append((value, (await changed.generate(request)).text.strip()))
            return out
        finally:
            await llm.close()

    made = asyncio.run(answers())
    for value, text in made:
        reply.line(f"[{value:+.2f} {direction.name}]" if value else "[plain]")
        reply.line(text)
        reply.line()
    reply.done({"answers": [{"strength": value, "text": text} for value, text in made], "seed": seed})


@steer_app.command("export")
@guarded
def export(
    file: File,
    out: Annotated[Path, typer.Option("--out", help="Control vector for llama.cpp (.gguf).")],
    name: Named = None,
    blocks: Blocks = None,
    strength: Annotated[
        float, typer.Option("--strength", help="In mean lengths of the activations; written into the numbers.")
    ] = 1.0,
    force: Annotated[bool, typer.Option("--force", help="Write over an existing file.")] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Write a direction as a control vector: llama.cpp adds it with --control-vector, at blocks 1 and up."""
    from personae.core import InputError
    from personae.steering import export_gguf

    reply = Reply(as_json=as_json)
    if out.exists() and not force:
        raise InputError(f"{str(out)!r} exists.", hint="Name another file, or add --force to write over it.")
    direction = _direction(file, name, blocks, None)
    kept = [b for b in direction.blocks if b > 0]
    if kept and kept != list(direction.blocks):
        direction = direction.on(*kept)
        reply.warn("block 0 is left out: llama.cpp adds nothing there.")
    path = export_gguf(out, direction, strength=strength)
    reply.line(f"{direction.name}, blocks {direction.blocks[0]} to {direction.blocks[-1]}: {path}")
    reply.done({"file": str(path), "blocks": list(direction.blocks), "strength": strength})


@guarded
def drift(
    file: Annotated[Path, typer.Argument(help="A run folder, or conversations as JSON or JSON Lines.")],
    direction: Annotated[Path, typer.Option("--direction", help="File of directions (see `steer fit`).")],
    model: Weights = "hf:smollm2",
    name: Named = None,
    block: Annotated[int | None, typer.Option("--block", help="Where to look.", show_default="the middle one")] = None,
    role: Annotated[str, typer.Option("--role", help="Whose turns: assistant or user.")] = "assistant",
    threshold: Annotated[float | None, typer.Option("--threshold", help="Mark turns below this projection.")] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Where every turn of conversations stands on a direction. Nothing is generated: one pass a conversation."""
    import asyncio

    from personae.core import InputError
    from personae.formats import read_transcripts
    from personae.models import open_model
    from personae.steering import drift as gauge

    reply = Reply(as_json=as_json)
    if role not in {"assistant", "user"}:
        raise InputError(f"--role {role!r}.", hint="Use assistant or user.")
    talks = read_transcripts(file)
    axis = _direction(direction, name, None, model)

    async def look() -> Any:
        llm = open_model(model)
        try:
            messages = [t.messages for t in talks]
            return await gauge(llm, messages, axis, block=block, role=role, threshold=threshold)  # type: ignore[arg-type]
        finally:
            await llm.close()

    points = asyncio.run(look())
    data: list[dict[str, Any]] = []
    for k, talk in enumerate(talks):
        own = [p for p in points if p.conversation == k]
        values = [p.projection for p in own]
        below = next((p.turn for p in own if p.below), None)
        data.append({"conversation": talk.name, "turns": len(own), "projections": values, "first_below": below})
    reply.table([_trace(d) for d in data], ("conversation", "turns", "first", "last", "lowest", "trace", "below"))
    many = sum(len(d["projections"]) > 1 for d in data)
    reply.line(f"{axis.name} after block {axis.blocks[len(axis.blocks) // 2] if block is None else block}, {model};")
    reply.line("projection of the mean activation of a turn; positive is more of the direction's name")
    if many < 2:
        reply.warn("one conversation shows where it went, not that such conversations drift.")
    reply.done({"direction": axis.name, "conversations": data, "threshold": threshold})


_BARS = "▁▂▃▄▅▆▇█"


def _trace(row: dict[str, Any]) -> dict[str, str]:
    values: list[float] = row["projections"]
    if not values:
        return {"conversation": str(row["conversation"])[:60], "turns": "0"}
    low, span = min(values), (max(values) - min(values)) or 1.0
    bars = "".join(_BARS[min(7, int(8 * (v - low) / span))] for v in values[:60])
    below = "" if row["first_below"] is None else f"turn {row['first_below']}"
    return {
        "conversation": str(row["conversation"])[-60:], "turns": str(len(values)), "first": f"{values[0]:.2f}",
        "last": f"{values[-1]:.2f}", "lowest": f"{min(values):.2f}", "trace": bars, "below": below,
    }  # fmt: skip


def _direction(file: Path, name: str | None, blocks: str | None, model: str | None) -> Direction:
    from personae.core import InputError
    from personae.models import Changeable, open_model, unwrap
    from personae.steering import import_directions

    count = None
    if model is not None and file.suffix != ".gguf":
        inner = unwrap(open_model(model, cache="off"))
        count = inner.anatomy.blocks if isinstance(inner, Changeable) else None
    found = import_directions(file, blocks=count)
    if name is None:
        name = next(iter(found))
    if name not in found:
        raise InputError(f"{str(file)!r} has no direction {name!r}; it has {', '.join(found)}.")
    numbers = _numbers(blocks)
    return found[name].on(*numbers) if numbers else found[name]


def _numbers(blocks: str | None) -> list[int] | None:
    from personae.core import InputError

    if blocks is None:
        return None
    out: list[int] = []
    for part in blocks.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            raise InputError(f"--blocks {blocks!r}.", hint="Write 12, or 8-20, or 4,8,12; the first block is 0.")
        out += range(int(first), int(last or first) + 1)
    return out


def _questions(path: Path | None) -> list[str]:
    from personae.core import InputError
    from personae.steering import OPEN_QUESTIONS

    if path is None:
        return list(OPEN_QUESTIONS)
    if not path.is_file():
        raise InputError(f"no file {str(path)!r}.", hint="Give a text file with one question a line.")
    lines = [line.strip() for line in path.read_text("utf-8").splitlines() if line.strip()]
    if not lines:
        raise InputError(f"{str(path)!r} holds no question.")
    return lines


def _request(system: str, question: str) -> GenerateRequest:
    from personae.models import GenerateRequest, Message

    return GenerateRequest((Message("system", system), Message("user", question)))


async def _answered(llm: Model, request: GenerateRequest, seed: int) -> GenerateRequest:
    from dataclasses import replace

    from personae.models import Message, Sampling

    asked = replace(request, sampling=Sampling(temperature=0.7, max_tokens=48), seed=seed)
    said = (await llm.generate(asked)).text.strip() or "…"
    return replace(request, messages=(*request.messages, Message("assistant", said)))


def _interval(interval: Any) -> str:
    return f"[{interval.low:.2f}, {interval.high:.2f}]" if interval.known else "unknown"
