"""Making people: recipes, exact quotas, rules, traits, names, schema sampling, crafting, and people in files."""

from personae.creation._bulk import BULK_RULE, CheckRecord, RecordsFolder, RecordsReport, check_table, write_records
from personae.creation._chains import SPECIAL, Chain, MinedExample, extract_chains
from personae.creation._clean import clean_people
from personae.creation._compare import Compare
from personae.creation._compose import (
    REVIEW,
    DraftLog,
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
    one_shot_drafts,
    pack_guard,
    pack_owners,
)
from personae.creation._convert import Aggregate, Group, aggregate, character_prompt, individualize
from personae.creation._corrupt import CORRUPTIONS, Corruption, corrupt
from personae.creation._coverage import Coverage, coverage, lint_kind
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
from personae.creation._deep import DeepPeople, LeafChoice, parse_anchors
from personae.creation._deep_choice import CORE_VECTORS, SAMPLINGS, CoreVector, Sampling, choose_leaves
from personae.creation._deep_model import value_schema, write_values
from personae.creation._deep_record import DeepRecord, FailedBatch, KeyEvent, LifeAttitude, Mark, NarrativeReport, Story
from personae.creation._deep_rules import WordRule, WordViolation, check_deep, load_word_rules
from personae.creation._deep_tree import ValueTree, load_value_tree
from personae.creation._describe import describe_people
from personae.creation._design import SampleDesign
from personae.creation._domains import Customer, Medication, Patient, Stages, Student, StudentLevels
from personae.creation._drawn import Drawn, Formula, LogNormal, Normal, Uniform
from personae.creation._enrich import ColumnSource, Enrichment
from personae.creation._fit import FitReport, FittedTable, MarginFit, Pull
from personae.creation._fitted import MarginMeasures, PopulationFit
from personae.creation._gate import Gate, GateAnswer, Resolved, resolve
from personae.creation._household_fit import FittedHouseholds, HouseholdCounts, HouseholdReport
from personae.creation._household_recipe import (
    Composition,
    Controls,
    HouseholdRecipe,
    MemberSlot,
    SeedHousehold,
    read_seed_households,
)
from personae.creation._households import Household, Households, household_recipe_names, load_household_recipe
from personae.creation._kin import AgeRules, kin_word
from personae.creation._kinds import KINDS, KindEvidence, PersonaKinds, classify, has_field, without_field
from personae.creation._kinds_asked import kind_opinion
from personae.creation._lint import Finding, lint, lint_many
from personae.creation._load import load_recipe, recipe_from_yaml, recipe_names
from personae.creation._match import Match
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
from personae.creation._override import with_quotas, with_strata
from personae.creation._packs import Anchor, RulePack, Vocabulary, load_pack, pack_names
from personae.creation._parts import PeopleFormat, expected_bytes, people_digest
from personae.creation._people import load_gallery, load_people, read_records, save_people, write_population
from personae.creation._phrases import Coded, PhraseGrammar, load_phrases, phrase_names
from personae.creation._population import Population, create_people
from personae.creation._profile import (
    SUBSETS,
    ProfileAnswers,
    SocialIdentity,
    answers_of_person,
    assemble_profile,
    gallery_answers,
    load_profiles,
    subset_view,
)
from personae.creation._profile_form import blank_profile
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
from personae.creation._readback_rules import SelfStatement
from personae.creation._readback_thresholds import (
    AnswerCut,
    AnswerThresholds,
    PlantedText,
    answer_threshold,
    calibrate_answers,
    planted_texts,
)
from personae.creation._reading import Reading
from personae.creation._recipe import Conditional, Margin, Recipe, SeedTable, Strata, Variable
from personae.creation._respondents import respondent_people
from personae.creation._risks import RISKS, Risk, RiskReport, risk_report
from personae.creation._rules import Count, Distinct, Rule, Violation, check_fields, check_persona
from personae.creation._schema import PairRejection, RejectionReport, Schema, SchemaField, SchemaSampler, load_schema
from personae.creation._seed import seed_records
from personae.creation._situate import situate
from personae.creation._statements import write_statements
from personae.creation._student_records import read_levels, student_persona, student_schemas, student_text
from personae.creation._student_respondents import respondent_rows, student_fields, student_respondent
from personae.creation._student_stages import (
    STUDENT_TARGETS,
    bulk_students,
    finished_students,
    near_copy_issues,
    standing_drafts,
    student_guard,
    student_owners,
    student_slot,
)
from personae.creation._students import PARAGRAPHS, StudentSource, record_rows, student_slots
from personae.creation._taxonomy import ROOTS, Node, Taxonomy, TaxonomyFinding, lint_taxonomy, read_taxonomy
from personae.creation._traits import TraitModel, swapped_trait_twins
from personae.creation._values import VALUES, ValuesModel
from personae.creation._weights import ControlRow, WeightFit, ipu, rake_weights
from personae.creation._writers import GrammarWriter, ModelReviewer, ModelWriter, review_schema

