"""Pure number functions: intervals, tests, multiplicity, power, reliability, agreement, distances, retrieval.

Everything takes arrays, never tables. Values that cannot be computed are NaN and say why; missing input is NaN or
None and is counted. Whatever has an uncertainty takes its unit of randomisation as `clusters`.
"""

from personae.statistics._agreement import ClassifierScores, KappaWeights, auc, classifier_scores, cohen_kappa
from personae.statistics._alpha import AlphaMetric, krippendorff_alpha
from personae.statistics._classic import benjamini_hochberg, exact_mcnemar, holm, welch_t_test
from personae.statistics._correlation import CorrelationKind, CorrelationMethod, correlation, correlation_interval
from personae.statistics._distances import (
    DISTANCES,
    ScaleDistances,
    ks_statistic,
    scale_distance_estimate,
    scale_distances,
)
from personae.statistics._distributions import (
    earth_movers_distance,
    entropy,
    jensen_shannon_divergence,
    total_variation_distance,
)
from personae.statistics._effects import cohen_d, hedges_correction
from personae.statistics._logistic import LogisticFit, logistic_fit
from personae.statistics._matching import matching_accuracy, mean_reciprocal_rank
from personae.statistics._means import (
    ClusterMeans,
    MeanMethod,
    Weighting,
    cluster_means,
    mean_interval,
    paired_interval,
)
from personae.statistics._permutation import (
    permutation_test,
    permutation_test_correlation,
    permutation_test_two_sample,
    sign_flip_test,
)
from personae.statistics._power import (
    EffectKind,
    minimum_detectable_effect,
    power_correlation,
    power_mean,
    power_proportions,
)
from personae.statistics._proportions import proportion_interval, proportion_upper_bound, rule_of_three, wilson_interval
from personae.statistics._reliability import OmegaEstimate, cronbach_alpha, mcdonald_omega, spearman_brown, split_half
from personae.statistics._resampling import Statistic, bootstrap_interval, jackknife_interval
from personae.statistics._results import Alternative, Estimate, Interval, PairedEstimate, TestResult
from personae.statistics._retrieval import RetrievalEstimate, SilhouetteEstimate, silhouette, top_k_accuracy
from personae.statistics._spread import Plane, mean_cosine, nearest_cosines, principal_plane, vendi_score
from personae.statistics._tables import (
    association_matrix,
    cell_z,
    cramers_v,
    max_cell_z,
    pair_table,
    srmse,
    total_absolute_error,
)
from personae.statistics._worlds import WorldCount, flagged_bounds, worlds

__all__ = [
    "DISTANCES",
    "AlphaMetric",
    "Alternative",
    "ClassifierScores",
    "ClusterMeans",
    "CorrelationKind",
    "CorrelationMethod",
    "EffectKind",
    "Estimate",
    "Interval",
    "KappaWeights",
    "LogisticFit",
    "MeanMethod",
    "OmegaEstimate",
    "PairedEstimate",
    "Plane",
    "RetrievalEstimate",
    "ScaleDistances",
    "SilhouetteEstimate",
    "Statistic",
    "TestResult",
    "Weighting",
    "WorldCount",
    "association_matrix",
    "auc",
    "benjamini_hochberg",
    "bootstrap_interval",
    "cell_z",
    "classifier_scores",
    "cluster_means",
    "cohen_d",
    "cohen_kappa",
    "correlation",
    "correlation_interval",
    "cramers_v",
    "cronbach_alpha",
    "earth_movers_distance",
    "entropy",
    "exact_mcnemar",
    "flagged_bounds",
    "hedges_correction",
    "holm",
    "jackknife_interval",
    "jensen_shannon_divergence",
    "krippendorff_alpha",
    "ks_statistic",
    "logistic_fit",
    "matching_accuracy",
    "max_cell_z",
    "mcdonald_omega",
    "mean_cosine",
    "mean_interval",
    "mean_reciprocal_rank",
    "minimum_detectable_effect",
    "nearest_cosines",
    "pair_table",
    "paired_interval",
    "permutation_test",
    "permutation_test_correlation",
    "permutation_test_two_sample",
    "power_correlation",
    "power_mean",
    "power_proportions",
    "principal_plane",
    "proportion_interval",
    "proportion_upper_bound",
    "rule_of_three",
    "scale_distance_estimate",
    "scale_distances",
    "sign_flip_test",
    "silhouette",
    "spearman_brown",
    "split_half",
    "srmse",
    "top_k_accuracy",
    "total_absolute_error",
    "total_variation_distance",
    "vendi_score",
    "welch_t_test",
    "wilson_interval",
    "worlds",
]
