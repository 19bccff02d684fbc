"""Other tools' files: conventions that bite silently, each made to bite here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from personae.core import InputError
from personae.steering import Ceil, Direction, export_gguf, import_caps, import_directions, save_directions

torch = pytest.importorskip("torch")
ROWS = np.arange(1, 13, dtype=np.float32).reshape(4, 3)


def test_an_embedding_row_is_told_from_blocks_by_their_number(tmp_path: Path) -> None:
    torch.save(torch.tensor(ROWS), tmp_path / "evil_response_avg_diff.pt")
    first = import_directions(tmp_path / "evil_response_avg_diff.pt", blocks=3)["evil_response_avg_diff"]
    assert first.blocks == (0, 1, 2)
    assert first.at(0).tolist() == [4, 5, 6]  # row 1: row 0 is the embedding
    axis = import_directions(tmp_path / "evil_response_avg_diff.pt", blocks=4, name="axis")["axis"]
    assert axis.at(0).tolist() == [1, 2, 3]
    for how in ({}, {"blocks": 9}):
        with pytest.raises(InputError, match="which row is which block cannot be told"):
            import_directions(tmp_path / "evil_response_avg_diff.pt", **how)  # type: ignore[arg-type]
    forced = import_directions(tmp_path / "evil_response_avg_diff.pt", layout="embedding_first")
    assert next(iter(forced.values())).digest == first.digest


def test_tables_of_directions(tmp_path: Path) -> None:
    torch.save({"vector": torch.tensor(ROWS).bfloat16(), "role": "pirate", "type": "pos_3"}, tmp_path / "pirate.pt")
    assert import_directions(tmp_path / "pirate.pt", blocks=4)["pirate"].at(3).tolist() == [10, 11, 12]
    torch.save({"a": torch.tensor(ROWS), "b": torch.tensor(-ROWS)}, tmp_path / "two.pt")
    two = import_directions(tmp_path / "two.pt", blocks=4)
    assert two["a"].cosine(two["b"])[2] == pytest.approx(-1)
    torch.save({5: torch.tensor(ROWS[0]), 6: torch.tensor(ROWS[1])}, tmp_path / "numbered.pt")
    assert import_directions(tmp_path / "numbered.pt")["numbered"].blocks == (5, 6)
    np.save(tmp_path / "rows.npy", ROWS)
    assert import_directions(tmp_path / "rows.npy", blocks=4)["rows"].at(1).tolist() == [4, 5, 6]
    own = save_directions(tmp_path / "own.safetensors", Direction("own", {2: ROWS[0]}))
    assert import_directions(own)["own"].blocks == (2,)


def test_control_vectors_go_round(tmp_path: Path) -> None:
    gguf = pytest.importorskip("gguf")
    d = Direction("calm", {3: ROWS[0], 5: ROWS[1]}, norms={3: 10.0, 5: 20.0})
    path = export_gguf(tmp_path / "v.gguf", d, strength=0.5, architecture="llama")
    back = import_directions(path, name="calm")["calm"]
    assert back.blocks == (3, 5)
    assert [np.linalg.norm(back.at(b)) for b in (3, 5)] == pytest.approx([5.0, 10.0], rel=1e-5)
    assert back.cosine(d) == pytest.approx({3: 1.0, 5: 1.0})
    reader = gguf.GGUFReader(str(path))
    assert {t.name for t in reader.tensors} == {"direction.3", "direction.5"}
    assert bytes(reader.get_field("general.architecture").parts[-1]).decode() == "controlvector"
    for wrong, told in (
        (Direction("d", {0: ROWS[0]}), "at block 0"),
        (Direction("d", {1: ROWS[0]}, "heads"), "of attention"),
    ):
        with pytest.raises(InputError, match=told):
            export_gguf(tmp_path / "x.gguf", wrong)


def test_stored_caps_hold_from_above_on_vectors_that_point_away(tmp_path: Path) -> None:
    body = {
        "vectors": {"layer_1/contrast": {"layer": 1, "vector": torch.tensor([0.0, -2.0])}},
        "experiments": [
            {"id": "layers_1:2-p0.25", "interventions": [{"vector": "layer_1/contrast", "cap": -0.75}]},
            {"id": "add", "interventions": [{"vector": "layer_1/contrast", "coeff": 2.0}]},
        ],
    }
    torch.save(body, tmp_path / "caps.pt")
    (cap,) = import_caps(tmp_path / "caps.pt", "layers_1:2-p0.25")
    assert isinstance(cap, Ceil)
    assert (cap.threshold, cap.direction.blocks) == (-0.75, (1,))
    assert cap.direction.unit().at(1).tolist() == [0, -1]
    with pytest.raises(InputError, match="no experiment 'x'"):
        import_caps(tmp_path / "caps.pt", "x")
    with pytest.raises(InputError, match="without a cap"):
        import_caps(tmp_path / "caps.pt", "add")
    torch.save({"x": torch.zeros(1)}, tmp_path / "none.pt")
    with pytest.raises(InputError, match="no capping config"):
        import_caps(tmp_path / "none.pt", "x")


class Hostile:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> Any:
        return (print, ("ran",))


def test_files_that_run_code_are_not_opened(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"x": Hostile()}, tmp_path / "evil.pt")
    with pytest.raises(InputError, match="cannot be read as tensors"):
        import_directions(tmp_path / "evil.pt", blocks=3)
    assert "ran" not in capsys.readouterr().out
    (tmp_path / "x.txt").write_text("x")
    for name, told in (("none.pt", "no file"), ("x.txt", "expected .safetensors")):
        with pytest.raises(InputError, match=told):
            import_directions(tmp_path / name)
    (tmp_path / "x.gguf").write_text("GGUF")
    with pytest.raises(InputError, match="no readable GGUF"):
        import_directions(tmp_path / "x.gguf")
