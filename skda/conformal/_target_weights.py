"""What each calibration row, and each new row, counts on the target."""

import numpy as np
from sklearn.base import clone, is_classifier

from .._array._backend import to_numpy
from .._array._rows import n_rows, take_rows
from ._held_out import fit_quietly, labels_shown

# Those of this package that weigh rows that were not in their fit.
_WEIGH_NEW_ROWS = (
    "DomainClassifierWeighter",
    "GaussianWeighter",
    "KLIEPWeighter",
    "KernelDensityWeighter",
    "RuLSIFWeighter",
    "ULSIFWeighter",
)

# Effective rows below which weights are mixed with equal ones where the weighter is to decide
# ("auto"). Its own rule keeps thirty rows for each parameter of a linear model, and leaves
# coverages of .83 to .88 where .90 is asked for; a quantile is a single number. Without any floor
# domains that hardly overlap give one set in ten all classes. Of 30, 60 and 100 rows 60 came
# closest to .90 on simulated shifts with 2 to 20 features. Of few rows a quarter is kept, so that
# there still are weights.
_LEAST_ROWS, _LEAST_PART = 60, 0.25


def check_new_row_weighter(weighter, *, classes):
    """Raise unless the weighter can weigh new rows, or (with `classes`) new labels."""
    if weighter is None:
        return
    name = type(weighter).__name__
    if isinstance(weighter, type) or not hasattr(weighter, "fit"):
        raise ValueError(
            f"weighter must be None or a weighter, with parentheses; got {weighter!r}. Write for "
            "example weighter=DomainClassifierWeighter()."
        )
    if hasattr(weighter, "predict_weights") or (classes and _estimates_priors(weighter)):
        return
    priors = " or, for label shift, a LabelShiftClassifier" if classes else ""
    raise ValueError(
        "weighter must weigh rows that come after the fit, since a new row's own weight decides "
        f"with the others; {name} weighs the source rows of its fit only. Take one of "
        f"{', '.join(_WEIGH_NEW_ROWS)}{priors}."
    )


def _estimates_priors(weighter):
    return is_classifier(weighter) and hasattr(weighter, "prior_interval")


class TargetWeights:
    """Weights of the calibration rows and of new rows, from a weighter of source rows.

    With w(x) the ratio of the densities of target and source, or w(y) that of the class priors, a
    row of ``n_source`` source rows and ``n_target`` labeled target rows counts
    ``w / (n_source + n_target w)`` (times the number of rows): the ratio of the target's density
    to that of both kinds together.

    Parameters
    ----------
    weighter : weighter, classifier that estimates class priors, or None
        Unfitted.
    target_share : float or None
        Part of the weight that labeled target rows have; None: as by the formula.
    """

    def __init__(self, weighter, target_share):
        self.weighter = weighter
        self.target_share = target_share

    def fit(self, data, classes, *, with_domains):
        """Learn the weights of all source rows, in the order of the rows of `data`."""
        self._class_ratio = None
        self._source = np.ones(len(data.source))
        if self.weighter is None:
            return self
        # Without domains all weights are 1; the weighter has its say about the rows all the same.
        params = {"sample_domain": data.ids} if with_domains else {}
        y = labels_shown(data, data.ids >= 0)
        self.weighter = fit_quietly(self._for_calibration(len(data.source)), data.X, y, params)
        if hasattr(self.weighter, "predict_weights"):
            # Cross-fitted where the weighter does that, which weights of the same rows as new
            # ones would not be.
            self._source = to_numpy(self.weighter.weights_).astype(np.float64)
        else:
            known = np.searchsorted(classes, self.weighter.classes_)
            self._class_ratio = np.ones(len(classes))
            ratio = self.weighter.target_priors_ / self.weighter.source_priors_
            self._class_ratio[known] = ratio
        return self

    def _for_calibration(self, n_source):
        """Return the weighter; with a floor of its own choice, one with the floor for this use."""
        least = getattr(self.weighter, "min_effective_size", None)
        if not isinstance(least, str) or least != "auto":
            return self.weighter
        return clone(self.weighter).set_params(
            min_effective_size=min(_LEAST_PART, _LEAST_ROWS / n_source)
        )

    def of_calibration(self, data, rows, codes):
        """Return the weights of calibration rows, which scale those of new rows from now on."""
        is_target = data.ids[rows] < 0
        self._counts = int((~is_target).sum()), int(is_target.sum())
        if self._class_ratio is not None:
            weights = self._class_ratio[codes[rows]]
        else:
            weights = np.ones(len(rows))
            places = np.searchsorted(data.source, rows[~is_target])
            weights[~is_target] = self._source[places]
            if is_target.any():
                target = rows[is_target]
                weights[is_target] = self._raw(take_rows(data.X, target), data.ids[target])
        n_source, n_target = self._counts
        if self.target_share is None or not n_target:
            return self._balanced(weights)
        weights[is_target] = 1.0
        total = weights[~is_target].sum()
        share = self.target_share
        factor = (1.0 - share) / share * n_target / total if n_source and total > 0 else 0.0
        weights[~is_target] *= factor
        return weights

    def of_new(self, X, ids):
        """Return the own weights of new rows, in one column, or of each class, in one row."""
        if self.target_share is not None and self._counts[1]:
            return np.ones((n_rows(X), 1))
        if self._class_ratio is not None:
            return self._balanced(self._class_ratio)[None, :]
        return self._balanced(self._raw(X, ids))[:, None]

    def _raw(self, X, ids):
        if self.weighter is None:
            return np.ones(n_rows(X))
        weights = self.weighter.predict_weights(X, sample_domain=ids)
        return to_numpy(weights).astype(np.float64)

    def _balanced(self, ratio):
        n_source, n_target = self._counts
        if not n_target:
            return ratio
        return ratio * (n_source + n_target) / (n_source + n_target * ratio)
