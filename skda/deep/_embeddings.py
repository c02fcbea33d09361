"""Columns of a table as inputs of a network: scaled numbers, their embeddings, categories.

Numbers are scaled by robust statistics and bounded (Holzmüller 2024), and embedded by periodic or
piecewise linear functions (Gorishniy 2022). A missing number is the median plus what is learned
for it; a missing category, or one that was not there in ``fit``, has a learned vector.
"""

import math

import torch
from torch import nn

EMBEDDINGS = (None, "periodic", "piecewise")

# Up to this many categories are indicators, more are vectors of this length (Holzmüller 2024).
_MAX_INDICATORS = 8
_CATEGORY_WIDTH = 8

# Numbers are embedded one by one into so many values, by way of so many functions.
_NUMBER_WIDTH = 4
_N_FUNCTIONS = 16

# Wider tables are vectors rather than columns with a meaning each. An embedding of each column
# would cost 16 times their memory, and on the 64 pixels of digits it cost 0.9 points of accuracy
# (two splits, so that this is a hint, and memory is the reason).
MAX_EMBEDDED = 32

# Standard deviation of the initial frequencies: at first a period covers all values.
_FREQUENCY_SCALE = 0.1

# Where scaled values bend, in interquartile ranges; no value comes out beyond.
_BOUND = 3.0

# Scaled values whose square still fits in single precision.
_SQUARABLE = 1e18

# Entries sorted at a time when quantiles are learned: bounds the memory of the sort.
_SORTED_ENTRIES = 2**24


def column_quantiles(X, q):
    """Return quantiles of each column, NaN left out; 0 for columns without a value.

    Parameters
    ----------
    X : tensor of shape (n, d)
        Rows.
    q : tensor of shape (n_q,)
        Levels between 0 and 1.

    Returns
    -------
    quantiles : tensor of shape (n_q, d)
        Interpolated linearly between the sorted values.
    """
    width = max(_SORTED_ENTRIES // max(len(X), 1), 1)
    parts = []
    for columns in torch.split(X, width, dim=1):
        # NaN is sorted behind the numbers, which fill the first `count` places.
        ordered = torch.sort(columns, dim=0).values
        last = (~columns.isnan()).sum(dim=0).sub(1).clamp_min(0)
        place = q[:, None] * last
        low = place.floor().long()
        below = ordered.gather(0, low)
        above = ordered.gather(0, torch.minimum(low + 1, last))
        parts.append(torch.nan_to_num(torch.lerp(below, above, place - low)))
    return torch.cat(parts, dim=1)


def median_and_spread(X):
    """Return median and spread of each column, missing values left out.

    The spread is the range of the middle half of the values; where most are the same, half of the
    whole range; 0 for constants.
    """
    levels = torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0], device=X.device, dtype=X.dtype)
    low, first, median, third, high = column_quantiles(X, levels)
    spread = torch.where(third > first, third - first, (high - low) / 2)
    # Where the inverse would overflow the spread is rounding.
    usable = spread > torch.finfo(X.dtype).tiny
    return median, torch.where(usable, spread, 0.0)


def center_and_range(X, categorical=()):
    """Return median and spread of each column as a tensor (2, n_columns).

    Constants have a spread of 1. Columns of codes have 0 and 1, which leaves them as they are.
    """
    median, spread = median_and_spread(X)
    found = torch.stack([median, torch.where(spread > 0, spread, 1.0)])
    found[:, list(categorical)] = torch.tensor([[0.0], [1.0]], dtype=X.dtype, device=X.device)
    return found


class RobustScaler(nn.Module):
    """Center columns at their median, divide them by their spread, and bound them smoothly."""

    def __init__(self, n_columns):
        super().__init__()
        self.register_buffer("center", torch.zeros(n_columns))
        self.register_buffer("factor", torch.ones(n_columns))

    def learn(self, X):
        """Learn medians and spreads of the columns; missing values are left out."""
        center, spread = median_and_spread(X)
        self.center.copy_(center)
        # A constant says nothing, and no row has taught what another value would say.
        self.factor.copy_(torch.where(spread > 0, 1 / spread, 0.0))

    def forward(self, x):
        """Return scaled values, 0 where one is missing."""
        z = torch.where(torch.isnan(x), 0.0, (x - self.center) * self.factor)
        z = z.clamp(-_SQUARABLE, _SQUARABLE)
        return z / torch.sqrt(1 + (z / _BOUND).square())


