"""Making people: recipes, exact quotas, rules, traits, names, schema sampling, crafting, and people in files."""

from personae.creation._chains import SPECIAL, Chain, MinedExample, extract_chains
from personae.creation._craft import (
    Crafted,
    CraftReason,
    craft,
    craft_description,
    craft_faults,
    craft_messages,
    fallback_counts,
)
from personae.creation._deep import SAMPLINGS, DeepPeople, LeafChoice, Sampling, choose_leaves, parse_anchors
from personae.creation._deep_model import value_schema, write_values
from personae.creation._deep_record import DeepRecord, FailedBatch, KeyEvent, LifeAttitude, Mark, NarrativeReport, Story
from personae.creation._deep_rules import WordRule, WordViolation, check_deep, load_word_rules
from personae.creation._deep_tree import ValueTree, load_value_tree
from personae.creation._fit import FitReport, FittedTable
from personae.creation._load import load_recipe, recipe_names
from personae.creation._mining import (
    LABELS,
    MinedTaxonomy,
    Repair,
    chain_recovery,
    label_exchange,
    label_exchanges,
    mine_taxonomy,
)
from personae.creation._names import NameBook, NamesSpec, PersonName
from personae.creation._narrative import Narrative, NarrativeBudget, tell
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
from personae.creation._taxonomy import (
    ROOTS,
    Node,
    Taxonomy,
    TaxonomyFinding,
    lint_taxonomy,
    read_taxonomy,
)
from personae.creation._traits import TraitModel, swapped_trait_twins

__all__ = [
    "LABELS",
    "ROOTS",
    "SAMPLINGS",
    "SPECIAL",
    "Chain",
    "Conditional",
    "CountTable",
    "CraftReason",
    "Crafted",
    "DeepPeople",
    "DeepRecord",
    "FailedBatch",
    "FitReport",
    "FittedTable",
    "KeyEvent",
    "LeafChoice",
    "LifeAttitude",
    "Margin",
    "Mark",
    "Match",
    "MinedExample",
    "MinedTaxonomy",
    "NameBook",
    "NamesSpec",
    "Narrative",
    "NarrativeBudget",
    "NarrativeReport",
    "Node",
    "PairRejection",
    "PersonName",
    "Population",
    "PopulationFit",
    "Recipe",
    "RejectionReport",
    "Repair",
    "Rule",
    "Sampling",
    "Schema",
    "SchemaField",
    "SchemaSampler",
    "SeedTable",
    "Story",
    "Taxonomy",
    "TaxonomyFinding",
    "TraitModel",
    "ValueTree",
    "Variable",
    "Violation",
    "WordRule",
    "WordViolation",
    "chain_recovery",
    "check_deep",
    "check_fields",
    "check_persona",
    "choose_leaves",
    "craft",
    "craft_description",
    "craft_faults",
    "craft_messages",
    "create_people",
    "extract_chains",
    "fallback_counts",
    "label_exchange",
    "label_exchanges",
    "largest_remainder",
    "lint_taxonomy",
    "load_gallery",
    "load_people",
    "load_recipe",
    "load_schema",
    "load_value_tree",
    "load_word_rules",
    "mine_taxonomy",
    "parse_anchors",
    "read_taxonomy",
    "recipe_names",
    "save_people",
    "situate",
    "swapped_trait_twins",
    "tell",
    "value_schema",
    "write_population",
    "write_values",
]
