"""scikit-learn's StandardScaler from merged moments."""

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import validate_data

from ..feature_based._domain_scaler import feature_moments


def fit_standard_scaler(scaler, table):
    """Fit a StandardScaler on all rows of a table; return why that cannot be, or None."""
    columns, probe = table.columns, clone(scaler)
    validate_data(probe, columns, skip_check_array=True)
    m = table.total(probe, _moments)["all"]
    if not np.isfinite(m.variance).all():
        return "moments of columns with missing values are not merged"
    spread = np.sqrt(m.variance)
    # Two rows of this mean and variance stand for all: its attributes stay its own matter.
    rows = np.stack([m.mean - spread, m.mean + spread])
    if hasattr(columns, "columns"):
        rows = type(columns)(rows, columns=columns.columns)
    scaler.fit(rows, sample_weight=[m.count / 2, m.count / 2])
    return None


def _moments(data):
    return {"all": feature_moments(data.X)}
