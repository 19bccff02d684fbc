"""Directions from and for other tools: persona vectors, assistant-axis files, repeng control vectors; GGUF.

Conventions bite silently, so each is said once here and tested:
    persona vectors   tensor (blocks + 1, width); row 0 is the embedding, row b + 1 the stream after block b
    assistant axis    tensor (blocks, width); row b is the stream after block b
    repeng, GGUF      `direction.b`; b counts blocks from 0, llama.cpp adds it after block b and ignores b = 0
Capping vectors of assistant-axis configs point away from the Assistant: `Ceil(v, cap)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

import numpy as np

from personae.core import InputError, MissingDependencyError
from personae.steering._directions import Direction, Floats, load_directions, read_tensors
from personae.steering._operations import Ceil

Layout: TypeAlias = Literal["auto", "embedding_first", "blocks"]


def import_directions(
    path: Path | str, *, blocks: int | None = None, layout: Layout = "auto", name: str | None = None
) -> dict[str, Direction]:
    """Read directions that personae or another tool wrote: .safetensors, .pt, .npy or .gguf.

    Args:
        path: file. Torch files are read with `weights_only`: nothing in them is run.
        blocks: of the model; decides whether a tensor of rows has an embedding row (blocks + 1 rows) or not.
        layout: says it outright: `embedding_first` or `blocks`.
        name: of a file's only direction; None = the file's stem.

    Returns:
        Directions by name. Rows of zeros (blocks without a vector) are left out.

    Raises:
        InputError: not such a file, or rows that could be either layout.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"no file {str(path)!r}.")
    if path.suffix == ".gguf":
        return _only(_from_gguf(path), name or path.stem)
    if path.suffix == ".safetensors":
        metadata, tensors = read_tensors(path)
        if "personae" in metadata:
            return load_directions(path)
    elif path.suffix == ".npy":
        tensors = {"": np.load(path, allow_pickle=False)}
    elif path.suffix in {".pt", ".pth", ".bin"}:
        tensors = _from_torch(path)
    else:
        raise InputError(f"{str(path)!r}: expected .safetensors, .pt, .npy or .gguf.")
    numbered = {int(k.rpartition(".")[2]): v for k, v in tensors.items() if k.startswith("direction.")}
    if numbered and len(numbered) == len(tensors):
        return _only(numbered, name or path.stem)
    out: dict[str, Direction] = {}
    for key, rows in tensors.items():
        own = (name if len(tensors) == 1 and name else key) or path.stem
        out |= _only(_by_block(np.asarray(rows, np.float32), blocks, layout, f"{path.name}, {own}"), own)
    return out


def import_caps(path: Path | str, experiment: str) -> tuple[Ceil, ...]:
    """Capping operations of one experiment of an assistant-axis capping config.

    The file holds `vectors` (name to layer and vector) and `experiments` (id and interventions of a vector and a cap).
    Stored vectors point away from the Assistant and are capped from above; their length is divided out, caps are in
    units of the activations.

    Raises:
        InputError: not such a file, or no such experiment.
    """
    path = Path(path)
    body = _read_torch(path)
    try:
        vectors: dict[str, Any] = body["vectors"]
        experiments: list[dict[str, Any]] = body["experiments"]
        listed = {str(e["id"]): e for e in experiments}
    except (KeyError, TypeError) as error:
        raise InputError(f"{str(path)!r} is no capping config: it has no {error}.") from error
    if experiment not in listed:
        raise InputError(f"{str(path)!r} has no experiment {experiment!r}; it has {', '.join(sorted(listed)[:8])} …")
    out: list[Ceil] = []
    for step in listed[experiment]["interventions"]:
        if "cap" not in step:
            raise InputError(f"experiment {experiment!r} has an intervention without a cap: {sorted(step)!r}.")
        entry = vectors[step["vector"]]
        values = np.asarray(entry["vector"], dtype=np.float32).reshape(-1)
        out.append(Ceil(Direction(str(step["vector"]), {int(entry["layer"]): values}), float(step["cap"])))
    return tuple(out)


