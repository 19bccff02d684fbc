"""Studies in process, on fakes; and one finished run of each, which tests may read but not change."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from personae.models import Model
from personae.studies import Finished, Order, run_study

sys.path.insert(0, str(Path(__file__).parent))  # tests here share `checks`

VILLAGE = Path(__file__).parents[2] / "examples" / "recipes" / "village.yaml"
SETTINGS: dict[str, dict[str, Any]] = {
    "demo": {"people": 8, "turns": 4, "talkers": 3, "recipe": str(VILLAGE)},
    "people": {"people": 12, "recipe": str(VILLAGE)},
    "spectrum": {"people": 6, "encoder": "hash", "each": 3},
    "persona_taxonomy": {},
    "deeppersona": {"people": 6, "depth": 40, "choice_people": 30, "judge_encoder": "hash"},
    "hachimi": {"people": 24},
    "spasm": {"people": 4, "conversations": 2, "utterances": 6, "encoder": "hash"},
}


@dataclass(frozen=True)
class Told:
    """A finished run and what was said about it."""

    run: Finished
    said: tuple[str, ...]
    noted: tuple[str, ...]

    @property
    def folder(self) -> Path:
        return self.run.folder


def go(study: str, out: Path, *, model: str = "fake:statistical", more: dict[str, Any] | None = None, **order) -> Told:
    said: list[str] = []
    noted: list[str] = []
    settings = SETTINGS[study] | (more or {})
    order = {"concurrency": 8} | order
    finished = asyncio.run(
        run_study(Order(study, out, model=model, settings=settings, **order), say=said.append, note=noted.append)
    )
    return Told(finished, tuple(said), tuple(noted))


@pytest.fixture(scope="session")
def start() -> Callable[..., Told]:
    """`start(study, folder, …)` runs a study at tiny size."""
    return go


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """A demo on the statistical fake: traits are planted, echo is not."""
    return go("demo", tmp_path_factory.mktemp("demo") / "run")


@pytest.fixture(scope="session")
def spasm(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """A spasm run on the statistical fake."""
    return go("spasm", tmp_path_factory.mktemp("spasm") / "run")


@pytest.fixture(scope="session")
def hachimi(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """A hachimi run with the grammar: no model."""
    return go("hachimi", tmp_path_factory.mktemp("hachimi") / "run")


@pytest.fixture
def answer_with(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Model]], None]:
    """`answer_with(make)`: whatever model a study names, `make()` answers."""

    def put(make: Callable[[], Model]) -> None:
        monkeypatch.setattr("personae.studies._driver.open_model", lambda *args, **kwargs: make())

    return put
