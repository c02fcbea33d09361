"""Towers: one network per view, whose embeddings of the same row are to lie side by side."""

import itertools
import math

import torch
from torch import nn
from torch.nn.functional import normalize

from .._core._param_checks import check_real
from ._contrastive import info_nce
from ._domain_norm import some_rows
from ._input_scaling import center_and_spread
from ._training import AlignmentLoss, PairedNet


class PairedViewsLoss(AlignmentLoss):
    """InfoNCE over all pairs of views, among the rows of one side that have both.

    ``complete`` says that all rows of the training have all views, so that the loss need not ask.
    """

    def __init__(self, n_views, temperature, complete=False):
        super().__init__()
        self.n_views, self.temperature, self.complete = n_views, temperature, complete

    @staticmethod
    def check_params(params):
        """Return the temperature."""
        temperature = check_real("temperature", params["temperature"], low=0, closed="neither")
        return {"temperature": temperature}

    @classmethod
    def for_network(cls, module, n_features, n_outputs, *, temperature):
        """Return the loss for the views of a module."""
        return cls(len(module.towers), temperature, module.complete)

    def forward(self, source, target):
        """Return the loss of a batch, a mean over its pairs; either side may be None."""
        losses, sizes = [], []
        # Each side on its own: where a row of the other domain could be ruled out by its domain,
        # the towers would learn to tell the domains apart.
        for side in (source, target):
            if side is None:
                continue
            embeddings, present = unpacked(side.features, self.n_views)
            for i, j in itertools.combinations(range(self.n_views), 2):
                a, b = embeddings[:, i], embeddings[:, j]
                if not self.complete:
                    paired = present[:, i] & present[:, j]
                    a, b = a[paired], b[paired]
                # A single row has no other one to be told from.
                if len(a) > 1:
                    losses.append(len(a) * info_nce(a, b, self.temperature))
                    sizes.append(len(a))
        if not sizes:
            return 0.0 * (target if source is None else source).features.sum()
        return sum(losses) / sum(sizes)


class TowerNet(PairedNet):
    """The training loop of towers: the loss compares the views before they are joined."""

    def module_outputs(self, batch, side=None, module=None):
        """Return the logits of a batch, and the embeddings of its views."""
        module = self.module_.by_view if module is None else module
        self.outputs_ = super().module_outputs(batch, side, module)
        return self.outputs_

    def losses(self, batch):
        """Return the criterion on the source rows and the weighted loss of the pairs, or None."""
        supervised, contrast = super().losses(batch)
        # Not kept: tensors with a gradient cannot be copied or pickled.
        outputs, self.outputs_ = self.outputs_, None
        # Pairs need no second domain: without target rows those of the source are compared.
        if contrast is None and self.alignment is not None:
            source, _ = batch.by_domain(*outputs)
            contrast = self.alignment_.weighted(source, None, self.weight_now())
        return supervised, contrast


class Towers(nn.Module):
    """Embed each view by a network of its own, and classify by the mean of the embeddings.

    Parameters
    ----------
    towers : list of nn.Module
        Each returns ``(embedding, features)`` for the columns of its view.
    columns : list of ndarray of int
        Columns of the input that each tower is given.
    n_components : int
        Width of the embeddings.
    n_outputs : int
        Number of classes.
    view_dropout : float
        Probability that a view of a row does not reach the classifier in a step of the training.
    complete : bool
        Whether no value is missing in the training, so that a step need not ask the device.
    """

    def __init__(self, towers, columns, *, n_components, n_outputs, view_dropout, complete):
        super().__init__()
        self.complete = complete
        self.towers = nn.ModuleList(towers)
        self.head = nn.Linear(n_components, n_outputs)
        self.n_components, self.view_dropout = n_components, view_dropout
        for i, positions in enumerate(columns):
            # Known from the parameters of the estimator, so not stored with the weights.
            self.register_buffer(f"columns_{i}", torch.as_tensor(positions), persistent=False)

    def embed(self, X):
        """Return the embeddings (n, n_views, n_components), and which views each row has."""
        parts = [self._embed_view(X, i) for i in range(len(self.towers))]
        embeddings, present = zip(*parts, strict=True)
        return torch.stack(embeddings, dim=1), torch.stack(present, dim=1)

    def _embed_view(self, X, i):
        """Return unit vectors of one view, zeros where a row lacks it, and which rows have it."""
        x = X.index_select(1, getattr(self, f"columns_{i}"))
        missing = torch.isnan(x)
        present = ~missing.all(dim=1)
        # Inputs have been centered, so that 0 is the mean of a column.
        x = torch.where(missing, 0.0, x)
        if (self.training and self.complete) or present.all():
            return normalize(self.towers[i](x)[0], dim=1), present
        rows = present.nonzero()[:, 0]
        # Batch normalization cannot train on a single row, which counts as missing in this step.
        if len(rows) < (2 if self.training else 1):
            return x.new_zeros(len(x), self.n_components), torch.zeros_like(present)
        # Rows without the view must not count in the statistics of batch normalization.
        with some_rows(present):
            embedded = normalize(self.towers[i](x[rows])[0], dim=1)
        zeros = embedded.new_zeros(len(x), self.n_components)
        return zeros.index_copy(0, rows, embedded), present

    def _logits(self, joint):
        # Entries of about one, as the head was initialized for.
        return self.head(joint * math.sqrt(self.n_components))

    def forward(self, X):
        """Return the logits and the joint embedding of each row."""
        joint = mean_of_views(*self.embed(X))
        return self._logits(joint), joint

    def by_view(self, X):
        """Return the logits, and the embeddings of all views beside which of them are there."""
        embeddings, present = self.embed(X)
        joint = mean_of_views(embeddings, self._kept(present))
        packed = torch.cat([embeddings.flatten(start_dim=1), present.to(embeddings.dtype)], dim=1)
        return self._logits(joint), packed

    def _kept(self, present):
        """Return which views reach the classifier: in training some are dropped at random."""
        if not (self.training and self.view_dropout):
            return present
        kept = present & (torch.rand(present.shape, device=present.device) >= self.view_dropout)
        # A row keeps all of its views where none would be left.
        return torch.where(kept.any(dim=1, keepdim=True), kept, present)


def unpacked(packed, n_views):
    """Return the embeddings of all views and which of them are there, from one matrix."""
    embeddings, present = packed[:, :-n_views], packed[:, -n_views:] > 0.5
    return embeddings.unflatten(1, (n_views, -1)), present


def mean_of_views(embeddings, present):
    """Return the mean embedding over the views that a row has."""
    weights = present.to(embeddings.dtype)
    weights = weights / weights.sum(dim=1, keepdim=True).clamp(min=1)
    return (weights[:, :, None] * embeddings).sum(dim=1)


def center_and_spread_of_known(X):
    """Return mean and spread of the known values of each column, NaN where there are none."""
    missing = torch.isnan(X)
    if not missing.any():
        return center_and_spread(X)
    found = X.new_full((2, X.shape[1]), torch.nan)
    for j in range(X.shape[1]):
        known = X[~missing[:, j], j : j + 1]
        if len(known):
            found[:, j : j + 1] = center_and_spread(known)
    return found
