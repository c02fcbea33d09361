"""Many adapted models together, instead of one that would have to be chosen without labels."""

from ._auto_adapt import AutoAdaptClassifier, AutoAdaptRegressor
from ._candidates import default_candidates
from ._consensus_classifier import ConsensusClassifier
from ._consensus_regressor import ConsensusRegressor

__all__ = [
    "AutoAdaptClassifier",
    "AutoAdaptRegressor",
    "ConsensusClassifier",
    "ConsensusRegressor",
    "default_candidates",
]
