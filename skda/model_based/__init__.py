"""Methods that start from a model of the source, and adapt it to a few target labels."""

from ._domain_experts import DomainExpertsClassifier, DomainExpertsRegressor
from ._forest_transfer import ForestTransferClassifier, ForestTransferRegressor
from ._regularized_transfer_classifier import RegularizedTransferClassifier
from ._regularized_transfer_regressor import RegularizedTransferRegressor
from ._self_training import SelfTrainingTransferClassifier
from ._stacked_transfer_classifier import StackedTransferClassifier
from ._stacked_transfer_regressor import StackedTransferRegressor
from ._tree_transfer import TreeTransferClassifier

__all__ = [
    "DomainExpertsClassifier",
    "DomainExpertsRegressor",
    "ForestTransferClassifier",
    "ForestTransferRegressor",
    "RegularizedTransferClassifier",
    "RegularizedTransferRegressor",
    "SelfTrainingTransferClassifier",
    "StackedTransferClassifier",
    "StackedTransferRegressor",
    "TreeTransferClassifier",
]
