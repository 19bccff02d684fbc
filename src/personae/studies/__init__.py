"""Studies: one published method each, as a recipe over the rooms."""

from personae.studies._base import Bench, Card, Claim, Needs, Stage, Study, StudySpec, register, studies
from personae.studies._driver import Finished, Order, export_folder, overview, plan_of, report_run, run_study
from personae.studies._pages import closing_sections, describe, opening_sections
from personae.studies._preview import Previewed, StagePreview, preview_study

# isort: split
# Built-in studies come last: they import what stands above, like any study outside.
from personae.studies import demo, hachimi, spasm

__all__ = [
    "Bench",
    "Card",
    "Claim",
    "Finished",
    "Needs",
    "Order",
    "Previewed",
    "Stage",
    "StagePreview",
    "Study",
    "StudySpec",
    "closing_sections",
    "demo",
    "describe",
    "export_folder",
    "hachimi",
    "opening_sections",
    "overview",
    "plan_of",
    "preview_study",
    "register",
    "report_run",
    "run_study",
    "spasm",
    "studies",
]
