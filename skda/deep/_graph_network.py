"""Networks on a graph: GCN (Kipf & Welling 2017), SGC (Wu 2019) and APPNP (Klicpera 2019)."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn

from ._training import Batch, DomainBatch, PairedNet

# Number of propagation steps as in the papers; a GCN has one in each layer.
STEPS = {"gcn": 1, "sgc": 2, "appnp": 10}

# Rows of each side in an alignment loss: the kernel matrices of all rows would be too large.
_ALIGNED_ROWS = 512

# Steps between two entries of the history: the losses are read back from the device then.
_STEPS_PER_ENTRY = 10


class _Propagate(torch.autograd.Function):
    """Product with a symmetric sparse matrix, whose gradient is the same product.

    The general one would transpose the matrix in each step, sort it and wait for the device.
    """

    @staticmethod
    def forward(ctx, S, H):
        ctx.S = S
        return torch.sparse.mm(S, H)

    @staticmethod
    def backward(ctx, gradient):
        return None, torch.sparse.mm(ctx.S, gradient)


class GraphNetwork(nn.Module):
    """Layers whose rows take from their neighbors by the matrix S of a graph.

    Parameters
    ----------
    n_features, n_outputs : int
        Width of the rows, and number of classes.
    propagation : {"gcn", "sgc", "appnp"}
        Where S acts: before each layer; n_steps times before a single linear layer; n_steps
        times on the outputs of a perceptron, each time mixed with them.
    hidden : tuple of int
        Widths of the hidden layers; SGC has none.
    dropout : float
        Fraction of the hidden units that are dropped at each step of the training.
    n_steps : int
        Steps of SGC and APPNP.
    teleport : float
        Share of the perceptron's own outputs after each step of APPNP.
    """

    def __init__(self, n_features, n_outputs, *, propagation, hidden, dropout, n_steps, teleport):
        super().__init__()
        widths = (n_features, *(() if propagation == "sgc" else hidden), n_outputs)
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.dropout = nn.Dropout(dropout)
        self.propagation, self.n_steps, self.teleport = propagation, n_steps, teleport
        # A single layer has no learnt features but its outputs.
        self.n_features_out = widths[-2] if len(widths) > 2 else n_outputs

    def start(self, X, S):
        """Return what no step of the training changes: rows after the first propagation."""
        for _ in range({"gcn": 1, "sgc": self.n_steps, "appnp": 0}[self.propagation]):
            X = _Propagate.apply(S, X)
        return X

    def forward(self, H, S):
        """Return logits and features of all rows, from what `start` has made of them."""
        for layer in self.layers[:-1]:
            features = torch.relu(layer(H))
            # Of hidden units only: a few columns would be lost too often.
            H = self.dropout(features)
            if self.propagation == "gcn":
                H = _Propagate.apply(S, H)
        logits = self.layers[-1](H)
        if self.propagation == "appnp":
            logits = self._with_teleport(logits, S)
        return logits, features if len(self.layers) > 1 else logits

    def _with_teleport(self, H, S):
        """Return the personalized PageRank of the outputs, in `n_steps` steps of its iteration."""
        Z = H
        for _ in range(self.n_steps):
            Z = (1.0 - self.teleport) * _Propagate.apply(S, Z) + self.teleport * H
        return Z


@dataclass(frozen=True)
class GraphBatch(Batch):
    """All rows of the graph, source rows first, as the batch of a step."""

    S: Any = None
    labeled: Any = None
    """Target rows of the graph whose labels are learnt from, or None."""
    aligned: Any = None
    """Source rows and target rows of the graph that are aligned in this step, or None."""


class GraphBatches:
    """The same batch for `_STEPS_PER_ENTRY` steps, with other rows to align in each.

    Parameters
    ----------
    batch : GraphBatch
        All rows.
    n_steps : int
        Number of all steps.
    rng : RandomState
        Seeds the choice of the rows to align.
    """

    def __init__(self, batch, *, n_steps, rng):
        self.batch = batch
        self.n_left = n_steps
        self.n_portions = -(-n_steps // _STEPS_PER_ENTRY)
        self.rng = np.random.RandomState(rng.randint(2**31 - 1))

    def __len__(self):
        return _STEPS_PER_ENTRY

    def _choose(self, n, start, size):
        """Return rows of one side for each of n steps, on the device."""
        size_chosen = min(size, _ALIGNED_ROWS)
        chosen = [start + self.rng.permutation(size)[:size_chosen] for _ in range(n)]
        return torch.from_numpy(np.stack(chosen)).to(self.batch.X.device)

    def __iter__(self):
        n = min(_STEPS_PER_ENTRY, self.n_left)
        self.n_left -= n
        n_source = self.batch.n_source
        source = self._choose(n, 0, n_source)
        target = self._choose(n, n_source, len(self.batch) - n_source)
        for aligned in zip(source, target, strict=True):
            yield GraphBatch(**vars(self.batch) | {"aligned": aligned})


class GraphNet(PairedNet):
    """A net whose module sees the rows and their graph."""

    def module_outputs(self, batch, side=None):
        """Return logits and features of all rows."""
        return self.module_(batch.X, batch.S)

    def losses(self, batch):
        """Return the criterion on the rows with a label and the weighted alignment loss."""
        logits, features = self.module_outputs(batch)
        n = batch.n_source
        weights = None if batch.weights is None else batch.weights[:n]
        source = DomainBatch(features[:n], logits[:n], batch.y[:n], weights=weights)
        supervised = self.supervised_loss(source.logits, source.y, weights)
        self.metrics_ = self.source_metrics(source)
        self.y_pred_ = source.logits.detach()
        if batch.labeled is not None:
            chosen = batch.labeled
            weights = None if batch.weights is None else batch.weights[chosen]
            of_target = self.supervised_loss(logits[chosen], batch.y[chosen], weights)
            self.metrics_["target_loss"] = of_target.detach()
            supervised = supervised + of_target
        if self.alignment is None:
            return supervised, None
        sides = [DomainBatch(features[rows], logits[rows]) for rows in batch.aligned]
        return supervised, self.alignment_.weighted(*sides, self.weight_now())
