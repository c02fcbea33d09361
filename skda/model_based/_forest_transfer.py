"""A random forest of the source, each tree refined on a few target rows."""

from __future__ import annotations

from typing import Any, Literal

from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.utils import check_random_state

from .._core._param_checks import check_bool
from .._core._score import DomainRegressorMixin
from .._core._typing import Array, ArrayLike, DomainIds, Predictor, RandomState
from ._base_tree_refinement import TargetRows
from ._base_tree_transfer import TREE_METHODS, TreesClassifier, TreesTransfer, is_tree

# Source rows that a tree of the default forest of numbers is drawn from at most: whole trees of a
# hundred thousand rows take minutes, and few labeled target rows reach few of their leaves.
_MOST_ROWS_OF_A_TREE = 10_000

FOREST_METHODS = ("mix", *TREE_METHODS)


class ForestTransfer(TreesTransfer):
    """A forest whose trees are refined one by one."""

    _methods = FOREST_METHODS
    _wanted_source = "a random forest"

    def _check_params(self):
        super()._check_params()
        check_bool("bootstrap", self.bootstrap)

    def _trees_of(self, model):
        trees = getattr(model, "estimators_", None)
        all_trees = isinstance(trees, list) and all(is_tree(tree) for tree in trees)
        # Trees of a bagging of columns compare other features.
        on_all_columns = not hasattr(model, "estimators_features_")
        # Those of boosting are added up, not averaged.
        return trees if all_trees and on_all_columns and not hasattr(model, "init_") else None

    def _refined(self, target):
        methods = ("ser", "strut") if self.method == "mix" else (self.method,)
        random_state, refined = check_random_state(self.random_state), []
        for i in range(len(self.trees_)):
            part = _resampled(target, random_state) if self.bootstrap else target
            refined += [self._refine(i, method, part) for method in methods]
        return refined


def _resampled(target, random_state):
    """Return as many rows, picked at random with replacement."""
    rows = random_state.randint(len(target.X), size=len(target.X))
    return TargetRows(target.X[rows], target.wanted[rows], target.classes, target.source_weight)


