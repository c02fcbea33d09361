"""The transport plan between rows, for those who want to see it: it is not kept after a fit."""

import copy

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._array._backend import to_numpy
from .._core._validation import data_for_fit


def plan_between_rows(estimator, X, y, sample_domain, blocks):
    """Return the plan between all source rows and all target rows, on the host.

    Parameters
    ----------
    estimator : estimator
        A fitted one, which is left as it is.
    X, y, sample_domain
        As given by the user.
    blocks : callable
        Gets a copy of the estimator, which it may change, and the checked data; yields source
        rows, target rows and the coupling between them.

    Returns
    -------
    plan : ndarray of shape (n_source, n_target)
        Where there are several plans, each counts as the rows that it maps.
    """
    check_is_fitted(estimator)
    if sample_domain is None:
        raise ValueError(
            "transport_plan needs sample_domain, because the plan is between source rows and "
            "target rows; got None. Pass the domains that fit was given."
        )
    own = copy.copy(estimator)
    data = data_for_fit(own, X, y, sample_domain, labels=estimator._labels)
    plan = np.zeros((len(data.source), len(data.target)))
    for source, target, coupling in blocks(own, data):
        at = np.ix_(np.searchsorted(data.source, source), np.searchsorted(data.target, target))
        # Together the plans move a mass of 1, as a single one does.
        part = len(source) * len(target) / plan.size
        plan[at] = to_numpy(coupling) * part
    return plan
