"""Tuning: measured once, kept by machine and file, used by models that are opened later."""

import os
import shutil

import pytest

from personae.core import InputError
from personae.models import GgufModel, tune, tuning_file
from personae.models import _tuning as module

pytest.importorskip("xllamacpp")


@pytest.fixture(autouse=True)
def _own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("PERSONAE_HOME", str(tmp_path / "home"))


@pytest.fixture
def tuned(tiny, monkeypatch):
    monkeypatch.setattr(module, "_REPEATS", 1)
    monkeypatch.setattr(module, "_SLOTS", (1, 2, 8))
    said = []
    return tune(tiny, said.append, requests=4), said


def opened(path, **options):
    return GgufModel(f"gguf:{path}", path, path, context=256, **options)


def test_every_shape_is_tried_and_the_best_is_kept(tuned, tiny):
    found, said = tuned
    cores = os.cpu_count() or 1
    assert {t.slots for t in found.batched if t.threads == found.threads} == {1, 2, 8}
    assert {t.threads for t in found.batched} >= {1, cores}
    fastest = max(t.per_second for t in found.batched if t.threads == found.threads)
    assert next(t.per_second for t in found.batched if t.slots == found.slots and t.threads == found.threads) >= (
        0.97 * fastest
    )
    assert found.lanes == max(found.exact, key=lambda t: t.per_second).slots
    assert len([line for line in said if "tokens/s" in line]) == len(found.batched) + len(found.exact)
    assert module.tuning_of(tiny) == found


def test_models_opened_later_use_it_and_words_of_their_own_come_first(tuned, tiny, monkeypatch):
    found, _ = tuned
    monkeypatch.setattr(module, "_read", lambda: module._Kept(tunings={module._key(tiny): changed}))
    changed = found.model_copy(update={"slots": 5, "lanes": 3})
    assert opened(tiny, mode="batched").parallel == 5
    assert opened(tiny, mode="batched").fingerprint["slots"] == 5
    assert opened(tiny).parallel == 3
    assert opened(tiny, lanes=2).parallel == 2
    assert opened(tiny, mode="batched", slots=4).parallel == 4


def test_another_file_or_another_engine_is_not_tuned(tuned, tiny, tmp_path, monkeypatch):
    other = tmp_path / "other.gguf"
    shutil.copy(tiny, other)
    assert module.tuning_of(other) is None
    assert module.tuning_of(tmp_path / "missing.gguf") is None
    monkeypatch.setattr(module, "engine_version", lambda: "2099.1")
    assert module.tuning_of(tiny) is None


def test_one_thread_where_other_work_has_the_cores(tuned, monkeypatch):
    found = tuned[0].model_copy(update={"threads": 6})
    monkeypatch.setattr(module, "default_threads", lambda: 2)
    assert found.quiet_threads == 6
    monkeypatch.setattr(module, "default_threads", lambda: 1)
    assert found.quiet_threads == 1


def test_a_damaged_file_of_tunings_is_named(tiny):
    tuning_file().parent.mkdir(parents=True)
    tuning_file().write_text("{")
    with pytest.raises(InputError, match="not a file of tunings"):
        opened(tiny)
