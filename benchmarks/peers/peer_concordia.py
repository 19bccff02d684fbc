"""Concordia: two minimal entities and its game master for conversations, who lets them speak in turn.

Chosen in its favour: the smallest entity it ships, a fixed order of speakers (else the game master asks the model who
is next), no question whether to end, one thread per conversation. Its model class for such endpoints is used with its
own prompt, but keeps the terminators and the limit of a line, which it would drop. Memories are embedded by hashing
words: no second model takes time.
"""

from __future__ import annotations

import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from _job import KEY, MODEL, leave, line, read_job
from concordia.contrib.language_models.openai.gpt_model import GptLanguageModel
from concordia.prefabs.entity import minimal
from concordia.prefabs.game_master import dialogic
from concordia.prefabs.simulation import generic
from concordia.typing import prefab

job = read_job()
RULES = "conversation rules"


class Endpoint(GptLanguageModel):
    """Their model class, with length and terminators passed on."""

    def _sample_text(self, prompt: str, reasoning_effort: str, verbosity: str, **settings: Any) -> str:
        ended = tuple(settings.get("terminators") or ())
        settings |= {"max_tokens": min(settings.get("max_tokens", 10**6), job.work["line_tokens"])}
        settings |= {"temperature": job.work["temperature"], "timeout": job.work["cap"], "seed": job.work["seed"]}
        text = super()._sample_text(prompt, reasoning_effort, verbosity, **settings)
        return text[: min([len(text), *(at for end in ended if (at := text.find(end)) >= 0)])]


def embed(text: str) -> np.ndarray:
    """Hashed words, unit length."""
    vector = np.zeros(64)
    for word in text.lower().split():
        vector[zlib.crc32(word.encode()) % 64] += 1.0
    return vector / max(float(np.linalg.norm(vector)), 1e-9)


def talk(number: int, two: list[dict[str, str]], systems: list[str], out: list[dict[str, Any]]) -> None:
    """One conversation."""
    entities = [
        prefab.InstanceConfig(
            prefab="person",
            role=prefab.Role.ENTITY,
            params={"name": person["name"], "custom_instructions": system},
        )
        for person, system in zip(two, systems, strict=True)
    ]
    master = prefab.InstanceConfig(
        prefab="talk",
        role=prefab.Role.GAME_MASTER,
        params={
            "name": RULES,
            "next_game_master_name": RULES,
            "acting_order": "fixed",
            "can_terminate_simulation": False,
        },
    )
    config = prefab.Config(
        default_premise=f"{two[0]['name']} and {two[1]['name']} begin a conversation.",
        default_max_steps=job.work["turns"],
        prefabs={"person": minimal.Entity(), "talk": dialogic.GameMaster()},
        instances=[*entities, master],
    )
    model = Endpoint(MODEL, api_key=KEY, api_base=job.url)

    def heard(step: Any) -> None:
        out.append(line(number, step.step - 1, step.acting_entity, step.action))

    generic.Simulation(config=config, model=model, embedder=embed).play(step_callback=heard)


lines: list[dict[str, Any]] = []
try:
    with ThreadPoolExecutor(len(job.work["dialogues"])) as pool:
        for future in [pool.submit(talk, *args, lines) for args in job.talks()]:
            future.result()
except KeyboardInterrupt:
    job.write(lines=lines, claims="stopped at the cap")
    leave(130)
job.write(lines=lines, claims="ended")
