"""Methods that move the weight of each row: importance weighting, label shift, boosting."""

from ._domain_classifier import DomainClassifierWeighter
from ._gaussian import GaussianWeighter
from ._importance_weighted import ImportanceWeightedEstimator
from ._kde import KernelDensityWeighter
from ._kliep import KLIEPWeighter
from ._kmm import KMMWeighter
from ._label_shift import LabelShiftClassifier
from ._multisource_tradaboost import MultiSourceTrAdaBoostClassifier
from ._nearest_neighbors import NearestNeighborsWeighter
from ._rulsif import RuLSIFWeighter, ULSIFWeighter
from ._tradaboost import TrAdaBoostClassifier
from ._tradaboost_regressor import TrAdaBoostRegressor
from ._two_stage_tradaboost_regressor import TwoStageTrAdaBoostRegressor

__all__ = [
    "DomainClassifierWeighter",
    "GaussianWeighter",
    "ImportanceWeightedEstimator",
    "KLIEPWeighter",
    "KMMWeighter",
    "KernelDensityWeighter",
    "LabelShiftClassifier",
    "MultiSourceTrAdaBoostClassifier",
    "NearestNeighborsWeighter",
    "RuLSIFWeighter",
    "TrAdaBoostClassifier",
    "TrAdaBoostRegressor",
    "TwoStageTrAdaBoostRegressor",
    "ULSIFWeighter",
]
