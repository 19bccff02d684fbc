"""Blocking twins, usable inside a running notebook loop too."""

from __future__ import annotations

from collections.abc import Mapping

from personae.core import Conversation
from personae.runs import run_sync
from personae.simulation._scene import Scene, simulate


def simulate_sync(
    scene: Scene,
    *,
    key: str,
    seed: int,
    start: Conversation | None = None,
    tags: Mapping[str, str] | None = None,
) -> Conversation:
    """`simulate`, waiting for the result."""
    return run_sync(simulate(scene, key=key, seed=seed, start=start, tags=tags))
