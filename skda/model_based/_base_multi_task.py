"""What the two multi-task models share: every domain with labels is a task.

The coefficients of a domain are a shared part and a part of its own, both penalized (Evgeniou &
Pontil 2004). How much is shared is one number, the prior correlation between two domains.
"""

import numpy as np
from sklearn.base import BaseEstimator

from .._array._rows import take_rows
from .._core._meta_estimator import check_row_weights
from .._core._param_checks import check_option, check_real
from .._core._routing import DomainRouting
from .._core._sample_domain import check_both_sides, tasks_of_rows
from .._core._validation import data_for_fit, data_for_predict, fresh_fit

INTERCEPTS = ("own", "shared", None)
# What "auto" chooses from, most sharing first: of equally good ones the first is taken.
SHARINGS = (1.0, 0.97, 0.9, 0.7, 0.5, 0.3, 0.1, 0.0)


def intercept_penalty(alpha, sharing, intercept):
    """Return the penalty of the distance between a domain's intercept and the shared one.

    ``α s / (1 − s)``: what the penalty of the coefficients, ``α / (1 − s)``, is above α. So an
    intercept is free where nothing is shared, and the same for all where everything is.
    """
    if intercept != "own" or sharing == 1:
        return np.inf
    return alpha * sharing / (1.0 - sharing)


class BaseMultiTask(DomainRouting, BaseEstimator):
    """A linear model with coefficients for each domain.

    A subclass writes ``_solve(X, y, tasks, weights)``, where `tasks` are the rows of each domain,
    which stores the choice of the parameters and returns coefficients and intercepts by domain;
    and ``_learnt_labels(data, rows)``.
    """

    _labels = "all"
    _needs_target = False  # sources alone are tasks, too

    def _check_params(self):
        if not isinstance(self.sharing, str):
            hint = '0 fits each domain alone, 1 all rows as one domain, "auto" chooses.'
            check_real("sharing", self.sharing, low=0, high=1, hint=hint)
        elif self.sharing != "auto":
            raise ValueError(f'sharing must be a number in [0, 1] or "auto"; got {self.sharing!r}.')
        check_option("intercept", self.intercept, INTERCEPTS)

    def _fit(self, X, y, sample_weight, sample_domain):
        with fresh_fit(self):
            self._check_params()
            data = data_for_fit(self, X, y, sample_domain, labels="all", one_sided=True)
            if not len(data.source):
                check_both_sides(data.ids)
            rows, weights = self._learnt_rows(data, sample_weight)
            ids = data.ids[rows]
            # Without sample_domain there is one model for all rows, and no domain has its own.
            self.domains_ = [] if self._fit_domains is None else np.unique(ids).tolist()
            tasks = [np.flatnonzero(ids == i) for i in self.domains_] or [np.arange(len(rows))]
            labels = self._learnt_labels(data, rows)
            coef, shift = self._solve(take_rows(data.X, rows), labels, tasks, weights)
            self._store(data, coef, shift)
        return self

    def _learnt_rows(self, data, sample_weight):
        """Return the rows that are learnt from, and their weights."""
        weights = check_row_weights(sample_weight, len(data.ids))
        # A row without weight is a row without label: it must not make a task of its domain.
        rows = np.flatnonzero(data.labeled & (weights > 0))
        if not len(rows):
            raise ValueError(
                "sample_weight must be positive for some labeled row; got zeros only. Leave it "
                "out, or give the rows that are to be learnt from a weight."
            )
        return rows, weights[rows]

    def _chosen_sharings(self, tasks):
        """Return the values of `sharing` to choose from."""
        # One task shares with nobody; all values give the same model of its rows.
        if len(tasks) == 1:
            return (1.0,)
        return SHARINGS if self.sharing == "auto" else (float(self.sharing),)

    def _store(self, data, coef, shift):
        """Keep the coefficients of each domain, and their mean as what is shared."""
        xp = data.backend.xp
        self.coef_ = data.to_input(xp.mean(coef, axis=0))
        self.intercept_ = data.to_input(xp.mean(shift, axis=0))
        n_own = len(self.domains_)
        self.domain_coef_ = data.to_input(coef[:n_own, ...])
        self.domain_intercept_ = data.to_input(shift[:n_own, ...])

    def _linear_outputs(self, X, sample_domain, method):
        """Return the outputs of each row by the coefficients of its domain, and the rows."""
        data = data_for_predict(self, X, sample_domain, method=method)
        stated = sample_domain is not None
        places = tasks_of_rows(self, data.ids, self.domains_, stated=stated)
        order = [np.flatnonzero(places == i) for i in np.unique(places)]
        pieces = [
            self._outputs_of(take_rows(data.X, rows), int(places[rows[0]]), data.backend)
            for rows in order
        ]
        if len(pieces) == 1:
            return pieces[0], data
        back = np.argsort(np.concatenate(order))
        return take_rows(data.xp.concat(pieces, axis=0), back), data

    def _outputs_of(self, X, place, backend):
        coef, shift = self.coef_, self.intercept_
        if place >= 0:
            coef, shift = self.domain_coef_[place, ...], self.domain_intercept_[place, ...]
        coef = backend.asarray(coef, X.dtype)
        coef = coef if coef.ndim == 1 else coef.T
        return X @ coef + backend.asarray(shift, X.dtype)
