"""DAN: learn features whose kernel mean embeddings are the same in both domains (Long 2015).

The discrepancy is the squared maximum mean discrepancy of a sum of Gaussian kernels whose
bandwidths are powers of two around the median distance.
"""

import torch

from ._base import BaseDeep
from ._base_tasks import BaseDeepClassifier, BaseDeepRegressor
from ._training import AlignmentLoss

ESTIMATES = ("unbiased", "biased", "linear")


def squared_distances(x, y):
    """Return squared Euclidean distances between the rows of x and the rows of y."""
    xx, yy = x.square().sum(dim=1), y.square().sum(dim=1)
    return torch.addmm(xx[:, None] + yy, x, y.T, alpha=-2.0).clamp_min(0.0)


def median_gamma(d2):
    """Return 1/(2 median²) of the distances between different rows, from their squares.

    Without sorting out the diagonal by a mask, which would wait for the device.
    """
    n = d2.shape[0]
    if n < 2:
        return torch.ones((), dtype=d2.dtype, device=d2.device)
    others = d2.detach().flatten()[:-1].view(n - 1, n + 1)[:, 1:]
    return 0.5 / others.median().clamp_min(torch.finfo(d2.dtype).tiny ** 0.5)


def gaussian_kernels(d2, gamma, n_kernels):
    """Return the mean of exp(-gamma 2^j d2) over j = -(n_kernels // 2), …, the widest first.

    Each kernel is the square of the former one, so that one exponential is enough.
    """
    kernel = torch.exp(d2 * (-gamma * 2.0 ** -(n_kernels // 2)))
    total = kernel
    for _ in range(n_kernels - 1):
        kernel = kernel * kernel
        total = total + kernel
    return total / n_kernels


def mmd_weights(n_source, n_target, *, biased, like):
    """Return W with sum(W * K) the squared MMD, K the kernel matrix of all rows of a batch."""
    n = n_source + n_target
    weights = torch.full((n, n), -1.0 / (n_source * n_target), dtype=like.dtype, device=like.device)
    for rows, m in ((slice(0, n_source), n_source), (slice(n_source, n), n_target)):
        weights[rows, rows] = 1.0 / m**2 if biased else 1.0 / (m * max(m - 1, 1))
    if not biased:
        weights.fill_diagonal_(0.0)
    return weights


def linear_mmd(source, target, kernel):
    """Return the linear-time estimate over pairs of rows [Gretton 2012, Lemma 14].

    ``kernel(x, y)`` gives one value per row.
    """
    n = min(source.shape[0], target.shape[0]) // 2
    s1, s2, t1, t2 = source[:n], source[n : 2 * n], target[:n], target[n : 2 * n]
    h = kernel(s1, s2) + kernel(t1, t2) - kernel(s1, t2) - kernel(s2, t1)
    return h.sum() / max(n, 1)


class MMDLoss(AlignmentLoss):
    """Squared maximum mean discrepancy of the features under several Gaussian kernels."""

    def __init__(self, n_kernels=5, gamma="median", estimate="unbiased"):
        super().__init__()
        if estimate not in ESTIMATES:
            raise ValueError(f"estimate must be one of {list(ESTIMATES)}; got {estimate!r}.")
        if n_kernels < 1:
            raise ValueError(f"n_kernels must be at least 1; got {n_kernels!r}.")
        if gamma != "median" and not (isinstance(gamma, int | float) and gamma > 0):
            raise ValueError(f"gamma must be 'median' or a positive number; got {gamma!r}.")
        self.n_kernels, self.gamma, self.estimate = n_kernels, gamma, estimate
        self._weights = {}

    def embeddings(self, half):
        """Return the sets of features on each of which a kernel acts; kernels are multiplied."""
        return [half.features]

    def forward(self, source, target):
        """Return the loss of a batch."""
        pairs = list(zip(self.embeddings(source), self.embeddings(target), strict=True))
        if self.estimate == "linear":
            return self._linear(pairs)
        K = 1.0
        for s, t in pairs:
            both = torch.cat([s, t])
            d2 = squared_distances(both, both)
            gamma = median_gamma(d2) if self.gamma == "median" else self.gamma
            K = K * gaussian_kernels(d2, gamma, self.n_kernels)
        n_source, n_target = pairs[0][0].shape[0], pairs[0][1].shape[0]
        key = n_source, n_target, K.dtype, K.device
        if key not in self._weights:
            self._weights = {
                key: mmd_weights(n_source, n_target, biased=self.estimate == "biased", like=K)
            }
        return (self._weights[key] * K).sum()

    def _linear(self, pairs):
        gammas = [self._linear_gamma(s, t) for s, t in pairs]
        widths = [s.shape[1] for s, _ in pairs]

        def kernel(x, y):
            K = 1.0
            parts = zip(x.split(widths, dim=1), y.split(widths, dim=1), gammas, strict=True)
            for a, b, gamma in parts:
                K = K * gaussian_kernels((a - b).square().sum(dim=1), gamma, self.n_kernels)
            return K

        source, target = (torch.cat(part, dim=1) for part in zip(*pairs, strict=True))
        return linear_mmd(source, target, kernel)

    def _linear_gamma(self, s, t):
        if self.gamma != "median":
            return self.gamma
        n = min(s.shape[0], t.shape[0])
        d2 = (s[:n] - t[:n]).detach().square().sum(dim=1)
        return 0.5 / d2.median().clamp_min(torch.finfo(d2.dtype).tiny ** 0.5)


class _DAN(BaseDeep):
    def __init__(
        self,
        module=None,
        *,
        alignment_weight=1.0,
        alignment_schedule="constant",
        n_kernels=5,
        gamma="median",
        estimate="unbiased",
        **training,
    ):
        super().__init__(module, **training)
        self.alignment_weight = alignment_weight
        self.alignment_schedule = alignment_schedule
        self.n_kernels = n_kernels
        self.gamma = gamma
        self.estimate = estimate

    def _make_alignment(self, module, X):
        return MMDLoss(self.n_kernels, self.gamma, self.estimate)


class DANClassifier(BaseDeepClassifier, _DAN):
    """Train a network on the source while making the distributions of its features agree.

    Parameters
    ----------
    |module|
    |alignment|
    |kernels|
    |training|

    Attributes
    ----------
    |fitted|

    See Also
    --------
    JANClassifier : Align the joint distribution of features and predictions.
    DANNClassifier : Align by an adversary instead of kernels.
    DANRegressor : The regressor.

    Notes
    -----
    Minimizes cross-entropy(source) + w MMD²(features of the source, features of the target), with
    the mean of `n_kernels` Gaussian kernels exp(−γ 2ʲ ‖f − f'‖²), γ = 1/(2 median²) over the rows
    of a batch. The paper takes several layers and learns the weights of the kernels; here the last
    hidden layer is aligned and the kernels weigh the same.

    Assumption: there are features with the same distribution in both domains in which labels given
    features agree; in particular the shares of the classes differ little. Cost: a step adds
    O(b² d) for b rows and d features (O(b d) if "linear"). Arrays: torch; NumPy, data frames,
    lists, CuPy come in and go out.

    References
    ----------
    .. [1] M. Long, Y. Cao, J. Wang, M. Jordan. "Learning Transferable Features with Deep
       Adaptation Networks". ICML 2015. arXiv:1502.02791
    .. [2] A. Gretton et al. "A Kernel Two-Sample Test". JMLR 13, 2012.

    Examples
    --------
    >>> from skda import DANClassifier, stack_domains
    >>> from sklearn.datasets import make_blobs
    >>> centers = [[0, 0], [4, 0], [0, 4]]
    >>> X_source, y_source = make_blobs(150, centers=centers, cluster_std=0.5, random_state=0)
    >>> X_target, y_target = X_source + [1.0, -0.5], y_source
    >>> X, y, sample_domain = stack_domains(X_source, y_source, X_target)
    >>> net = DANClassifier(max_epochs=30, lr=0.01, random_state=0)
    >>> net = net.fit(X, y, sample_domain=sample_domain)
    >>> net.score(X_target, y_target)
    1.0
    """


class DANRegressor(BaseDeepRegressor, _DAN):
    """Train a regression network while making the distributions of its features agree.

    Parameters
    ----------
    |module|
    |alignment|
    |kernels|
    |training|

    Attributes
    ----------
    |fitted|

    See Also
    --------
    DANClassifier : The classifier, with the formula.

    Notes
    -----
    Minimizes the squared error of the standardized values plus the loss of
    :class:`DANClassifier`, under the same assumption and at the same cost. Arrays: torch; NumPy,
    data frames, lists, CuPy come in and go out.

    References
    ----------
    .. [1] M. Long, Y. Cao, J. Wang, M. Jordan. "Learning Transferable Features with Deep
       Adaptation Networks". ICML 2015. arXiv:1502.02791

    Examples
    --------
    >>> from skda import DANRegressor, stack_domains
    >>> from sklearn.datasets import make_regression
    >>> X_source, y_source = make_regression(200, 3, random_state=0)
    >>> X_target, y_target = 1.2 * X_source, 1.2 * y_source
    >>> X, y, sample_domain = stack_domains(X_source, y_source, X_target)
    >>> net = DANRegressor(alignment_weight=0.1, max_epochs=20, lr=0.01, random_state=0)
    >>> net = net.fit(X, y, sample_domain=sample_domain)
    >>> net.score(X_target, y_target)
    1.0
    """
