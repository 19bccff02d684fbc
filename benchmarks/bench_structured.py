"""Answers bound to a JSON schema on the embedded model: how many do not parse, and the upper bound of that share.

    python benchmarks/bench_structured.py [ANSWERS]

Schemas with bounded strings, arrays, numbers and choices; personas of the gallery; temperature 1. Every answer is
parsed and checked against its whole schema. The bound is the one-sided 95 % Clopper–Pearson limit.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

from _table import Line, show
from scipy.stats import beta

from personae.core import MissingError
from personae.creation import load_gallery
from personae.models import GenerateRequest, Message, Sampling, open_model, read_json, weights_path


def text(most: int) -> dict[str, Any]:
    """A bounded string."""
    return {"type": "string", "minLength": 1, "maxLength": most}


def record(**properties: Any) -> dict[str, Any]:
    """An object that needs all its properties."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


SCHEMAS = {
    "What do you like?": record(hobbies={"type": "array", "items": text(24), "minItems": 1, "maxItems": 3}),
    "How do you feel?": record(mood={"enum": ["calm", "tense", "glad", "sad"]}, strength={"type": "integer",
                               "minimum": 1, "maximum": 5}, why=text(40)),
    "Who is in your life?": record(people={"type": "array", "minItems": 1, "maxItems": 2,
                                   "items": record(name=text(16), close={"type": "boolean"})}),
    "Describe your day.": record(morning=text(32), evening=text(32)),
}  # fmt: skip


async def main(count: int) -> None:
    """Measure, print."""
    model, people, asked = open_model("smollm2", cache="off", mode="batched"), load_gallery(), list(SCHEMAS.items())
    bad, tokens, cut, start = list[str](), list[int](), 0, time.perf_counter()

    async def one(k: int) -> None:
        nonlocal cut
        question, schema = asked[k % len(asked)]
        person = people[k % len(people)]
        messages = (Message("system", f"You are {person.name}. {person.render()[:400]}"), Message("user", question))
        request = GenerateRequest(messages, Sampling(temperature=1.0, max_tokens=256), seed=k, json_schema=schema)
        answer = await model.generate(request)
        tokens.append(answer.usage.generated)
        cut += answer.finish_reason == "length"
        problem = read_json(answer.text, schema)[1]
        if problem is not None:
            bad.append(f"{question} {problem}: {answer.text[:200]!r} ({answer.finish_reason})")

    await asyncio.gather(*(one(k) for k in range(count)))
    wall = time.perf_counter() - start
    await model.close()
    for line in bad[:10]:
        print("failed:", line)
    bound = float(beta.ppf(0.95, len(bad) + 1, count - len(bad))) if len(bad) < count else 1.0
    show(
        [
            Line("do not parse", [len(bad)], "answers", f"of {count}, temperature 1, 4 schemas", ("at most", 0)),
            Line("upper bound", [100 * bound], "%", "95 %, one-sided"),
            Line("cut off", [cut], "answers", "by max_tokens 256"),
            Line("tokens", tokens, "a piece", "answers"),
            Line("speed", [count / wall], "answers/s", "batched"),
        ]
    )


if __name__ == "__main__":
    try:
        weights_path("smollm2", "generate")
    except MissingError:
        print("skipped: no weights (run: personae models get smollm2)")
    else:
        asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100))
