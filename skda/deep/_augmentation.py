"""Augmentation of the source rows of each mini-batch, in the units in which the user gave them."""

import copy
from dataclasses import replace

import numpy as np
import torch
from sklearn.base import clone

from .._array._backend import to_numpy


def check_augmenters(augmenters):
    """Return the augmenters as a list, or raise unless each changes rows."""
    listed = [] if augmenters is None else augmenters
    good = isinstance(listed, list | tuple)
    if not good or not all(_changes_rows(augmenter) for augmenter in listed):
        raise ValueError(
            "augmenters must be a list of augmenters, such as [skda.GaussianNoiseAugmenter()], or "
            f"of functions of a tensor, or None; got {augmenters!r}."
        )
    return list(listed)


def _changes_rows(augmenter):
    if isinstance(augmenter, type):
        return False
    return callable(augmenter) or (hasattr(augmenter, "fit") and hasattr(augmenter, "augment"))


class BatchAugmentation:
    """Changes the source rows of a batch at each step; target rows stay as they are.

    Parameters
    ----------
    augmenters : list
        Augmenters, which are fitted here, or functions from a tensor of rows to one of that shape.
    data : DomainData
        Rows of all domains.
    X : tensor of shape (n_samples, n_features)
        The same rows on the device, in the user's units.
    y : ndarray of shape (n_samples,) or (n_samples, n_targets)
        What the network learns: class indices or values, for augmenters that learn from labels.
    scale : callable
        From source rows in the user's units to those that the network takes.
    kept : list of int
        Columns of codes, which no augmenter changes.
    rng : RandomState
        Seeds the changes.
    """

    def __init__(self, augmenters, data, X, y, *, scale, kept, rng):
        self.X, self.scale, self.kept, self.ids = X, scale, kept, data.ids
        # A look at the next seed, so that the batches are those of a training without changes.
        self.rng = np.random.RandomState([copy.deepcopy(rng).randint(2**31 - 1), 1])
        # Those of target rows are for nobody to learn from.
        labels = np.where(data.ids.reshape(-1, *[1] * (y.ndim - 1)) >= 0, y, np.nan)
        rows = to_numpy(data.X)
        self.augmenters = [
            clone(a).fit(rows, labels, sample_domain=data.ids) if hasattr(a, "augment") else a
            for a in augmenters
        ]
        self.one_source = len(data.source_domains) == 1

    def __call__(self, batch):
        """Return the batch with changed source rows, and their labels where these are mixed."""
        n = batch.n_source
        if not n:
            return batch
        X = own = self.X.index_select(0, batch.rows[:n])
        labels = batch.y[:n], None if batch.weights is None else batch.weights[:n]
        # With several sources the ids are read back from the device.
        ids = None if self.one_source else self.ids[to_numpy(batch.rows[:n])]
        ids = np.full(n, self.ids.max()) if ids is None else ids
        for augmenter in self.augmenters:
            if not hasattr(augmenter, "augment"):
                X = _of_shape(augmenter(X), X, augmenter)
                continue
            new = augmenter.augment(X, sample_domain=ids, random_state=self.rng)
            if isinstance(new, tuple):
                new, *mixture = new
                labels = mix_labels(*labels, *mixture, self.rng)
            X = _of_shape(new, X, augmenter)
        if self.kept:
            X = X.clone()
            X[:, self.kept] = own[:, self.kept]
        y, weights = labels
        if weights is not None:
            weights = torch.cat([weights, batch.weights[n:]])
        return replace(
            batch,
            X=torch.cat([self.scale(X), batch.X[n:]]),
            y=torch.cat([y, batch.y[n:]]),
            weights=weights,
        )


def _of_shape(new, X, augmenter):
    """Return changed rows, or raise unless they are as many and as wide as before."""
    if not isinstance(new, torch.Tensor) or new.shape != X.shape:
        raise ValueError(
            "augmenters must return a tensor of the shape that they get, "
            f"{tuple(X.shape)}; {augmenter!r} returned "
            f"{tuple(new.shape) if hasattr(new, 'shape') else type(new).__name__}."
        )
    return new


def mix_labels(y, weights, partner, share, rng):
    """Return the labels and weights of mixed rows.

    Values are averaged. Of two classes one is chosen, the row's own with a chance that is its
    share: the loss is then that of mixed labels on average, and all losses of a method get one
    class a row.

    Parameters
    ----------
    y : tensor of shape (n,) or (n, n_targets)
        Class indices or values.
    weights : tensor of shape (n,) or None
        How much each label counts.
    partner : ndarray of int of shape (n,)
        The other row of each mixture.
    share : ndarray of shape (n,)
        Share of the row itself.
    rng : RandomState
        Chooses the classes.
    """
    partner = torch.as_tensor(np.asarray(partner), device=y.device)
    if not y.is_floating_point():
        own = torch.as_tensor(rng.uniform(size=len(share)) < share, device=y.device)
        chosen = torch.where(own, torch.arange(len(y), device=y.device), partner)
        return y[chosen], None if weights is None else weights[chosen]
    share = torch.as_tensor(np.asarray(share), dtype=y.dtype, device=y.device)
    if weights is None:
        share = share.reshape(-1, *[1] * (y.ndim - 1))
        return share * y + (1 - share) * y[partner], None
    first, second = share * weights, (1 - share) * weights[partner]
    total = first + second
    # Of two rows without weight nothing is learnt, whatever the value.
    part = torch.where(total > 0, first / total.clamp_min(torch.finfo(y.dtype).tiny), share)
    part = part.reshape(-1, *[1] * (y.ndim - 1))
    return part * y + (1 - part) * y[partner], total
