"""Evidence tables in, Measurements out."""

from personae.measures._answers import answers_by_person
from personae.measures._citizens import citizen_measurements, in_country
from personae.measures._cohorts import Answers, agent_answers, cohort_measurements, cohort_table, read_cohorts
from personae.measures._contrasts import paired_contrasts
from personae.measures._depth import (
    attribute_jaccard,
    choice_measurements,
    choice_rows,
    chosen_tables,
    coverage_curve,
    depth_measurements,
    filled_depth,
    mean_pairwise,
    nearest_neighbour_distances,
    taxonomy_coverage,
    value_agreement,
)
from personae.measures._dialogue import Talk, dialogue_measurements, echo_copy, echo_test, talk_metrics, talks
from personae.measures._diversity import diversity_measurements, encoded_diversity
from personae.measures._drift import Encode, drift_measurements, path_drift_measurements
from personae.measures._equal_tokens import equal_token_measurements
from personae.measures._fit import fit_measurements
from personae.measures._human_answers import HumanAnswers, Humans, read_humans
from personae.measures._identity import (
    identity_measurements,
    likelihood_identity_measurements,
    round_trip_measurements,
    statement_measurements,
)
from personae.measures._kinds import kind_measurements, probe_measurements
from personae.measures._make import Maker, adjusted
from personae.measures._people_columns import people_columns
from personae.measures._populations import (
    AssociationMap,
    PairComparison,
    PopulationComparison,
    VariableComparison,
    association_map,
    compare_populations,
)
from personae.measures._quality import audit_measurements, closing_rule_measurements, rejection_measurement
from personae.measures._rating_tasks import ASKS, QUESTIONS, Ask, rating_tasks
from personae.measures._ratings import (
    Rating,
    RatingKey,
    RatingQuestion,
    RatingTask,
    deal_tasks,
    rating_measurements,
)
from personae.measures._records import (
    POLARITY,
    composition_measurements,
    corpus_measurements,
    quota_measurements,
    record_measurements,
)
from personae.measures._recoverability import recoverability_measurements
from personae.measures._traits import (
    TraitTable,
    domain_correlations,
    intended_against_answered,
    mean_correlation,
    recovery,
    recovery_test,
    trait_measurements,
    trait_table,
)
from personae.measures._written import written_measurements

__all__ = [
    "ASKS",
    "POLARITY",
    "QUESTIONS",
    "Answers",
    "Ask",
    "AssociationMap",
    "Encode",
    "HumanAnswers",
    "Humans",
    "Maker",
    "PairComparison",
    "PopulationComparison",
    "Rating",
    "RatingKey",
    "RatingQuestion",
    "RatingTask",
    "Talk",
    "TraitTable",
    "VariableComparison",
    "adjusted",
    "agent_answers",
    "answers_by_person",
    "association_map",
    "attribute_jaccard",
    "audit_measurements",
    "choice_measurements",
    "choice_rows",
    "chosen_tables",
    "citizen_measurements",
    "closing_rule_measurements",
    "cohort_measurements",
    "cohort_table",
    "compare_populations",
    "composition_measurements",
    "corpus_measurements",
    "coverage_curve",
    "deal_tasks",
    "depth_measurements",
    "dialogue_measurements",
    "diversity_measurements",
    "domain_correlations",
    "drift_measurements",
    "echo_copy",
    "echo_test",
    "encoded_diversity",
    "equal_token_measurements",
    "filled_depth",
    "fit_measurements",
    "identity_measurements",
    "in_country",
    "intended_against_answered",
    "kind_measurements",
    "likelihood_identity_measurements",
    "mean_correlation",
    "mean_pairwise",
    "nearest_neighbour_distances",
    "paired_contrasts",
    "path_drift_measurements",
    "people_columns",
    "probe_measurements",
    "quota_measurements",
    "rating_measurements",
    "rating_tasks",
    "read_cohorts",
    "read_humans",
    "record_measurements",
    "recoverability_measurements",
    "recovery",
    "recovery_test",
    "rejection_measurement",
    "round_trip_measurements",
    "statement_measurements",
    "talk_metrics",
    "talks",
    "taxonomy_coverage",
    "trait_measurements",
    "trait_table",
    "value_agreement",
    "written_measurements",
]
