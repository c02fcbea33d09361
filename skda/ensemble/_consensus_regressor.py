"""A consensus of adapted regressors: what lies in the middle of their predictions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from .._core._labels import as_labels, labeled_rows, take_labels
from .._core._param_checks import check_option, check_real
from .._core._score import DomainRegressorMixin
from .._core._typing import Array, ArrayLike, DomainIds, Estimator, Predictor
from .._numerics._middle import (
    concordance,
    principal_weights,
    weighted_median,
    weighted_trimmed_mean,
)
from ..metrics._base_scorer import call_with_domains
from ._base_consensus import BaseConsensus, mean_of_others, weights_of_groups

# Candidates of such concordance count as one.
_ALIKE = 0.995


class ConsensusRegressor(DomainRegressorMixin, BaseConsensus):
    r"""Combine adapted regressors by what lies in the middle of their predictions.

    No score that needs no target labels can be trusted to choose a method. Methods that fail in the
    target fail in different directions, and the middle of all predictions is not moved far by
    those. The candidates are fitted once each.

    Parameters
    ----------
    candidates : "auto" or dict of str to estimator, default="auto"
        Regressors and pipelines by name. Whatever would see target labels is wrapped in
        :class:`~skda.TrainOnSource`. "auto" is :func:`default_candidates` around `estimator`. The
        source-only model is always among them: the candidate named "source only", else
        `estimator`, else what is left of a candidate without its adapting steps.
    estimator : regressor or None, default=None
        The plain regressor, also at the end of a Pipeline. None is a Ridge after a StandardScaler
        (with a dict of candidates: what is left of one of them).
    combine : {"median", "trimmed_mean", "mean", "principal"}, default="median"
        "median" is the weighted median of the predictions for a row, "trimmed_mean" the mean
        without the outermost ones, "mean" that of all; "principal" weights the candidates by how
        far they covary with what all have in common (unsupervised principal-components regression,
        after [1]_).
    trim : float, default=0.2
        Of "trimmed_mean", in [0, 0.5): the proportion of the weight that is left out on each side.
    use_target_labels : bool, default=False
        Whether target rows that have a label (not NaN, not None, not -1 among integers) shift the
        consensus by their mean residual, and are shown to candidates that learn from them.
    n_jobs : int or None, default=None
        Number of processes over candidates, as in scikit-learn.
    verbose : bool, default=False
        Whether to print a line when a candidate is fitted.

    Attributes
    ----------
    estimators_ : dict of str to estimator
        The fitted candidates, "source only" first. Those that failed are left out.
    weights_ : ndarray of shape (n_candidates,)
        Weight of each candidate; less for those that predict alike.
    intercept_ : float
        What is added to the combination: 0 unless `combine` is "principal" or target labels are
        used.
    keeps_source_ : bool
        Whether all rows are predicted by the source-only model: where there are no target rows.
    agreement_ : ndarray of shape (n_candidates,)
        Mean concordance (Lin's coefficient, 1 for equal predictions) with the other candidates on
        target rows.
    table_ : DataFrame
        One row per candidate, also for those that failed: weight, agreement, seconds, warnings,
        error. Needs pandas.
    n_features_in_ : int
        Number of features seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if X had names.

    Raises
    ------
    ValueError
        In ``fit``, if no candidate can be fitted, if one is no regressor, or if no source-only
        model can be derived.

    Warns
    -----
    DomainWarning
        If a candidate fails; it is left out.

    See Also
    --------
    AutoAdaptRegressor : Says what was decided, and tests it where there are target labels.
    default_candidates : The candidates of "auto".

    Notes
    -----
    "principal": if the errors of different candidates are uncorrelated, the covariances ρ of the
    candidates with the truth satisfy :math:`\rho_i + \rho_j = C_{ij} + \sigma^2`, with C the
    covariance of the candidates over the target rows and σ² the variance of y in the source. ρ is
    the least-squares solution of these equations, and the weights are :math:`C^+ \rho` over the
    principal components of the candidates that hold 1 % of the variance or more.

    Assumes that the candidates do not err in one direction. A shift of the labels themselves, such
    as a new calibration of what is measured, is seen by none of them without target labels.

    Without `sample_domain` the plain regressor is fitted on all rows, with a warning. Cost: that of
    the candidates. Array level: that of the estimators inside; predictions are combined in NumPy.

    References
    ----------
    .. [1] Dror, O., Nadler, B., Bilal, E., Kluger, Y. (2017). Unsupervised ensemble regression.
       https://arxiv.org/abs/1703.02965

    Examples
    --------
    >>> import numpy as np
    >>> from skda import stack_domains
    >>> from skda.ensemble import ConsensusRegressor
    >>> rng = np.random.default_rng(0)
    >>> A, B = rng.normal(size=(80, 3)), rng.normal(size=(80, 3))
    >>> X, y, sample_domain = stack_domains(A, A @ [1.0, 2.0, 3.0], 2 * B + 5)
    >>> model = ConsensusRegressor().fit(X, y, sample_domain=sample_domain)
    >>> source_only = model.estimators_["source only"]
    >>> truth = B @ [1.0, 2.0, 3.0]
    >>> model.score(2 * B + 5, truth) > source_only.score(2 * B + 5, truth)
    True
    """

    _task = "regressor"

    def __init__(
        self,
        candidates: Literal["auto"] | Mapping[str, Estimator] = "auto",
        *,
        estimator: Predictor | None = None,
        combine: Literal["median", "trimmed_mean", "mean", "principal"] = "median",
        trim: float = 0.2,
        use_target_labels: bool = False,
        n_jobs: int | None = None,
        verbose: bool = False,
    ):
        self.candidates = candidates
        self.estimator = estimator
        self.combine = combine
        self.trim = trim
        self.use_target_labels = use_target_labels
        self.n_jobs = n_jobs
        self.verbose = verbose

    def predict(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Predict the value of each row by the consensus.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
            Rows of any domain.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row. None: every row is a target row.

        Returns
        -------
        y_pred : array of shape (n_samples,)
            Predicted values.
        """
        data, read = self._read_used(X, sample_domain)
        values = read[0] if self.keeps_source_ else self._by_rule(read)
        return data.input_backend.asarray(values)

    def _check_params(self):
        super()._check_params()
        check_option("combine", self.combine, ("median", "trimmed_mean", "mean", "principal"))
        hint = "0 is the mean of all."
        check_real("trim", self.trim, low=0, high=0.5, closed="left", hint=hint)

    def _prepare(self, data):
        pass  # values need no preparation, unlike classes

    def _reader(self):
        return read_values

    def _learn(self, data, read):
        values = np.column_stack(read)
        agreement = concordance(values)
        self.agreement_ = mean_of_others(agreement)
        self.weights_ = weights_of_groups(agreement >= _ALIKE)
        self.intercept_ = 0.0
        if self.combine == "principal":
            variance = float(np.var(np.asarray(data.y_source, dtype=float)))
            self.weights_, self.intercept_ = principal_weights(values, variance)
        self.keeps_source_ = False
        if self.use_target_labels:
            self.intercept_ += self._mean_residual(data, read)

    def _mean_residual(self, data, read):
        rows = np.flatnonzero(labeled_rows(data.y, data.ids)[data.target])
        if not len(rows):
            return 0.0
        y = np.asarray(take_labels(data.y, data.target[rows]), dtype=float)
        return float(np.mean(y - self._by_rule(read)[rows]))

    def _learn_nothing(self):
        self.weights_ = self.agreement_ = np.ones(1)
        self.intercept_ = 0.0
        self.keeps_source_ = True

    def _by_rule(self, read):
        """Return the combination of the candidates' predictions."""
        values = np.column_stack(read)
        if self.combine == "median":
            return weighted_median(values, self.weights_) + self.intercept_
        if self.combine == "principal":
            return values @ self.weights_ + self.intercept_
        trim = self.trim if self.combine == "trimmed_mean" else 0.0
        return weighted_trimmed_mean(values, self.weights_, trim) + self.intercept_

    def _predicted(self, values):
        return values


def read_values(fitted, X, ids):
    """Return the predictions of a candidate as floats, one per row."""
    values = np.asarray(as_labels(call_with_domains(fitted, "predict", X, ids)), dtype=float)
    if values.ndim > 1:
        raise ValueError(f"it predicts {values.shape[1]} outputs; the consensus is of one.")
    if not np.isfinite(values).all():
        raise ValueError("it predicts NaN or infinity for target rows.")
    return values
