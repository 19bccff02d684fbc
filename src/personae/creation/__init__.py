"""Making people: recipes, exact quotas, rules, traits, names, schema sampling, crafting, and people in files."""

from personae.creation._bulk import BULK_RULE, CheckRecord, RecordsFolder, RecordsReport, check_table, write_records
from personae.creation._compare import Compare
from personae.creation._compose import (
    Composition,
    Guard,
    Issue,
    Owner,
    Reviewer,
    Round,
    Slot,
    Task,
    Turn,
    Writer,
    Written,
    as_one,
    compose,
    pack_guard,
    pack_owners,
)
from personae.creation._craft import (
    Crafted,
    CraftReason,
    craft,
    craft_description,
    craft_faults,
    craft_messages,
    fallback_counts,
)
from personae.creation._dedup import DuplicateReport, LexicalRule, lexical_duplicates, losers, semantic_duplicates
from personae.creation._domains import Customer, Medication, Patient, Stages, Student, StudentLevels
from personae.creation._fit import FitReport, FittedTable
from personae.creation._gate import Gate, GateAnswer, Resolved, resolve
from personae.creation._load import load_recipe, recipe_names
from personae.creation._match import Match
from personae.creation._names import NameBook, NamesSpec, PersonName
from personae.creation._packs import Anchor, Reading, RulePack, Vocabulary, load_pack, pack_names
from personae.creation._people import load_gallery, load_people, save_people, write_population
from personae.creation._phrases import Coded, PhraseGrammar, load_phrases, phrase_names
from personae.creation._population import Population, PopulationFit, create_people
from personae.creation._quota import CountTable, largest_remainder
from personae.creation._recipe import Conditional, Margin, Recipe, SeedTable, Variable
from personae.creation._rules import Count, Distinct, Rule, Violation, check_fields, check_persona
from personae.creation._schema import (
    PairRejection,
    RejectionReport,
    Schema,
    SchemaField,
    SchemaSampler,
    load_schema,
)
from personae.creation._situate import situate
from personae.creation._student_records import read_levels, student_persona, student_schemas
from personae.creation._students import PARAGRAPHS, StudentSource, record_rows, student_slots
from personae.creation._traits import TraitModel, swapped_trait_twins
from personae.creation._writers import GrammarWriter, ModelReviewer, ModelWriter, review_schema

__all__ = [
    "BULK_RULE",
    "PARAGRAPHS",
    "Anchor",
    "CheckRecord",
    "Coded",
    "Compare",
    "Composition",
    "Conditional",
    "Count",
    "CountTable",
    "CraftReason",
    "Crafted",
    "Customer",
    "Distinct",
    "DuplicateReport",
    "FitReport",
    "FittedTable",
    "Gate",
    "GateAnswer",
    "GrammarWriter",
    "Guard",
    "Issue",
    "LexicalRule",
    "Margin",
    "Match",
    "Medication",
    "ModelReviewer",
    "ModelWriter",
    "NameBook",
    "NamesSpec",
    "Owner",
    "PairRejection",
    "Patient",
    "PersonName",
    "PhraseGrammar",
    "Population",
    "PopulationFit",
    "Reading",
    "Recipe",
    "RecordsFolder",
    "RecordsReport",
    "RejectionReport",
    "Resolved",
    "Reviewer",
    "Round",
    "Rule",
    "RulePack",
    "Schema",
    "SchemaField",
    "SchemaSampler",
    "SeedTable",
    "Slot",
    "Stages",
    "Student",
    "StudentLevels",
    "StudentSource",
    "Task",
    "TraitModel",
    "Turn",
    "Variable",
    "Violation",
    "Vocabulary",
    "Writer",
    "Written",
    "as_one",
    "check_fields",
    "check_persona",
    "check_table",
    "compose",
    "craft",
    "craft_description",
    "craft_faults",
    "craft_messages",
    "create_people",
    "fallback_counts",
    "largest_remainder",
    "lexical_duplicates",
    "load_gallery",
    "load_pack",
    "load_people",
    "load_phrases",
    "load_recipe",
    "load_schema",
    "losers",
    "pack_guard",
    "pack_names",
    "pack_owners",
    "phrase_names",
    "read_levels",
    "recipe_names",
    "record_rows",
    "resolve",
    "review_schema",
    "save_people",
    "semantic_duplicates",
    "situate",
    "student_persona",
    "student_schemas",
    "student_slots",
    "swapped_trait_twins",
    "write_population",
    "write_records",
]
