"""What many people write by hand: one call per item or turn, one after another, with the official client.

Of four ways to put the question this one left the most usable answers and the fewest tokens to compute: what all items
of a person share stands first, so that the server's prefix cache can help, and the statement last.
"""

from __future__ import annotations

import re
from typing import Any

from _job import KEY, MODEL, answer, line, read_job
from openai import OpenAI

job = read_job()
client = OpenAI(base_url=job.url, api_key=KEY, timeout=600, max_retries=0)


def say(messages: list[dict[str, str]], **settings: Any) -> str:
    """One reply."""
    made = client.chat.completions.create(model=MODEL, messages=messages, **settings)
    return made.choices[0].message.content or ""


def survey(out: list[dict[str, Any]]) -> None:
    """One number per person and item."""
    listed = "\n".join(f"{k}. {text}" for k, text in enumerate(job.options, 1))
    rules = f"{job.work['instructions']}\n{listed}\nAnswer with the number only."
    for number, person in enumerate(job.people):
        for item in job.items:
            question = f'{rules}\n\nStatement: "{item["text"]}"'
            messages = [{"role": "system", "content": person["text"]}, {"role": "user", "content": question}]
            limits = {"max_tokens": job.work["answer_tokens"], "temperature": 0, "stop": ["\n"]}
            raw = say(messages, seed=job.work["seed"], **limits)
            found = re.search(r"[1-9]", raw)
            value = int(found.group()) if found and int(found.group()) <= len(job.options) else None
            out.append(answer(number, item["id"], value, raw))


def dialogue(out: list[dict[str, Any]]) -> None:
    """Two people in turn, each with their own view of what was said."""
    for number, two, systems in job.talks():
        said: list[str] = []
        for turn in range(job.work["turns"]):
            me = turn % 2
            messages = [{"role": "system", "content": systems[me]}]
            if me == 0:
                messages.append({"role": "user", "content": job.work["opening"]})
            messages += [
                {"role": "assistant" if k % 2 == me else "user", "content": text} for k, text in enumerate(said)
            ]
            limits = {"max_tokens": job.work["line_tokens"], "temperature": job.work["temperature"]}
            said.append(say(messages, seed=job.work["seed"] + 1000 * number + turn, **limits).strip())
            out.append(line(number, turn, two[me]["name"], said[-1]))


made: list[dict[str, Any]] = []
claims = "failed"
try:
    (survey if job.name == "survey" else dialogue)(made)
    claims = "ended"
except KeyboardInterrupt:
    claims = "stopped at the cap"
    raise
finally:
    job.write(**{"answers" if job.name == "survey" else "lines": made}, claims=claims)
