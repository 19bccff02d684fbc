"""Evidence tables in, Measurements out."""

from personae.measures._answers import answers_by_person
from personae.measures._dialogue import Talk, dialogue_measurements, echo_copy, echo_test, talk_metrics, talks
from personae.measures._diversity import diversity_measurements
from personae.measures._drift import Encode, drift_measurements, path_drift_measurements
from personae.measures._identity import (
    identity_measurements,
    likelihood_identity_measurements,
    round_trip_measurements,
    statement_measurements,
)
from personae.measures._make import Maker, adjusted
from personae.measures._populations import (
    AssociationMap,
    PairComparison,
    PopulationComparison,
    VariableComparison,
    association_map,
    compare_populations,
)
from personae.measures._quality import audit_measurements, closing_rule_measurements, rejection_measurement
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

__all__ = [
    "AssociationMap",
    "Encode",
    "Maker",
    "PairComparison",
    "PopulationComparison",
    "Talk",
    "TraitTable",
    "VariableComparison",
    "adjusted",
    "answers_by_person",
    "association_map",
    "audit_measurements",
    "closing_rule_measurements",
    "compare_populations",
    "dialogue_measurements",
    "diversity_measurements",
    "domain_correlations",
    "drift_measurements",
    "echo_copy",
    "echo_test",
    "identity_measurements",
    "intended_against_answered",
    "likelihood_identity_measurements",
    "mean_correlation",
    "path_drift_measurements",
    "people_columns",
    "recoverability_measurements",
    "recovery",
    "recovery_test",
    "rejection_measurement",
    "round_trip_measurements",
    "statement_measurements",
    "talk_metrics",
    "talks",
    "trait_measurements",
    "trait_table",
    "written_measurements",
]
from personae.measures._people_columns import people_columns
from personae.measures._written import written_measurements
