"""A Hugging Face model folder, as far as it can be read without torch: tokenizer, chat template, tokens that end."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from personae.core import InputError, MissingDependencyError
from personae.models._changes import Anatomy
from personae.models._jinja import Template, pick_template

if TYPE_CHECKING:
    from tokenizers import Tokenizer as FastTokenizer

_CONFIG: Final = "config.json"
_TOKENIZER: Final = "tokenizer.json"
_ENDINGS: Final = (
    "<|im_end|>", "<|eot_id|>", "<|end_of_text|>", "<end_of_turn>", "<|endoftext|>", "<|end|>", "</s>", "<|eom_id|>",
)  # fmt: skip
"""Tokens that end a turn in the families we know, whether or not a folder says so."""


@dataclass(frozen=True, slots=True)
class HfFolder:
    """What a folder says about itself."""

    path: Path
    config: Mapping[str, Any]
    tokenizer: HfTokenizer
    template: Template
    ends: frozenset[int]
    """tokens that end the model's turn"""
    weights: tuple[Path, ...]

    @property
    def vocabulary(self) -> int:
        """Logits that the model gives (often more than the tokenizer has tokens)."""
        text = self.config.get("text_config")
        size = (cast("dict[str, Any]", text) if isinstance(text, dict) else self.config).get("vocab_size")
        return int(size) if isinstance(size, int) else self.tokenizer.size


class HfTokenizer:
    """A `tokenizer.json` read twice: with its added tokens, for control text, and without, for contents.

    Contents have no way to name an added token, special or not; runs of white space that some tokenizers add stay.
    """

    def __init__(self, path: Path) -> None:
        self.text = path.read_text("utf-8")
        body: dict[str, Any] = json.loads(self.text)
        added: list[dict[str, Any]] = body.get("added_tokens") or []
        marks = [entry for entry in added if str(entry.get("content", "")).strip()]
        self.ids = {str(entry["content"]): int(entry["id"]) for entry in marks}
        self._controls = frozenset(self.ids.values())
        self._whole = _read_tokenizer(self.text, path)
        body["added_tokens"] = [entry for entry in added if entry not in marks]
        self._plain = _read_tokenizer(json.dumps(_unprefixed(body)), path)
        self.size = int(self._whole.get_vocab_size(with_added_tokens=True))
        for one in (self._whole, self._plain):
            one.no_truncation()
            one.no_padding()

    @property
    def control(self) -> NDArray[np.bool_]:
        """True at the ids of added tokens, shape (vocabulary,)."""
        out = np.zeros(1 + max(self.size, *self._controls, 0), dtype=np.bool_)
        out[list(self._controls)] = True
        return out

    def tokenize(self, text: str, *, special: bool) -> list[int]:
        """Token ids of a text on its own; `special` says whether added tokens are recognised in it."""
        if not text:
            return []
        one = self._whole if special else self._plain
        return list(one.encode(text, add_special_tokens=False).ids)

    def begins_with(self) -> int | None:
        """The token that the tokenizer itself puts in front of every text."""
        ids = self._whole.encode("", add_special_tokens=True).ids
        return int(ids[0]) if ids else None

    def decode(self, ids: Sequence[int]) -> str:
        """Text of generated tokens; control tokens stand for nothing."""
        return str(self._whole.decode(list(ids), skip_special_tokens=True))


def read_folder(path: Path) -> HfFolder:
    """Read a model folder.

    Raises:
        InputError: not a folder of a causal model with safetensors weights and a `tokenizer.json`.
        MissingDependencyError: the `tokenizers` package is not installed.
    """
    if not (path / _CONFIG).is_file():
        raise InputError(
            f"{str(path)!r} is not a model folder: it has no {_CONFIG}.",
            hint="Write hf:PATH, the folder that `save_pretrained` wrote; nothing is downloaded.",
        )
    config = _read_json(path / _CONFIG)
    if not (path / _TOKENIZER).is_file():
        raise InputError(
            f"{str(path)!r} has no {_TOKENIZER}.",
            hint="Save it with the fast tokenizer: AutoTokenizer.from_pretrained(...).save_pretrained(folder).",
        )
    weights = tuple(sorted(path.glob("*.safetensors")))
    if not weights:
        raise InputError(
            f"{str(path)!r} has no weights as safetensors.",
            hint="Pickled weights are not read. Load them once and save_pretrained(folder, safe_serialization=True).",
        )
    tokenizer = HfTokenizer(path / _TOKENIZER)
    settings = _read_json(path / "tokenizer_config.json") if (path / "tokenizer_config.json").is_file() else {}
    source = _chat_template(path, settings)
    bos, eos = (_spelled(settings.get(name)) for name in ("bos_token", "eos_token"))
    first = tokenizer.begins_with()
    start = next((text for text, token in tokenizer.ids.items() if token == first), "") if first is not None else ""
    template = pick_template(source, bos=bos, eos=eos, start="" if source else start)
    return HfFolder(path, config, tokenizer, template, _ends(path, config, tokenizer, eos), weights)


