"""`personae chat`, `simulate`, `administer`: one person at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from personae.cli._output import Debug, Json, Model, Reply, Seed, ShowPrompt, guarded, note
from personae.cli._who import FromRun, Who, WhoOrDefault, find_person

if TYPE_CHECKING:
    from personae.core import ResponseRow
    from personae.models import Message

Turns = Annotated[int, typer.Option("--turns", min=1, help="Most utterances, both speakers together.")]
ModeOption = Annotated[str, typer.Option("--mode", help="What each speaker sees of the log: ecp or concat.")]


@guarded
def chat(
    who: WhoOrDefault = None,
    from_run: FromRun = None,
    model: Model = "smollm2",
    seed: Seed = 7,
    turns: Turns = 40,
    show_prompt: ShowPrompt = False,
    debug: Debug = False,
) -> None:
    """Talk with a person. An empty line or Ctrl-D ends the conversation."""
    import asyncio

    from personae.conditioning import ExternalActor, Prompt, embody
    from personae.core import Conversation, derive_seed
    from personae.models import HeardModel, Sampling, open_model, teach
    from personae.simulation import RoundRobin, Scene, TurnCap, project, step

    person = find_person(who, from_run)
    rules = "Talk with the user as yourself, in the first person. One to three short sentences at a time."

    def ask(messages: Sequence[Message]) -> str:
        del messages
        try:
            return typer.prompt("you", default="", show_default=False, prompt_suffix="> ").strip()
        except (EOFError, typer.Abort):
            return ""

    heard: list[str] = []

    def hear(piece: str) -> None:
        said = piece if heard else piece.lstrip()
        if said:
            typer.echo(said if heard else f"{person.name}> {said}", nl=False)
            heard.append(said)

    async def talk() -> None:
        llm = HeardModel(open_model(model), hear)
        teach(llm, person)
        try:
            async with embody(
                person, Prompt(rules=rules), llm, name=person.name, sampling=Sampling(temperature=0.7, max_tokens=120)
            ) as actor:
                scene = Scene((ExternalActor("you", ask), actor), stop=TurnCap(turns), scheduler=RoundRobin())
                note(f"You are talking with {person.name}, an invented person. An empty line ends it.")
                log = Conversation(key="chat", participants=scene.names)
                while len(log.utterances) < turns:
                    log = await step(scene, log, "you", seed=seed)
                    if not log.utterances[-1].text:
                        return
                    if show_prompt:
                        request = actor.request(project(log, actor.name), seed=derive_seed(seed, len(log.events)))
                        note(llm.show_prompt(request))
                    heard.clear()
                    log = await step(scene, log, actor.name, seed=seed)
                    typer.echo("" if heard else f"{person.name}> ")
        finally:
            await llm.close()

    asyncio.run(talk())


@guarded
def simulate(
    client: Annotated[
        str | None,
        typer.Argument(
            help="The person who has something on their mind (see `chat`).",
            show_default="Wanda; with --from, the first person drawn",
        ),
    ] = None,
    from_run: FromRun = None,
    model: Model = "smollm2",
    seed: Seed = 7,
    turns: Turns = 12,
    mode: ModeOption = "ecp",
    show_prompt: ShowPrompt = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Hold one client-responder conversation and print it."""
    import asyncio

    from personae.conditioning import Prompt
    from personae.core import ConversationRow, InputError, TurnRow
    from personae.models import GenerateRequest, Message, open_model, teach
    from personae.simulation import OPENING, Dialogue, converse
    from personae.studies.spasm import Spasm

    reply = Reply(as_json=as_json)
    person = find_person(client, from_run)
    if mode not in {"ecp", "concat"}:
        raise InputError(f"--mode {mode!r}.", hint="Use ecp or concat.")
    projection: Literal["ecp", "concat"] = "concat" if mode == "concat" else "ecp"
    dialogue = Dialogue(
        client=Prompt(rules=Spasm.prompt("client")),
        responder=Prompt(rules=Spasm.prompt("responder")),
        utterances=turns,
        probes=False,
    )

    async def talk() -> list[Any]:
        llm = open_model(model)
        teach(llm, person)
        try:
            if show_prompt:
                text = dialogue.client.system(person, llm.count_tokens) or ""
                opening = (Message("system", text), Message("user", OPENING))
                reply.prompt(llm.show_prompt(GenerateRequest(opening, dialogue.client_sampling, seed)))
            return list(
                await converse(dialogue, person, llm, mode=projection, unit="simulate", seed=seed, pool=[person])
            )
        finally:
            await llm.close()

    rows = asyncio.run(talk())
    head = next(r for r in rows if isinstance(r, ConversationRow))
    turns_said = [r for r in rows if isinstance(r, TurnRow)]
    for turn in turns_said:
        name = person.name if turn.role == "client" else "responder"
        reply.line(f"{name}: {turn.text}")
    reply.line(f"(ended: {head.end_reason}, {head.utterances} utterances, seed {seed}, {mode})")
    reply.done(
        {
            "client": person.id,
            "end_reason": head.end_reason,
            "turns": [{"role": t.role, "text": t.text, "retries": t.retries} for t in turns_said],
        }
    )


@guarded
def administer(
    who: Who,
    from_run: FromRun = None,
    instrument: Annotated[str, typer.Option("--instrument", help="A shipped instrument or a file.")] = "ipip50",
    model: Model = "smollm2",
    seed: Seed = 7,
    show_prompt: ShowPrompt = False,
    free_text: Annotated[
        bool, typer.Option("--free-text", help="Let the person write answers and parse them.")
    ] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Let one person answer an instrument and print scale scores beside the given traits."""
    import asyncio

    from personae.conditioning import Prompt, embody
    from personae.instruments import administer as ask
    from personae.instruments import administer_free_text, answers_of, load_instrument, score_responses
    from personae.instruments import show_prompt as prompt_of
    from personae.models import open_model, teach

    reply = Reply(as_json=as_json)
    person, questions = find_person(who, from_run), load_instrument(instrument)

    async def answers() -> list[ResponseRow]:
        llm = open_model(model)
        teach(llm, person)
        try:
            async with embody(person, Prompt(), llm) as actor:
                if show_prompt:
                    reply.prompt(prompt_of(actor, questions))
                way = administer_free_text if free_text else ask
                return await way(actor, questions, seed=seed, unit="administer")
        finally:
            await llm.close()

    rows = asyncio.run(answers())
    given = person.personal.big_five.scores() if person.personal.big_five else {}
    scores = score_responses(questions, answers_of(rows))
    table = [
        {
            "scale": s.name,
            "score": "–" if s.value is None else f"{s.value:.2f}",
            "answered": f"{s.answered}/{s.items}",
            "given T": f"{given[s.name]:.0f}" if s.name in given else "–",
            "reason": s.reason or "",
        }
        for s in scores.values()
    ]
    statuses: dict[str, int] = {}
    for row in rows:
        statuses[row.status] = statuses.get(row.status, 0) + 1
    reply.line(f"{person.name} answers {questions.title} ({', '.join(f'{k}: {v}' for k, v in statuses.items())})")
    reply.table(table, ("scale", "score", "answered", "given T", "reason"))
    reply.done({"persona": person.id, "instrument": questions.name, "statuses": statuses, "scales": table})
