"""Evidence tables in, Measurements out."""

from personae.measures._answers import answers_by_person
from personae.measures._cohorts import HSB82, Answers, Codebook, cohort_measurements, read_humans
from personae.measures._dialogue import Talk, dialogue_measurements, echo_copy, echo_test, talk_metrics, talks
from personae.measures._drift import Encode, drift_measurements, path_drift_measurements
from personae.measures._make import Maker, adjusted
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

__all__ = [
    "HSB82",
    "POLARITY",
    "Answers",
    "Codebook",
    "Encode",
    "Maker",
    "Talk",
    "TraitTable",
    "adjusted",
    "answers_by_person",
    "audit_measurements",
    "closing_rule_measurements",
    "cohort_measurements",
    "composition_measurements",
    "corpus_measurements",
    "dialogue_measurements",
    "domain_correlations",
    "drift_measurements",
    "echo_copy",
    "echo_test",
    "intended_against_answered",
    "mean_correlation",
    "path_drift_measurements",
    "quota_measurements",
    "read_humans",
    "record_measurements",
    "recoverability_measurements",
    "recovery",
    "recovery_test",
    "rejection_measurement",
    "talk_metrics",
    "talks",
    "trait_measurements",
    "trait_table",
]
