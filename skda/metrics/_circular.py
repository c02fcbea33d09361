"""Circular validation: carry the predicted target labels back to the source."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sklearn.base import clone
from sklearn.metrics import accuracy_score, r2_score

from .._array._rows import take_rows
from .._core._labels import spread_labels, take_labels
from ._base_scorer import BaseDomainScorer, ScoringData, accepts_sample_domain, depends_on_domain


def flip_domains(sample_domain):
    """Return ids in which every source is a target and every target a source (0 is −1)."""
    # −x would leave the source 0 a source; ~x is −x − 1, its own inverse, and keeps ids distinct.
    return ~np.asarray(sample_domain)


class CircularValidationScorer(BaseDomainScorer):
    """Score by adapting back: from the predicted target labels to the known source labels.

    If adaptation worked, it also works backwards. The estimator labels the target rows; a clone is
    fitted the other way round, with those rows as source and the source rows as target; the
    clone's predictions on the source rows are compared with their true labels. Also for
    regression.

    Parameters
    ----------
    metric : callable or None, default=None
        ``metric(y_true, y_pred) -> float``, higher is better. None is accuracy for classifiers
        and R² for regressors.

    See Also
    --------
    MixValScorer : Also needs predictions only, without a second fit.
    InformationMaximizationScorer : Cheaper, where there are class probabilities.
    LabeledTargetScorer : Where some target rows have a label.

    Notes
    -----
    Both directions use the rows given to the scorer, the held-out rows in a cross-validation.
    Assumes that a map that loses the classes on the way to the target does not find them again on
    the way back; a model that swaps two classes in both directions goes unpunished. It misleads
    under label shift, where the way back starts from other class proportions. Target labels are
    ignored. An estimator that predicts a single class is carried back as that constant, without a
    fit. Supervised transfer, which needs labeled target rows, cannot be carried back. Cost: one
    fit.

    References
    ----------
    .. [1] Bruzzone, L., Marconcini, M. (2010). Domain adaptation problems: a DASVM classification
       technique and a circular validation strategy. IEEE TPAMI 32(5).
       https://doi.org/10.1109/TPAMI.2009.57
    .. [2] Zhong, E., Fan, W., Yang, Q., Verscheure, O., Ren, J. (2010). Cross validation framework
       to choose amongst models and datasets for transfer learning. ECML PKDD.
       https://doi.org/10.1007/978-3-642-15939-8_35

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skda.metrics import CircularValidationScorer
    >>> X, y = np.array([[-1.0], [1.0], [-0.5], [0.6]]), np.array([0, 1, -1, -1])
    >>> sample_domain = np.array([1, 1, -2, -2])
    >>> model = LogisticRegression().fit(X[:2], y[:2])
    >>> CircularValidationScorer()(model, X, y, sample_domain=sample_domain)
    1.0
    """

    _needs = ("source", "target")

    def __init__(self, metric: Callable[..., float] | None = None):
        self.metric = metric

    def _check_params(self):
        if self.metric is not None and not callable(self.metric):
            raise ValueError(
                "metric must be a function (y_true, y_pred) or None; got "
                f"{self.metric!r}. Pass for example sklearn.metrics.balanced_accuracy_score."
            )

    def _score(self, data):
        y_source, pseudo = data.y_source, data.predict(data.target_rows)
        metric = self.metric or (r2_score if data.is_regression else accuracy_score)
        # Most classifiers refuse to fit a single class; that model would predict the constant.
        if not data.is_regression and len(np.unique(pseudo)) == 1:
            return metric(y_source, np.repeat(pseudo[:1], len(y_source)))
        ids = flip_domains(data.sample_domain)
        back = fit_with_domains(clone(data.estimator), data.X, _labels_back(data, pseudo), ids)
        on_way_back = ScoringData(back, data.X, None, ids, data.scorer_name)
        return metric(y_source, on_way_back.predict(data.source_rows))


def _labels_back(data, pseudo):
    """Return labels for the way back: predictions on target rows, missing on source rows."""
    # The source labels must not be there: a supervised step would learn what it is scored on.
    return spread_labels(pseudo, data.target_rows, len(data.sample_domain))


def fit_with_domains(estimator, X, y, ids):
    """Fit with ``sample_domain``; an estimator that knows no domains is fitted on source rows."""
    if accepts_sample_domain(estimator, "fit"):
        return estimator.fit(X, y, sample_domain=ids)
    if depends_on_domain(estimator):
        raise ValueError(
            f"CircularValidationScorer fits {type(estimator).__name__} the other way round, and "
            "its fit does not accept sample_domain. Switch metadata routing on with "
            "sklearn.set_config(enable_metadata_routing=True), and put meta-estimators that do "
            "not route inside the pipeline (skda.TrainOnSource), not around it."
        )
    # A plain estimator would take the missing labels of the other rows for a class.
    source = np.flatnonzero(ids >= 0)
    return estimator.fit(take_rows(X, source), take_labels(y, source))
