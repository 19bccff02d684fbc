"""A tiny GGUF model and a tiny model folder; the endpoint comes from `loopback`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

CHATML = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\\nYou are Tiny<|im_end|>\\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
CONTROLS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")


@pytest.fixture(scope="session")
def write_tiny() -> Callable[..., Path]:
    """Writes a Llama-family model of random weights: 2 layers, width 128, byte vocabulary, three control tokens."""
    return _write_tiny


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model with F16 weights and a ChatML template."""
    return _write_tiny(tmp_path_factory.mktemp("tiny") / "tiny.gguf")


def _write_tiny(
    path: Path,
    *,
    kind: str = "F16",
    template: str | None = CHATML,
    bias: bool = False,
    context: int = 512,
    layers: int = 2,
) -> Path:
    gguf = pytest.importorskip("gguf")
    rng = np.random.default_rng(7)
    width, inner, heads, key_heads = 128, 160, 4, 2
    letters = [*range(33, 127), *range(161, 173), *range(174, 256)]
    spare = iter(range(256, 512))
    alphabet = [chr(b) if b in letters else chr(next(spare)) for b in range(256)]
    merges = [("h", "e"), ("he", "l"), (alphabet[32], "t"), (f"{alphabet[32]}t", "he")]
    tokens = [*CONTROLS, *alphabet, *("".join(pair) for pair in merges)]
    w = gguf.GGUFWriter(str(path), "llama")
    w.add_name("tiny")
    w.add_context_length(context)
    w.add_embedding_length(width)
    w.add_block_count(layers)
    w.add_feed_forward_length(inner)
    w.add_head_count(heads)
    w.add_head_count_kv(key_heads)
    w.add_rope_dimension_count(width // heads)
    w.add_rope_freq_base(10000.0)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_vocab_size(len(tokens))
    w.add_file_type(1)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("gpt-2")
    w.add_token_list(tokens)
    w.add_token_types([3] * len(CONTROLS) + [1] * (len(tokens) - len(CONTROLS)))
    w.add_token_merges([" ".join(pair) for pair in merges])
    w.add_bos_token_id(1)
    w.add_eos_token_id(2)
    w.add_add_bos_token(False)
    if template is not None:
        w.add_chat_template(template)

    def add(name: str, *shape: int) -> None:
        values = (rng.standard_normal(shape) * (1.5 / np.sqrt(shape[-1]))).astype(np.float32)
        if len(shape) == 1:
            w.add_tensor(name, (1 + 0.1 * values).astype(np.float32))
            return
        if name == "token_embd.weight":  # nearly always writes printable letters
            values[[not token.isascii() for token in tokens]] *= 0.02
            values[: len(CONTROLS)] *= 0.02
        number = gguf.GGMLQuantizationType[kind]
        w.add_tensor(name, gguf.quants.quantize(values, number), raw_dtype=number)

    add("token_embd.weight", len(tokens), width)
    add("output_norm.weight", width)
    for i in range(layers):
        for name, *shape in (
            ("attn_norm", width), ("attn_q", width, width), ("attn_k", width // 2, width),
            ("attn_v", width // 2, width), ("attn_output", width, width), ("ffn_norm", width),
            ("ffn_gate", inner, width), ("ffn_up", inner, width), ("ffn_down", width, inner),
        ):  # fmt: skip
            add(f"blk.{i}.{name}.weight", *shape)
        if bias:
            add(f"blk.{i}.attn_q.bias", width)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    return path


@pytest.fixture(scope="session")
def hf_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Hugging Face folder of the Llama family."""
    pytest.importorskip("transformers")
    from hf_folders import write_folder

    return write_folder(tmp_path_factory.mktemp("hf") / "tiny")


@pytest.fixture(scope="session")
def tiny_engine(tiny: Path) -> Iterator[str]:
    """Base URL of the engine's own server with the tiny model."""
    pytest.importorskip("xllamacpp")
    from personae.models import loopback_server

    with loopback_server(tiny, 1, context=512) as url:
        yield url
