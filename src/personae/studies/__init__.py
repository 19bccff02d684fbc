"""Studies: one published method each, as a recipe over the rooms."""

from personae.studies._base import Bench, Card, Claim, Needs, Stage, Study, StudySpec, register, studies
from personae.studies._capabilities import BuildOption, Plan, RiskCheck, StudyOption, card_of, model_level, plan_for
from personae.studies._driver import Finished, Order, export_folder, overview, plan_of, report_run, run_study
from personae.studies._forms import FormsMade, FormsRead, make_forms, read_back
from personae.studies._pages import closing_sections, describe, opening_sections
from personae.studies._preview import Previewed, StagePreview, preview_study

# isort: split
# Built-in studies come last: they import what stands above, like any study outside.
from personae.studies import deeppersona, demo, hachimi, people, persona_taxonomy, spasm, spectrum

__all__ = [
    "Bench",
    "BuildOption",
    "Card",
    "Claim",
    "Finished",
    "FormsMade",
    "FormsRead",
    "Needs",
    "Order",
    "Plan",
    "Previewed",
    "RiskCheck",
    "Stage",
    "StagePreview",
    "Study",
    "StudyOption",
    "StudySpec",
    "card_of",
    "closing_sections",
    "deeppersona",
    "demo",
    "describe",
    "export_folder",
    "hachimi",
    "make_forms",
    "model_level",
    "opening_sections",
    "overview",
    "people",
    "persona_taxonomy",
    "plan_for",
    "plan_of",
    "preview_study",
    "read_back",
    "register",
    "report_run",
    "run_study",
    "spasm",
    "spectrum",
    "studies",
]
