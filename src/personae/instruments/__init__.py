"""Instruments: items, keys, norms; how they are put to an actor, and how answers are scored."""

from personae.instruments._administer import administer, show_prompt, unit_key
from personae.instruments._codebooks import Codebook, CohortColumn, load_codebook
from personae.instruments._fit import FIT_JUDGE, FitBy, FitJudge, FitPair, FitVerdict, fit_pairs, judge_fit
from personae.instruments._free_text import administer_free_text
from personae.instruments._judges import UNVALIDATED, YesNoJudge, transcript, validate_closing_judge
from personae.instruments._keys import KeyedItem, KeySheet, keys, load_inventory, load_key
from personae.instruments._layout import BASELINES, ROTATIONS, Baseline, PlannedScore, Rotation, plan_scores
from personae.instruments._load import instruments, load_instrument, parse_instrument
from personae.instruments._replies import ParsedReply, parse_reply
from personae.instruments._scoring import (
    Answers,
    ScaleReliability,
    ScaleScore,
    answers_of,
    centred,
    facet_scores,
    item_matrix,
    keyed,
    reliability,
    score_responses,
    t_scores,
)
from personae.instruments._statements import (
    SELVES,
    SelfKind,
    elicit_statements,
    score_statements,
    statement_sets,
    statements_schema,
)
from personae.instruments._survey_items import (
    HumanColumn,
    PersonColumn,
    Respondents,
    Survey,
    SurveyItem,
    load_survey,
)
from personae.instruments._sync import administer_free_text_sync, administer_sync

__all__ = [
    "BASELINES",
    "FIT_JUDGE",
    "ROTATIONS",
    "SELVES",
    "UNVALIDATED",
    "Answers",
    "Baseline",
    "Codebook",
    "CohortColumn",
    "FitBy",
    "FitJudge",
    "FitPair",
    "FitVerdict",
    "HumanColumn",
    "KeySheet",
    "KeyedItem",
    "ParsedReply",
    "PersonColumn",
    "PlannedScore",
    "Respondents",
    "Rotation",
    "ScaleReliability",
    "ScaleScore",
    "SelfKind",
    "Survey",
    "SurveyItem",
    "YesNoJudge",
    "administer",
    "administer_free_text",
    "administer_free_text_sync",
    "administer_sync",
    "answers_of",
    "centred",
    "elicit_statements",
    "facet_scores",
    "fit_pairs",
    "instruments",
    "item_matrix",
    "judge_fit",
    "keyed",
    "keys",
    "load_codebook",
    "load_instrument",
    "load_inventory",
    "load_key",
    "load_survey",
    "parse_instrument",
    "parse_reply",
    "plan_scores",
    "reliability",
    "score_responses",
    "score_statements",
    "show_prompt",
    "statement_sets",
    "statements_schema",
    "t_scores",
    "transcript",
    "unit_key",
    "validate_closing_judge",
]
