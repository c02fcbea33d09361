"""The reference of every comparison: the same network, trained on source rows alone."""

from ._base_tasks import BaseDeepClassifier, BaseDeepRegressor


class DeepSourceOnlyClassifier(BaseDeepClassifier):
    """Train a network on the labeled source rows and look at no target row.

    What the other deep classifiers are at ``alignment_weight=0``, bit for bit: target rows count
    only for the number of steps of an epoch.

    Parameters
    ----------
    |module|
    |training|

    Attributes
    ----------
    |fitted|

    See Also
    --------
    DANClassifier : Align the features by their kernel mean embeddings.
    DANNClassifier : Align them by an adversary.

    Notes
    -----
    Assumption: the domains do not differ. Cost: an epoch is linear in the rows and in the size of
    the network. Arrays: torch; NumPy, data frames, lists, CuPy come in and go out.

    Examples
    --------
    >>> import numpy as np
    >>> from skda import DeepSourceOnlyClassifier, stack_domains
    >>> rng = np.random.default_rng(0)
    >>> X_source, X_target = rng.normal(size=(100, 2)), rng.normal(size=(80, 2)) + 0.5
    >>> y_source, y_target = X_source[:, 0] > 0, X_target[:, 0] > 0
    >>> X, y, sample_domain = stack_domains(X_source, y_source, X_target)
    >>> net = DeepSourceOnlyClassifier(max_epochs=20, lr=0.01, random_state=0)
    >>> net = net.fit(X, y, sample_domain=sample_domain)
    >>> net.score(X_target, y_target)
    1.0
    """


class DeepSourceOnlyRegressor(BaseDeepRegressor):
    """Train a network on the labeled source rows and look at no target row.

    What the other deep regressors are at ``alignment_weight=0``, bit for bit.

    Parameters
    ----------
    |module|
    |training|

    Attributes
    ----------
    |fitted|

    See Also
    --------
    DANRegressor : Align the features by their kernel mean embeddings.

    Notes
    -----
    Assumption: the domains do not differ. Cost: an epoch is linear in the rows and in the size of
    the network. Arrays: torch; NumPy, data frames, lists, CuPy come in and go out.

    Examples
    --------
    >>> import numpy as np
    >>> from skda import DeepSourceOnlyRegressor, stack_domains
    >>> rng = np.random.default_rng(0)
    >>> X_source, X_target = rng.normal(size=(100, 2)), rng.normal(size=(80, 2)) + 0.5
    >>> y_source, y_target = X_source.sum(axis=1), X_target.sum(axis=1)
    >>> X, y, sample_domain = stack_domains(X_source, y_source, X_target)
    >>> net = DeepSourceOnlyRegressor(max_epochs=20, lr=0.01, random_state=0)
    >>> net = net.fit(X, y, sample_domain=sample_domain)
    >>> net.score(X_target, y_target)
    1.0
    """
