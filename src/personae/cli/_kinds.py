"""`personae persona`: what kind of persona a file holds, what can be done with it, what may go wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from personae.cli._output import Debug, Json, Reply, guarded

persona_app = typer.Typer(no_args_is_help=True)

File = Annotated[Path, typer.Argument(help="A file of people: .jsonl, .json, .yaml.")]
AtHand = Annotated[
    str | None, typer.Option("--model", help="Model reference at hand; studies that need more are listed as blocked.")
]


@persona_app.command("classify")
@guarded
def classify_(file: File, as_json: Json = False, debug: Debug = False) -> None:
    """Which of the three kinds each person is, or which mix, with the fields that say so."""
    from personae.creation import classify, coverage, load_people

    reply, rows = Reply(as_json=as_json), list[dict[str, Any]]()
    for person in load_people(file):
        kinds = classify(person)
        covered = {kind: coverage(person, kind) for kind in kinds.mix}
        weights = ", ".join(f"{kind} {weight:.2f}" for kind, weight in kinds.weights.items())
        reply.line(f"{person.name}: {' + '.join(kinds.mix)} (confidence {kinds.confidence:.2f}; {weights})")
        for one in kinds.evidence:
            reply.line(f"    {one.kind:<15} {one.field:<32} {one.rule}")
        for kind, found in covered.items():
            reply.line(f"    covers {found.score:.0%} of what {kind} needs; missing: {', '.join(found.missing) or '–'}")
        rows.append(
            {
                "id": person.id,
                "name": person.name,
                **kinds.model_dump(mode="json"),
                "coverage": {k: {**c.model_dump(mode="json"), "score": c.score} for k, c in covered.items()},
            }
        )
    reply.done({"people": rows})


@persona_app.command("plan")
@guarded
def plan(file: File, model: AtHand = None, as_json: Json = False, debug: Debug = False) -> None:
    """Which studies can run on each person, which not and why, and what data would help."""
    from personae.creation import load_people
    from personae.studies import plan_for

    reply, rows = Reply(as_json=as_json), list[dict[str, Any]]()
    for person in load_people(file):
        made = plan_for(person, model=model)
        reply.line(f"{person.name}: {' + '.join(made.kinds.mix)}")
        for option in made.evaluation_suites:
            word = "can run" if option.runnable else "blocked: " + "; ".join(option.reasons)
            reply.line(f"    study {option.study:<18} {word}")
        for build in made.construction_options:
            word = "can be built" if build.runnable else f"needs {', '.join(build.missing)}"
            reply.line(f"    build {build.name:<34} {word}")
        for check in made.risk_checks:
            reply.line(f"    risk  {check.risk:<18} {check.status}")
        for need in made.data_needed:
            reply.line(f"    needs {need}")
        rows.append({"name": person.name, "runnable": list(made.runnable), **made.model_dump(mode="json")})
    reply.done({"people": rows})


@persona_app.command("risk")
@guarded
def risk(file: File, as_json: Json = False, debug: Debug = False) -> None:
    """Six risks of each person (toxicity, bias, hallucination, privacy, consent, impersonation), and kind findings."""
    from personae.creation import classify, lint_kind, load_people, risk_report

    reply, rows = Reply(as_json=as_json), list[dict[str, Any]]()
    for person in load_people(file):
        kinds = classify(person)
        report, findings = risk_report(person, kinds), lint_kind(person, kinds)
        reply.line(f"{person.name}: {' + '.join(kinds.mix)}")
        for name, one in report.items():
            reply.line(f"    {name:<14} {one.status:<14} {'; '.join(one.evidence)}".rstrip())
            for step in one.mitigations:
                reply.line(f"        do: {step}")
        for finding in findings:
            reply.line(f"    {finding.severity} {finding.code}: {finding.hint}")
        rows.append(
            {
                "id": person.id,
                "name": person.name,
                "risks": report.model_dump(mode="json"),
                "findings": [
                    {
                        "code": f.code,
                        "owner": f.owner,
                        "fields": list(f.fields),
                        "severity": f.severity,
                        "hint": f.hint,
                        "kind": f.code.partition(".")[0],
                    }
                    for f in findings
                ],
            }
        )
    reply.done({"people": rows})


@persona_app.command("schema")
@guarded
def schema(as_json: Json = False, debug: Debug = False) -> None:
    """The JSON Schema of a persona (draft 2020-12)."""
    import json

    from personae.core import Persona

    reply = Reply(as_json=as_json)
    body = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Persona.model_json_schema()}
    reply.line(json.dumps(body, ensure_ascii=False, indent=1))
    reply.done({"schema": body})
