"""The default network of few-shot methods: the rows themselves, and a learnt part beside them."""

from torch import nn

from .._core._param_checks import check_real
from ._params import check_widths

# Features of rows of unit spread have squared distances of some 2 * 16, whatever their number: a
# softmax over them is neither flat nor certain before anything is learnt.
_SQUARED_SIZE = 16.0


class NearIdentity(nn.Module):
    """Map feature vectors to ``(logits, features)``: the features are ``c (x + g(x))``.

    The last layer of the perceptron g starts at 0, so that the untrained network compares the rows
    themselves. A network that starts at random has to find again what tells new classes apart, and
    a source of few classes does not say.

    Parameters
    ----------
    n_features : int
        Width of the input and of the features.
    n_outputs : int
        Number of logits, which few-shot methods do not use.
    hidden : int or tuple of int, default=256
        Widths of the hidden layers of g.
    dropout : float, default=0.0
        Fraction of the hidden units that are dropped at each step of the training.
    """

    def __init__(self, n_features, n_outputs, hidden=256, dropout=0.0):
        super().__init__()
        hidden = check_widths("hidden", hidden, hint="For example module__hidden=(64, 32).")
        check_real("dropout", dropout, low=0, high=1, closed="left")
        layers = []
        for n_in, n_out in zip((n_features, *hidden), hidden, strict=False):
            layers += [nn.Linear(n_in, n_out), nn.ReLU(), nn.Dropout(dropout)]
        last = nn.Linear((n_features, *hidden)[-1], n_features)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.learnt = nn.Sequential(*layers, last)
        self.head = nn.Linear(n_features, n_outputs)
        self.scale = (_SQUARED_SIZE / n_features) ** 0.5

    def forward(self, X):
        """Return the logits and the features of each row."""
        features = self.scale * (X + self.learnt(X))
        return self.head(features), features
