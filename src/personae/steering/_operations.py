"""What can be done to activations: add, ablate, hold above or below a threshold, shift heads, and only when.

    Add        h + strength · norm · v̂   (unit="norm"), or h + strength · v (unit="raw")
    Ablate     h − (h · v̂ − to) v̂
    Floor      h + max(0, τ − h · v̂) v̂
    Ceil       h − max(0, h · v̂ − τ) v̂
    HeadShift  strength · vector added to what heads give to the output projection
    When       another operation, at the tokens whose projection on a gate passes a threshold

v̂ is the unit vector of a direction at a block. Scope says at which tokens: `all`, those of the `prompt`, or those of
the `reply` (what the model says, and options that are scored).

Source: The Assistant Axis (arXiv 2601.10387), capping; its released code caps from above on a stored vector, which is
`Ceil(v, τ)` here and the same as `Floor(−v, −τ)`. Ablation: arXiv 2406.11717 §2.4. Head shifts: arXiv 2306.03341 §3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias

import numpy as np

from personae.core import InputError, content_id
from personae.models import Anatomy, Change, Flow, Site
from personae.steering._directions import Direction, Floats

if TYPE_CHECKING:
    from torch import Tensor

Scope: TypeAlias = Literal["all", "prompt", "reply"]
Threshold: TypeAlias = float | Mapping[int, float]
"""A projection, one for all blocks or one each, in the units of the activations."""

_SCOPES: Final = ("all", "prompt", "reply")


class Operation(Protocol):
    """Something that can be done to activations at one or more sites."""

    @property
    def label(self) -> str:
        """Content hash of everything that decides what it does."""
        ...

    def changes(self, anatomy: Anatomy) -> tuple[Change, ...]:
        """One change for each site.

        Raises:
            InputError: it does not fit the network.
        """
        ...


@dataclass(frozen=True)
class Add:
    """Add a direction.

    Attributes:
        direction: at every block it has (see `Direction.on`).
        strength: in mean lengths of the activations there (`unit="norm"`), or as a factor of the vector (`raw`).
            Half a length destroys the text of small models; start at .05 to .2.
        unit: `norm` or `raw`.
        scope: see the module's docstring.
    """

    direction: Direction
    strength: float
    unit: Literal["norm", "raw"] = "norm"
    scope: Scope = "all"

    def __post_init__(self) -> None:
        _check_scope(self.scope)
        if not np.isfinite(self.strength):
            raise InputError(f"strength is {self.strength!r}, expected a finite number.")

    @property
    def label(self) -> str:
        """Content hash."""
        return content_id("add", {"v": [self._vector(b).tolist() for b in self.direction.blocks], **_where(self)})

    def changes(self, anatomy: Anatomy) -> tuple[Change, ...]:
        """One for each block of the direction."""
        self.direction.check(anatomy)
        return tuple(
            _Shift(Site(b, self.direction.part), f"{self.label}@{b}", self.scope, self._vector(b))
            for b in self.direction.blocks
        )

    def _vector(self, block: int) -> Floats:
        if self.unit == "raw":
            return self.direction.at(block) * np.float32(self.strength)
        return self.direction.unit().at(block) * np.float32(self.strength * self.direction.norm(block))


@dataclass(frozen=True)
class Ablate:
    """Take the projection on a direction out, or set it to a value (mean ablation).

    Attributes:
        direction: at every block it has.
        to: what the projection shall be.
        scope: see the module's docstring.
    """

    direction: Direction
    to: Threshold = 0.0
    scope: Scope = "all"

    def __post_init__(self) -> None:
        _check_scope(self.scope)

    @property
    def label(self) -> str:
        """Content hash."""
        return content_id("ablate", {"to": _spelled(self.to), **_where(self)})

    def changes(self, anatomy: Anatomy) -> tuple[Change, ...]:
        """One for each block of the direction."""
        return _along(self, "set", self.to, anatomy)


@dataclass(frozen=True)
class Floor:
    """Keep the projection on a direction from falling below a threshold; tokens above it stay bit for bit.

    Attributes:
        direction: at every block it has.
        threshold: in units of the activations.
        scope: see the module's docstring.
    """

    direction: Direction
    threshold: Threshold
    scope: Scope = "all"

    def __post_init__(self) -> None:
        _check_scope(self.scope)

    @property
    def label(self) -> str:
        """Content hash."""
        return content_id("floor", {"at": _spelled(self.threshold), **_where(self)})

    def changes(self, anatomy: Anatomy) -> tuple[Change, ...]:
        """One for each block of the direction."""
        return _along(self, "floor", self.threshold, anatomy)


@dataclass(frozen=True)
class Ceil:
    """Keep the projection on a direction from rising above a threshold: `Ceil(v, τ)` is `Floor(-v, -τ)`.

    Attributes:
        direction: at every block it has.
        threshold: in units of the activations.
        scope: see the module's docstring.
    """

    direction: Direction
    threshold: Threshold
    scope: Scope = "all"

    def __post_init__(self) -> None:
        _check_scope(self.scope)

    @property
    def label(self) -> str:
        """Content hash."""
        return content_id("ceil", {"at": _spelled(self.threshold), **_where(self)})

    def changes(self, anatomy: Anatomy) -> tuple[Change, ...]:
        """One for each block of the direction."""
        return _along(self, "ceil", self.threshold, anatomy)


@dataclass(frozen=True)
class Head:
    """A shift of one attention head.

    Attributes:
        block: 0-based.
        head: 0-based query head.
        vector: shape (head size,), in units of the activations.
    """

    block: int
    head: int
    vector: Floats = field(repr=False)


@dataclass(frozen=True)
class HeadShift:
    """Add vectors to what single attention heads give to the output projection.

    Equal to a constant bias on the output projection, not to a vector on the residual stream after the block: the
    block's own feed-forward part still sees it.

    Attributes:
        heads: which, and by what.
        strength: factor of all of them (α in Personality Alignment, arXiv 2408.11779).
        scope: see `Add`.
    """

    heads: tuple[Head, ...]
    strength: float = 1.0
    scope: Scope = "all"

    def __post_init__(self) -> None:
        _check_scope(self.scope)
        if not self.heads:
            raise InputError("a head shift without heads.")

    @property
    def label(self) -> str:
        """Content hash."""
        told = [[h.block, h.head, (np.asarray(h.vector) * self.strength).tolist()] for h in self.heads]
        return content_id("heads", {"heads": told, "scope": self.scope})

    def changes(self, anatomy: Anatomy) -> tuple[Change, ...]:
        """One for each block."""
        rows: dict[int, Floats] = {}
        for head in self.heads:
            if not 0 <= head.head < anatomy.heads or np.shape(head.vector) != (anatomy.head_size,):
                raise InputError(
                    f"head {head.head} of block {head.block} with a vector of shape {np.shape(head.vector)}; this "
                    f"model has heads 0 to {anatomy.heads - 1} of {anatomy.head_size} numbers."
                )
            row = rows.setdefault(head.block, np.zeros(anatomy.size("heads"), np.float32))
            start = head.head * anatomy.head_size
            row[start : start + anatomy.head_size] += np.asarray(head.vector, np.float32) * np.float32(self.strength)
        return tuple(_Shift(Site(b, "heads"), f"{self.label}@{b}", self.scope, row) for b, row in sorted(rows.items()))


@dataclass(frozen=True)
class When:
    """Do something only at tokens whose projection on a gate passes a threshold, at the block where it is done.

    Attributes:
        gate: has every block of the operation.
        operation: what to do.
        above: projection over which it is done; None = no such bound.
        below: projection under which it is done.
    """

    gate: Direction
    operation: Operation
    above: float | None = None
    below: float | None = None

    def __post_init__(self) -> None:
        if self.above is None and self.below is None:
            raise InputError("When(...) needs above= or below=.", hint="Without a bound, use the operation itself.")

    @property
    def label(self) -> str:
        """Content hash."""
        told = {"gate": self.gate.digest, "do": self.operation.label, "above": self.above, "below": self.below}
        return content_id("when", told)

    def changes(self, anatomy: Anatomy) -> tuple[Change, ...]:
        """Those of the operation, each behind the gate."""
        self.gate.check(anatomy)
        inner = self.operation.changes(anatomy)
        for change in inner:
            if change.site.part != self.gate.part:
                raise InputError(f"the gate looks at {self.gate.part}, the operation works on {change.site.part}.")
        return tuple(
            _Gated(
                change,
                f"{self.label}@{change.site.block}",
                self.gate.unit().at(change.site.block),
                self.above,
                self.below,
            )
            for change in inner
        )


# ---- changes ----


@dataclass(frozen=True)
class _Shift:
    """Add a constant."""

    site: Site
    label: str
    scope: Scope
    vector: Floats

    @property
    def constant(self) -> Floats | None:
        return self.vector if self.scope == "all" else None

    def __call__(self, hidden: Tensor, flow: Flow) -> Tensor:
        moved = hidden + hidden.new_tensor(self.vector)
        return moved if self.scope == "all" else moved.where(_at(flow, self.scope), hidden)


@dataclass(frozen=True)
class _Along:
    """Move tokens along a unit vector, to or over a threshold."""

    site: Site
    label: str
    scope: Scope
    vector: Floats
    rule: Literal["set", "floor", "ceil"]
    threshold: float

    @property
    def constant(self) -> None:
        return None

    def __call__(self, hidden: Tensor, flow: Flow) -> Tensor:
        unit = hidden.new_tensor(self.vector)
        gap = self.threshold - (hidden * unit).sum(dim=-1, keepdim=True)
        moved = hidden + gap * unit
        if self.rule != "set":
            moved = moved.where(gap > 0 if self.rule == "floor" else gap < 0, hidden)
        return moved if self.scope == "all" else moved.where(_at(flow, self.scope), hidden)


@dataclass(frozen=True)
class _Gated:
    """A change at some tokens."""

    inner: Change
    label: str
    vector: Floats
    above: float | None
    below: float | None

    @property
    def site(self) -> Site:
        return self.inner.site

    @property
    def constant(self) -> None:
        return None

    def __call__(self, hidden: Tensor, flow: Flow) -> Tensor:
        seen = (hidden * hidden.new_tensor(self.vector)).sum(dim=-1, keepdim=True)
        out = self.inner(hidden, flow)
        if self.above is not None:
            out = out.where(seen > self.above, hidden)
        if self.below is not None:
            out = out.where(seen < self.below, hidden)
        return out


def _along(
    operation: Ablate | Floor | Ceil, rule: Literal["set", "floor", "ceil"], threshold: Threshold, anatomy: Anatomy
) -> tuple[Change, ...]:
    direction = operation.direction
    direction.check(anatomy)
    unit = direction.unit()
    return tuple(
        _Along(
            Site(b, direction.part),
            f"{operation.label}@{b}",
            operation.scope,
            unit.at(b),
            rule,
            _threshold(threshold, b, direction.name),
        )
        for b in direction.blocks
    )


def _threshold(threshold: Threshold, block: int, name: str) -> float:
    if not isinstance(threshold, Mapping):
        return float(threshold)
    if block not in threshold:
        raise InputError(f"no threshold of {name!r} for block {block}; there are {sorted(threshold)}.")
    return float(threshold[block])


def _at(flow: Flow, scope: Scope) -> Tensor:
    chosen = flow.prompt if scope == "prompt" else ~flow.prompt
    return (chosen & flow.real)[..., None]


def _where(operation: Add | Ablate | Floor | Ceil) -> dict[str, object]:
    direction = operation.direction
    # The length of a vector has no effect but in Add, which spells its numbers out.
    numbers = [] if isinstance(operation, Add) else [direction.unit().digest]
    return {"blocks": list(direction.blocks), "part": direction.part, "unit": numbers, "scope": operation.scope}


def _spelled(threshold: Threshold) -> object:
    return {str(b): float(t) for b, t in threshold.items()} if isinstance(threshold, Mapping) else float(threshold)


def _check_scope(scope: str) -> None:
    if scope not in _SCOPES:
        raise InputError(f"scope is {scope!r}, expected one of {', '.join(_SCOPES)}.")


def clamps(operations: Sequence[Operation]) -> bool:
    """Does one of them hold a projection at a bound? Such are done last."""
    return any(isinstance(o.operation if isinstance(o, When) else o, (Ablate, Floor, Ceil)) for o in operations)