def export_gguf(path: Path | str, direction: Direction, *, strength: float = 1.0, architecture: str = "llama") -> Path:
    """Write a llama.cpp control vector, for `--control-vector`.

    Args:
        path: target.
        direction: of the residual stream, at blocks 1 and up.
        strength: in mean lengths of the activations where the direction knows them, else a factor of the vectors; put
            into the numbers, so that the tool's own scale of 1 is that strength.
        architecture: of the model, as its own GGUF names it.

    Raises:
        InputError: a head direction, or one with a vector at block 0, which llama.cpp leaves out.
        MissingDependencyError: gguf is not installed.
    """
    if direction.part != "block" or 0 in direction.vectors:
        what = "of attention heads" if direction.part != "block" else "at block 0"
        raise InputError(
            f"direction {direction.name!r} is {what}: llama.cpp adds to the residual stream after blocks 1 and up.",
            hint="Use direction.on(...) with later blocks.",
        )
    try:
        import gguf
    except ImportError as error:
        raise MissingDependencyError.of("gguf", "gguf") from error
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    writer: Any = gguf.GGUFWriter(str(path), "controlvector")
    writer.add_string("controlvector.model_hint", architecture)
    writer.add_uint32("controlvector.layer_count", len(direction.blocks))
    for block in direction.blocks:
        values = direction.at(block)
        if block in direction.norms:
            values = direction.unit().at(block) * np.float32(direction.norm(block))
        writer.add_tensor(f"direction.{block}", (values * np.float32(strength)).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _from_gguf(path: Path) -> dict[int, Floats]:
    try:
        import gguf
    except ImportError as error:
        raise MissingDependencyError.of("gguf", "gguf") from error
    try:
        reader: Any = gguf.GGUFReader(str(path))
    except (ValueError, OSError, IndexError, KeyError) as error:
        raise InputError(f"{str(path)!r} is no readable GGUF file: {error}") from error
    found: dict[int, Floats] = {}
    for tensor in reader.tensors:
        kind, _, number = str(tensor.name).rpartition(".")
        if kind == "direction" and number.isdigit():
            found[int(number)] = np.array(tensor.data, dtype=np.float32)
    if not found:
        raise InputError(f"{str(path)!r} holds no control vector: no tensor is called direction.N.")
    return found


def _from_torch(path: Path) -> dict[str, Floats]:
    body = _read_torch(path)
    if not isinstance(body, Mapping):
        return {"": _numpy(body, path)}
    table = cast("Mapping[Any, Any]", body)
    if "vector" in table:  # one role or axis with what is known about it
        return {str(table.get("role", "")): _numpy(table["vector"], path)}
    if "directions" in table:  # a pickled control vector's state
        return {f"direction.{b}": _numpy(v, path) for b, v in table["directions"].items()}
    if all(isinstance(k, int) for k in table):
        return {f"direction.{b}": _numpy(v, path) for b, v in table.items()}
    return {str(k): _numpy(v, path) for k, v in table.items()}


def _read_torch(path: Path) -> Any:
    try:
        import torch
    except ImportError as error:
        raise MissingDependencyError.of("torch", "torch") from error
    if not path.is_file():
        raise InputError(f"no file {str(path)!r}.")
    try:
        return torch.load(str(path), map_location="cpu", weights_only=True)
    except Exception as error:  # unpickling fails in many ways
        raise InputError(
            f"{str(path)!r} cannot be read as tensors: {str(error)[:200]}",
            hint="Files that hold program objects are not opened; save the tensors alone.",
        ) from error


def _numpy(value: Any, path: Path) -> Floats:
    try:
        return np.asarray(value.float().numpy() if hasattr(value, "float") else value, dtype=np.float32)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            f"{str(path)!r} holds something that is no tensor of numbers: {type(value).__name__}."
        ) from error


def _by_block(rows: Floats, blocks: int | None, layout: Layout, what: str) -> dict[int, Floats]:
    if rows.ndim != 2:
        raise InputError(f"{what}: a tensor of shape {rows.shape}, expected (blocks, width).")
    if layout == "auto":
        if blocks is None or len(rows) not in {blocks, blocks + 1}:
            known = "nobody said how many blocks the model has" if blocks is None else f"the model has {blocks} blocks"
            raise InputError(
                f"{what}: {len(rows)} rows, and {known}: which row is which block cannot be told.",
                hint="Give blocks=, or layout='embedding_first' (persona vectors) or 'blocks' (assistant axis).",
            )
        layout = "embedding_first" if len(rows) == blocks + 1 else "blocks"
    skip = 1 if layout == "embedding_first" else 0
    return dict(enumerate(rows[skip:]))


def _only(vectors: Mapping[int, Floats], name: str) -> dict[str, Direction]:
    kept = {b: v for b, v in vectors.items() if float(np.abs(v).max(initial=0.0)) > 0}
    return {name: Direction(name, kept, notes={"method": "imported"})}
