"""What a fit on blocks has learnt from: all rows, by their sums, or a sample of them."""

from typing import NamedTuple


class FitReport(NamedTuple):
    """How an estimator was fitted by :func:`skda.dask.fit`, in its attribute ``dask_report_``.

    Parameters
    ----------
    method : {"sums", "rows", "sample"}
        "sums": from sums over all rows, merged block by block. "rows": in memory on all rows, which
        were no more than the sample size. "sample": in memory on a stratified sample.
    n_samples : int
        Number of rows of the table that the estimator learns from.
    n_fitted : int
        Number of rows that it was fitted on, in memory; of "sums", all.
    reason : str
        Why sums do not suffice; empty if they do.

    Examples
    --------
    >>> from skda.dask import FitReport
    >>> FitReport("sample", 10_000_000, 100_000, "robust=True takes medians").n_fitted
    100000
    """

    method: str
    n_samples: int
    n_fitted: int
    reason: str
