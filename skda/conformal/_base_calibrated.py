"""What sets, intervals and calibrated probabilities share: held-out rows and their weights."""

from __future__ import annotations

from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, is_classifier
from sklearn.utils import get_tags

from .._array._rows import take_rows
from .._array._warnings import warn_user
from .._core._labels import as_labels
from .._core._meta_estimator import aligned_columns
from .._core._param_checks import check_bool, check_real
from .._core._routing import DomainRouting
from .._core._sample_domain import DomainWarning
from .._core._typing import ArrayLike, DomainIds
from .._core._validation import (
    class_labels,
    data_for_inner_fit,
    data_for_inner_predict,
    fresh_fit,
)
from .._numerics._weights import effective_sample_size
from ._held_out import call_as_target, call_model, check_cv_param, fit_held_out
from ._target_weights import TargetWeights, check_new_row_weighter

# Effective calibration rows below which a quantile, or a calibration curve, means little, and below
# which part of them it is the weights that are to blame.
_FEW_ROWS, _FEW_OF_ALL = 10.0, 0.25


def check_has_proba(estimator):
    """Raise unless the classifier has probabilities."""
    if hasattr(estimator, "predict_proba"):
        return
    name = type(estimator).__name__
    raise ValueError(
        f"estimator must be a classifier with predict_proba, whose values are calibrated; {name} "
        f"has none. Write CalibratedClassifierCV({name}(...))."
    )