class PlainNumbers(nn.Module):
    """Numbers as they are, and a learned one in the place of those that are missing."""

    def __init__(self, n_columns):
        super().__init__()
        self.width = n_columns
        self.missing = nn.Parameter(torch.zeros(n_columns))

    def learn(self, z):
        """Learn nothing from rows."""

    def forward(self, z, missing):
        """Return one value for each column."""
        return torch.where(missing, self.missing, z)


class _EmbeddedNumbers(nn.Module):
    """Each number beside a linear map of its functions, and a learned vector if it is missing."""

    def __init__(self, n_columns, n_functions):
        super().__init__()
        self.width = n_columns * _NUMBER_WIDTH
        n_maps = _NUMBER_WIDTH - 1
        self.weight = nn.Parameter(torch.randn(n_columns, n_functions, n_maps))
        self.bias = nn.Parameter(torch.zeros(n_columns, n_maps))
        with torch.no_grad():
            self.weight.div_(math.sqrt(n_functions))
        # 0: where no row of the training misses a value, a missing one is the median.
        self.missing = nn.Parameter(torch.zeros(n_columns, _NUMBER_WIDTH))

    def learn(self, z):
        """Learn from rows what the functions need."""

    def forward(self, z, missing):
        """Return `_NUMBER_WIDTH` values for each column, side by side."""
        mapped = torch.einsum("ndf,dfm->ndm", self.functions(z), self.weight) + self.bias
        embedded = torch.cat([z[:, :, None], mapped], dim=2)
        embedded = embedded + missing[:, :, None] * self.missing
        return embedded.flatten(1)


class PeriodicNumbers(_EmbeddedNumbers):
    """Cosines of learned frequencies and phases of each column [1]_.

    References
    ----------
    .. [1] Gorishniy, Rubachev, Babenko, On Embeddings for Numerical Features in Tabular Deep
       Learning, NeurIPS 2022, arXiv 2203.05556; the phases are of Holzmüller, Grinsztajn,
       Steinwart, Better by Default, NeurIPS 2024, arXiv 2407.04491.
    """

    def __init__(self, n_columns):
        super().__init__(n_columns, _N_FUNCTIONS)
        self.frequency = nn.Parameter(torch.randn(n_columns, _N_FUNCTIONS) * _FREQUENCY_SCALE)
        phase = torch.rand(n_columns, _N_FUNCTIONS) * 2 * math.pi - math.pi
        self.phase = nn.Parameter(phase)

    def functions(self, z):
        """Return the cosines, (n, n_columns, n_functions)."""
        return torch.cos(torch.addcmul(self.phase, z[:, :, None], 2 * math.pi * self.frequency))


class PiecewiseNumbers(_EmbeddedNumbers):
    """How far a number has passed through each bin between quantiles of its column."""

    def __init__(self, n_columns):
        super().__init__(n_columns, _N_FUNCTIONS)
        # In the scaled values, until rows say where the quantiles are.
        edges = torch.linspace(-_BOUND, _BOUND, _N_FUNCTIONS + 1)
        self.register_buffer("low", edges[:-1].repeat(n_columns, 1))
        self.register_buffer("inverse", 1 / edges.diff().repeat(n_columns, 1))

    def learn(self, z):
        """Take the bins between equally spaced quantiles."""
        levels = torch.linspace(0, 1, _N_FUNCTIONS + 1, device=z.device, dtype=z.dtype)
        edges = column_quantiles(z, levels).T
        widths = edges.diff(dim=1)
        self.low.copy_(edges[:, :-1])
        # Bins of no width, between quantiles of the same value, are never passed.
        self.inverse.copy_(torch.where(widths > 0, 1 / widths, 0.0))

    def functions(self, z):
        """Return the part of each bin that lies below the number, (n, n_columns, n_bins)."""
        return ((z[:, :, None] - self.low) * self.inverse).clamp(0, 1)


