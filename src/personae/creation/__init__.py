"""Making people: recipes, exact quotas, rules, traits, names, schema sampling, crafting, and people in files."""

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
from personae.creation._fit import FitReport, FittedTable
from personae.creation._gate import Gate, GateAnswer, Resolved, resolve
from personae.creation._load import load_recipe, recipe_names
from personae.creation._names import NameBook, NamesSpec, PersonName
from personae.creation._people import load_gallery, load_people, save_people, write_population
from personae.creation._population import Population, PopulationFit, create_people
from personae.creation._quota import CountTable, largest_remainder
from personae.creation._recipe import Conditional, Margin, Recipe, SeedTable, Variable
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
    "Conditional",
    "CountTable",
    "CraftReason",
    "Crafted",
    "DuplicateReport",
    "FitReport",
    "FittedTable",
    "Gate",
    "GateAnswer",
    "LexicalRule",
    "Margin",
    "Match",
    "NameBook",
    "NamesSpec",
    "PairRejection",
    "PersonName",
    "Population",
    "PopulationFit",
    "Recipe",
    "RejectionReport",
    "Resolved",
    "Rule",
    "Schema",
    "SchemaField",
    "SchemaSampler",
    "SeedTable",
    "TraitModel",
    "Variable",
    "Violation",
    "check_fields",
    "check_persona",
    "craft",
    "craft_description",
    "craft_faults",
    "craft_messages",
    "create_people",
    "fallback_counts",
    "largest_remainder",
    "lexical_duplicates",
    "load_gallery",
    "load_people",
    "load_recipe",
    "load_schema",
    "losers",
    "recipe_names",
    "resolve",
    "save_people",
    "semantic_duplicates",
    "situate",
    "swapped_trait_twins",
    "write_population",
]