def anatomy_of(config: Mapping[str, Any]) -> Anatomy:
    """Sizes of the network that a config describes.

    Raises:
        InputError: the config does not tell them under a usual name.
    """
    inner = config.get("text_config")
    text = cast("dict[str, Any]", inner) if isinstance(inner, dict) else config

    def number(*names: str) -> int:
        for name in names:
            if isinstance(text.get(name), int):
                return int(text[name])
        raise InputError(
            f"the model's config names no {names[0]!r}, so its blocks cannot be counted.",
            hint="Generation and scoring still work; looking inside does not.",
        )

    width, heads = number("hidden_size", "n_embd", "d_model"), number("num_attention_heads", "n_head")
    head = text.get("head_dim")
    return Anatomy(
        number("num_hidden_layers", "n_layer"), width, heads, int(head) if isinstance(head, int) else width // heads
    )


def _ends(path: Path, config: Mapping[str, Any], tokenizer: HfTokenizer, eos: str) -> frozenset[int]:
    found: set[int] = {tokenizer.ids[text] for text in (eos, *_ENDINGS) if text in tokenizer.ids}
    generation = path / "generation_config.json"
    for body in (config, _read_json(generation) if generation.is_file() else {}):
        named = body.get("eos_token_id")
        for token in named if isinstance(named, list) else [named]:
            if isinstance(token, int):
                found.add(token)
    return frozenset(found)


def _chat_template(path: Path, settings: Mapping[str, Any]) -> str | None:
    file = path / "chat_template.jinja"
    if file.is_file():
        return file.read_text("utf-8")
    given = settings.get("chat_template")
    if isinstance(given, list):  # several under names
        named = {str(entry["name"]): str(entry["template"]) for entry in cast("list[dict[str, Any]]", given)}
        given = named.get("default")
    return given if isinstance(given, str) and given.strip() else None


def _spelled(token: object) -> str:
    if isinstance(token, dict):
        token = cast("dict[str, object]", token).get("content")
    return token if isinstance(token, str) else ""


def _unprefixed(body: dict[str, Any]) -> dict[str, Any]:
    """The tokenizer without the space that some put in front of every text: contents follow control text."""
    for part in ("normalizer", "pre_tokenizer"):
        body[part] = _without_prefix(body.get(part))
    return body


def _without_prefix(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    part = cast("dict[str, Any]", node)
    kind = part.get("type")
    if kind == "Sequence":
        name = "normalizers" if "normalizers" in part else "pretokenizers"
        inner: list[Any] = [_without_prefix(child) for child in part[name]]
        return {**part, name: [child for child in inner if child is not None]}
    if kind == "Prepend":
        return None
    if kind == "Metaspace":
        return {**part, "prepend_scheme": "never"}
    if kind == "ByteLevel" and part.get("add_prefix_space"):
        return {**part, "add_prefix_space": False}
    return part


def _read_tokenizer(text: str, path: Path) -> FastTokenizer:
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise MissingDependencyError.of("tokenizers", "torch") from error
    try:
        return Tokenizer.from_str(text)
    except Exception as error:  # the package raises bare exceptions
        raise InputError(f"{str(path)!r} cannot be read: {error}", hint="Save the tokenizer again.") from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        body = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{str(path)!r} cannot be read: {error}", hint="Copy the folder again.") from error
    if not isinstance(body, dict):
        raise InputError(f"{str(path)!r} holds no JSON object.", hint="Copy the folder again.")
    return cast("dict[str, Any]", body)
