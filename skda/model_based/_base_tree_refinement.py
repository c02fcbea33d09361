"""Learn a tree on the source, refine it on the target: relabeling, SER and STRUT.

The rules of Segev et al. (2017), on one tree; a forest refines each of its trees.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import rel_entr
from sklearn.base import clone

from ._base_tree_arrays import TreeArrays


@dataclass(frozen=True)
class TargetRows:
    """Labeled target rows that a tree is refined on."""

    X: np.ndarray
    """Rows in float32, as scikit-learn's trees compare."""
    wanted: np.ndarray
    """One column per class with 1 at the class of the row; or one column of numbers."""
    classes: bool
    """Whether these are classes."""
    source_weight: float
    """How many target rows the source's value of a leaf counts as."""

    def mean(self, rows, source_value):
        """Return the mean over some rows and the source's value."""
        weight = self.source_weight
        total = self.wanted[rows].sum(axis=0) + weight * source_value
        return total / (len(rows) + weight)

    def error(self, rows, value):
        """Return how many of the rows a leaf gets wrong, or their squared errors."""
        if not self.classes:
            return float(np.sum((self.wanted[rows] - value) ** 2))
        return float(np.sum(self.wanted[rows].argmax(axis=1) != np.argmax(value)))

    def are_equal(self, rows):
        """Return whether all of the rows have one class or number."""
        return bool((self.wanted[rows] == self.wanted[rows[0]]).all())


def protected_nodes(tree, classes):
    """Return which nodes lead to a leaf whose most frequent class is one of these."""
    protected = (tree.left < 0) & np.isin(tree.value.argmax(axis=1), classes)
    # Children come behind their parent in a tree of scikit-learn.
    for node in np.flatnonzero(tree.left >= 0)[::-1]:
        protected[node] = protected[tree.left[node]] or protected[tree.right[node]]
    return protected


def relabel(tree, target, protected):
    """Give each leaf the mean of its target rows; one without any keeps its value."""
    leaves = tree.apply(target.X)
    for leaf in np.unique(leaves):
        if not protected[leaf]:
            tree.value[leaf] = target.mean(np.flatnonzero(leaves == leaf), tree.value[leaf])


# Structure expansion and reduction


def expand_and_reduce(tree, target, protected, grower):
    """Grow each leaf on its target rows, then cut subtrees that are no better than a leaf (SER).

    Parameters
    ----------
    tree : TreeArrays
        Changed in place.
    target : TargetRows
    protected : ndarray of bool of shape (n_nodes,)
        Nodes that are neither cut nor relabeled.
    grower : DecisionTreeClassifier or DecisionTreeRegressor
        Cloned to grow a leaf.
    """
    _refine_node(tree, 0, np.arange(len(target.X)), target, protected, grower)


def _refine_node(tree, node, rows, target, protected, grower):
    """Refine what hangs on a node that some target rows reach, and return its error on them."""
    if tree.is_leaf(node):
        if protected[node]:
            return target.error(rows, tree.value[node])
        return _grow(tree, node, rows, target, grower)
    left = tree.goes_left(target.X[rows], node)
    error = 0.0
    for child, part in ((tree.left[node], rows[left]), (tree.right[node], rows[~left])):
        # A branch without target rows stays as it is.
        if len(part):
            error += _refine_node(tree, child, part, target, protected, grower)
    value = target.mean(rows, tree.value[node])
    leaf_error = target.error(rows, value)
    if leaf_error <= error and not protected[node]:
        tree.value[node] = value
        tree.cut(node)
        return leaf_error
    return error


def _grow(tree, leaf, rows, target, grower):
    """Let a tree of the target rows of a leaf grow out of it; return its error on them."""
    start = tree.value[leaf].copy()
    if target.are_equal(rows):
        tree.value[leaf] = target.mean(rows, start)
        return target.error(rows, tree.value[leaf])
    wanted, n_columns = target.wanted[rows], target.wanted.shape[1]
    if target.classes:
        codes = wanted.argmax(axis=1)
        grown = clone(grower).fit(target.X[rows], codes)
        other = TreeArrays.from_tree(grown, np.unique(codes), n_columns)
    else:
        other = TreeArrays.from_tree(clone(grower).fit(target.X[rows], wanted[:, 0]))
    # What the source says of the leaf goes on to the leaves that grow out of it.
    counts = grown_counts(other, target.X[rows])[:, None]
    weight = target.source_weight
    other.value = (counts * other.value + weight * start) / np.maximum(counts + weight, 1e-12)
    found = other.predict(target.X[rows])
    tree.attach(leaf, other)
    return sum(target.error(rows[i : i + 1], value) for i, value in enumerate(found))


