"""Methods that start from a model of the source, and adapt it to a few target labels."""

from ._regularized_transfer_classifier import RegularizedTransferClassifier
from ._regularized_transfer_regressor import RegularizedTransferRegressor
from ._stacked_transfer_classifier import StackedTransferClassifier
from ._stacked_transfer_regressor import StackedTransferRegressor

__all__ = [
    "RegularizedTransferClassifier",
    "RegularizedTransferRegressor",
    "StackedTransferClassifier",
    "StackedTransferRegressor",
]
