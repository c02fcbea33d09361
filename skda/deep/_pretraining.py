"""Self-supervised pre-training on the rows of all domains: what a table says without its labels.

Some values of a row are replaced by those of other rows. The network learns to recognize the row
it was (contrastive; SCARF, Bahri 2022), or to restore the values and to name those that were
replaced (denoising; VIME, Yoon 2020). The head of the network takes no part.
"""

import math
from typing import NamedTuple

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, smooth_l1_loss

from .._core._param_checks import check_integer, check_option, check_real
from ._contrastive import info_nce
from ._domain_norm import rows_of
from ._modules import mlp
from ._training import PairedBatches

_EPOCHS = 50  # as in the training that follows, of tables of a few thousand rows

# Those of the papers.
_CORRUPTION = {"contrastive": 0.6, "denoising": 0.3}
_RESTORED = 2.0  # weight of the restored values beside the question which were replaced

_LR = 1e-3  # of Adam, in both papers


class Pretraining(NamedTuple):
    """How a network is pre-trained."""

    kind: str
    epochs: int | None
    corruption: float
    temperature: float
    lr: float


def check_pretraining(params):
    """Return how to pre-train, or None; out of the parameters that go to the network.

    Parameters
    ----------
    params : dict
        May hold ``pretrain`` and ``pretrain__...``.
    """
    kind = check_option("pretrain", params.get("pretrain"), [None, *_CORRUPTION])
    settings = {
        name.removeprefix("pretrain__"): value
        for name, value in params.items()
        if name.startswith("pretrain__")
    }
    unknown = sorted(set(settings) - {"epochs", "corruption", "temperature", "lr"})
    if unknown:
        raise TypeError(
            f"pretrain takes no {['pretrain__' + name for name in unknown]}; its settings are "
            "pretrain__epochs, pretrain__corruption, pretrain__temperature and pretrain__lr."
        )
    epochs = check_integer("pretrain__epochs", settings.get("epochs"), none=True)
    corruption = settings.get("corruption", _CORRUPTION.get(kind, 0.5))
    corruption = check_real("pretrain__corruption", corruption, low=0, high=1, closed="neither")
    rest = [
        check_real(f"pretrain__{name}", settings.get(name, usual), low=0, closed="neither")
        for name, usual in (("temperature", 1.0), ("lr", _LR))
    ]
    return None if kind is None else Pretraining(kind, epochs, corruption, *rest)


def corrupted(X, pools, sizes, rate):
    """Return rows in which values are replaced by those of other rows, and where they differ.

    Parameters
    ----------
    X : tensor of shape (n, d)
        Rows, those of the source first.
    pools : list of tensors
        Rows of each side that the values of its rows are taken from, each column on its own.
    sizes : list of int
        Number of rows of each side in X.
    rate : float
        Probability of each value to be replaced.
    """
    others = []
    for x, pool in zip(torch.split(X, sizes), pools, strict=True):
        if len(x):
            rows = torch.randint(len(pool), x.shape, device=X.device)
            others.append(pool.gather(0, rows))
    chosen = torch.rand(X.shape, device=X.device) < rate
    new = torch.where(chosen, torch.cat(others), X)
    # A missing value in the place of another one is no change.
    return new, (new != X) & ~(new.isnan() & X.isnan())


class Contrastive(nn.Module):
    """A row and its corrupted copy should be more alike than two rows of a domain."""

    def __init__(self, rows, n_features, settings, numbers):
        super().__init__()
        self.temperature = settings.temperature
        self.head = mlp(n_features, (n_features,), n_features)

    def forward(self, features, new_features, batch, new, changed):
        """Return the loss of a batch."""
        a, b = self.head(features()), self.head(new_features())
        n = batch.n_source
        # Each side on its own: otherwise rows would be told apart by their domain.
        sides = [(a[:n], b[:n]), (a[n:], b[n:])]
        losses = [len(u) * info_nce(u, v, self.temperature) for u, v in sides if len(u) > 1]
        return sum(losses) / len(batch)


