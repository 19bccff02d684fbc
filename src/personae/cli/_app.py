"""The command tree."""

from __future__ import annotations

from typing import Annotated

import typer

from personae.cli import (
    _cache,
    _doctor,
    _forms,
    _import,
    _kinds,
    _lint,
    _models,
    _people,
    _population,
    _runs,
    _steer,
    _studies,
    _talk,
)
from personae.cli._usage import Root

app = typer.Typer(
    name="personae",
    cls=Root,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Make people, put them on a language model, let them talk and answer, and measure what happened.",
    epilog="Start with: personae demo --out demo-run",
)


def _version(value: bool) -> None:
    if value:
        from personae import __version__

        typer.echo(f"personae {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    del version


app.command("demo")(_studies.demo)
app.command("create")(_people.create)
app.add_typer(_population.population_app, name="population", help="Compare populations.")
app.command("lint")(_lint.lint)
app.command("chat")(_talk.chat)
app.command("simulate")(_talk.simulate)
app.command("administer")(_talk.administer)
app.add_typer(_steer.steer_app, name="steer", help="Directions in a model's activations: learn, try, hand over.")
app.command("drift")(_steer.drift)
app.add_typer(_studies.study_app, name="study", help="Run and read studies: one published method each.")
app.add_typer(_kinds.persona_app, name="persona", help="Kinds, plans and risks of the people in a file.")
app.command("report")(_runs.report)
app.command("import")(_import.import_)
app.command("export")(_runs.export)
app.add_typer(_forms.forms_app, name="forms", help="What people fill in: a profile of themselves, blind rating forms.")
app.add_typer(_runs.run_app, name="run", help="Look into run folders.")
app.add_typer(_models.models_app, name="models", help="Fetch and check model weights.")
app.add_typer(_cache.cache_app, name="cache", help="Look into and clear the answers kept of earlier calls.")
app.command("doctor")(_doctor.doctor)
