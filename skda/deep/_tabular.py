"""Networks for tables: RealMLP (Holzmüller 2024) and a residual network (Gorishniy 2021).

Both read missing values and categorical columns, and scale the columns themselves.
"""

import math

import torch
from torch import nn

from .._core._param_checks import check_bool, check_integer, check_option, check_real
from ._embeddings import EMBEDDINGS, TableInput
from ._params import check_widths

# A weight's step is that of a plain layer with this many inputs. With 256, the width of the hidden
# layers, the steps of SGD were too large: 1.4 points less on wine at the default rate (two splits,
# whose accuracies differ by more than that).
_USUAL_WIDTH = 64

# The columns' factors are learned so many times as fast as other weights by Adam, and by the square
# of it by SGD, which makes a soft selection of columns quick. Holzmüller 2024 takes 6, for Adam.
_FACTOR_SPEED = 2.0


class WidthFreeLinear(nn.Module):
    """A linear layer whose outputs and whose changes do not depend on the number of inputs."""

    def __init__(self, n_in, n_out):
        super().__init__()
        # Weights of variance 1 over the root of the width: the neural tangent parametrization.
        self.gain = math.sqrt(_USUAL_WIDTH / max(n_in, 1))
        self.weight = nn.Parameter(torch.empty(n_out, n_in))
        self.bias = nn.Parameter(torch.empty(n_out))
        self.reset_parameters()

    def reset_parameters(self):
        """Give the weights new values."""
        nn.init.normal_(self.weight, std=1 / math.sqrt(_USUAL_WIDTH))
        nn.init.zeros_(self.bias)

    def forward(self, x):
        """Return the outputs."""
        # The inputs are fewer numbers than the weights.
        return nn.functional.linear(x * self.gain, self.weight, self.bias)


class ColumnFactors(nn.Module):
    """Multiply each input by a factor that is learned fast."""

    def __init__(self, n_in):
        super().__init__()
        self.factor = nn.Parameter(torch.full((n_in,), 1 / _FACTOR_SPEED))

    def forward(self, x):
        """Return the inputs times their factors."""
        return x * (self.factor * _FACTOR_SPEED)


class ParametricActivation(nn.Module):
    """Something between the identity and a function: each unit learns how much of it."""

    def __init__(self, n_units, function):
        super().__init__()
        self.function = function
        self.amount = nn.Parameter(torch.ones(n_units))

    def forward(self, x):
        """Return the activation of each unit."""
        # Not torch.lerp, which refuses half precision beside single.
        return x + self.amount * (self.function(x) - x)


class TableModule(nn.Module):
    """What the networks for tables share: an input that reads tables, a body and a head."""

    def learn_inputs(self, X):
        """Learn how the columns are scaled from the rows that are trained on."""
        with torch.no_grad():
            self.input.learn(X)

    def forward(self, X):
        """Return the logits and the features of each row."""
        features = self.body(self.input(X))
        return self.head(features), features


