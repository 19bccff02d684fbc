"""inspect_ai: a task of multiple-choice samples, one per person and item.

Chosen in its favour: its own solver and scorer for such items, its provider for compatible endpoints, temperature 0, no
more connections than the server has slots, no terminal display. A survey has no right answer, so its accuracy says
nothing; the letter that its scorer found is the answer.
"""

from __future__ import annotations

from _job import KEY, MODEL, answer, read_job
from inspect_ai import Task
from inspect_ai import eval as evaluate
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageSystem, ChatMessageUser, GenerateConfig, get_model
from inspect_ai.scorer import choice
from inspect_ai.solver import multiple_choice

job = read_job()
LETTERS = "ABCDEFGHIJ"
samples = [
    Sample(
        id=f"{number}/{item['id']}",
        input=[
            ChatMessageSystem(content=person["text"]),
            ChatMessageUser(content=f'{job.work["instructions"]}\nStatement: "{item["text"]}"'),
        ],
        choices=job.options,
        target="A",
    )
    for number, person in enumerate(job.people)
    for item in job.items
]
config = GenerateConfig(
    temperature=0,
    max_tokens=job.work["answer_tokens"],
    seed=job.work["seed"],
    max_connections=job.work["slots"],
)
(log,) = evaluate(
    Task(dataset=MemoryDataset(samples), solver=multiple_choice(), scorer=choice()),
    model=get_model(f"openai-api/local/{MODEL}", base_url=job.url, api_key=KEY, config=config),
    display="none",
    log_dir=str(job.result.parent / "inspect-logs"),
    log_format="json",
)
answers = []
for sample in log.samples or []:
    number, _, item_id = str(sample.id).partition("/")
    score = (sample.scores or {}).get("choice")
    letter = (score.answer or "").strip() if score is not None else ""
    value = LETTERS.index(letter) + 1 if len(letter) == 1 and letter in LETTERS else None
    answers.append(answer(int(number), item_id, value, sample.output.completion))
metrics = log.results.scores[0].metrics if log.results and log.results.scores else {}
accuracy = f", accuracy {metrics['accuracy'].value:g}" if "accuracy" in metrics else ""
job.write(answers=answers, claims=f"status {log.status}{accuracy}")
