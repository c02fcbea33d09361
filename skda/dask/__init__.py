"""Fit and apply estimators on tables larger than memory: dask arrays and data frames."""

from ._apply import predict, predict_proba, predict_weights, transform
from ._diagnose import diagnose
from ._feature_shift import feature_shift
from ._fit import fit
from ._mmd import mmd
from ._report import FitReport

__all__ = [
    "FitReport",
    "diagnose",
    "feature_shift",
    "fit",
    "mmd",
    "predict",
    "predict_proba",
    "predict_weights",
    "transform",
]
