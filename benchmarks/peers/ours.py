"""Ours, in several ways: through the same endpoint, or in this process.

    process   survey: exact option scoring on the embedded weights, as by default; dialogue: batched generation
    http      survey: the `openai:` adapter, which scores by letters in every rotation; dialogue: one call per line,
              conversations side by side
    http-1    survey: the same adapter with one rotation and without the empty context: one call per answer

In the process the engine gets one thread, as the server has.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from _job import KEY, MODEL, Job, answer, line, read_job

from personae.conditioning import Prompt, embody
from personae.core import Names, Persona
from personae.instruments import administer, load_instrument
from personae.models import (
    CallLog,
    GgufModel,
    Limits,
    Model,
    Normalisation,
    OpenAIModel,
    Sampling,
    unwrap,
    weights_path,
    wrap_model,
)
from personae.simulation import Scene, TurnCap, sessions, simulate

Rows = list[dict[str, Any]]


def open_way(way: str, job: Job, log: CallLog) -> Model:
    """The model of a way."""
    if way == "process":
        paths = weights_path(MODEL, "generate"), weights_path(MODEL, "score")
        mode = "exact" if job.name == "survey" else "batched"
        return wrap_model(GgufModel(MODEL, *paths, mode=mode, threads=1, slots=job.work["slots"]), log=log)
    limits = Limits(parallel=job.work["slots"], timeout=job.work["cap"], deadline=job.work["cap"])
    rotations = 1 if way == "http-1" else None
    return wrap_model(OpenAIModel(MODEL, job.url, api_key=KEY, limits=limits, rotations=rotations), log=log)


def persona_of(person: dict[str, str]) -> Persona:
    """The person, told in the words that everybody gets."""
    return Persona(names=Names(full=person["name"]), description=person["text"])


async def survey(job: Job, model: Model, out: Rows, *, bare: bool) -> None:
    """One group of scores per person."""
    instrument = load_instrument(job.work["instrument"])
    ids = [item["id"] for item in job.items]
    kind: Normalisation = "sum" if bare else "pmi"
    for number, person in enumerate(job.people):
        async with embody(persona_of(person), Prompt(cue_style="written", budget=None), model) as actor:
            rows = await administer(actor, instrument, items=ids, seed=job.work["seed"], normalisation=kind)
        for row in rows:
            raw = f"{row.status}: {[round(p, 3) for p in row.probabilities]}"
            out.append(answer(number, row.item, row.value if row.status != "failed" else None, raw))


async def dialogue(job: Job, model: Model, out: Rows) -> None:
    """All conversations side by side."""
    sampling = Sampling(temperature=job.work["temperature"], top_p=1.0, max_tokens=job.work["line_tokens"])

    async def talk(number: int, two: list[dict[str, str]]) -> None:
        first, second = (persona_of(p) for p in two)
        rules = [job.work["rules"].replace("{partner}", partner["name"]) for partner in reversed(two)]
        methods = [Prompt(cue_style="written", budget=None, rules=r) for r in rules]
        async with (
            embody(first, methods[0], model, sampling=sampling) as one,
            embody(second, methods[1], model, sampling=sampling) as other,
            sessions((one, other), f"talk/{number}"),
        ):
            scene = Scene((one, other), stop=TurnCap(job.work["turns"]))
            log = await simulate(scene, key=f"talk/{number}", seed=job.work["seed"])
        out.extend(line(number, turn, e.speaker, e.text) for turn, e in enumerate(log.utterances))

    await asyncio.gather(*(talk(number, two) for number, two, _ in job.talks()))


async def main(way: str, job: Job, out: Rows) -> dict[str, int]:
    """Do the work; returns what the call log counted."""
    with CallLog(job.result.with_suffix(".sqlite")) as log:
        model = open_way(way, job, log)
        try:
            if job.name == "survey":
                await survey(job, model, out, bare=way == "http-1")
            else:
                await dialogue(job, model, out)
        finally:
            await unwrap(model).close()
        used = [record.usage for record in log.records()]
    # Scoring sends no prompts: its `prompt` counts what one call per option would compute.
    counted = {"sent": 0 if job.name == "survey" else sum(u.prompt for u in used)}
    return counted | {
        "computed": sum(u.prefilled for u in used),
        "generated": sum(u.generated for u in used),
    }


if __name__ == "__main__":
    orders, made, counted, said = read_job(), Rows(), dict[str, int](), "failed"
    try:
        counted = asyncio.run(main(sys.argv[5], orders, made))
        said = "ended"
    except KeyboardInterrupt:
        said = "stopped at the cap"
        raise
    finally:
        kind = "answers" if orders.name == "survey" else "lines"
        orders.write(**{kind: made}, claims=said, usage=counted if sys.argv[5] == "process" else None)
