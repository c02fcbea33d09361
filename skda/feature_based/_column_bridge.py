"""Column bridge: columns that a domain lacks are predicted from those that it has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from sklearn.base import OneToOneFeatureMixin, clone, is_classifier, is_regressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from .._array._backend import to_numpy
from .._core._base_transformer import BaseDomainTransformer
from .._core._column_table import as_number_frame, fill_frame, text_categories
from .._core._param_checks import (
    check_bool,
    check_integer,
    check_option,
    check_real,
    check_strength,
    column_positions,
)
from .._core._sample_domain import check_target_is_stated
from .._core._typing import Array, ArrayLike, DomainIds, Predictor
from .._core._validation import data_for_predict, fresh_fit

# A domain that has no more than this share of a column's values lacks the column: a model of the
# few that are there would rest on the rows that somebody had a reason to measure.
_LACKING = 0.5
_HALF = 0.5  # the strength from which on categories are followed
_LEAST_ROWS = 10  # with a value, to learn a column from; fewer give a score that means nothing
# Ridge penalties on standardized columns: from hardly any to one that leaves the mean.
_PENALTIES = np.logspace(-1, 4, 11)
_MIX, _SHIFT = np.uint64(0x9E3779B97F4A7C15), np.uint64(29)  # 2⁶⁴ over the golden ratio


class Bridge(NamedTuple):
    """How one column is predicted on the rows of one domain."""

    column: int
    """The column that is predicted."""
    predictors: list
    """The columns that it is predicted from."""
    trust: float
    """How far a measured value is followed beyond its prediction, in [0, 1]; 1: it stays."""
    center: float
    """What rows get that nothing predicts: the mean or the most frequent category."""
    strength: float
    """How far from `center` to go, in [0, 1]."""
    models: Any
    """One fitted model per fold that has not seen it, and one of all rows; None: no model."""


class ColumnModel(NamedTuple):
    """A column learnt from others, by fold, with its cross-validated score."""

    models: Any
    center: float
    score: float


def content_folds(values, n_folds):
    """Return the fold of each row, which depends on nothing but what stands in the row.

    So a fitted row is known again by ``transform``, wherever it stands, and is predicted by a
    model that was fitted without it; and equal rows are never on both sides of a split.
    """
    # Adding zero makes one zero of -0.0 and 0.0, which have other bits.
    bits = np.where(np.isnan(values), 0.0, values + 0.0).astype(np.float64).view(np.uint64)
    mixed = np.zeros(len(values), dtype=np.uint64)
    for column in bits.T:
        mixed = (mixed ^ column) * _MIX
        mixed ^= mixed >> _SHIFT
    return (mixed % np.uint64(n_folds)).astype(np.int64)


def explained(y, predicted, *, is_category, center):
    """Return the share of the variance, or of the errors of a constant guess, that is explained."""
    if is_category:
        lost, total = (y != predicted).sum(), (y != center).sum()
    else:
        lost, total = ((y - predicted) ** 2).sum(), ((y - center) ** 2).sum()
    # A column that does not vary is its mean.
    return float(1.0 - lost / total) if total > 0 else 0.0


class Predictors:
    """Columns of a table as the inputs of a model: standardized or one-hot, without gaps."""

    def __init__(self, values, levels):
        self.levels = levels
        seen = ~np.isnan(values)
        count = np.maximum(seen.sum(axis=0), 1)
        self.mean = np.where(seen, values, 0.0).sum(axis=0) / count
        spread = np.sqrt((np.where(seen, values - self.mean, 0.0) ** 2).sum(axis=0) / count)
        self.scale = np.where(spread > 0, spread, 1.0)

    def __call__(self, values, columns):
        inputs = []
        for j in columns:
            if j in self.levels:
                inputs.append(values[:, [j]] == self.levels[j])
            else:
                # A gap is at the mean, where a linear model gives it no say.
                standard = (values[:, [j]] - self.mean[j]) / self.scale[j]
                inputs.append(np.where(np.isnan(standard), 0.0, standard))
        return np.hstack(inputs).astype(np.float64)


class ColumnBridgeTransformer(OneToOneFeatureMixin, BaseDomainTransformer):
    """Predict the columns that a domain lacks from the columns that it has.

    One hospital measures what another does not. A model of the shared columns throws the others
    away, and plain imputation puts the mean there. This transformer learns each such column from
    the shared ones where both are measured, in any domain and without labels, and fills it in
    where it is missing. Where the target lacks a column, source rows get its prediction, too, made
    by a model that has not seen the row: so the model behind it learns what a prediction is
    worth, and not what the measurement would be.

    Parameters
    ----------
    estimator : regressor, default=None
        Predicts columns of numbers, which it gets standardized (categories as indicators).
        None: ridge regression with the penalty chosen by leave-one-out.
    category_estimator : classifier, default=None
        Predicts columns of categories. None: logistic regression.
    categorical : int, str, list of these, or None, default=None
        Columns of numbers (by position, or by name) that are categories, such as codes. Columns
        of text always are.
    strength : float, default=1.0
        How far a prediction is followed, in [0, 1]. 0: a column that is missing somewhere says
        nothing there but its mean. Categories are followed from 0.5 on.
    uncertainty : {"shrink", "indicator", "both", None}, default="shrink"
        What becomes of how little is known. "shrink": where a source lacks what the target has, the
        target's measurements are pulled to their predictions, the more the less of the variance
        these explain. "indicator": for each column that has gaps there is a column more, 1 where
        its value is predicted.
    cross_fit : bool, default=True
        Whether source rows get the cross-fitted prediction of a column that a target lacks, in
        place of the measured value.
    min_score : float, default=0.0
        Columns whose cross-validated score is not above it come out as their mean.
    n_folds : int, default=5
        Number of folds of the cross-fitting.

    Attributes
    ----------
    bridge_scores_ : dict
        By domain id, then by column (name, or position where X has no names), the cross-validated
        share of the variance that is explained (of categories: of the errors of always guessing
        the most frequent one); at most 1, 0 or less where nothing predicts the column.
    bridges_ : dict
        By domain id, the list of fitted bridges.
    indicated_ : list of int
        Positions of the columns that have an indicator.
    categories_ : dict
        Of each column of text, by name, its sorted categories; their positions are its codes.
    levels_ : dict
        Of each column of categories, by position, the codes that it takes.
    centers_ : ndarray of shape (n_features_in_,)
        Mean or most frequent category of each column, for gaps in columns that had none in
        ``fit``.
    predictors_ : object
        A function of rows and columns that returns the inputs of the models: columns standardized
        or as indicators, without gaps.
    source_domains_, target_domains_ : list of int
        Ids seen in ``fit``.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if X had names.

    Raises
    ------
    ValueError
        In ``fit``, if a parameter is out of range. In ``transform``, for rows of a domain that was
        not fitted; without ``sample_domain``, if there are several targets.

    See Also
    --------
    stack_domains : With ``join="outer"`` stacks frames that have other columns.
    CoOptimalTransportTransformer : For domains without any shared column.

    Notes
    -----
    X holds all columns of all domains, with NaN (frames: also None, null, NA) where a domain has no
    value. A domain *lacks* a column if it has values in less than half of its rows; the values of
    those rows are replaced, too, since few are measured without a reason. In a column that all
    domains have, only gaps are filled. A column is learnt from the columns that both the domain
    to fill and those to learn from have. With f the model, m the mean and σ the `strength`, a gap
    gets :math:`m + σ(f(x) - m)`. A source row whose measurement x_j a target lacks gets the same;
    a target row whose measurement a source lacks gets :math:`m + σ(f(x) + R^2 (x_j - f(x)) - m)`,
    R² being the cross-validated score: a model fitted on predictions does not know the spread of
    measurements. Folds follow from what stands in a row, so that ``transform`` gives a fitted row
    what ``fit_transform`` gave it.

    It assumes that the columns hang together alike in the domains. Then it helps a source that
    lacks what the target has, and sources that lack what other sources have. Where it is the target
    that lacks a column, little can be gained over the shared columns by filling it in, and
    cross-fitting sees to it that little is lost. A column without any value is 0.

    A frame with text comes out as a frame, anything else as ``set_output`` says. Fitted without
    ``sample_domain`` it fills gaps as one domain. Cost: per column and set of predictors, `n_folds`
    + 1 fits. Array level (b): the models are fitted in NumPy.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from skda import ColumnBridgeTransformer, stack_domains
    >>> rng = np.random.default_rng(0)
    >>> age = rng.normal(60, 10, 200)
    >>> here = pd.DataFrame({"age": age, "pressure": 80 + age + rng.normal(0, 3, 200)})
    >>> there = pd.DataFrame({"age": [50.0, 70.0]})
    >>> X, y, sample_domain = stack_domains(here, None, there, join="outer")
    >>> bridge = ColumnBridgeTransformer().fit(X, sample_domain=sample_domain)
    >>> round(bridge.bridge_scores_[-2]["pressure"], 2)
    0.90
    >>> bridge.transform(X.tail(2)).round(0)
    array([[ 50., 131.],
           [ 70., 149.]])
    """

    _per_target = True
    _array_level = "b"
    _fills_gaps = True

    def __init__(
        self,
        estimator: Predictor | None = None,
        *,
        category_estimator: Predictor | None = None,
        categorical: int | str | Sequence[int | str] | None = None,
        strength: float = 1.0,
        uncertainty: Literal["shrink", "indicator", "both"] | None = "shrink",
        cross_fit: bool = True,
        min_score: float = 0.0,
        n_folds: int = 5,
    ):
        self.estimator = estimator
        self.category_estimator = category_estimator
        self.categorical = categorical
        self.strength = strength
        self.uncertainty = uncertainty
        self.cross_fit = cross_fit
        self.min_score = min_score
        self.n_folds = n_folds

    def transform(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Fill in what is missing.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            Rows to fill, in any order.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row. None: every row is of the target, if there is only one.

        Returns
        -------
        X_new : array or data frame of shape (n_samples, n_features_out)
            Rows without gaps in the same order; a data frame if X has columns of text.
        """
        check_is_fitted(self)
        numbers = as_number_frame(X, self.categories_) if self._is_text(X) else X
        data = data_for_predict(self, numbers, sample_domain)
        check_target_is_stated(self, named=sample_domain is not None)
        return self._like_given(self._map_all(data), X)

    def fit_transform(
        self, X: ArrayLike, y: ArrayLike | None = None, *, sample_domain: DomainIds | None = None
    ) -> Array:
        """Learn the bridges and fill in what is missing in the same rows.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            Rows of all domains, with gaps.
        y : Ignored
            Labels are not looked at.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row: >= 0 a source, < 0 a target.

        Returns
        -------
        X_new : array or data frame of shape (n_samples, n_features_out)
            Rows without gaps in the same order; a data frame if X has columns of text.
        """
        return self.fit(X, y, sample_domain=sample_domain).transform(X, sample_domain=sample_domain)

    def _fit_data(self, X, y, sample_domain):
        with fresh_fit(self):
            categories, text_columns = text_categories(X), []
            if categories:
                # By position, since names that are no text are none to scikit-learn.
                text_columns = [j for j, name in enumerate(X.columns) if name in categories]
                X = as_number_frame(X, categories)
            # The base class hands on the numbers only; what was text comes along here.
            self._given_text = categories, text_columns
            try:
                return super()._fit_data(X, y, sample_domain)
            finally:
                del self._given_text

    def _is_text(self, X):
        return bool(self.categories_) and hasattr(X, "columns")

    def _like_given(self, filled, X):
        if not self._is_text(X):
            return filled
        names = [*X.columns, *self.get_feature_names_out()[self.n_features_in_ :]]
        return fill_frame(X, to_numpy(filled), self.categories_, names)

    def _fit(self, data):
        self._check_params()
        values = np.asarray(to_numpy(data.X), dtype=np.float64)
        self.categories_, text_columns = self._given_text
        self.levels_ = self._levels_of(values, text_columns)
        self.centers_ = np.array(
            [_center(x[~np.isnan(x)], j in self.levels_) for j, x in enumerate(values.T)]
        )
        self.predictors_ = Predictors(values, self.levels_)
        seen = ~np.isnan(values)
        has = {domain: seen[data.rows(domain)].mean(axis=0) > _LACKING for domain in data.domains}
        names = getattr(self, "feature_names_in_", np.arange(values.shape[1])).tolist()
        self.bridges_, self.bridge_scores_ = {}, {}
        learner = _ColumnLearner(self, values, data.ids, has)
        for domain in data.domains:
            self.bridges_[domain], self.bridge_scores_[domain] = [], {}
            for column in self._columns_to_fill(domain, has, seen[data.rows(domain)]):
                bridge, score = self._bridge(learner, domain, column, has)
                self.bridges_[domain].append(bridge)
                self.bridge_scores_[domain][names[column]] = score
        self.indicated_ = np.flatnonzero(~seen.all(axis=0)).tolist() if self._indicates else []

    def _columns_to_fill(self, domain, has, seen):
        """Return the columns with gaps, and those that a domain on the other side lacks."""
        to_fill = ~seen.all(axis=0)
        others = self.source_domains_ if domain < 0 else self.target_domains_
        if domain < 0 or self.cross_fit:
            for other in others:
                to_fill |= ~has[other]
        return np.flatnonzero(to_fill).tolist()

    def _bridge(self, learner, domain, column, has):
        others = self.source_domains_ if domain < 0 else self.target_domains_
        lacking = [other for other in others if not has[other][column]]
        replaced = bool(lacking) and self.cross_fit and domain >= 0
        usable = has[domain].copy()
        for other in lacking if replaced or domain < 0 else []:
            # A prediction has to mean the same on both sides: from the columns of both.
            usable &= has[other]
        predictors, learnt = learner.learn(column, usable)
        known = learnt.models is not None and learnt.score > self.min_score
        trust = 1.0
        if replaced or not has[domain][column]:
            trust = 0.0
        elif domain < 0 and not all(has[s][column] for s in self.source_domains_):
            # Without a prediction the column is constant in that source: it says nothing.
            trust = self._trust_of_target(learnt.score) if known else 0.0
        strength = float(self.strength)
        if column in self.levels_:
            # Categories have no middle: they are followed or not.
            strength, trust = float(strength >= _HALF), float(trust > 0)
        return Bridge(
            column=column,
            predictors=predictors,
            trust=trust,
            center=learnt.center,
            strength=strength,
            models=learnt.models if known and strength else None,
        ), learnt.score

    def _trust_of_target(self, score):
        return min(score, 1.0) if self.uncertainty in ("shrink", "both") else 1.0

    def _map(self, X, domain, backend):
        if domain not in self.bridges_:
            # Rows of no stated domain; after a fit without domains those of the only one.
            domain = (self.target_domains_ or self.source_domains_)[0]
        values = np.asarray(to_numpy(X), dtype=np.float64)
        filled, missing = values.copy(), np.isnan(values)
        folds = content_folds(values, self.n_folds)
        for bridge in self.bridges_[domain]:
            # Measured values that are trusted stay as they are.
            rows = np.flatnonzero(missing[:, bridge.column] | (bridge.trust < 1))
            if len(rows):
                filled[rows, bridge.column] = self._value(bridge, values[rows], folds[rows])
        # Gaps that there were none of in fit.
        filled = np.where(np.isnan(filled), self.centers_, filled)
        if self._indicates:
            replaced = missing.copy()
            for bridge in self.bridges_[domain]:
                replaced[:, bridge.column] |= bridge.trust == 0
            filled = np.hstack([filled, replaced[:, self.indicated_]])
        return backend.asarray(filled, X.dtype)

    def _value(self, bridge, values, folds):
        """Return what rows get in the column of a bridge."""
        measured = values[:, bridge.column]
        found = self._predicted(bridge, values, folds)
        if bridge.column in self.levels_:
            return np.where(np.isnan(measured) | (bridge.trust == 0), found, measured)
        more = np.where(np.isnan(measured), 0.0, measured - found)
        return bridge.center + bridge.strength * (found + bridge.trust * more - bridge.center)

    def _predicted(self, bridge, values, folds):
        found = np.full(len(values), bridge.center)
        if bridge.models is None:
            return found
        inputs = self.predictors_(values, bridge.predictors)
        # A row with a value may be one that the model of all rows was fitted on.
        which = np.where(np.isnan(values[:, bridge.column]), self.n_folds, folds)
        for number in np.unique(which).tolist():
            rows = np.flatnonzero(which == number)
            found[rows] = bridge.models[number].predict(inputs[rows])
        return found

    @property
    def _indicates(self):
        return self.uncertainty in ("indicator", "both")

    def _levels_of(self, values, text_columns):
        """Return the codes of each column of categories, by position."""
        columns = column_positions("categorical", self.categorical, self, values.shape[1])
        columns = sorted({*columns, *text_columns})
        return {j: np.unique(values[~np.isnan(values[:, j]), j]) for j in columns}

    def _check_params(self):
        check_strength(self.strength)
        check_option("uncertainty", self.uncertainty, ("shrink", "indicator", "both", None))
        check_bool("cross_fit", self.cross_fit)
        check_real("min_score", self.min_score, high=1)
        check_integer("n_folds", self.n_folds, low=2)
        if self.estimator is not None and not is_regressor(self.estimator):
            raise ValueError(
                f"estimator must be a regressor; got {type(self.estimator).__name__}. Classifiers "
                "go into category_estimator."
            )
        if self.category_estimator is not None and not is_classifier(self.category_estimator):
            raise ValueError(
                "category_estimator must be a classifier; got "
                f"{type(self.category_estimator).__name__}. Regressors go into estimator."
            )

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> np.ndarray:
        """Return the names of the output columns: those of X, then the indicators.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the columns; those seen in ``fit`` by default.

        Returns
        -------
        feature_names_out : ndarray of str objects
            For example ``age, ferritin, ferritin_missing``.
        """
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features)
        more = [f"{names[j]}_missing" for j in self.indicated_]
        return np.asarray([*names, *more], dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = tags.input_tags.string = True
        return tags


def _center(values, is_category):
    """Return the mean, or the most frequent category; 0 where there is no value."""
    if not len(values):
        return 0.0
    if not is_category:
        return float(values.mean())
    found, counts = np.unique(values, return_counts=True)
    return float(found[counts.argmax()])


class _ColumnLearner:
    """Learns columns from others on the rows of the fit; each model is fitted once."""

    def __init__(self, owner, values, ids, has):
        self.owner, self.values, self.ids, self.has = owner, values, ids, has
        self.folds = content_folds(values, owner.n_folds)
        self.learnt = {}
        # Compared with None, since an unfitted forest is empty and thus false.
        given = owner.estimator, owner.category_estimator
        self.regressor = RidgeCV(_PENALTIES) if given[0] is None else given[0]
        self.classifier = LogisticRegression(max_iter=1000) if given[1] is None else given[1]

    def learn(self, column, usable):
        """Return the predictors of a column and its :class:`ColumnModel`."""
        predictors, donors = self._predictors_and_donors(column, usable)
        rows = np.isin(self.ids, donors) & ~np.isnan(self.values[:, column])
        key = column, tuple(predictors), tuple(donors)
        if key not in self.learnt:
            self.learnt[key] = self._fit(column, predictors, np.flatnonzero(rows))
        return predictors, self.learnt[key]

    def _predictors_and_donors(self, column, usable):
        """Return the columns to predict from, and the domains to learn from.

        The domains that have the column and most of the usable ones decide on the predictors; any
        domain that has these is learnt from.
        """
        measured = ~np.isnan(self.values[:, column])
        shared = {}
        for domain in self.has:
            both = usable & self.has[domain]
            both[column] = False
            shared[domain] = tuple(np.flatnonzero(both).tolist())
        size = {domain: int((measured & (self.ids == domain)).sum()) for domain in self.has}
        # A domain that lacks the column has few values of it, and those for a reason.
        deciding = [d for d in self.has if self.has[d][column]] or list(self.has)
        rows = {own: sum(size[d] for d in deciding if shared[d] == own) for own in shared.values()}
        best = max(
            {shared[d] for d in deciding}, key=lambda own: (len(own), rows[own], own), default=()
        )
        donors = [d for d in self.has if set(best) <= set(shared[d]) and size[d]]
        return list(best), donors

    def _fit(self, column, predictors, rows):
        y = self.values[rows, column]
        is_category = column in self.owner.levels_
        center = _center(y, is_category)
        if len(rows) < _LEAST_ROWS or not predictors or (y == y[0]).all():
            return ColumnModel(None, center, 0.0)
        inputs = self.owner.predictors_(self.values[rows], predictors)
        folds, models, predicted = self.folds[rows], [], np.full(len(rows), center)
        for fold in range(self.owner.n_folds):
            held_out = folds == fold
            # With few rows a fold may have all of them.
            model = self._model(inputs[~held_out], y[~held_out], is_category)
            models.append(model)
            if held_out.any():
                predicted[held_out] = model.predict(inputs[held_out])
        models.append(self._model(inputs, y, is_category))
        score = explained(y, predicted, is_category=is_category, center=center)
        return ColumnModel(models, center, score)

    def _model(self, inputs, y, is_category):
        if len(y) < 2 or (y == y[0]).all():
            return Constant(_center(y, is_category))
        if not is_category:
            return clone(self.regressor).fit(inputs, y)
        # Classifiers refuse labels like 0.5, which a code may be.
        levels, codes = np.unique(y, return_inverse=True)
        return Categories(clone(self.classifier).fit(inputs, codes), levels)


class Categories(NamedTuple):
    """A classifier of the numbers of levels, which predicts the levels."""

    classifier: Any
    levels: np.ndarray

    def predict(self, inputs):
        """Return the level of each row."""
        return self.levels[self.classifier.predict(inputs)]


class Constant(NamedTuple):
    """A model that predicts one value."""

    value: float

    def predict(self, inputs):
        """Return the value for each row."""
        return np.full(len(inputs), self.value)
