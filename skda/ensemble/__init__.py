"""Many adapted models together: candidates to choose from, or one per view of the rows."""

from ._auto_adapt import AutoAdaptClassifier, AutoAdaptRegressor
from ._candidates import default_candidates
from ._consensus_classifier import ConsensusClassifier
from ._consensus_regressor import ConsensusRegressor
from ._view_fusion_classifier import ViewFusionClassifier
from ._view_fusion_regressor import ViewFusionRegressor

__all__ = [
    "AutoAdaptClassifier",
    "AutoAdaptRegressor",
    "ConsensusClassifier",
    "ConsensusRegressor",
    "ViewFusionClassifier",
    "ViewFusionRegressor",
    "default_candidates",
]
