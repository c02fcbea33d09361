"""What ComBat does beside the sites: other batch variables before them, covariances after them."""

import copy
import warnings
from dataclasses import dataclass, replace
from itertools import permutations
from numbers import Integral
from typing import Any

import numpy as np
from scipy.stats import anderson_ksamp

from .._array._backend import namespace, to_numpy
from .._array._rows import join_rows, take_rows
from .._core._param_checks import check_integer, check_real

# 24 orders of four columns; with five the 120 sequences of fits take minutes.
_MOST_COLUMNS_TO_ORDER = 4
_SIGNIFICANT = 0.05  # level of the tests whose rejections are counted, as in the paper


@dataclass(frozen=True)
class BatchStep:
    """The effects of one batch column: ComBat with the values of the column as its sites."""

    column: int
    """Position of the column in X."""
    values: tuple
    """Known values; value k is source k of `combat`."""
    combat: Any
    """Fitted on the adjusted columns, followed by the covariates."""

    @classmethod
    def fit(cls, column, rows, given, combat, data):
        """Fit `combat` on rows whose column has the values `given`, an array on the host."""
        values, codes, counts = np.unique(given, return_inverse=True, return_counts=True)
        _check_counts(column, values, counts)
        return cls(
            column, tuple(values.tolist()), combat.fit(data.to_input(rows), sample_domain=codes)
        )

    def map(self, rows, given, backend):
        """Return rows without the effects of this column; its unknown values raise."""
        codes = self._codes(given)
        parts = [np.flatnonzero(codes == code) for code in np.unique(codes)]
        pieces = [
            self.combat._map(take_rows(rows, part), int(codes[part[0]]), backend) for part in parts
        ]
        return join_rows(pieces, parts)

    def with_new_values(self, rows, given, data):
        """Return a step that knows the values of more rows too; those it knew keep their effect."""
        new = ~np.isin(given, self.values)
        if not new.any():
            return self
        values, codes, counts = np.unique(given[new], return_inverse=True, return_counts=True)
        _check_counts(self.column, values, counts)
        # A copy: the rows may be refused by a later step, and then count as not seen.
        combat = copy.deepcopy(self.combat)
        rows = data.to_input(take_rows(rows, np.flatnonzero(new)))
        combat.partial_fit(rows, sample_domain=codes + len(self.values))
        return replace(self, values=(*self.values, *values.tolist()), combat=combat)

    def _codes(self, given):
        unknown = sorted(set(np.unique(given).tolist()) - set(self.values))
        if unknown:
            raise ValueError(
                f"Column {self.column} of nested_batches has values that were not in fit: "
                f"{unknown}. It knows {list(self.values)}. Fit again with such rows, or add them "
                "with partial_fit or skda.adapt_to."
            )
        position = {value: k for k, value in enumerate(self.values)}
        return np.array([position[value] for value in given.tolist()], dtype=np.int64)


def _check_counts(column, values, counts):
    if counts.min() < 2:
        alone = values[counts.argmin()]
        raise ValueError(
            f"nested_batches needs at least 2 rows of each value to see a variance; column "
            f"{column} has 1 sample with the value {alone}. Add rows, or merge rare values."
        )


def fit_batches(columns, rows, given, make_combat, data, *, order):
    """Fit one step per batch column, each on rows that the former ones have harmonised.

    Parameters
    ----------
    columns : list of int
        Positions of the batch columns in X.
    rows : array of shape (n, n_adjusted + n_covariates)
        Columns to adjust, followed by the covariates.
    given : dict
        By column, its values on the host.
    make_combat : callable
        Returns an unfitted ComBat that knows which columns are covariates.
    data : DomainData
    order : {"given", "best"}
        "best": the order after which, sites harmonised too, the fewest features tell batches
        apart (Anderson-Darling tests).

    Returns
    -------
    steps : list of BatchStep
    rows : array
        Rows that all steps have harmonised.
    """
    if order == "given" or len(columns) < 2:
        return _in_this_order(columns, rows, given, make_combat, data)
    if len(columns) > _MOST_COLUMNS_TO_ORDER:
        raise ValueError(
            f"batch_order='best' tries all orders of at most {_MOST_COLUMNS_TO_ORDER} columns; "
            f"nested_batches has {len(columns)}. Pass batch_order='given' and name the column "
            "with the largest effect first."
        )
    best = None
    for tried in permutations(columns):
        steps, harmonised = _in_this_order(tried, rows, given, make_combat, data)
        sites = make_combat().fit(data.to_input(harmonised), sample_domain=data.ids)
        last = np.asarray(
            to_numpy(sites.transform(data.to_input(harmonised), sample_domain=data.ids))
        )
        n_told = sum(count_told_apart(last, labels) for labels in (data.ids, *given.values()))
        # The first of equals, so that the user's order decides.
        if best is None or n_told < best[0]:
            best = n_told, steps, harmonised
    return best[1:]


