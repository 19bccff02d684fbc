"""EDSL: a survey of linear scales, answered by agents.

Chosen in its favour: the scale question made for such items, no comment asked for, temperature 0, a short answer
allowed, local execution on its own service for compatible endpoints, no more calls at once than the server has slots,
and a call timeout as long as the cap.
"""

from __future__ import annotations

import os
from typing import Any

from _job import KEY, MODEL, answer, read_job

job = read_job()
os.environ |= {
    "OPENAI_COMPATIBLE_BASE_URL": job.url,
    "OPENAI_COMPATIBLE_API_KEY": KEY,
    "EDSL_API_TIMEOUT": str(job.work["cap"]),
    "EDSL_FETCH_TOKEN_PRICES": "False",
}

from edsl import Agent, AgentList, Cache, Model, QuestionLinearScale, Survey  # noqa: E402


def text_of(tokens: Any) -> str:
    """What the model wrote, however it is kept."""
    return tokens if isinstance(tokens, str) else "" if tokens is None else str(tokens)


labels = dict(enumerate(job.options, 1))
questions = [
    QuestionLinearScale(
        question_name=item["id"].lower(),
        question_text=f'{job.work["instructions"]}\nStatement: "{item["text"]}"',
        question_options=list(labels),
        option_labels=labels,
        include_comment=False,
    )
    for item in job.items
]
agents = AgentList(
    [
        Agent(name=f"person{k}", traits={"persona": p["text"]}, traits_presentation_template="{{ persona }}")
        for k, p in enumerate(job.people)
    ]
)
model = Model(MODEL, service_name="openai_compatible", temperature=0, max_tokens=job.work["answer_tokens"])
results = (
    Survey(questions)
    .by(agents)
    .by(model)
    .run(
        disable_remote_inference=True,
        disable_remote_cache=True,
        cache=Cache(),
        fresh=True,
        progress_bar=False,
        max_concurrency=job.work["slots"],
    )
)
answers = []
for result in results:
    number = int(result["agent"].name.removeprefix("person"))
    for item in job.items:
        name = item["id"].lower()
        raw = text_of(result["generated_tokens"].get(f"{name}_generated_tokens"))
        answers.append(answer(number, item["id"], result["answer"].get(name), raw))
failed = sum(a["value"] is None for a in answers)
job.write(answers=answers, claims=f"{len(results)} results, no exception raised; {failed} answers None")