class BaseCalibrated(DomainRouting, MetaEstimatorMixin, BaseEstimator):
    """Fits models, holds labeled rows out of them, and weighs these rows for the target.

    A subclass writes ``_calibrate(data, held_out, weights)``.
    """

    _order_dependent = True  # random folds

    def fit(self, X: ArrayLike, y: ArrayLike, *, sample_domain: DomainIds | None = None) -> Self:
        """Fit the estimator, and calibrate with weighted rows that it has not seen.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains, in any container that the estimator and the weighter take.
        y : array-like of shape (n_samples,)
            Labels. Those of target rows are ignored unless `use_target_labels`.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row: >= 0 a source, < 0 a target. None: all rows are source and none is
            weighted, with a :class:`~skda.DomainWarning`.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        with fresh_fit(self):
            self._check_params()
            labels = "all" if self.use_target_labels else "source"
            data = data_for_inner_fit(self, X, y, sample_domain, labels=labels)
            codes = self._codes(data)
            held_out = fit_held_out(self, data, codes)
            self.estimator_, self.estimators_ = held_out.estimator, held_out.models
            classes = self.classes_ if is_classifier(self) else None
            self._weights = TargetWeights(self.weighter, self._share(data))
            self._weights.fit(data, classes, with_domains=self._fit_domains is not None)
            weights = self._weights.of_calibration(data, held_out.rows, codes)
            self.weighter_ = self._weights.weighter
            self.n_calibration_ = len(weights)
            self.n_effective_ = effective_sample_size(weights)
            self._warn_of_few_rows(data)
            self._calibrate(data, codes, held_out, weights)
        return self

    def _codes(self, data):
        """Return the class of each labeled row (0 in a regression), and note the classes."""
        if not is_classifier(self):
            return np.zeros(len(data.ids), dtype=np.int64)
        self.classes_, codes = class_labels(self, data)
        if isinstance(self.cv, str):
            # The estimator may know classes of which no calibration row is.
            known = np.asarray(self.estimator.classes_)
            strange = sorted(set(self.classes_.tolist()) - set(known.tolist()))
            if strange:
                raise ValueError(
                    f"y has classes that the fitted estimator does not know: {strange}; it knows "
                    f"{known.tolist()}. Leave those rows out or fit it again."
                )
            codes[data.labeled] = np.searchsorted(known, self.classes_)[codes[data.labeled]]
            self.classes_ = known
        return codes

    def _warn_of_few_rows(self, data):
        few = min(_FEW_ROWS, _FEW_OF_ALL * self.n_calibration_)
        if self.weighter_ is not None and self.n_effective_ < few:
            warn_user(
                f"The weighted calibration rows of {type(self).__name__} count as "
                f"{self.n_effective_:.1f} rows of {self.n_calibration_}: too few to calibrate "
                "with. The target lies where hardly any labeled row does. Label some target rows "
                "and pass use_target_labels=True, or use fewer features.",
                DomainWarning,
            )

    def _by_fold(self, method, data, held_out):
        """Yield each model's outputs for its held-out rows, and where these are among all."""
        for number, model in enumerate(held_out.models):
            places = np.flatnonzero(held_out.folds == number)
            rows = held_out.rows[places]
            ids = None if self._fit_domains is None else data.ids[rows]
            yield model, places, call_as_target(model, method, take_rows(data.X, rows), ids)

    def _held_out_proba(self, data, held_out):
        """Return probabilities of the held-out rows, each by the model that has not seen it."""
        proba = np.zeros((len(held_out.rows), len(self.classes_)))
        for model, places, found in self._by_fold("predict_proba", data, held_out):
            proba[places] = aligned_columns(as_labels(found), model.classes_, self.classes_)
        return proba

    def _new_rows(self, X, sample_domain):
        """Return checked rows and the domains to hand on (None if none are given)."""
        data = data_for_inner_predict(self, X, sample_domain)
        given = sample_domain is not None and self._fit_domains is not None
        return data, data.ids if given else None

    def _proba_of(self, model, X, ids):
        found = as_labels(call_model(model, "predict_proba", X, ids))
        return aligned_columns(found, model.classes_, self.classes_)

    def _labels_of(self, X, ids):
        return as_labels(call_model(self.estimator_, "predict", X, ids))

    def _model(self):
        """Return the unfitted estimator of which clones are fitted."""
        return self.estimator

    def _check_params(self):
        check_new_row_weighter(self.weighter, classes=is_classifier(self))
        check_cv_param(self.cv, self.estimator)
        hint = "It is the part of the labeled source rows that is held out once."
        check_real(
            "calibration_size", self.calibration_size, low=0, high=1, closed="neither", hint=hint
        )
        check_bool("use_target_labels", self.use_target_labels)
        hint = "1 calibrates with labeled target rows alone, None weighs by the densities."
        if not self._is_auto(self.target_share):
            check_real(
                "target_share",
                self.target_share,
                low=0,
                high=1,
                closed="right",
                none=True,
                hint=hint,
            )
        named = self.target_share is not None and not self._is_auto(self.target_share)
        if named and not self.use_target_labels:
            raise ValueError(
                f"target_share={self.target_share!r} needs labeled target rows to share with. "
                "Pass use_target_labels=True, or leave target_share out."
            )

    def _is_auto(self, share):
        return isinstance(share, str) and share == "auto" and hasattr(self, "alpha")

    def _share(self, data):
        """Return the part of the weight of labeled target rows, None if it follows from weights."""
        if not self._is_auto(self.target_share):
            return self.target_share
        n_labeled = int((data.labeled & (data.ids < 0)).sum())
        return 1.0 if n_labeled * self.alpha >= 1.0 else None

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        taken = get_tags(self.estimator).input_tags
        tags.input_tags.sparse, tags.input_tags.allow_nan = taken.sparse, taken.allow_nan
        tags.input_tags.categorical, tags.input_tags.string = taken.categorical, taken.string
        tags.input_tags.positive_only = taken.positive_only
        # What is no weighter is refused by fit, in its own words: tags are read before it.
        if hasattr(self.weighter, "__sklearn_tags__") and not isinstance(self.weighter, type):
            # The rows go to both, so that both have to take them.
            weighed = get_tags(self.weighter).input_tags
            tags.input_tags.sparse &= weighed.sparse
            tags.input_tags.allow_nan &= weighed.allow_nan
        return tags
