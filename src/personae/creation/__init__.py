"""Making people: recipes, quotas, rules, traits, names, schemas, crafting, people in files; their kinds; read-back."""

from personae.creation._convert import Aggregate, Group, aggregate, character_prompt, individualize
from personae.creation._coverage import Coverage, KindFinding, coverage, lint_kind
from personae.creation._craft import (
    Crafted,
    CraftReason,
    craft,
    craft_description,
    craft_faults,
    craft_messages,
    fallback_counts,
)
from personae.creation._fit import FitReport, FittedTable
from personae.creation._kinds import KINDS, KindEvidence, PersonaKinds, classify, has_field, without_field
from personae.creation._kinds_asked import kind_opinion
from personae.creation._load import load_recipe, recipe_names
from personae.creation._names import NameBook, NamesSpec, PersonName
from personae.creation._people import load_gallery, load_people, save_people, write_population
from personae.creation._population import Population, PopulationFit, create_people
from personae.creation._quota import CountTable, largest_remainder
from personae.creation._readback import (
    SPECIAL_CATEGORIES,
    EvidenceSpan,
    ReadBack,
    ReadFact,
    read_back,
    read_back_asked,
    self_statements,
)
from personae.creation._readback_asked import answer_threshold
from personae.creation._readback_rules import Reading
from personae.creation._recipe import Conditional, Margin, Recipe, SeedTable, Variable
from personae.creation._risks import RISKS, Risk, RiskReport, risk_report
from personae.creation._rules import Match, Rule, Violation, check_fields, check_persona
from personae.creation._schema import (
    PairRejection,
    RejectionReport,
    Schema,
    SchemaField,
    SchemaSampler,
    load_schema,
)
from personae.creation._situate import situate
from personae.creation._traits import TraitModel, swapped_trait_twins

__all__ = [
    "KINDS",
    "RISKS",
    "SPECIAL_CATEGORIES",
    "Aggregate",
    "Conditional",
    "CountTable",
    "Coverage",
    "CraftReason",
    "Crafted",
    "EvidenceSpan",
    "FitReport",
    "FittedTable",
    "Group",
    "KindEvidence",
    "KindFinding",
    "Margin",
    "Match",
    "NameBook",
    "NamesSpec",
    "PairRejection",
    "PersonName",
    "PersonaKinds",
    "Population",
    "PopulationFit",
    "ReadBack",
    "ReadFact",
    "Reading",
    "Recipe",
    "RejectionReport",
    "Risk",
    "RiskReport",
    "Rule",
    "Schema",
    "SchemaField",
    "SchemaSampler",
    "SeedTable",
    "TraitModel",
    "Variable",
    "Violation",
    "aggregate",
    "answer_threshold",
    "character_prompt",
    "check_fields",
    "check_persona",
    "classify",
    "coverage",
    "craft",
    "craft_description",
    "craft_faults",
    "craft_messages",
    "create_people",
    "fallback_counts",
    "has_field",
    "individualize",
    "kind_opinion",
    "largest_remainder",
    "lint_kind",
    "load_gallery",
    "load_people",
    "load_recipe",
    "load_schema",
    "read_back",
    "read_back_asked",
    "recipe_names",
    "risk_report",
    "save_people",
    "self_statements",
    "situate",
    "swapped_trait_twins",
    "without_field",
    "write_population",
]
