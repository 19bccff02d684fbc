"""Evidence tables in, Measurements out."""

from personae.measures._answers import answers_by_person
from personae.measures._citizens import citizen_measurements, in_country
from personae.measures._cohorts import HSB82, Answers, Codebook, cohort_measurements, read_cohorts
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
from personae.measures._diversity import diversity_measurements
from personae.measures._drift import Encode, drift_measurements, path_drift_measurements
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
    "HSB82",
    "POLARITY",
    "Answers",
    "AssociationMap",
    "Codebook",
    "Encode",
    "HumanAnswers",
    "Humans",
    "Maker",
    "PairComparison",
    "PopulationComparison",
    "Talk",
    "TraitTable",
    "VariableComparison",
    "adjusted",
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
    "compare_populations",
    "composition_measurements",
    "corpus_measurements",
    "coverage_curve",
    "depth_measurements",
    "dialogue_measurements",
    "diversity_measurements",
    "domain_correlations",
    "drift_measurements",
    "echo_copy",
    "echo_test",
    "filled_depth",
    "identity_measurements",
    "in_country",
    "intended_against_answered",
    "kind_measurements",
    "likelihood_identity_measurements",
    "mean_correlation",
    "mean_pairwise",
    "nearest_neighbour_distances",
    "path_drift_measurements",
    "people_columns",
    "probe_measurements",
    "quota_measurements",
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
