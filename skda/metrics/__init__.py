"""How far apart the domains are, and how good a model is without target labels."""

from ._circular import CircularValidationScorer
from ._distances import (
    coral_distance,
    energy_distance,
    sliced_wasserstein_distance,
    wasserstein_distance,
)
from ._estimate_performance import estimate_performance
from ._information import InformationMaximizationScorer, PredictionEntropyScorer
from ._labeled import LabeledTargetScorer, SourceScorer
from ._mixval import MixValScorer
from ._mmd import mmd, mmd_test
from ._performance_result import PerformanceEstimate, PerformanceVerdict
from ._rank_sources import rank_sources
from ._structure import (
    BatchNuclearNormScorer,
    ClassClusterScorer,
    SoftNeighborhoodDensityScorer,
)
from ._transfer_gain import transfer_gain
from ._transferability import h_score, leep, logme
from ._two_sample import classifier_two_sample_test, proxy_a_distance
from ._weighted import DEVScorer, ImportanceWeightedScorer

__all__ = [
    "BatchNuclearNormScorer",
    "CircularValidationScorer",
    "ClassClusterScorer",
    "DEVScorer",
    "ImportanceWeightedScorer",
    "InformationMaximizationScorer",
    "LabeledTargetScorer",
    "MixValScorer",
    "PerformanceEstimate",
    "PerformanceVerdict",
    "PredictionEntropyScorer",
    "SoftNeighborhoodDensityScorer",
    "SourceScorer",
    "classifier_two_sample_test",
    "coral_distance",
    "energy_distance",
    "estimate_performance",
    "h_score",
    "leep",
    "logme",
    "mmd",
    "mmd_test",
    "proxy_a_distance",
    "rank_sources",
    "sliced_wasserstein_distance",
    "transfer_gain",
    "wasserstein_distance",
]