class ForestTransferClassifier(ForestTransfer, TreesClassifier):
    r"""Refine the trees of a source's random forest on a few labeled target rows.

    The questions that the trees of the source ask often suit the target, but not the thresholds,
    or not the classes at the leaves. Those are corrected, in each tree, with the target rows that
    have a label; the rest of the forest is kept.

    Parameters
    ----------
    source_estimator : RandomForestClassifier or ExtraTreesClassifier, default=None
        Forest of the source, or a Pipeline that ends in one. A fitted one, or a FrozenEstimator,
        is used as it is and source rows are ignored; copies made by a search keep what they hold
        only inside a FrozenEstimator. Otherwise a clone is fitted on the source rows. None:
        ``RandomForestClassifier()``.
    method : {"mix", "ser", "strut", "relabel"}, default="mix"
        What is refined in each tree, see :class:`TreeTransferClassifier`; "mix" votes with the
        trees of "ser" and of "strut".
    source_weight : float, default=1.0
        How many target rows the class proportions of the source count as, at each leaf. 0 forgets
        them, as in the paper.
    protected_classes : label or array-like of labels, default=None
        Leaves at which such a class is the source's most frequent one are neither cut nor
        relabeled: rare classes, of which the few labels hold no example.
    bootstrap : bool, default=False
        Whether each tree is refined on a bootstrap sample of the labeled target rows.
    random_state : int, RandomState instance or None, default=None
        Seeds the forest of ``source_estimator=None`` and the bootstrap samples.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes of the source model and of the labeled target rows.
    source_estimator_ : classifier
        The source model: the one that was given, or the fitted clone.
    trees_ : list
        The refined trees, as arrays.
    n_features_in_ : int
        Number of features.

    Raises
    ------
    ValueError
        In ``fit``, if the source model is not such a forest, was fitted on another number of
        features, or knows none of the classes of the labeled target rows.

    See Also
    --------
    TreeTransferClassifier : The same for one tree.
    ForestTransferRegressor : The same for numbers.

    Notes
    -----
    Structure expansion and reduction (SER) is for a target that is the source refined locally,
    structure transfer (STRUT) for features that are shifted or measured otherwise, and their mix
    for when it is unknown [1]_. Probabilities are the mean over the trees.

    A target row is labeled unless its y is NaN, None or NA or, among integers, -1; unlabeled ones
    are not used. Without any labeled one the source model is used as it is, with a
    :class:`~skda.DomainWarning`. Several sources, and several targets, are pooled. One model
    predicts rows of all domains.

    Costs O(n d log n) for n labeled target rows at each level of each tree. Array level (b): NumPy
    on the host; rows of other libraries are moved to the host.

    References
    ----------
    .. [1] N. Segev, M. Harel, S. Mannor, K. Crammer, R. El-Yaniv (2017). Learn on source, refine
       on target: a model transfer learning framework with random forests. IEEE TPAMI 39.
       doi:10.1109/TPAMI.2016.2618118

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from skda import ForestTransferClassifier
    >>> rng = np.random.default_rng(0)
    >>> X_source, X_target = rng.uniform(size=(500, 2)), rng.uniform(size=(540, 2))
    >>> y_source = (X_source > 0.5).all(axis=1).astype(int)
    >>> y_target = (X_target > 0.5).all(axis=1).astype(int)
    >>> X_target = 0.5 * X_target + 0.4  # measured in another unit
    >>> source_model = RandomForestClassifier(20, random_state=0).fit(X_source, y_source)
    >>> model = ForestTransferClassifier(source_model)
    >>> model = model.fit(X_target[:40], y_target[:40])
    >>> new = X_target[40:], y_target[40:]
    >>> print(f"{source_model.score(*new):.2f} -> {model.score(*new):.2f}")
    0.61 -> 1.00
    """

    _order_dependent = True  # a forest draws rows

    def __init__(
        self,
        source_estimator: Predictor | None = None,
        *,
        method: Literal["mix", "ser", "strut", "relabel"] = "mix",
        source_weight: float = 1.0,
        protected_classes: Any = None,
        bootstrap: bool = False,
        random_state: RandomState = None,
    ):
        self.source_estimator = source_estimator
        self.method = method
        self.source_weight = source_weight
        self.protected_classes = protected_classes
        self.bootstrap = bootstrap
        self.random_state = random_state

    def _default_source(self):
        return RandomForestClassifier(random_state=self.random_state)