def _in_this_order(columns, rows, given, make_combat, data):
    steps = []
    for column in columns:
        steps.append(BatchStep.fit(column, rows, given[column], make_combat(), data))
        rows = steps[-1].map(rows, given[column], data.backend)
    return steps, rows


def count_told_apart(X, labels):
    """Return in how many features an Anderson-Darling test tells groups of rows apart."""
    groups = [X[labels == label] for label in np.unique(labels)]
    if len(groups) < 2:
        return 0
    count = 0
    for j in range(X.shape[1]):
        values = [group[:, j] for group in groups]
        # The test knows no constant features; groups cannot differ there.
        if all(np.ptp(v) == 0 for v in values) and np.ptp([v[0] for v in values]) == 0:
            continue
        with warnings.catch_warnings():
            # It warns of p-values outside 0.001 to 0.25, and of a later default of its own.
            warnings.simplefilter("ignore")
            count += anderson_ksamp(values).pvalue < _SIGNIFICANT
    return int(count)


@dataclass(frozen=True)
class CovarianceStep:
    """Principal components of what the sites left, and the effects of the sites on their scores.

    The second half of CovBat (Chen et al. 2022).
    """

    mean: Any
    """Mean of the residuals, (d,)."""
    scale: Any
    """Their standard deviation, (d,); 1 where there is none."""
    components: Any
    """Loadings of the principal components, (k, d)."""
    combat: Any
    """ComBat of the scores, without shrinkage."""

    @classmethod
    def fit(cls, residuals, ids, n_components, combat, data):
        """Fit the components on residuals of all sites, and `combat` on their scores."""
        xp = namespace(residuals)
        mean = xp.mean(residuals, axis=0)
        centered = residuals - mean
        scale = xp.sqrt(xp.sum(centered * centered, axis=0) / (residuals.shape[0] - 1))
        # In units of the residuals: what is 0 there is rounding of features that do not vary.
        tiny = xp.max(scale) * (10.0 * float(xp.finfo(residuals.dtype).eps))
        scale = xp.where(scale > tiny, scale, xp.ones_like(scale))
        _, s, loadings = xp.linalg.svd(centered / scale, full_matrices=False)
        loadings = loadings[: count_components(np.asarray(to_numpy(s)), n_components), :]
        step = cls(*(data.to_input(x) for x in (mean, scale, loadings)), combat)
        combat.fit(data.to_input(step._scores(residuals, data.backend)), sample_domain=ids)
        return step

    def change(self, residuals, domain, backend):
        """Return what is to be added to rows of one domain with these residuals."""
        scores = self._scores(residuals, backend)
        moved = self.combat._map(scores, domain, backend)
        scale, loadings = (
            backend.asarray(x, residuals.dtype) for x in (self.scale, self.components)
        )
        return ((moved - scores) @ loadings) * scale

    def with_rows(self, residuals, ids, data):
        """Return a step whose effects of these sites have learnt from more residuals."""
        combat = copy.deepcopy(self.combat)
        scores = data.to_input(self._scores(residuals, data.backend))
        return replace(self, combat=combat.partial_fit(scores, sample_domain=ids))

    def _scores(self, residuals, backend):
        mean, scale, loadings = (
            backend.asarray(x, residuals.dtype) for x in (self.mean, self.scale, self.components)
        )
        return ((residuals - mean) / scale) @ loadings.T


def check_covariance_components(value):
    """Return ``covariance_components`` if it is None, a count, or a proportion of the variance."""
    name, hint = "covariance_components", "0.95 of the variance is what the paper keeps."
    if value is None:
        return None
    if isinstance(value, Integral) and not isinstance(value, bool | np.bool_):
        return check_integer(name, value, low=1, hint=hint)
    return check_real(name, value, low=0, high=1, closed="right", hint=hint)


def count_components(s, n_components):
    """Return how many components these singular values and the parameter ask for, at least one."""
    rank = max(int((s > 10.0 * np.finfo(s.dtype).eps * max(s.max(), 0.0)).sum()), 1)
    if isinstance(n_components, Integral):
        return min(int(n_components), rank)
    variance = np.cumsum(s.astype(np.float64) ** 2)
    # Up to rounding, which must not ask for one more.
    enough = variance >= n_components * variance[-1] * (1.0 - 1e-12)
    return min(int(np.argmax(enough)) + 1, rank)