class Denoising(nn.Module):
    """A corrupted row should show which of its values were replaced, and what they were."""

    def __init__(self, rows, n_features, settings, numbers):
        super().__init__()
        d = rows.X.shape[1]
        self.numbers = torch.as_tensor(numbers, dtype=torch.int64, device=rows.X.device)
        self.head = mlp(n_features, (n_features,), d + len(numbers))
        x = rows.X[:, self.numbers]
        known = ~x.isnan()
        count = known.sum(dim=0).clamp_min(1)
        self.mean = torch.where(known, x, 0.0).sum(dim=0) / count
        spread = torch.where(known, x - self.mean, 0.0).square().sum(dim=0).div(count).sqrt()
        self.spread = torch.where(spread > 0, spread, 1.0)

    def forward(self, features, new_features, batch, new, changed):
        """Return the loss of a batch."""
        d = batch.X.shape[1]
        which, values = self.head(new_features()).split([d, len(self.numbers)], dim=1)
        loss = binary_cross_entropy_with_logits(which, changed.float())
        wanted = (batch.X[:, self.numbers] - self.mean) / self.spread
        known = ~wanted.isnan()
        # Rare values far away would be all that a squared error sees.
        restored = smooth_l1_loss(values[known], wanted[known]) if known.any() else 0.0
        return loss + _RESTORED * restored


_TASKS = {"contrastive": Contrastive, "denoising": Denoising}


def pretrain(module, rows, n_features, settings, *, numbers, batch_size, min_steps, rng):
    """Train the layers of a module up to its features, and return the loss of each epoch.

    Parameters
    ----------
    module : torch.nn.Module
        Returns ``(logits, features)``. It is changed in place.
    rows : Rows
        All rows; those of both sides are learnt from, their labels are ignored.
    n_features : int
        Width of the features.
    settings : Pretraining
        What is learnt, and how long.
    numbers : list of int
        Columns that hold numbers, not codes.
    batch_size, min_steps : int
        As in the training that follows.
    rng : RandomState
        Seeds the batches; everything else is simulated by torch.
    """
    if max(len(rows.source), len(rows.target)) < 2:
        raise ValueError("pretrain needs at least 2 rows of a side; got 1. Pass more rows.")
    batches = PairedBatches(
        rows.X, rows.y, rows.domain, rows.source, rows.target, batch_size=batch_size, rng=rng
    )
    index = [torch.as_tensor(side, device=rows.X.device) for side in (rows.source, rows.target)]
    pools = [rows.X[i.long()] for i in index]
    task = _TASKS[settings.kind](rows, n_features, settings, numbers).to(rows.X.device)
    trained = [p for p in module.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam([*trained, *task.parameters()], lr=settings.lr)
    epochs = settings.epochs or max(_EPOCHS, math.ceil(min_steps / len(batches)))
    module.train()
    history = []
    for _ in range(epochs):
        losses = []
        for batch in batches:
            optimizer.zero_grad()
            loss = _loss(task, module, batch, pools, settings.corruption)
            loss.backward()
            if not history and not losses:
                _check_is_trained(trained)
            optimizer.step()
            losses.append(loss.detach())
        # Read back once an epoch; NaN never becomes finite again.
        history.append(float(torch.stack(losses).mean()))
        if not math.isfinite(history[-1]):
            raise ValueError(
                f"The loss of pretrain={settings.kind!r} became {history[-1]}: lower pretrain__lr, "
                "or scale X, for example with StandardScaler in front."
            )
    module.zero_grad(set_to_none=True)
    return history


def _loss(task, module, batch, pools, rate):
    """Return the loss of one step."""
    n = batch.n_source
    new, changed = corrupted(batch.X, pools, [n, len(batch) - n], rate)

    def features_of(X):
        with rows_of(n):
            return module(X)[1].float()

    return task(lambda: features_of(batch.X), lambda: features_of(new), batch, new, changed)


def _check_is_trained(parameters):
    """Raise unless the features depend on a weight that can be trained."""
    if not any(p.grad is not None and bool(p.grad.any()) for p in parameters):
        raise ValueError(
            "pretrain has nothing to train: the features of the module depend on no weight. Use "
            "pretrain=None, or a module with a layer in front of its features."
        )
