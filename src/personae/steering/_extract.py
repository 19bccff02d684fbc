"""Reading activations: which tokens of which messages, pooled as they come, so that memory does not grow with rows."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from personae.core import CapabilityError, InputError
from personae.models import Capability, GenerateRequest, Model, ScoreRequest, Site, unwrap
from personae.steering._directions import Floats

if TYPE_CHECKING:
    from personae.models import Activations, HfModel

Tokens: TypeAlias = Literal["assistant", "reply", "user", "system", "last", "all"]
"""Contents of all assistant messages (and of a prefill), of the last of them, of the user's, of the system's; the last
token of the prompt; or all tokens, control text included."""
Spans: TypeAlias = Sequence[tuple[int, int]]
"""Tokens of one prompt from a start to one before an end."""
Request: TypeAlias = GenerateRequest | ScoreRequest

_ROLES: Final = {"assistant": "assistant", "reply": "assistant", "user": "user", "system": "system"}


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of one request, or of one of its messages.

    Attributes:
        request: index of the request.
        message: index of the message, −1 for a prefill, None where the request is one row.
        tokens: how many were read.
        values: shape (sites, size): the mean over the tokens; with pool="none" (tokens, sites, size).
        norms: mean length of the activations of those tokens, shape (sites,).
    """

    request: int
    message: int | None
    tokens: int
    values: Floats
    norms: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Extracted:
    """Readings put together.

    Attributes:
        sites: in the order of the second axis.
        values: shape (rows, sites, size), float32.
        norms: mean length of activations over all tokens read, shape (sites,).
        rows: where each row comes from: (request, message).
        tokens: of each row, shape (rows,).
        model: see `model_identity`.
    """

    sites: tuple[Site, ...]
    values: Floats
    norms: NDArray[np.float64]
    rows: tuple[tuple[int, int | None], ...]
    tokens: NDArray[np.int64]
    model: str

    def at(self, site: Site) -> Floats:
        """Rows at one site, shape (rows, size)."""
        return self.values[:, self.sites.index(site)]


def block_sites(model: Model, blocks: Sequence[int] | None = None) -> tuple[Site, ...]:
    """The residual stream after the given blocks, by default after all.

    Raises:
        CapabilityError: the model cannot be looked into.
        InputError: no such block.
    """
    anatomy = _inside(model).anatomy
    sites = tuple(Site(b) for b in (range(anatomy.blocks) if blocks is None else blocks))
    for site in sites:
        anatomy.check(site)
    return sites


def model_identity(model: Model) -> str:
    """How a file of directions says which model it was made on: reference and the beginning of its weights' sha256."""
    digest = str(model.fingerprint.get("weights_sha256", ""))[:12]
    return f"{model.reference} {digest}".strip()


async def stream(
    model: Model,
    requests: Sequence[Request],
    sites: Sequence[Site],
    *,
    tokens: Tokens | Sequence[Spans] = "assistant",
    pool: Literal["mean", "none"] = "mean",
    per_turn: bool = False,
) -> AsyncGenerator[Reading]:
    """Activations, a request at a time; what is in memory does not grow with their number.

    Args:
        model: one that can be looked into (hf:…), with whatever changes are in force on it.
        requests: prompts; replies of a transcript are assistant messages. The template opens the model's next turn
            after them, which no rule but `last` and `all` reads. Use a prefill to end inside the model's turn.
        sites: at least one, all of one size.
        tokens: which are read (see `Tokens`), or for each request its own spans of token numbers.
        pool: `mean` over the tokens of a message, then over messages, so that long ones weigh no more; or `none`.
        per_turn: one reading for each message instead of one for each request.

    Raises:
        CapabilityError: the model cannot be looked into.
        InputError: a request without such tokens, or no such site.
        ModelError: a prompt does not fit.
    """
    inner = _inside(model)
    if not isinstance(tokens, str) and len(tokens) != len(requests):
        raise InputError(f"{len(tokens)} lists of spans for {len(requests)} requests, expected one each.")
    for index, request in enumerate(requests):
        (found,) = await inner.activations([request], sites)
        spans = _chosen(found, tokens if isinstance(tokens, str) else tokens[index], index)
        lengths = np.linalg.norm(found.values.astype(np.float64), axis=2)  # Shape: (tokens, sites)
        parts = [
            (message, end - start, found.values[start:end], lengths[start:end].mean(axis=0))
            for message, start, end in spans
        ]
        if pool == "mean":
            parts = [(m, n, v.mean(axis=0, dtype=np.float64).astype(np.float32), x) for m, n, v, x in parts]
        if per_turn:
            for message, count, values, norms in parts:
                yield Reading(index, message, count, values, norms)
            continue
        total = sum(count for _, count, _, _ in parts)
        join = np.concatenate if pool == "none" else _mean
        norms = np.average([x for _, _, _, x in parts], axis=0, weights=[n for _, n, _, _ in parts])
        yield Reading(index, None, total, join([v for _, _, v, _ in parts]), norms)