class RealMLP(TableModule):
    """Map rows of a table to ``(logits, features)`` by a perceptron made for tables [1]_.

    Numbers are scaled by robust statistics and bounded, embedded one by one and multiplied by
    factors that are learned fast, so that useless columns fade. Layers are parametrized such that
    the learning rate does not depend on their widths.

    Parameters
    ----------
    n_features : int
        Number of columns.
    n_outputs : int
        Number of classes, or 1 for regression.
    cardinalities : sequence of int of length n_features, default=None
        Number of categories of each column, 0 for a column of numbers; a category is given as its
        position, NaN is a missing value. None: numbers only. Estimators set it from the data.
    hidden : int or tuple of int, default=(256, 256, 256)
        Widths of the hidden layers; the last one gives the features that are aligned.
    dropout : float, default=0.15
        Fraction of the hidden units that are dropped at each step of the training.
    embedding : {"periodic", "piecewise"} or None, default="periodic"
        Functions by which a number becomes four: cosines of learned frequencies and phases, or how
        far it has passed through bins between quantiles of its column [2]_. None leaves numbers as
        they are, and so do tables with more than 32 columns of them.
    batch_norm : bool, default=False
        Whether to normalize each hidden layer over the batch. Deep estimators set it from their
        own `batch_norm`.

    Attributes
    ----------
    input : nn.Module
        From rows to vectors without missing values and categories.
    body : nn.Sequential
        From these vectors to the features.
    head : nn.Module
        From the features to the logits.

    References
    ----------
    .. [1] Holzmüller, Grinsztajn, Steinwart, Better by Default: Strong Pre-Tuned MLPs and Boosted
       Trees on Tabular Data, NeurIPS 2024, arXiv 2407.04491. Its learning rate of several
       cycles, its scheduled dropout, its label smoothing and its initial values from the data
       are not here; for classes the activation is ReLU in place of SELU.
    .. [2] Gorishniy, Rubachev, Babenko, On Embeddings for Numerical Features in Tabular Deep
       Learning, NeurIPS 2022, arXiv 2203.05556.

    Examples
    --------
    >>> import torch
    >>> from skda.deep import RealMLP
    >>> X = torch.tensor([[0.5, 2.0], [torch.nan, 0.0]])  # a number, and one of three categories
    >>> logits, features = RealMLP(2, 5, cardinalities=(0, 3))(X)
    >>> logits.shape, features.shape
    (torch.Size([2, 5]), torch.Size([2, 256]))
    """

    def __init__(
        self,
        n_features,
        n_outputs,
        cardinalities=None,
        hidden=(256, 256, 256),
        dropout=0.15,
        embedding="periodic",
        batch_norm=False,
    ):
        super().__init__()
        hidden = check_widths("hidden", hidden, hint="For example module__hidden=(64, 32).")
        check_real("dropout", dropout, low=0, high=1, closed="left")
        check_option("embedding", embedding, list(EMBEDDINGS))
        check_bool("batch_norm", batch_norm)
        self.input = TableInput(n_features, cardinalities, embedding)
        self.cardinalities = self.input.cardinalities
        # Holzmüller 2024 takes SELU for classes, with which digits lost half a point.
        function = nn.functional.mish if n_outputs == 1 else nn.functional.relu
        layers = [ColumnFactors(self.input.width)]
        for n_in, n_out in zip((self.input.width, *hidden), hidden, strict=False):
            layers.append(WidthFreeLinear(n_in, n_out))
            if batch_norm:
                layers.append(nn.BatchNorm1d(n_out))
            layers.append(ParametricActivation(n_out, function))
            if dropout:
                layers.append(nn.Dropout(dropout))
        self.body = nn.Sequential(*layers)
        self.head = WidthFreeLinear(hidden[-1] if hidden else self.input.width, n_outputs)


class ResidualBlock(nn.Module):
    """Add to the units what two layers make of them."""

    def __init__(self, width, hidden, dropout):
        super().__init__()
        self.layers = nn.Sequential(
            nn.BatchNorm1d(width),
            nn.Linear(width, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, width),
        )

    def forward(self, x):
        """Return the sum."""
        return x + self.layers(x)


class ResNet(TableModule):
    """Map rows of a table to ``(logits, features)`` by a residual network [1]_.

    Parameters
    ----------
    n_features : int
        Number of columns.
    n_outputs : int
        Number of classes, or 1 for regression.
    cardinalities : sequence of int of length n_features, default=None
        Number of categories of each column, 0 for a column of numbers; a category is given as its
        position, NaN is a missing value. None: numbers only. Estimators set it from the data.
    width : int, default=128
        Number of units between the blocks, and of features that are aligned.
    n_blocks : int, default=2
        Number of blocks of two layers, with batch normalization and twice as many units inside.
    dropout : float, default=0.15
        Fraction of the units inside a block that are dropped at each step of the training.
    embedding : {"periodic", "piecewise"} or None, default="periodic"
        How numbers are embedded, see :class:`~skda.deep.RealMLP`.

    Attributes
    ----------
    input : nn.Module
        From rows to vectors without missing values and categories.
    body : nn.Sequential
        From these vectors to the features.
    head : nn.Linear
        From the features to the logits.

    References
    ----------
    .. [1] Gorishniy, Rubachev, Khrulkov, Babenko, Revisiting Deep Learning Models for Tabular
       Data, NeurIPS 2021, arXiv 2106.11959.

    Examples
    --------
    >>> import torch
    >>> from skda.deep import ResNet
    >>> logits, features = ResNet(20, 3)(torch.zeros(5, 20))
    >>> logits.shape, features.shape
    (torch.Size([5, 3]), torch.Size([5, 128]))
    """

    def __init__(
        self,
        n_features,
        n_outputs,
        cardinalities=None,
        width=128,
        n_blocks=2,
        dropout=0.15,
        embedding="periodic",
    ):
        super().__init__()
        check_integer("width", width)
        check_integer("n_blocks", n_blocks)
        check_real("dropout", dropout, low=0, high=1, closed="left")
        check_option("embedding", embedding, list(EMBEDDINGS))
        self.input = TableInput(n_features, cardinalities, embedding)
        self.cardinalities = self.input.cardinalities
        blocks = [ResidualBlock(width, 2 * width, dropout) for _ in range(n_blocks)]
        end = [nn.BatchNorm1d(width), nn.ReLU()]
        self.body = nn.Sequential(nn.Linear(self.input.width, width), *blocks, *end)
        self.head = nn.Linear(width, n_outputs)
