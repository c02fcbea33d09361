"""Episodes: small classification problems out of the source's classes (Vinyals 2016, Snell 2017).

Each episode chooses some classes and some rows of each: the support, from which the classes are
described, and the queries, which are to be classified by it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ._training import PairedNet

# Episodes between two entries of the history: the losses are read back from the device then.
_EPISODES_PER_ENTRY = 50


@dataclass(frozen=True)
class Episode:
    """Rows of one episode, class by class: first the support of all classes, then the queries.

    Callbacks of skorch that unpack a batch get the queries.
    """

    X: Any
    y: Any
    """Position of the class of each query among the classes of the episode."""
    n_way: int
    n_shot: int

    @property
    def n_support(self):
        """Number of rows that describe the classes."""
        return self.n_way * self.n_shot

    def __len__(self):
        return self.X.shape[0]

    def __iter__(self):
        return iter((self.X[self.n_support :], self.y))


class Episodes:
    """As many episodes as the training is to have, in portions of `_EPISODES_PER_ENTRY`.

    Parameters
    ----------
    X : tensor of shape (n_samples, n_features)
        Rows of all domains.
    codes : ndarray of int of shape (n_samples,)
        Class index of each source row.
    source : ndarray of int
        Rows to choose from.
    n_way, n_shot, n_query : int
        Classes of an episode, and rows of each class in its support and among its queries.
    n_episodes : int
        Number of all episodes.
    mix_classes : bool
        Whether each class of an episode is put together from two of the source: some columns,
        chosen anew for each class, come from rows of the one and the others from rows of the other.
    rng : RandomState
        Seeds the choice.
    """

    def __init__(self, X, codes, source, *, n_way, n_shot, n_query, n_episodes, mix_classes, rng):
        self.X, self.mix_classes = X, mix_classes
        own = codes[source]
        self.rows_of_class = [source[own == c] for c in range(own.max() + 1)]
        self.n_way, self.n_shot, self.n_query = n_way, n_shot, n_query
        self.n_left = n_episodes
        self.n_portions = -(-n_episodes // _EPISODES_PER_ENTRY)
        self.rng = np.random.RandomState(rng.randint(2**31 - 1))
        self.y = torch.arange(n_way, device=X.device).repeat_interleave(n_query)

    def __len__(self):
        return _EPISODES_PER_ENTRY

    def _choose(self):
        """Return the rows of an episode: the support of all its classes, then the queries."""
        classes = self.rng.choice(len(self.rows_of_class), self.n_way, replace=False)
        chosen = np.stack(
            [
                self.rng.choice(self.rows_of_class[c], self.n_shot + self.n_query, replace=False)
                for c in classes
            ]
        )
        return np.concatenate([chosen[:, : self.n_shot].ravel(), chosen[:, self.n_shot :].ravel()])

    def _layout(self):
        """Return the position of the class of each row of an episode."""
        classes = np.arange(self.n_way)
        return np.concatenate([classes.repeat(self.n_shot), classes.repeat(self.n_query)])

    def __iter__(self):
        n = min(_EPISODES_PER_ENTRY, self.n_left)
        self.n_left -= n
        n_parts = 2 if self.mix_classes else 1
        # One transfer to the device for a portion, not one for each episode.
        rows = np.stack([[self._choose() for _ in range(n_parts)] for _ in range(n)])
        rows = torch.from_numpy(rows).to(self.X.device)
        if self.mix_classes:
            columns = self.rng.rand(n, self.n_way, self.X.shape[1]) < 0.5
            columns = torch.from_numpy(columns).to(self.X.device)
            layout = torch.from_numpy(self._layout()).to(self.X.device)
        for i in range(n):
            X = self.X.index_select(0, rows[i, 0])
            if self.mix_classes:
                first = columns[i].index_select(0, layout)
                X = torch.where(first, X, self.X.index_select(0, rows[i, 1]))
            yield Episode(X, self.y, self.n_way, self.n_shot)


class EpisodeNet(PairedNet):
    """A net whose module describes classes by a support and compares queries with them."""

    def losses(self, batch):
        """Return the criterion on the queries of an episode."""
        _, features = self.module_outputs(batch, "source")
        support, queries = features[: batch.n_support], features[batch.n_support :]
        # Rows come class by class, so the means need no index.
        prototypes = support.view(batch.n_way, batch.n_shot, -1).mean(dim=1)
        scores = self.module_.comparison(queries, prototypes)
        self.y_pred_ = scores.detach()
        self.classifies_ = True
        right = self.y_pred_.argmax(dim=1) == batch.y
        self.metrics_ = {"source_accuracy": right.float().mean()}
        return self.criterion_(scores, batch.y), None


def class_means(features, member):
    """Return the mean feature of each class; rows belong to it by the weights of its column."""
    return (member.T @ features) / member.sum(dim=0)[:, None]
