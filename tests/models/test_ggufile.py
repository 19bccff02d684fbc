"""GGUF headers and copies."""

from __future__ import annotations

import numpy as np
import pytest

from personae.core import InputError
from personae.models._ggufile import read_header, sha256_file, tensor_f32, write_copy


def test_header_says_what_was_written(tiny):
    header = read_header(tiny)
    assert header.architecture == "llama"
    assert header.integer("block_count") == 2
    assert header.number("rope.freq_base") == 10000.0
    assert header.chat_template is not None
    assert header.chat_template.startswith("{% for message in messages %}")
    assert header.tensors["blk.1.ffn_down.weight"].shape == (128, 160)
    assert header.parameters == sum(t.size for t in header.tensors.values()) > 200_000
    with pytest.raises(InputError, match=r"llama\.wings is None"):
        header.integer("wings")


def test_values_agree_with_the_reference_reader(tiny):
    gguf = pytest.importorskip("gguf")
    header = read_header(tiny)
    for tensor in gguf.GGUFReader(str(tiny)).tensors:
        ours = tensor_f32(header, header.tensors[tensor.name])
        np.testing.assert_array_equal(ours, np.asarray(tensor.data, np.float32).reshape(ours.shape))


@pytest.mark.parametrize(("kind", "worst"), [("Q8_0", 0.004), ("F16", 0.0)])
def test_copies_keep_metadata_and_weights(tiny, tmp_path, kind, worst):
    gguf = pytest.importorskip("gguf")
    header = read_header(tiny)
    digest = write_copy(header, tmp_path / "copy.gguf", kind)
    assert digest == sha256_file(tmp_path / "copy.gguf")
    assert digest == write_copy(header, tmp_path / "again.gguf", kind)
    copy = read_header(tmp_path / "copy.gguf")
    assert {**copy.meta, "general.file_type": 0} == {**header.meta, "general.file_type": 0}
    assert copy.meta["general.file_type"] == {"F16": 1, "Q8_0": 7}[kind]
    for name, tensor in header.tensors.items():
        left, right = tensor_f32(header, tensor), tensor_f32(copy, copy.tensors[name])
        assert np.abs(left - right).max() <= worst * np.abs(left).max()
    reader = gguf.GGUFReader(str(tmp_path / "copy.gguf"))
    assert len(reader.fields["tokenizer.ggml.tokens"].contents()) == 3 + 256 + 4
    assert {t.name: tuple(reversed([int(n) for n in t.shape])) for t in reader.tensors} == {
        name: t.shape for name, t in copy.tensors.items()
    }


def test_quantised_weights_are_decoded(write_tiny, tiny, tmp_path):
    rough = read_header(write_tiny(tmp_path / "q4.gguf", kind="Q4_1"))
    exact = read_header(tiny)
    name = "blk.0.attn_q.weight"
    left, right = tensor_f32(rough, rough.tensors[name]), tensor_f32(exact, exact.tensors[name])
    assert 0 < np.abs(left - right).max() < 0.08 * np.abs(right).max()
    write_copy(rough, tmp_path / "f16.gguf", "F16")
    copy = read_header(tmp_path / "f16.gguf")
    np.testing.assert_array_equal(tensor_f32(copy, copy.tensors[name]), left.astype(np.float16).astype(np.float32))


@pytest.mark.parametrize("keep", [0, 3, 20, 200, 9000, 60_000])
def test_cut_files_are_refused(tiny, tmp_path, keep):
    (tmp_path / "cut.gguf").write_bytes(tiny.read_bytes()[:keep])

    def read_all():
        header = read_header(tmp_path / "cut.gguf")
        return [tensor_f32(header, tensor) for tensor in header.tensors.values()]

    with pytest.raises(InputError, match=r"cut\.gguf"):
        read_all()


def test_other_files_are_refused(tmp_path):
    (tmp_path / "x.gguf").write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(InputError, match="does not begin with 'GGUF'"):
        read_header(tmp_path / "x.gguf")
    with pytest.raises(InputError, match="cannot be read"):
        read_header(tmp_path / "absent.gguf")
