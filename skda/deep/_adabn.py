"""AdaBN: renew the statistics of batch normalization on the target (Li 2016)."""

import copy

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from ._base_tasks import BaseNetClassifier, BaseNetRegressor
from ._base_two_stage import BaseStaged

_ROWS = 8192  # rows of a pass; more rows are averaged over passes


def renew_statistics(module, X):
    """Return a copy of a module whose batch normalization has the means and variances of X."""
    module = copy.deepcopy(module).eval()
    layers = [layer for layer in module.modules() if isinstance(layer, _BatchNorm)]
    if not layers:
        raise ValueError(
            f"AdaBN needs a module with batch normalization; {type(module).__name__} has none. "
            "Add BatchNorm layers, or use module=None."
        )
    if len(X) < 2:
        raise ValueError("AdaBN needs at least 2 target rows for their variance; got 1.")
    momenta = [layer.momentum for layer in layers]
    for layer in layers:  # these alone in training mode: dropout stays off
        layer.reset_running_stats()
        layer.momentum = None  # plain average over the passes
        layer.train()
    with torch.no_grad():
        for rows in torch.tensor_split(X, -(-len(X) // _ROWS)):
            module(rows)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    return module.eval()


class _AdaBN(BaseStaged):
    def _make_module(self, X):
        if self.module is not None:
            return super()._make_module(X)
        return super()._make_module(X, batch_norm=True)

    def _adapt(self, data, X, y):
        target = torch.as_tensor(data.target, device=X.device)
        self.target_module_ = renew_statistics(self.net_.module_, X[target])


class AdaBNClassifier(_AdaBN, BaseNetClassifier):
    """Train on the source, then give batch normalization the statistics of the target.

    Parameters
    ----------
    |module|
    |training|

    Attributes
    ----------
    |fitted|
    target_module_ : torch.nn.Module
        The network with the target's statistics, which maps target rows.

    See Also
    --------
    DeepCORALClassifier : Align covariances while training.
    AdaBNRegressor : The regressor.

    Notes
    -----
    Each normalized unit is centered and scaled by mean and variance of the target rows instead of
    the source's; no weight changes. The default module has batch normalization here.

    Assumption: each hidden unit differs between the domains by shift and scale; the shares of the
    classes agree. Cost: one pass through the target rows. Arrays: torch; NumPy, data frames,
    lists, CuPy come in and go out.

    References
    ----------
    .. [1] Y. Li, N. Wang, J. Shi, J. Liu, X. Hou. "Revisiting Batch Normalization For Practical
       Domain Adaptation". 2016. arXiv:1603.04779

    Examples
    --------
    >>> from skda import AdaBNClassifier, stack_domains
    >>> from sklearn.datasets import make_blobs
    >>> centers = [[0, 0], [4, 0], [0, 4]]
    >>> X_source, y_source = make_blobs(150, centers=centers, cluster_std=0.5, random_state=0)
    >>> X_target, y_target = X_source + [1.0, -0.5], y_source
    >>> X, y, sample_domain = stack_domains(X_source, y_source, X_target)
    >>> net = AdaBNClassifier(max_epochs=30, lr=0.01, random_state=0)
    >>> net = net.fit(X, y, sample_domain=sample_domain)
    >>> net.score(X_target, y_target)
    1.0
    """


class AdaBNRegressor(_AdaBN, BaseNetRegressor):
    """Train on the source, then give batch normalization the statistics of the target.

    Parameters
    ----------
    |module|
    |training|

    Attributes
    ----------
    |fitted|
    target_module_ : torch.nn.Module
        The network with the target's statistics, which maps target rows.

    See Also
    --------
    AdaBNClassifier : The classifier, with the assumption.

    Notes
    -----
    As :class:`AdaBNClassifier`, with the squared error of the standardized values. It takes a
    shift of the values themselves away, too. Arrays: torch; NumPy, data frames, lists, CuPy come
    in and go out.

    References
    ----------
    .. [1] Y. Li, N. Wang, J. Shi, J. Liu, X. Hou. "Revisiting Batch Normalization For Practical
       Domain Adaptation". 2016. arXiv:1603.04779

    Examples
    --------
    >>> from skda import AdaBNRegressor, stack_domains
    >>> from sklearn.datasets import make_regression
    >>> X_source, y_source = make_regression(200, 3, random_state=0)
    >>> X_target, y_target = X_source + 2.0, y_source
    >>> X, y, sample_domain = stack_domains(X_source, y_source, X_target)
    >>> net = AdaBNRegressor(max_epochs=30, lr=0.01, random_state=0)
    >>> net = net.fit(X, y, sample_domain=sample_domain)
    >>> net.score(X_target, y_target)
    1.0
    """
