"""The network of a Hugging Face model in torch: loading, one forward pass, and hooks on its blocks.

Hooks see the residual stream after a block (0-based, no embedding row) or what its attention heads hand to the output
projection. They are removed when their context ends, also when something failed inside.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from personae.core import InputError, MissingDependencyError, ModelError
from personae.models._changes import Change, Flow, Site

if TYPE_CHECKING:
    from torch import Tensor, nn

Past: TypeAlias = "list[tuple[Tensor, Tensor]]"
_Rewrite: TypeAlias = "Callable[[Tensor, Flow], Tensor]"

_HIDDEN: Final = -3.0e38


@dataclass(frozen=True, slots=True)
class Passed:
    """What a forward pass gave."""

    logits: Tensor
    """of the rows asked for, shape (batch, kept, vocabulary)"""
    past: Past
    """keys and values of each layer, shape (batch, key heads, seen, head size)"""


class _Enough(Exception):  # noqa: N818 - it is no error
    """All that was asked for has been seen."""


class Net:
    """A causal language model in float32. Not for several threads at once: the caller serialises.

    Args:
        path: model folder.
        threads: torch threads; the bits of a result depend on them.

    Raises:
        MissingDependencyError: torch or transformers is not installed.
        InputError: transformers cannot make a causal model of the folder.
    """

    def __init__(self, path: Path, *, threads: int) -> None:
        torch, transformers = _libraries()
        self.torch = torch
        self.threads = threads
        try:
            with quietly():
                self.model: nn.Module = transformers.AutoModelForCausalLM.from_pretrained(
                    str(path), dtype=torch.float32, local_files_only=True, trust_remote_code=False
                ).eval()
        except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
            raise InputError(
                f"{str(path)!r} cannot be loaded as a causal language model: {str(error)[:300]}",
                hint="Only architectures that transformers itself knows are loaded; no code of the folder is run.",
            ) from error
        self.model.requires_grad_(requires_grad=False)
        self.config: Any = self.model.config
        self._text: Any = self.config.get_text_config()
        self.width = int(self._text.hidden_size)
        self.heads = int(self._text.num_attention_heads)
        self.blocks = find_blocks(self.model, int(self._text.num_hidden_layers))
        self._flow: Flow | None = None

    def forward(
        self,
        ids: Sequence[Sequence[int]] | Tensor,
        positions: Sequence[Sequence[int]] | Tensor,
        mask: Tensor,
        *,
        windowed: Tensor | None = None,
        past: Past | None = None,
        keep: Sequence[int] | None = None,
        flow: Flow | None = None,
        cache: bool = True,
    ) -> Passed:
        """One forward pass.

        Args:
            ids: token ids, shape (batch, tokens).
            positions: of the tokens in their sequences, same shape.
            mask: of shape (batch, seen + tokens), 1 at real tokens; or (1, 1, tokens, seen + tokens), True where a
                token sees another.
            windowed: the second kind of mask for layers with a sliding window, where it differs.
            past: keys and values computed before.
            keep: tokens whose logits are wanted; None = the last one.
            flow: for hooks; by default everything is prompt and real.
            cache: give keys and values back.
        """
        torch = self.torch
        torch.set_num_threads(self.threads)
        tokens = torch.as_tensor(ids)
        places = torch.as_tensor(positions)
        if flow is None:
            whole = torch.ones(tokens.shape, dtype=torch.bool)
            flow = Flow(whole, whole)
        # A mask of tokens is worked out by the model; one of pairs it takes as it is, added to the attention scores.
        seen: Any = mask if mask.dim() == 2 else _scores(mask)
        if windowed is not None:
            kinds = set(getattr(self._text, "layer_types", None) or ())
            far, near = seen, _scores(windowed)
            seen = near if len(kinds) < 2 else {"full_attention": far, "sliding_attention": near}
        wanted = torch.as_tensor(list(keep) if keep is not None else [tokens.shape[1] - 1])
        self._flow = flow
        try:
            with torch.inference_mode():
                found: Any = self.model(
                    input_ids=tokens,
                    position_ids=places,
                    attention_mask=seen,
                    past_key_values=self._cache(past),
                    use_cache=True,
                    logits_to_keep=wanted,
                )
        finally:
            self._flow = None
        kept = _keys_and_values(found.past_key_values) if cache else []
        return Passed(found.logits, kept)

    def _cache(self, past: Past | None) -> Any:
        from transformers import DynamicCache

        # Without a config, no layer forgets: windows are a matter of the mask.
        cache = DynamicCache()
        for layer, (keys, values) in enumerate(past or ()):
            cache.update(keys, values, layer)
        return cache

    @property
    def window(self) -> int | None:
        """Tokens that layers with a sliding window see; None when no layer has one."""
        size = getattr(self._text, "sliding_window", None)
        kinds = getattr(self._text, "layer_types", None)
        sliding = kinds is None or "sliding_attention" in kinds
        used = getattr(self._text, "use_sliding_window", True)
        return int(size) if isinstance(size, int) and sliding and used else None

    # Hooks -----------------------------------------------------------------------------------------------------------

    @contextmanager
    def changed(self, changes: Sequence[Change]) -> Generator[None]:
        """Let changes rewrite activations while the block runs; of two at one site the second sees what the first left.

        Raises:
            InputError: the model has no such site.
        """
        with ExitStack() as stack:
            for change in changes:
                stack.enter_context(self._hook(change.site, change))
            yield

    def read(self, ids: Sequence[int], sites: Sequence[Site]) -> Tensor:
        """Activations of one sequence, shape (tokens, sites, size); blocks after the last site are not computed.

        Raises:
            InputError: the model has no such site.
        """
        last = max(sites, key=lambda site: (site.block, site.part == "block"))

        def enough(hidden: Tensor, flow: Flow) -> Tensor:
            del hidden, flow
            raise _Enough

        with self.watch(sites) as seen, self._hook(last, enough), suppress(_Enough):
            self.forward([ids], [range(len(ids))], self.torch.ones((1, len(ids)), dtype=self.torch.long), cache=False)
        return self.torch.stack([seen[site][0] for site in sites], dim=1)

    @contextmanager
    def watch(self, sites: Sequence[Site]) -> Generator[Mapping[Site, Tensor]]:
        """The activations of the last forward pass at each site, filled while the block runs."""
        seen: dict[Site, Tensor] = {}

        def note(site: Site) -> _Rewrite:
            def keep(hidden: Tensor, flow: Flow) -> Tensor:
                del flow
                seen[site] = hidden
                return hidden

            return keep

        with ExitStack() as stack:
            for site in sites:
                stack.enter_context(self._hook(site, note(site)))
            yield seen

    @contextmanager
    def _hook(self, site: Site, change: _Rewrite) -> Generator[None]:
        if not 0 <= site.block < len(self.blocks):
            raise InputError(f"there is no block {site.block}; this model has blocks 0 to {len(self.blocks) - 1}.")
        handle = self._hook_heads(site, change) if site.part == "heads" else self._hook_block(site, change)
        try:
            yield
        finally:
            handle.remove()

    def _hook_block(self, site: Site, change: _Rewrite) -> Any:
        def rewrite(module: nn.Module, arguments: Any, output: Any) -> Any:
            del module, arguments
            if isinstance(output, tuple):
                parts = cast("tuple[Any, ...]", output)
                return (self._changed(parts[0], change), *parts[1:])
            return self._changed(output, change)

        return self.blocks[site.block].register_forward_hook(rewrite)

    def _hook_heads(self, site: Site, change: _Rewrite) -> Any:
        def rewrite(module: nn.Module, arguments: tuple[Any, ...]) -> Any:
            del module
            return (self._changed(arguments[0], change), *arguments[1:])

        return output_projection(self.blocks[site.block]).register_forward_pre_hook(rewrite)

    def _changed(self, hidden: Tensor, change: _Rewrite) -> Tensor:
        if self._flow is None:
            raise ModelError("the network was run past its own forward pass.")
        out = change(hidden, self._flow)
        if out.shape != hidden.shape:
            raise ModelError(f"a change returned shape {tuple(out.shape)}, expected {tuple(hidden.shape)}.")
        return out


def find_blocks(model: nn.Module, count: int) -> list[nn.Module]:
    """The transformer blocks: the one list of `count` modules of one kind, wherever an architecture keeps it.

    Raises:
        InputError: there is none, or more than one.
    """
    from torch import nn

    found = [
        module
        for module in model.modules()
        if isinstance(module, nn.ModuleList) and len(module) == count and len({type(m) for m in module}) == 1
    ]
    if len(found) != 1:
        raise InputError(
            f"{type(model).__name__} has {len(found)} lists of {count} blocks; exactly one was expected.",
            hint="Its architecture is not one that can be looked into; generation and scoring still work elsewhere.",
        )
    return list(found[0])


_PROJECTIONS: Final = ("o_proj", "out_proj", "c_proj", "dense", "wo")


def output_projection(block: nn.Module) -> nn.Module:
    """The projection that mixes the attention heads of a block.

    Raises:
        InputError: none of the usual names is there.
    """
    for name, module in block.named_modules():
        parent, _, last = name.rpartition(".")
        if last in _PROJECTIONS and "attn" in parent.lower().replace("attention", "attn"):
            return module
    raise InputError(
        f"{type(block).__name__} has no attention output projection of a known name ({', '.join(_PROJECTIONS)}).",
        hint="Use the site part 'block'.",
    )


def left_padded(rows: Sequence[Sequence[int]]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Ids, positions and mask of sequences of unequal length, each of shape (rows, longest); padding stands left."""
    longest = max(len(row) for row in rows)
    ids = np.zeros((len(rows), longest), dtype=np.int64)
    mask = np.zeros_like(ids)
    for k, row in enumerate(rows):
        ids[k, longest - len(row) :] = row
        mask[k, longest - len(row) :] = 1
    positions = np.maximum(np.cumsum(mask, axis=1) - 1, 0)
    return ids, positions, mask


def _scores(sees: Tensor) -> Tensor:
    """A mask of pairs as what is added to attention scores."""
    return sees.new_zeros(sees.shape, dtype=sees.float().dtype).masked_fill_(~sees, _HIDDEN)


def _keys_and_values(cache: Any) -> Past:
    return [(layer.keys, layer.values) for layer in cache.layers]


def _libraries() -> tuple[Any, Any]:
    try:
        import torch
        import transformers
    except ImportError as error:
        raise MissingDependencyError.of(error.name or "torch", "torch") from error
    return torch, transformers


_quiet_lock: Final = threading.Lock()


@contextmanager
def quietly() -> Generator[None]:
    """No progress bars of transformers while a model loads; its own setting comes back."""
    from transformers.utils import logging

    with _quiet_lock:
        before = logging.is_progress_bar_enabled()
        logging.disable_progress_bar()
        try:
            yield
        finally:
            if before:
                logging.enable_progress_bar()
