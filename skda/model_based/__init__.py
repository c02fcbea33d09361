"""Methods that start from a model of the source, and adapt it to a few target labels."""

from ._domain_experts import DomainExpertsClassifier, DomainExpertsRegressor
from ._forest_transfer import ForestTransferClassifier, ForestTransferRegressor
from ._gradual_self_training import GradualSelfTrainingClassifier
from ._multi_task_transfer_classifier import MultiTaskTransferClassifier
from ._multi_task_transfer_regressor import MultiTaskTransferRegressor
from ._regularized_transfer_classifier import RegularizedTransferClassifier
from ._regularized_transfer_regressor import RegularizedTransferRegressor
from ._self_training import SelfTrainingTransferClassifier
from ._stacked_transfer_classifier import StackedTransferClassifier
from ._stacked_transfer_regressor import StackedTransferRegressor
from ._transfer_gaussian_process_classifier import TransferGaussianProcessClassifier
from ._transfer_gaussian_process_regressor import TransferGaussianProcessRegressor
from ._transfer_kernel import TransferKernel
from ._tree_transfer import TreeTransferClassifier

__all__ = [
    "DomainExpertsClassifier",
    "DomainExpertsRegressor",
    "ForestTransferClassifier",
    "ForestTransferRegressor",
    "GradualSelfTrainingClassifier",
    "MultiTaskTransferClassifier",
    "MultiTaskTransferRegressor",
    "RegularizedTransferClassifier",
    "RegularizedTransferRegressor",
    "SelfTrainingTransferClassifier",
    "StackedTransferClassifier",
    "StackedTransferRegressor",
    "TransferGaussianProcessClassifier",
    "TransferGaussianProcessRegressor",
    "TransferKernel",
    "TreeTransferClassifier",
]