__all__ = [
    "BULK_RULE",
    "CORE_VECTORS",
    "CORRUPTIONS",
    "KINDS",
    "LABELS",
    "PARAGRAPHS",
    "REVIEW",
    "RISKS",
    "ROOTS",
    "SAMPLINGS",
    "SPECIAL",
    "SPECIAL_CATEGORIES",
    "STUDENT_TARGETS",
    "SUBSETS",
    "VALUES",
    "AgeRules",
    "Aggregate",
    "Anchor",
    "AnswerCut",
    "AnswerThresholds",
    "Chain",
    "CheckRecord",
    "Coded",
    "ColumnSource",
    "Compare",
    "Composition",
    "Conditional",
    "ControlRow",
    "Controls",
    "CoreVector",
    "Corruption",
    "Count",
    "CountTable",
    "Coverage",
    "CraftReason",
    "Crafted",
    "Customer",
    "DeepPeople",
    "DeepRecord",
    "Distinct",
    "DraftLog",
    "Drawn",
    "DuplicateReport",
    "Enrichment",
    "EvidenceSpan",
    "FailedBatch",
    "Finding",
    "FitReport",
    "FittedHouseholds",
    "FittedTable",
    "Formula",
    "Gate",
    "GateAnswer",
    "GrammarWriter",
    "Group",
    "Guard",
    "Household",
    "HouseholdCounts",
    "HouseholdRecipe",
    "HouseholdReport",
    "Households",
    "Issue",
    "KeyEvent",
    "KindEvidence",
    "LeafChoice",
    "LexicalRule",
    "LifeAttitude",
    "LogNormal",
    "Margin",
    "MarginFit",
    "MarginMeasures",
    "Mark",
    "Match",
    "Medication",
    "MemberSlot",
    "MinedExample",
    "MinedTaxonomy",
    "ModelReviewer",
    "ModelWriter",
    "NameBook",
    "NamesSpec",
    "Narrative",
    "NarrativeBudget",
    "NarrativeReport",
    "Node",
    "Normal",
    "Owner",
    "PairRejection",
    "Patient",
    "PeopleFormat",
    "PersonName",
    "PersonaKinds",
    "PhraseGrammar",
    "PlantedText",
    "Population",
    "PopulationFit",
    "ProfileAnswers",
    "Pull",
    "ReadBack",
    "ReadFact",
    "Reading",
    "Recipe",
    "RecordsFolder",
    "RecordsReport",
    "RejectionReport",
    "Repair",
    "Resolved",
    "Reviewer",
    "Risk",
    "RiskReport",
    "Round",
    "Rule",
    "RulePack",
    "SampleDesign",
    "Sampling",
    "Schema",
    "SchemaField",
    "SchemaSampler",
    "SeedHousehold",
    "SeedTable",
    "SelfStatement",
    "Slot",
    "SocialIdentity",
    "Stages",
    "Story",
    "Strata",
    "Student",
    "StudentLevels",
    "StudentSource",
    "Task",
    "Taxonomy",
    "TaxonomyFinding",
    "TraitModel",
    "Turn",
    "Uniform",
    "ValueTree",
    "ValuesModel",
    "Variable",
    "Violation",
    "Vocabulary",
    "WeightFit",
    "WordRule",
    "WordViolation",
    "Writer",
    "Written",
    "aggregate",
    "answer_threshold",
    "answers_of_person",
    "as_one",
    "assemble_profile",
    "blank_profile",
    "bulk_students",
    "calibrate_answers",
    "chain_recovery",
    "character_prompt",
    "check_deep",
    "check_fields",
    "check_persona",
    "check_table",
    "choose_leaves",
    "classify",
    "clean_people",
    "compose",
    "corrupt",
    "coverage",
    "craft",
    "craft_description",
    "craft_faults",
    "craft_messages",
    "create_people",
    "describe_people",
    "expected_bytes",
    "extract_chains",
    "fallback_counts",
    "finished_students",
    "gallery_answers",
    "has_field",
    "household_recipe_names",
    "individualize",
    "ipu",
    "kin_word",
    "kind_opinion",
    "label_exchange",
    "label_exchanges",
    "largest_remainder",
    "lexical_duplicates",
    "lint",
    "lint_kind",
    "lint_many",
    "lint_taxonomy",
    "load_gallery",
    "load_household_recipe",
    "load_pack",
    "load_people",
    "load_phrases",
    "load_profiles",
    "load_recipe",
    "load_schema",
    "load_value_tree",
    "load_word_rules",
    "losers",
    "mine_taxonomy",
    "near_copy_issues",
    "one_shot_drafts",
    "pack_guard",
    "pack_names",
    "pack_owners",
    "parse_anchors",
    "people_digest",
    "phrase_names",
    "planted_texts",
    "rake_weights",
    "read_back",
    "read_back_asked",
    "read_levels",
    "read_records",
    "read_seed_households",
    "read_taxonomy",
    "recipe_from_yaml",
    "recipe_names",
    "record_rows",
    "resolve",
    "respondent_people",
    "respondent_rows",
    "review_schema",
    "risk_report",
    "save_people",
    "seed_records",
    "self_statements",
    "semantic_duplicates",
    "situate",
    "standing_drafts",
    "student_fields",
    "student_guard",
    "student_owners",
    "student_persona",
    "student_respondent",
    "student_schemas",
    "student_slot",
    "student_slots",
    "student_text",
    "subset_view",
    "swapped_trait_twins",
    "tell",
    "value_schema",
    "with_quotas",
    "with_strata",
    "without_field",
    "write_population",
    "write_records",
    "write_statements",
    "write_values",
]
