"""Generation on a torch network: rows of a batch, left-padded, each drawing its own tokens.

A row's draws depend on its own seed alone. What a batch shares is the arithmetic: its shape can change the last bits of
a logit, so exact mode runs one row at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from personae.core import ModelError, derive_rng
from personae.models._changes import Flow
from personae.models._grammar import JsonMask
from personae.models._hf_files import HfTokenizer
from personae.models._hf_net import Net, Past, left_padded
from personae.models._protocol import Completion, FinishReason, Sampling
from personae.models._sampling import draw
from personae.models._telling import Teller

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(slots=True, eq=False)
class Row:
    """One continuation in the making."""

    prompt: tuple[int, ...]
    sampling: Sampling
    seed: int
    room: int
    """most tokens that may follow"""
    stop: tuple[str, ...] = ()
    mask: JsonMask | None = None
    written: list[int] = field(default_factory=list[int])
    text: str = ""
    reason: FinishReason | None = None
    cancelled: Callable[[], bool] = lambda: False
    teller: Teller | None = None

    @property
    def limit(self) -> int:
        """Tokens after which it is cut."""
        return min(self.room, self.sampling.max_tokens)

    def completion(self) -> Completion:
        """What came out."""
        reason: FinishReason = self.reason or "length"
        if self.teller is not None:
            self.teller.ended(self.text)
        if not self.text.strip():
            reason = "empty"
        return Completion(self.text, reason, len(self.written))


def run_rows(net: Net, tokenizer: HfTokenizer, ends: frozenset[int], rows: Sequence[Row]) -> None:
    """Continue all rows to their ends, together.

    Raises:
        ModelError: a prompt is empty, or every row was cancelled.
    """
    if any(not row.prompt for row in rows):
        raise ModelError("an empty prompt cannot be continued.", hint="Give at least one message.")
    torch = net.torch
    ids, positions, mask = left_padded([row.prompt for row in rows])
    real = torch.as_tensor(mask)
    flow = Flow(real.bool(), real.bool())
    passed = net.forward(torch.as_tensor(ids), torch.as_tensor(positions), real, flow=flow)
    past, logits = passed.past, passed.logits[:, -1]
    live = list(rows)
    draws = {id(row): None if row.sampling.temperature <= 0 else derive_rng(row.seed, "tokens") for row in rows}
    while True:
        tokens = [_next(row, logits[k].numpy(), draws[id(row)]) for k, row in enumerate(live)]
        for row, token in zip(live, tokens, strict=True):
            _take(row, token, tokenizer, ends)
        going = [k for k, row in enumerate(live) if row.reason is None and not row.cancelled()]
        if not going:
            break
        if len(going) < len(live):
            live = [live[k] for k in going]
            tokens = [tokens[k] for k in going]
            past, real = _rows_of(past, going), real[going]
        real = torch.cat([real, torch.ones((len(live), 1), dtype=real.dtype)], dim=1)
        places = [[len(row.prompt) + len(row.written) - 1] for row in live]
        reply = torch.zeros((len(live), 1), dtype=torch.bool)
        passed = net.forward([[t] for t in tokens], places, real, past=past, flow=Flow(reply, ~reply))
        past, logits = passed.past, passed.logits[:, -1]
    if all(row.cancelled() for row in rows):
        raise ModelError("the call was cancelled.")


def _next(row: Row, logits: np.ndarray, rng: np.random.Generator | None) -> int:
    own = logits.astype(np.float32, copy=True)
    if row.mask is not None:
        row.mask.mask(own)
    return draw(own, (*row.prompt, *row.written), row.sampling, rng)


def _take(row: Row, token: int, tokenizer: HfTokenizer, ends: frozenset[int]) -> None:
    if token in ends:
        row.reason = "stop"
        return
    row.written.append(token)
    if row.mask is not None:
        row.mask.advance(token)
    row.text = tokenizer.decode(row.written)
    hits = [at for text in row.stop if text and (at := row.text.find(text)) >= 0]
    if hits:
        row.text, row.reason = row.text[: min(hits)], "stop"
    elif row.mask is not None and row.mask.done:
        row.reason = "stop"
    elif len(row.written) >= row.limit:
        row.reason = "length"
    if row.teller is not None and row.reason is None:
        row.teller.grown(row.text)


def _rows_of(past: Past, rows: list[int]) -> Past:
    def pick(tensor: Tensor) -> Tensor:
        return tensor[rows]

    return [(pick(keys), pick(values)) for keys, values in past]
