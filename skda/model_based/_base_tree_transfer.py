"""What tree and forest have in common: reading the source's trees, and refining them."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from sklearn.base import clone, is_classifier
from sklearn.tree import BaseDecisionTree
from sklearn.utils import check_array

from .._core._labels import as_labels
from .._core._param_checks import check_option, check_real
from .._core._score import DomainClassifierMixin
from .._core._typing import Array, ArrayLike, DomainIds
from ._base_source_model import BaseModelTransfer, class_codes, pipeline_parts
from ._base_tree_arrays import TreeArrays
from ._base_tree_refinement import (
    TargetRows,
    expand_and_reduce,
    protected_nodes,
    relabel,
    transfer_structure,
)

TREE_METHODS = ("ser", "strut", "relabel")


class TreesTransfer(BaseModelTransfer):
    """Trees of a source model, refined on labeled target rows.

    A subclass has the parameters ``method`` and ``source_weight``, ``_methods`` (the values of the
    former), ``_trees_of(model)`` and ``_refined(target)``.
    """

    _methods: tuple[str, ...] = TREE_METHODS
    protected_classes = None  # a parameter of classifiers

    def _check_params(self):
        check_option("method", self.method, self._methods)
        check_real("source_weight", self.source_weight, low=0)

    def _keep_source(self, data):
        self._maps, model = pipeline_parts(self.source_estimator_)
        trees = self._trees_of(model)
        if trees is None or any(tree.tree_.n_outputs != 1 for tree in trees):
            raise ValueError(
                f"source_estimator must be {self._wanted_source} of scikit-learn with one output, "
                f"or a Pipeline that ends in one; got {type(model).__name__}. For any other model "
                "take StackedTransferClassifier or StackedTransferRegressor."
            )
        self._growers = [grower_like(tree) for tree in trees]
        columns, n_columns = None, None
        if is_classifier(self):
            columns = class_codes(as_labels(self.source_estimator_.classes_), self.classes_)
            n_columns = len(self.classes_)
        self.trees_ = [TreeArrays.from_tree(tree, columns, n_columns) for tree in trees]
        self._protected = [self._protected_nodes(tree) for tree in self.trees_]

    def _protected_nodes(self, tree):
        if self.protected_classes is None:
            return np.zeros(len(tree.left), dtype=bool)
        classes = np.atleast_1d(np.asarray(self.protected_classes))
        if not np.isin(classes, self.classes_).all():
            raise ValueError(
                f"protected_classes must be classes ({self.classes_.tolist()}); got "
                f"{self.protected_classes!r}."
            )
        return protected_nodes(tree, class_codes(classes, self.classes_))

    def _adapt(self, X, y):
        if is_classifier(self):
            wanted = np.eye(len(self.classes_))[class_codes(y, self.classes_)]
        else:
            wanted = np.asarray(y, dtype=np.float64)[:, None]
        rows = self._features(X)
        target = TargetRows(rows, wanted, is_classifier(self), float(self.source_weight))
        self.trees_ = self._refined(target)

    def _features(self, X):
        """Return the rows as scikit-learn's trees compare them, in float32."""
        for step in self._maps:
            X = step.transform(X)
        if sparse.issparse(X):
            X = X.toarray()
        # A missing value has a side of its own in each split, if the source model was fitted so.
        allowed = "allow-nan" if self.__sklearn_tags__().input_tags.allow_nan else True
        return check_array(X, dtype=np.float32, ensure_all_finite=allowed)

    def _refine(self, i, method, target):
        """Return tree i of the source, refined with a method."""
        tree, protected = copied(self.trees_[i]), self._protected[i].copy()
        if method == "relabel":
            relabel(tree, target, protected)
        elif method == "ser":
            expand_and_reduce(tree, target, protected, self._growers[i])
        else:
            transfer_structure(tree, target, protected)
        return tree

    def _mean_value(self, X, sample_domain):
        """Return the mean over the trees of the value of each row's leaf."""
        data = self._rows_to_predict(X, sample_domain)
        rows = self._features(data.X)
        total = np.zeros((len(rows), self.trees_[0].value.shape[1]))
        for tree in self.trees_:
            total += tree.predict(rows)
        return total / len(self.trees_), data.input_backend


class TreesClassifier(DomainClassifierMixin, TreesTransfer):
    """Refined trees whose leaves hold class proportions."""

    def predict(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> np.ndarray:
        """Predict the class of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Accepted, so that a pipeline can always pass it; there is one model for all rows.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,)
            Predicted labels.
        """
        proba, _ = self._mean_value(X, sample_domain)
        return self.classes_[np.argmax(proba, axis=1)]

    def predict_proba(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Return the class proportions at the leaves of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Accepted, so that a pipeline can always pass it; there is one model for all rows.

        Returns
        -------
        proba : array of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        proba, backend = self._mean_value(X, sample_domain)
        return backend.asarray(proba)


def copied(tree):
    """Return a tree of arrays that may be changed without changing the first."""
    return TreeArrays(**{name: array.copy() for name, array in vars(tree).items()})


def grower_like(tree):
    """Return an unfitted tree with the parameters of a fitted one, to grow leaves with."""
    grower = clone(tree)
    if "class_weight" in grower.get_params():
        # It names classes, of which a leaf may have others.
        grower.set_params(class_weight=None)
    return grower


def is_tree(model):
    """Return whether a model is a fitted decision tree of scikit-learn."""
    return isinstance(model, BaseDecisionTree) and hasattr(model, "tree_")
