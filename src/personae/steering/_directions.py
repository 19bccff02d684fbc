"""Directions in a model's activations: one vector for each block, algebra, and files that say how."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from personae.core import InputError, MissingDependencyError, SchemaError
from personae.models import Anatomy, Part

Floats: TypeAlias = NDArray[np.float32]
Note: TypeAlias = str | int | float | bool

_VERSION: Final = 1
_TINY: Final = 1e-12


@dataclass(frozen=True, eq=False)
class Direction:
    """One direction at several blocks of one model.

    Attributes:
        name: what it stands for; positive is more of it.
        vectors: 0-based block to a vector of shape (size of the site,); no embedding row.
        part: `block` for the residual stream after a block, `heads` for what its heads give to the output projection.
        norms: block to the mean length of the activations of tokens there: the unit of `Add(..., unit="norm")`.
        model: which weights it belongs to (see `model_identity`); '' = unknown.
        notes: how it was made: method, rows, tokens, seed.

    Raises:
        InputError: no block, vectors of several sizes, or a number that is not finite.

    >>> d = Direction("calm", {3: np.array([3.0, 4.0], np.float32)})
    >>> d.unit().at(3).round(1).tolist(), (-d).project([[1.0, 0.0]], 3).round(1).tolist()
    ([0.6, 0.8], [-0.6])
    """

    name: str
    vectors: Mapping[int, Floats]
    part: Part = "block"
    norms: Mapping[int, float] = field(default_factory=dict[int, float])
    model: str = ""
    notes: Mapping[str, Note] = field(default_factory=dict[str, Note])

    def __post_init__(self) -> None:
        if not self.vectors:
            raise InputError(f"direction {self.name!r} has no block.", hint="Give a vector for at least one block.")
        table = {int(b): np.asarray(v, dtype=np.float32) for b, v in sorted(self.vectors.items())}
        shapes = {v.shape for v in table.values()}
        if len(shapes) != 1 or len(next(iter(shapes))) != 1:
            raise InputError(f"direction {self.name!r} has vectors of shapes {sorted(shapes)}, expected one (size,).")
        for block, values in table.items():
            if block < 0 or not np.isfinite(values).all():
                raise InputError(
                    f"direction {self.name!r}, block {block}: expected a block from 0 and finite numbers.",
                    hint="Was the model run in half precision?",
                )
            values.setflags(write=False)
        object.__setattr__(self, "vectors", table)

    @property
    def blocks(self) -> tuple[int, ...]:
        """The blocks it has, ascending."""
        return tuple(self.vectors)

    @property
    def size(self) -> int:
        """Numbers of each vector."""
        return next(iter(self.vectors.values())).size

    @cached_property
    def digest(self) -> str:
        """sha256 over part, blocks and numbers: what the direction does, not what it is called."""
        whole = hashlib.sha256(self.part.encode())
        for block, values in self.vectors.items():
            whole.update(f"|{block}:{values.size}|".encode())
            whole.update(values.astype("<f4").tobytes())
        return whole.hexdigest()

    def at(self, block: int) -> Floats:
        """The vector of one block.

        Raises:
            InputError: it has none there.
        """
        found = self.vectors.get(block)
        if found is None:
            raise InputError(f"direction {self.name!r} has no block {block}; it has {_listed(self.blocks)}.")
        return found

    def norm(self, block: int) -> float:
        """Mean length of activations at a block.

        Raises:
            InputError: not known.
        """
        found = self.norms.get(block)
        if found is None:
            raise InputError(
                f"direction {self.name!r} does not know how long activations are after block {block}.",
                hint="Extract it with personae, use unit='raw', or give norms=.",
            )
        return found

    def on(self, *blocks: int) -> Direction:
        """The same at fewer blocks."""
        return replace(self, vectors={block: self.at(block) for block in blocks})

    def unit(self) -> Direction:
        """Every vector at length 1.

        Raises:
            InputError: a vector has no length.
        """
        return self._with({b: v / self._length(b) for b, v in self.vectors.items()})

    def orthogonal_to(self, *others: Direction) -> Direction:
        """What is left at each block without the span of the others."""
        out: dict[int, Floats] = {}
        for block, values in self.vectors.items():
            basis, _ = np.linalg.qr(np.stack([o.at(block) for o in others], axis=1).astype(np.float64))
            wide = values.astype(np.float64)
            out[block] = (wide - basis @ (basis.T @ wide)).astype(np.float32)
        return self._with(out)

    def cosine(self, other: Direction) -> dict[int, float]:
        """Cosine at every block that both have.

        Raises:
            InputError: they share no block, or differ in part or size.
        """
        self._like(other)
        shared = [b for b in self.blocks if b in other.vectors]
        if not shared:
            raise InputError(
                f"{self.name!r} has blocks {_listed(self.blocks)}, {other.name!r} {_listed(other.blocks)}: none shared."
            )
        return {
            b: float(self.at(b).astype(np.float64) @ other.at(b) / (self._length(b) * other._length(b))) for b in shared
        }

    def project(self, values: ArrayLike, block: int) -> NDArray[np.float64]:
        """Length of activations along the unit direction: (…, size) to (…,).

        Source: The Assistant Axis (arXiv 2601.10387), projection h · a / |a|.
        """
        return np.asarray(values, dtype=np.float64) @ self.at(block).astype(np.float64) / self._length(block)

    def __neg__(self) -> Direction:
        return self * -1.0

    def __mul__(self, factor: float) -> Direction:
        return self._with({b: v * np.float32(factor) for b, v in self.vectors.items()})

    __rmul__ = __mul__

    def __add__(self, other: Direction) -> Direction:
        self._like(other)
        blocks = [b for b in self.blocks if b in other.vectors]
        summed = replace(self, vectors={b: self.at(b) + other.at(b) for b in blocks}, notes={"method": "sum"})
        return replace(summed, name=f"{self.name} + {other.name}")

    def __sub__(self, other: Direction) -> Direction:
        return replace(self + -other, name=f"{self.name} - {other.name}")

    def check(self, anatomy: Anatomy) -> None:
        """Make sure that it fits a network.

        Raises:
            InputError: it has other blocks or another size.
        """
        wanted = anatomy.size(self.part)
        if self.size != wanted or self.blocks[-1] >= anatomy.blocks:
            raise InputError(
                f"direction {self.name!r} has blocks up to {self.blocks[-1]} of {self.size} numbers; this model has "
                f"{anatomy.blocks} blocks of {wanted}.",
                hint="Directions are made for one model; extract it again for this one.",
            )

    def _with(self, vectors: Mapping[int, Floats]) -> Direction:
        return replace(self, vectors=vectors)

    def _length(self, block: int) -> float:
        length = float(np.linalg.norm(self.at(block).astype(np.float64)))
        if length < _TINY:
            raise InputError(f"direction {self.name!r} has no length at block {block}.")
        return length

    def _like(self, other: Direction) -> None:
        if (self.part, self.size) != (other.part, other.size):
            raise InputError(
                f"{self.name!r} is of {self.part} with {self.size} numbers, {other.name!r} of {other.part} with "
                f"{other.size}: they cannot be put together."
            )


def save_directions(path: Path | str, directions: Direction | Sequence[Direction]) -> Path:
    """Write directions to a safetensors file, and beside it, under the same name with `.json`, how they were made.

    Raises:
        InputError: two of one name, or a name with a slash.
        MissingDependencyError: safetensors is not installed.
    """
    path = Path(path)
    given = [directions] if isinstance(directions, Direction) else list(directions)
    names = [d.name for d in given]
    if len(set(names)) != len(names) or any("/" in name or not name for name in names):
        raise InputError(f"directions named {names!r}: expected different names without slashes.")
    tensors = {f"{d.name}/{b}": np.ascontiguousarray(v) for d in given for b, v in d.vectors.items()}
    about = {"personae_directions": _VERSION, "directions": [_about(d) for d in given]}
    path.parent.mkdir(parents=True, exist_ok=True)
    _safetensors().save_file(tensors, str(path), metadata={"personae": json.dumps(about)})
    path.with_suffix(".json").write_text(json.dumps(about, indent=2) + "\n", "utf-8")
    return path


def load_directions(path: Path | str) -> dict[str, Direction]:
    """Read what `save_directions` wrote, by name. The tensors file alone is enough.

    Raises:
        InputError: no such file, or one that was made elsewhere (see `import_directions`).
        SchemaError: tensors and what is said about them do not belong together.
    """
    path = Path(path)
    metadata, tensors = read_tensors(path)
    told = metadata.get("personae")
    if told is None:
        raise InputError(
            f"{str(path)!r} was not written by personae.",
            hint="Other tools' files: personae.steering.import_directions.",
        )
    about: dict[str, Any] = json.loads(told)
    if about.get("personae_directions") != _VERSION:
        raise SchemaError(f"{str(path)!r} has version {about.get('personae_directions')!r}, expected {_VERSION}.")
    out: dict[str, Direction] = {}
    for entry in cast("list[dict[str, Any]]", about["directions"]):
        name = str(entry["name"])
        vectors = {int(k.rpartition("/")[2]): v for k, v in tensors.items() if k.rpartition("/")[0] == name}
        if not vectors:
            raise SchemaError(f"{str(path)!r} says it holds {name!r}, but has no tensors of that name.")
        made = Direction(
            name,
            vectors,
            entry["part"],
            {int(k): float(v) for k, v in entry["norms"].items()},
            entry["model"],
            entry["notes"],
        )
        if made.digest != entry["digest"]:
            raise SchemaError(f"{str(path)!r}: the numbers of {name!r} are not those that were saved.")
        out[name] = made
    return out


def read_tensors(path: Path) -> tuple[dict[str, str], dict[str, Floats]]:
    """Metadata and tensors of a safetensors file.

    Raises:
        InputError: it cannot be read.
        MissingDependencyError: safetensors is not installed.
    """
    library = _safetensors()
    if not path.is_file():
        raise InputError(f"no file {str(path)!r}.")
    try:
        with library.safe_open(str(path), framework="numpy") as file:
            tensors = {name: np.asarray(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
            return dict(file.metadata() or {}), tensors
    except Exception as error:  # the library raises an exception of its own
        raise InputError(f"{str(path)!r} is no readable safetensors file: {error}") from error


def by_name(directions: Iterable[Direction]) -> dict[str, Direction]:
    """Directions under their names."""
    return {direction.name: direction for direction in directions}


def _about(direction: Direction) -> dict[str, Any]:
    return {
        "name": direction.name,
        "part": direction.part,
        "blocks": list(direction.blocks),
        "block_numbers": "0-based, no embedding row",
        "norms": {str(b): n for b, n in direction.norms.items()},
        "model": direction.model,
        "notes": dict(direction.notes),
        "digest": direction.digest,
    }


class _Library:
    """The numpy side of safetensors."""

    def __init__(self) -> None:
        try:
            from safetensors import safe_open
            from safetensors.numpy import save_file
        except ImportError as error:
            raise MissingDependencyError.of("safetensors", "torch") from error
        self.safe_open: Any = safe_open
        self.save_file: Any = save_file


def _safetensors() -> _Library:
    return _Library()


def _listed(blocks: Sequence[int]) -> str:
    if len(blocks) > 2 and blocks[-1] - blocks[0] == len(blocks) - 1:
        return f"{blocks[0]} to {blocks[-1]}"
    return ", ".join(map(str, blocks))
