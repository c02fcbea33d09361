"""SKADA's deep classifiers at their defaults, with the network and the steps of ours.

Their losses, weights, samplers and batches are their own; skada's functions leave the network and
the optimizer to the user. The network is ours without batch normalization, as a module written for
them would be, and the optimizer Adam at 1e-3, what most examples of torch take. Rows are
standardized over both domains, which their users do by hand.
"""

import numpy as np
from sklearn.preprocessing import StandardScaler

STEPS = 600  # as many as our nets take at least
BATCH = 128
LR = 1e-3
NAMES = ("DeepCoral", "DAN", "DANN", "CDAN", "MCC", "MDD", "DeepJDOT")
_NEED = {  # what the domain classifiers ask for
    "DANN": ("num_features",),
    "CDAN": ("num_features", "n_classes"),
    "MDD": ("num_features", "n_classes"),
}


class SkadaNet:
    """One method of skada with the interface of our nets."""

    def __init__(self, name, seed):
        self.name, self.seed = name, seed

    def fit(self, X, y, sample_domain):
        """Fit on standardized rows; labels of target rows are -1."""
        import skada.deep
        import torch

        from skda.deep import MLP

        torch.manual_seed(self.seed)
        self.scaler_ = StandardScaler().fit(X)
        self.classes_, codes = np.unique(y[sample_domain > 0], return_inverse=True)
        labels = np.full(len(y), -1)
        labels[sample_domain > 0] = codes
        mlp = MLP(X.shape[1], len(self.classes_))
        width = mlp.head.in_features

        class Flat(torch.nn.Module):  # skada's networks return the logits alone
            def __init__(self):
                super().__init__()
                self.extractor, self.head = mlp.extractor, mlp.head

            def forward(self, X, sample_weight=None):
                return self.head(self.extractor(X))

        sizes = {"num_features": width, "n_classes": len(self.classes_)}
        sizes = {key: sizes[key] for key in _NEED.get(self.name, ())}
        per_epoch = np.ceil(max((sample_domain > 0).sum(), (sample_domain < 0).sum()) * 2 / BATCH)
        self.net_ = getattr(skada.deep, self.name)(
            Flat(),
            layer_name="extractor",
            max_epochs=int(np.ceil(STEPS / per_epoch)),
            lr=LR,
            batch_size=BATCH,
            optimizer=torch.optim.Adam,
            train_split=None,
            verbose=0,
            **sizes,
        )
        rows = self.scaler_.transform(X).astype(np.float32)
        self.net_.fit(rows, labels, sample_domain=sample_domain)
        return self

    def predict(self, X):
        """Labels of target rows."""
        rows = self.scaler_.transform(X).astype(np.float32)
        ids = np.full(len(rows), -2)
        return self.classes_[np.asarray(self.net_.predict(rows, sample_domain=ids))]
