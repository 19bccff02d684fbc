"""Changes inside a network while it computes: where, of which tokens, and what stands there instead.

A change is data with a label, not a hook: engines put it in force for one call and take it out again, so two calls of
one model, one changed and one not, can follow each other and share the weights.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from personae.core import CapabilityError, InputError

if TYPE_CHECKING:
    from torch import Tensor

    from personae.models._protocol import Model

T = TypeVar("T")
Part: TypeAlias = Literal["block", "heads"]


@dataclass(frozen=True, slots=True, order=True)
class Site:
    """A place in the network.

    Attributes:
        block: 0-based; the embedding row has no number.
        part: `block` for the residual stream after the block, shape (batch, tokens, width); `heads` for what the
            attention heads give to their output projection, shape (batch, tokens, heads * head size).
    """

    block: int
    part: Part = "block"


@dataclass(frozen=True, slots=True)
class Flow:
    """Which tokens run through a forward pass; both of shape (batch, tokens).

    Attributes:
        prompt: True where a token belongs to a prompt, False where it belongs to a reply or an option.
        real: False at padding.
    """

    prompt: Tensor
    real: Tensor


@dataclass(frozen=True, slots=True)
class Anatomy:
    """The sizes of a network.

    Attributes:
        blocks: transformer blocks.
        width: of the residual stream.
        heads: attention heads of a block.
        head_size: numbers that one head gives.
    """

    blocks: int
    width: int
    heads: int
    head_size: int

    def size(self, part: Part) -> int:
        """Numbers per token at a site."""
        return self.width if part == "block" else self.heads * self.head_size

    def check(self, site: Site) -> None:
        """Make sure that the network has a site.

        Raises:
            InputError: it has not.
        """
        if not 0 <= site.block < self.blocks:
            raise InputError(f"there is no block {site.block}; this model has blocks 0 to {self.blocks - 1}.")


class Change(Protocol):
    """What happens at one site."""

    @property
    def site(self) -> Site:
        """Where."""
        ...

    @property
    def label(self) -> str:
        """Names the change and all its settings (a content hash): part of the fingerprint of a changed model."""
        ...

    @property
    def constant(self) -> NDArray[np.float32] | None:
        """What is added to every token alike, shape (size of the site,).

        None where the change depends on what it finds or on whose token it is: only constants can be put in force by
        engines without hooks.
        """
        ...

    def __call__(self, hidden: Tensor, flow: Flow) -> Tensor:
        """Gets the activations (batch, tokens, size) and the flow, returns what is to stand in their place."""
        ...


@runtime_checkable
class Changeable(Protocol):
    """A model whose network can be changed call by call."""

    @property
    def anatomy(self) -> Anatomy:
        """The sizes of its network; reads no weights."""
        ...

    def changed(self, changes: Sequence[Change]) -> Model:
        """The same model with changes in force after those it has already, in the order given.

        It shares weights, turns and cache with the first, which stays as it is. Closing either closes both.

        Raises:
            InputError: no such site, or a constant of another size.
            CapabilityError: the engine cannot do that.
        """
        ...


def view_of(model: T, **fields: object) -> T:
    """A shallow copy of a model with some of its attributes replaced; what was worked out about it is forgotten."""
    view = copy.copy(model)
    vars(view).pop("_fingerprint", None)
    vars(view).update(fields)
    return view


def changeable(model: Model) -> Changeable:
    """`model` as one whose network can be changed.

    Raises:
        CapabilityError: nobody can reach inside it.
    """
    if not isinstance(model, Changeable) or not {"intervene", "add_vectors"} & model.capabilities:
        offered = ", ".join(sorted(model.capabilities)) or "nothing"
        raise CapabilityError(
            f"{model.reference!r} cannot be steered: its activations are out of reach; it offers: {offered}.",
            hint="Steering needs the weights here: a GGUF file, or hf:FOLDER.",
        )
    return model


def check_changes(changes: Sequence[Change], anatomy: Anatomy) -> None:
    """Make sure that changes have labels and fit a network.

    Raises:
        InputError: one does not.
    """
    for change in changes:
        if not change.label:
            raise InputError("a change without a label: it is part of the fingerprint.", hint="Give a content hash.")
        anatomy.check(change.site)
        wanted = anatomy.size(change.site.part)
        if change.constant is not None and change.constant.shape != (wanted,):
            raise InputError(
                f"a vector of shape {change.constant.shape} for block {change.site.block}, expected ({wanted},).",
                hint="Directions are made for one model; extract them again for this one.",
            )


def changes_label(changes: Sequence[Change]) -> str:
    """The changes as they stand in a fingerprint, one a line."""
    return "\n".join(f"{change.site.part}{change.site.block}:{change.label}" for change in changes)
