"""Sets, intervals and probabilities that hold on the target."""

from ._conformal_classifier import ConformalClassifier
from ._conformal_regressor import ConformalRegressor
from ._weighted_calibrated import WeightedCalibratedClassifier

__all__ = ["ConformalClassifier", "ConformalRegressor", "WeightedCalibratedClassifier"]
