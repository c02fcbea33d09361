"""The types in public signatures; nothing at run time asks for them."""

from collections.abc import Callable, Iterable, Sequence
from os import PathLike
from typing import IO, Any, Literal, Protocol, TypeAlias

import numpy as np

# What a method returns is of the array library that the rows came in, or a data frame under
# `set_output`: the type checker cannot know which, and any one type would be wrong for the others.
Array: TypeAlias = Any


class HasShape(Protocol):
    """An array, sparse matrix, data frame or series, of whatever library."""

    @property
    def shape(self) -> Any:
        """Its size along each axis."""


ArrayLike: TypeAlias = HasShape | Sequence[Any]
DomainIds: TypeAlias = HasShape | Sequence[int]
# Whatever dask has blocks of: its arrays, data frames and series.
DaskRows: TypeAlias = HasShape
RandomState: TypeAlias = int | np.random.RandomState | None
PathOrFile: TypeAlias = str | PathLike[str] | IO[bytes]


class Estimator(Protocol):
    """An estimator of scikit-learn's kind.

    The methods are properties here because their arguments differ: any of them may be fitted.
    """

    @property
    def fit(self) -> Callable[..., Any]:
        """The method that learns."""

    @property
    def get_params(self) -> Callable[..., Any]:
        """The method by which scikit-learn clones."""


class Predictor(Estimator, Protocol):
    """A classifier or a regressor."""

    @property
    def predict(self) -> Callable[..., Any]:
        """The method that predicts."""


class Transformer(Estimator, Protocol):
    """A transformer."""

    @property
    def transform(self) -> Callable[..., Any]:
        """The method that maps rows."""


class Augmenter(Protocol):
    """An augmenter of rows."""

    @property
    def augment(self) -> Callable[..., Any]:
        """The method that returns changed copies of rows."""


class Splitter(Protocol):
    """A cross-validation splitter."""

    @property
    def split(self) -> Callable[..., Any]:
        """The method that yields pairs of train and test rows."""


Splitting: TypeAlias = int | Splitter | Iterable[Any]

KernelName: TypeAlias = Literal[
    "rbf", "linear", "poly", "laplacian", "cosine", "sigmoid", "precomputed"
]
