"""Tiny Hugging Face folders of random weights, one for each family, for tests of the torch adapter."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CHATML = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are Tiny<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
CONTROLS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<tool_call>")
VOCABULARY = 272
"""Logits; the tokenizer has fewer tokens, as in many real models."""

SIZES: dict[str, Any] = {
    "hidden_size": 48, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 512, "vocab_size": VOCABULARY, "pad_token_id": 0,
    "bos_token_id": 0, "eos_token_id": 2,
}  # fmt: skip
FAMILIES = ("llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3", "gpt2")


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`folders(family, **settings)`: a folder, written once."""
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    made: dict[str, Path] = {}

    def make(family: str = "llama", **settings: Any) -> Path:
        key = json.dumps([family, settings], sort_keys=True)
        if key not in made:
            made[key] = write_folder(tmp_path_factory.mktemp(family), family, **settings)
        return made[key]

    return make


def write_folder(path: Path, family: str = "llama", *, template: str | None = CHATML, **settings: Any) -> Path:
    """Write a model of random weights; `settings` go into its config."""
    import torch
    import transformers

    torch.manual_seed(7)
    config = _config(family, settings)
    model = transformers.AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() > 1:
                weight.normal_(0.0, 0.9 / weight.shape[-1] ** 0.5)
            elif "norm" not in name and "ln_" not in name:
                weight.normal_(0.0, 0.1)
    model.save_pretrained(str(path))
    write_tokenizer(path, template)
    return path


def _config(family: str, settings: dict[str, Any]) -> Any:
    import transformers

    if family == "gpt2":
        sizes = {"n_embd": 48, "n_layer": 3, "n_head": 4, "n_positions": 512, "vocab_size": VOCABULARY}
        return transformers.GPT2Config(**{**sizes, "bos_token_id": 0, "eos_token_id": 2, **settings})
    kinds = {
        "llama": "LlamaConfig", "mistral": "MistralConfig", "qwen2": "Qwen2Config", "qwen3": "Qwen3Config",
        "gemma2": "Gemma2Config", "gemma3": "Gemma3TextConfig",
    }  # fmt: skip
    own: dict[str, Any] = {"head_dim": 12} if family in {"qwen3", "gemma2", "gemma3"} else {}
    return getattr(transformers, kinds[family])(**{**SIZES, **own, **settings})


def write_tokenizer(path: Path, template: str | None) -> None:
    """A byte-level tokenizer with a few merges and four added tokens."""
    from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("h", "e"), ("he", "l"), ("Ġ", "t"), ("Ġt", "he")]
    tokens = [*CONTROLS, *alphabet, *("".join(pair) for pair in merges)]
    one = Tokenizer(BPE({token: k for k, token in enumerate(tokens)}, merges))
    one.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    one.decoder = decoders.ByteLevel()
    one.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in CONTROLS[:3]])
    one.add_tokens([AddedToken(CONTROLS[3], special=False, normalized=False)])
    one.save(str(path / "tokenizer.json"))
    settings = {"bos_token": "<|im_start|>", "eos_token": {"content": "<|im_end|>", "special": True}}
    (path / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")
    if template is not None:
        (path / "chat_template.jinja").write_text(template, "utf-8")
