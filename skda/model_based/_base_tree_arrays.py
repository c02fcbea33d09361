"""A decision tree as plain arrays that may be changed, read from a fitted scikit-learn tree."""

from dataclasses import dataclass, fields

import numpy as np


@dataclass
class TreeArrays:
    """A tree: one entry per node, the root first. Nodes that were cut off may remain, unused."""

    left: np.ndarray
    """Child for rows at or below the threshold; -1 at a leaf."""
    right: np.ndarray
    """The other child; -1 at a leaf."""
    feature: np.ndarray
    """Feature that is compared."""
    threshold: np.ndarray
    """What it is compared with."""
    missing_left: np.ndarray
    """Whether rows without a value go left."""
    value: np.ndarray
    """Proportions of the classes, or the mean, (n_nodes, n_outputs)."""

    @classmethod
    def from_tree(cls, tree, columns=None, n_columns=None):
        """Read a fitted tree of scikit-learn.

        Parameters
        ----------
        tree : DecisionTreeClassifier, DecisionTreeRegressor or the like
        columns : ndarray of int, default=None
            Places of the tree's classes among all. None: the same.
        n_columns : int, default=None
            Number of all classes.
        """
        inner = tree.tree_
        value = np.array(inner.value[:, 0, :], dtype=np.float64)
        if columns is not None:
            proportions = value / value.sum(axis=1, keepdims=True)
            value = np.zeros((len(proportions), n_columns))
            value[:, columns] = proportions
        return cls(
            left=np.array(inner.children_left, dtype=np.int64),
            right=np.array(inner.children_right, dtype=np.int64),
            feature=np.array(inner.feature, dtype=np.int64),
            threshold=np.array(inner.threshold, dtype=np.float64),
            missing_left=np.array(inner.missing_go_to_left, dtype=bool),
            value=value,
        )

    def is_leaf(self, node):
        """Return whether a node has no children."""
        return self.left[node] < 0

    def goes_left(self, X, nodes):
        """Return which rows go left at their nodes (one node, or one per row)."""
        x = X[np.arange(len(X)), self.feature[nodes]]
        return np.where(np.isnan(x), self.missing_left[nodes], x <= self.threshold[nodes])

    def apply(self, X):
        """Return the leaf of each row of float32, as scikit-learn's trees compare."""
        node = np.zeros(len(X), dtype=np.int64)
        active = np.arange(len(X))
        while True:
            active = active[~self.is_leaf(node[active])]
            if not len(active):
                return node
            at = node[active]
            left = self.goes_left(X[active], at)
            node[active] = np.where(left, self.left[at], self.right[at])

    def predict(self, X):
        """Return the value of the leaf of each row, (n_samples, n_outputs)."""
        return self.value[self.apply(X)]

    def cut(self, node):
        """Make a node a leaf."""
        self.left[node] = self.right[node] = -1

    def replace(self, node, child):
        """Put a child in the place of its parent."""
        for field in fields(self):
            array = getattr(self, field.name)
            array[node] = array[child]

    def swap_children(self, node):
        """Let the rows that went left go right."""
        self.left[node], self.right[node] = self.right[node], self.left[node]

    def attach(self, leaf, other):
        """Let another tree grow out of a leaf; return the places of its nodes."""
        start = len(self.left) - 1
        # The root of the other one takes the leaf's place, its other nodes come behind.
        places = np.r_[leaf, start + np.arange(1, len(other.left))]
        for field in fields(self):
            new = getattr(other, field.name)
            if field.name in ("left", "right"):
                new = np.where(new < 0, -1, places[new])
            old = getattr(self, field.name)
            old[leaf] = new[0]
            setattr(self, field.name, np.concatenate([old, new[1:]]))
        return places