def grown_counts(tree, X):
    """Return how many of the rows pass each node."""
    counts = np.bincount(tree.apply(X), minlength=len(tree.left)).astype(np.float64)
    for node in np.flatnonzero(tree.left >= 0)[::-1]:
        counts[node] = counts[tree.left[node]] + counts[tree.right[node]]
    return counts


# Structure transfer


def transfer_structure(tree, target, protected):
    """Keep the features that are compared, and choose each threshold anew (STRUT).

    Parameters
    ----------
    tree : TreeArrays
        Changed in place.
    target : TargetRows
    protected : ndarray of bool of shape (n_nodes,)
        Nodes that are neither cut nor relabeled.
    """
    todo = [(0, np.arange(len(target.X)))]
    while todo:
        node, rows = todo.pop()
        if not (tree.is_leaf(node) and protected[node]):
            tree.value[node] = target.mean(rows, tree.value[node])
        if tree.is_leaf(node):
            continue
        # Rows of one class need no further split.
        if target.are_equal(rows) and not protected[node]:
            tree.cut(node)
            continue
        _choose_threshold(tree, node, rows, target)
        left = tree.goes_left(target.X[rows], node)
        branches = ((tree.left[node], rows[left]), (tree.right[node], rows[~left]))
        full = [(child, part) for child, part in branches if len(part)]
        if len(full) == 1 and not protected[node]:
            # A branch without target rows goes, and the other takes its parent's place.
            child, part = full[0]
            tree.replace(node, child)
            protected[node] = protected[child]
            full = [(node, part)]
        todo += full


def _choose_threshold(tree, node, rows, target):
    """Set the threshold at which the two sides are most like the source's, swapped if need be."""
    x = target.X[rows, tree.feature[node]]
    present = ~np.isnan(x)
    thresholds, n_below, below, above = possible_cuts(x[present], target.wanted[rows[present]])
    # One value only: the source's threshold stays.
    if not len(thresholds):
        return
    weight = n_below / present.sum()
    # Among all cuts those that separate best in their neighborhood.
    gain = weight * (1.0 - weight) * np.sum((below - above) ** 2, axis=1)
    best = local_maxima(gain)
    sides = tree.value[tree.left[node]], tree.value[tree.right[node]]
    differ = class_differences if target.classes else number_differences
    straight = differ(weight[best], below[best], above[best], *sides)
    crossed = differ(weight[best], below[best], above[best], *sides[::-1])
    if crossed.min() < straight.min():
        tree.swap_children(node)
        straight = crossed
    tree.threshold[node] = thresholds[best[np.argmin(straight)]]


def possible_cuts(x, wanted):
    """Return all cuts of rows by one feature, with the means on both sides.

    Parameters
    ----------
    x : ndarray of shape (n,)
        Values of the feature.
    wanted : ndarray of shape (n, n_outputs)

    Returns
    -------
    thresholds : ndarray of shape (n_cuts,)
        Between each two values that follow each other.
    n_below : ndarray of shape (n_cuts,)
        How many rows are at or below it.
    below, above : ndarray of shape (n_cuts, n_outputs)
        Means on the two sides.
    """
    order = np.argsort(x, kind="stable")
    x, sums = x[order].astype(np.float64), np.cumsum(wanted[order], axis=0)
    last = np.flatnonzero(np.diff(x) > 0)
    n_below = (last + 1).astype(np.float64)
    below = sums[last] / n_below[:, None]
    above = (sums[-1:] - sums[last]) / (len(x) - n_below)[:, None]
    return (x[last] + x[last + 1]) / 2, n_below, below, above


def local_maxima(values):
    """Return the indices of values that no neighbor exceeds."""
    wide = np.r_[-np.inf, values, -np.inf]
    return np.flatnonzero((values >= wide[:-2]) & (values >= wide[2:]))


def class_differences(weight, below, above, source_below, source_above):
    """Return how far the classes on the two sides of each cut are from the source's.

    The mean of the Jensen-Shannon divergences of both sides, by their rows, in bits: one minus
    the divergence gain of Segev et al.
    """
    return weight * jensen_shannon(below, source_below) + (1.0 - weight) * jensen_shannon(
        above, source_above
    )


def number_differences(weight, below, above, source_below, source_above):
    """Return how far the step between the two sides of each cut is from the source's."""
    return np.abs((above - below) - (source_above - source_below))[:, 0]


def jensen_shannon(p, q):
    """Return the Jensen-Shannon divergence of each row of p from q, in bits."""
    q = np.broadcast_to(q, p.shape)
    middle = (p + q) / 2
    return 0.5 * np.sum(rel_entr(p, middle) + rel_entr(q, middle), axis=1) / np.log(2)
