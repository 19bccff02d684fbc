"""Who is meant: a person of the gallery, of a file, or of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from personae.core import Persona

_ABOUT = "A gallery person (name or part of it), a content id, or a file of people; with --from, also a number."
Who = Annotated[str, typer.Argument(help=_ABOUT)]
WhoOrDefault = Annotated[
    str | None, typer.Argument(help=_ABOUT, show_default="Wanda; with --from, the first person drawn")
]
FromRun = Annotated[
    Path | None, typer.Option("--from", help="A run folder: take the person it drew by name, content id or number.")
]


def find_person(who: str | None, run: Path | None = None) -> Persona:
    """A person by file (first in it), content id, name or part of it; in a run also by number, from 0.

    Raises:
        InputError: nobody, or several people, fit; `run` is not a run folder.
    """
    if run is not None:
        return _drawn("0" if who is None else who, run)
    from personae.core import InputError
    from personae.creation import load_gallery, load_people

    who = "Wanda" if who is None else who
    path = Path(who)
    if path.suffix in {".json", ".jsonl", ".yaml", ".yml"} or path.is_file():
        people = load_people(path)
        if not people:
            raise InputError(f"{who!r} holds nobody.", hint="Give a file with at least one persona.")
        return people[0]
    return _fitting(who, load_gallery(), "the gallery")


def find_people(where: str, *, n: int, seed: int) -> list[Persona]:
    """Everybody in a people file, in a folder that `create` or a study wrote, or drawn from a recipe.

    Args:
        where: path, or the name of a shipped recipe.
        n: people drawn where a recipe is named.
        seed: likewise.

    Raises:
        InputError: nothing of the kind is there.
    """
    from personae.core import Persona, PersonaRow
    from personae.creation import Population, load_people
    from personae.runs import open_run

    path = Path(where)
    if path.is_dir():
        if (path / "people.jsonl").is_file():
            return list(load_people(path / "people.jsonl"))
        if (path / "recipe.yaml").is_file():  # columns alone: the recipe beside them makes the same people
            return list(Population(path / "recipe.yaml"))
        with open_run(path) as run:
            rows = sorted(run.rows(PersonaRow), key=lambda r: r.k)
        return [Persona.parse(r.body) for r in rows if r.twin_of is None]
    if path.suffix.lower() in {".yaml", ".yml"} and path.is_file():
        is_recipe = any(line.startswith("variables:") for line in path.read_text("utf-8").splitlines())
        return list(Population(path, n=n, seed=seed)) if is_recipe else list(load_people(path))
    if path.is_file() or path.suffix.lower() in {".jsonl", ".json"}:
        return list(load_people(path))
    return list(Population(where, n=n, seed=seed))


def _drawn(who: str, folder: Path) -> Persona:
    """A person of a run: its twins bear the same names and are found by content id alone."""
    from personae.core import InputError, Persona, PersonaRow
    from personae.runs import open_run

    with open_run(folder) as run:
        rows = sorted(run.rows(PersonaRow), key=lambda r: r.k)
    if not rows:
        raise InputError(f"{str(folder)!r} holds no people yet.", hint="Give its command again, then look for people.")
    found = [r for r in rows if r.persona_id == who]
    drawn = [r for r in rows if r.twin_of is None]
    if who.isascii() and who.isdigit():
        found = found or [r for r in drawn if r.k == int(who)]
    people = {r.persona_id: Persona.parse(r.body) for r in (found or drawn)}
    if found and len(people) == 1:
        return people[found[0].persona_id]
    return _fitting(who, list(people.values()), f"{str(folder)!r}")


def _fitting(who: str, people: Sequence[Persona], where: str) -> Persona:
    from personae.core import InputError

    found = [p for p in people if p.id == who or who.casefold() == p.name.casefold()]
    found = found or [p for p in people if who.casefold() in p.name.casefold()]
    if len(found) == 1:
        return found[0]
    names = ", ".join(p.name for p in (found or people)[:12])
    word = f"Several people of {where} fit" if found else f"Nobody in {where} fits"
    raise InputError(f"{word} {who!r}.", hint=f"Try one of: {names}.")
