"""Wine quality (UCI): what tasters think of red wines, to predict white ones, and back."""

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.metrics import root_mean_squared_error
from sklearn.preprocessing import StandardScaler

from skda import stack_domains

from .._data import origin
from .._task import Task
from .._weighting import balanced_score_of, weighted

FOLDER = "wine_quality"


def _load(data, pair):
    tables = [
        np.genfromtxt(data / FOLDER / f"winequality-{color}.csv", delimiter=",", skip_header=1)
        for color in pair.split(">")
    ]
    (source, target) = tables
    X, y, sample_domain = stack_domains(
        source[:, :-1], source[:, -1], target[:, :-1], target[:, -1]
    )
    return StandardScaler().fit(X[sample_domain > 0]).transform(X), y, sample_domain


ESTIMATORS = {
    "ridge": Ridge(),
    "boosting": HistGradientBoostingRegressor(max_iter=50, random_state=0),
}
METHODS = weighted(ESTIMATORS, root_mean_squared_error)
for _name, _estimator in ESTIMATORS.items():
    METHODS[f"{_name}, 5 % labeled, balanced"] = balanced_score_of(
        _estimator, root_mean_squared_error, missing=np.nan
    )

PROTOCOL = """\
Eleven measurements, standardized by the source. Fitted on 80 % of the rows of both colors, by
seed, without target labels; root mean squared error on all target wines, less is better.
"KMM" is the published program, reg=0.
"5 % labeled, balanced": those target rows weigh as much as the source, score on the others."""

TASKS = [
    Task(
        name="wine-quality",
        protocol=PROTOCOL,
        pairs=lambda data: ["red>white", "white>red"] if (data / FOLDER).exists() else [],
        load=_load,
        methods=METHODS,
        digits=3,
        higher_is_better=False,
        origin=origin(FOLDER),
    )
]