async def extract(
    model: Model,
    requests: Sequence[Request],
    sites: Sequence[Site],
    *,
    tokens: Tokens | Sequence[Spans] = "assistant",
    per_turn: bool = False,
) -> Extracted:
    """Mean activations of many requests; in memory stay rows · sites · size · 4 bytes. See `stream`.

    Raises:
        CapabilityError, InputError, ModelError: as `stream`.
    """
    found = [r async for r in stream(model, requests, sites, tokens=tokens, per_turn=per_turn)]
    if not found:
        raise InputError("no request was given, or none has such a message: there is nothing to read.")
    counts = np.array([r.tokens for r in found], dtype=np.int64)
    norms = np.average([r.norms for r in found], axis=0, weights=counts)
    return Extracted(
        tuple(sites),
        np.stack([r.values for r in found]),
        norms,
        tuple((r.request, r.message) for r in found),
        counts,
        model_identity(model),
    )


def _inside(model: Model) -> HfModel:
    if Capability.ACTIVATIONS not in model.capabilities:
        raise CapabilityError(
            f"{model.reference!r} cannot be looked into; it offers: {', '.join(sorted(model.capabilities))}.",
            hint="Activations need the weights in torch: hf:FOLDER, or hf:smollm2 for the embedded model.",
        )
    from personae.models import HfModel

    inner = unwrap(model)
    if not isinstance(inner, HfModel):
        raise CapabilityError(f"{model.reference!r} says that it can be looked into, but is no model of ours.")
    return inner


def _chosen(found: Activations, tokens: Tokens | Spans, index: int) -> list[tuple[int | None, int, int]]:
    size = len(found.tokens)
    if not isinstance(tokens, str):
        spans: list[tuple[int | None, int, int]] = [(None, start, end) for start, end in tokens]
        if not spans or any(not 0 <= start < end <= size for _, start, end in spans):
            raise InputError(f"request {index}: spans {list(tokens)!r} do not lie in its {size} tokens.")
        return spans
    if tokens == "all":
        return [(None, 0, size)]
    if tokens == "last":
        return [(None, size - 1, size)]
    if tokens not in _ROLES:
        raise InputError(f"tokens is {tokens!r}, expected one of {', '.join((*_ROLES, 'last', 'all'))}.")
    told = [(s.message, s.start, s.end) for s in found.spans if s.role == _ROLES[tokens] and s.end > s.start]
    if not told:
        raise InputError(
            f"request {index} has no {_ROLES[tokens]} message with text: there are no such tokens.",
            hint="Put the reply in as an assistant message, or read other tokens.",
        )
    return list(told[-1:] if tokens == "reply" else told)


def _mean(arrays: Sequence[Floats]) -> Floats:
    if len(arrays) == 1:
        return arrays[0]
    return np.asarray(np.mean(np.stack(arrays), axis=0, dtype=np.float64), dtype=np.float32)
