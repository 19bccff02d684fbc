"""Algebra of directions, and files that give back what was saved or say what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from personae.core import InputError, SchemaError
from personae.models import Anatomy
from personae.steering import Direction, load_directions, random_directions, save_directions

numbers = st.floats(-8, 8, width=32).filter(lambda x: x == 0 or abs(x) > 1e-3)
vectors = hnp.arrays(np.float32, 6, elements=numbers).filter(lambda v: np.linalg.norm(v) > 0.1)


def made(*rows: object, name: str = "d", start: int = 0, **more: object) -> Direction:
    return Direction(name, {start + k: np.asarray(r, np.float32) for k, r in enumerate(rows)}, **more)  # type: ignore[arg-type]


@given(vectors, vectors, st.floats(0.125, 8))
def test_algebra(a: np.ndarray, b: np.ndarray, factor: float) -> None:
    x, y = made(a), made(b)
    assert np.linalg.norm(x.unit().at(0)) == pytest.approx(1, abs=1e-5)
    assert x.cosine(y)[0] == pytest.approx(y.cosine(x)[0])
    assert x.cosine(-x)[0] == pytest.approx(-1, abs=1e-6)
    assert (x * factor).cosine(x)[0] == pytest.approx(1, abs=1e-6)
    assert (x + y).at(0) == pytest.approx(a + b)
    assert (x - y).at(0) == pytest.approx(a - b)
    left = x.orthogonal_to(y)
    assert abs(left.at(0).astype(float) @ y.unit().at(0)) < 1e-4
    assert x.project(a, 0) == pytest.approx(np.linalg.norm(a), rel=1e-5)
    assert (factor * x).project(b, 0) == pytest.approx(x.project(b, 0), abs=1e-4)  # length does not count
    assert (x * 2).digest != x.digest


def test_the_span_of_several_is_taken_out() -> None:
    rng = np.random.default_rng(3)
    x, y, z = (made(rng.standard_normal(6)) for _ in range(3))
    left = x.orthogonal_to(y, z)
    assert left.cosine(y)[0] == pytest.approx(0, abs=1e-6)
    assert left.cosine(z)[0] == pytest.approx(0, abs=1e-6)


def test_what_cannot_be_a_direction_is_refused() -> None:
    for rows, told in (((), "no block"), (([1.0, 2.0], [1.0]), "shapes"), (([np.nan, 1.0],), "finite")):
        with pytest.raises(InputError, match=told):
            made(*rows)
    with pytest.raises(InputError, match="block from 0"):
        made([1.0], start=-1)
    d = made([1.0, 0.0], [0.0, 0.0], start=2)
    with pytest.raises(InputError, match="no block 7; it has 2, 3"):
        d.at(7)
    with pytest.raises(InputError, match="no length at block 3"):
        d.unit()
    with pytest.raises(InputError, match="how long activations are"):
        d.norm(2)
    with pytest.raises(InputError, match="none shared"):
        d.cosine(made([1.0, 1.0]))
    with pytest.raises(InputError, match="cannot be put together"):
        d.cosine(made([1.0, 1.0, 1.0]))
    with pytest.raises(InputError, match="blocks up to 3 of 2 numbers; this model has 3 blocks of 48"):
        d.check(Anatomy(3, 48, 4, 12))
    with pytest.raises(ValueError, match="read-only"):
        d.at(2)[0] = 5


def test_random_directions_are_as_long_as_the_real_one() -> None:
    real = made(np.arange(1, 7), np.ones(6), norms={0: 3.0, 1: 4.0})
    drawn = random_directions(real, 5, seed=1)
    assert len({d.digest for d in drawn}) == 5
    for d in drawn:
        assert [np.linalg.norm(d.at(b)) for b in (0, 1)] == pytest.approx(
            [np.linalg.norm(real.at(b)) for b in (0, 1)], rel=1e-5
        )
        assert d.norms == real.norms
    assert random_directions(real, 1, seed=1)[0].digest == drawn[0].digest


def test_files_give_back_what_was_saved(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    a = made([1.0, 2.5], [3.0, -1.0], name="calm", start=4, norms={4: 2.0}, model="hf:x 12ab", notes={"n": 3})
    b = made([1.0] * 3, name="é heads", part="heads")
    path = save_directions(tmp_path / "deep" / "d.safetensors", [a, b])
    for _ in range(2):
        back = load_directions(path)
        for d in (a, b):
            got = back[d.name]
            assert got.digest == d.digest
            assert (got.norms, got.model, got.notes, got.part) == (d.norms, d.model, d.notes, d.part)
        path.with_suffix(".json").unlink(missing_ok=True)  # the tensors file alone is enough
    with pytest.raises(InputError, match="different names"):
        save_directions(path, [a, a])


def test_broken_files_are_named(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    from safetensors.numpy import save_file

    with pytest.raises(InputError, match="no file"):
        load_directions(tmp_path / "none.safetensors")
    (tmp_path / "half.safetensors").write_bytes(b"\x08half")
    with pytest.raises(InputError, match="no readable safetensors"):
        load_directions(tmp_path / "half.safetensors")
    save_file({"x": np.zeros(2, np.float32)}, str(tmp_path / "other.safetensors"))
    with pytest.raises(InputError, match="not written by personae"):
        load_directions(tmp_path / "other.safetensors")
    save_directions(tmp_path / "d.safetensors", made([1.0, 2.0]))
    about = json.loads((tmp_path / "d.json").read_text())
    save_file(
        {"d/0": np.ones(2, np.float32)}, str(tmp_path / "d.safetensors"), metadata={"personae": json.dumps(about)}
    )
    with pytest.raises(SchemaError, match="not those that were saved"):
        load_directions(tmp_path / "d.safetensors")