class ForestTransferRegressor(DomainRegressorMixin, ForestTransfer):
    r"""Refine the trees of a source's regression forest on a few labeled target rows.

    The questions that the trees of the source ask often suit the target, but not the thresholds,
    or not the values at the leaves. Those are corrected, in each tree, with the target rows that
    have a label; the rest of the forest is kept.

    Parameters
    ----------
    source_estimator : RandomForestRegressor or ExtraTreesRegressor, default=None
        Forest of the source, or a Pipeline that ends in one. A fitted one, or a FrozenEstimator,
        is used as it is and source rows are ignored; copies made by a search keep what they hold
        only inside a FrozenEstimator. Otherwise a clone is fitted on the source rows. None:
        ``RandomForestRegressor()``, from 10,000 source rows with ``max_samples=10_000``: each tree
        is grown on as many rows drawn at random, which keeps the time of large tables in bounds.
    method : {"mix", "ser", "strut", "relabel"}, default="mix"
        What is refined in each tree. Structure expansion and reduction ("ser") grows each leaf on
        its target rows, then cuts subtrees that are no better than a leaf on them. Structure
        transfer ("strut") keeps the features that are compared, chooses each threshold anew, and
        cuts branches without target rows. "mix" averages the trees of both. "relabel" only gives
        the leaves the mean of their target rows.
    source_weight : float, default=1.0
        How many target rows the value of the source counts as, at each leaf. 0 forgets it.
    bootstrap : bool, default=False
        Whether each tree is refined on a bootstrap sample of the labeled target rows.
    random_state : int, RandomState instance or None, default=None
        Seeds the forest of ``source_estimator=None`` and the bootstrap samples.

    Attributes
    ----------
    source_estimator_ : regressor
        The source model: the one that was given, or the fitted clone.
    trees_ : list
        The refined trees, as arrays.
    n_features_in_ : int
        Number of features.

    Raises
    ------
    ValueError
        In ``fit``, if the source model is not such a forest, or was fitted on another number of
        features.

    See Also
    --------
    ForestTransferClassifier : The same for classes.
    StackedTransferRegressor : For a source model of any kind.

    Notes
    -----
    The methods of [1]_ are for classes; for numbers an error is squared, and STRUT chooses, among
    the thresholds at which the variance decreases most in their neighborhood, the one with the
    difference of the means on both sides nearest to the source's. A shift of all values thus
    leaves the thresholds as they are.

    A target row is labeled unless its y is NaN, None or NA or, among integers, -1; unlabeled ones
    are not used. Without any labeled one the source model is used as it is, with a
    :class:`~skda.DomainWarning`. Several sources, and several targets, are pooled. One model
    predicts rows of all domains.

    Costs O(n d log n) for n labeled target rows at each level of each tree. Array level (b): NumPy
    on the host; rows of other libraries are moved to the host.

    References
    ----------
    .. [1] N. Segev, M. Harel, S. Mannor, K. Crammer, R. El-Yaniv (2017). Learn on source, refine
       on target: a model transfer learning framework with random forests. IEEE TPAMI 39.
       doi:10.1109/TPAMI.2016.2618118

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import RandomForestRegressor
    >>> from skda import ForestTransferRegressor
    >>> rng = np.random.default_rng(0)
    >>> X_source, X_target = rng.uniform(size=(500, 2)), rng.uniform(size=(540, 2))
    >>> y_source = np.sin(6 * X_source[:, 0])
    >>> y_target = np.sin(6 * X_target[:, 0]) + 0.5 * (X_target[:, 1] > 0.5)
    >>> source_model = RandomForestRegressor(20, random_state=0).fit(X_source, y_source)
    >>> model = ForestTransferRegressor(source_model)
    >>> model = model.fit(X_target[:40], y_target[:40])
    >>> new = X_target[40:], y_target[40:]
    >>> print(f"{source_model.score(*new):.2f} -> {model.score(*new):.2f}")
    0.81 -> 0.85
    """

    _order_dependent = True  # a forest draws rows

    def __init__(
        self,
        source_estimator: Predictor | None = None,
        *,
        method: Literal["mix", "ser", "strut", "relabel"] = "mix",
        source_weight: float = 1.0,
        bootstrap: bool = False,
        random_state: RandomState = None,
    ):
        self.source_estimator = source_estimator
        self.method = method
        self.source_weight = source_weight
        self.bootstrap = bootstrap
        self.random_state = random_state

    def _default_source(self):
        return RandomForestRegressor(random_state=self.random_state)

    def _new_source(self, n_rows):
        forest = super()._new_source(n_rows)
        if self.source_estimator is None and n_rows > _MOST_ROWS_OF_A_TREE:
            forest.set_params(max_samples=_MOST_ROWS_OF_A_TREE)
        return forest

    def predict(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Predict with the mean of the refined trees.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Accepted, so that a pipeline can always pass it; there is one model for all rows.

        Returns
        -------
        y_pred : array of shape (n_samples,)
            Predictions, in the array library of `X`.
        """
        values, backend = self._mean_value(X, sample_domain)
        return backend.asarray(values[:, 0])