class Categories(nn.Module):
    """Codes as indicators where there are few categories, as learned vectors where many."""

    def __init__(self, cardinalities):
        super().__init__()
        few = [(j, n) for j, n in enumerate(cardinalities) if n <= _MAX_INDICATORS]
        many = [(j, n) for j, n in enumerate(cardinalities) if n > _MAX_INDICATORS]
        slots = [(j, code) for j, n in few for code in range(n)]
        self.register_buffer("slot_column", torch.tensor([j for j, _ in slots], dtype=torch.long))
        self.register_buffer("slot_code", torch.tensor([float(code) for _, code in slots]))
        self.register_buffer("columns", torch.tensor([j for j, _ in many], dtype=torch.long))
        # One table for all columns. The last row of each is that of missing and new categories.
        sizes = torch.tensor([n + 1 for _, n in many], dtype=torch.long)
        self.register_buffer("first", torch.cumsum(sizes, 0) - sizes)
        self.register_buffer("unknown", sizes - 1)
        self.vectors = nn.Embedding(int(sizes.sum()), _CATEGORY_WIDTH) if many else None
        if many:
            with torch.no_grad():
                # 0 is the mean of the others: what no row has taught says nothing.
                self.vectors.weight[torch.cumsum(sizes, 0) - 1] = 0
        self.width = len(slots) + len(many) * _CATEGORY_WIDTH

    def forward(self, codes):
        """Return indicators and vectors side by side."""
        # NaN equals no code: all indicators of the column are 0.
        parts = [(codes[:, self.slot_column] == self.slot_code).to(codes.dtype)]
        if self.vectors is not None:
            chosen = codes[:, self.columns]
            known = torch.where(chosen.isnan(), self.unknown, chosen.nan_to_num().long())
            parts.append(self.vectors(known + self.first).flatten(1))
        return torch.cat(parts, dim=1)


class TableInput(nn.Module):
    """Map rows with missing values and codes of categories to vectors without either.

    Parameters
    ----------
    n_features : int
        Number of columns.
    cardinalities : sequence of int of length n_features, default=None
        Number of categories of each column, 0 for a column of numbers. None: numbers only.
    embedding : {None, "periodic", "piecewise"}, default="periodic"
        How numbers are embedded, in tables of up to 32 columns of them; None leaves them as they
        are.

    Attributes
    ----------
    width : int
        Length of the vectors.
    """

    def __init__(self, n_features, cardinalities=None, embedding="periodic"):
        super().__init__()
        cardinalities = tuple(cardinalities or (0,) * n_features)
        numbers = [j for j, n in enumerate(cardinalities) if n == 0]
        categorical = [j for j, n in enumerate(cardinalities) if n > 0]
        self.cardinalities = cardinalities
        self.register_buffer("number_columns", torch.tensor(numbers, dtype=torch.long))
        self.register_buffer("category_columns", torch.tensor(categorical, dtype=torch.long))
        kind = {None: PlainNumbers, "periodic": PeriodicNumbers, "piecewise": PiecewiseNumbers}
        if len(numbers) > MAX_EMBEDDED:
            embedding = None
        self.scaler = RobustScaler(len(numbers))
        self.numbers = kind[embedding](len(numbers))
        self.categories = Categories([cardinalities[j] for j in categorical])
        self.width = self.numbers.width + self.categories.width

    def learn(self, X):
        """Learn medians, spreads and bins from rows."""
        x = X[:, self.number_columns]
        if x.numel():
            self.scaler.learn(x)
            self.numbers.learn(torch.where(x.isnan(), torch.nan, self.scaler(x)))

    def forward(self, X):
        """Return a vector for each row."""
        if not len(self.category_columns):
            return self.numbers(self.scaler(X), torch.isnan(X))
        categories = self.categories(X[:, self.category_columns])
        if not len(self.number_columns):
            return categories
        x = X[:, self.number_columns]
        return torch.cat([self.numbers(self.scaler(x), torch.isnan(x)), categories], dim=1)
