"""Methods of two stages: a network trained on the source, and a copy of it that is adapted.

Target rows are mapped by the copy, source rows by the network of the first stage.
"""

from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator

from ._training import PairedNet


class AdaptingNet(PairedNet):
    """A net whose module is adapted by the alignment alone, without labels."""

    def losses(self, batch):
        """Return the loss that the alignment computes from the module and the batch."""
        return None, self.alignment_.of_batch(self.module_, batch)


class Adaptation:
    """The second stage of a method: how the network of the first stage becomes the target's.

    A subclass writes `adapt` and, where it has parameters, `check_params`; its constructor takes
    what that returns.
    """

    @staticmethod
    def check_params(params):
        """Return the parameters of the stage, checked, out of those of the estimator."""
        return {}

    def adapt(self, module, n_features, rows, train):
        """Return an adapted copy of a module, and the net that trained it.

        Parameters
        ----------
        module : torch.nn.Module
            The network of the source; it is not to be changed.
        n_features : int
            Width of its features.
        rows : Rows
            All rows of the fit. ``source`` and ``target`` are those whose labels may be used if
            the method learns from labels of target rows.
        train : callable
            ``train(module, alignment, source=..., target=..., ...)`` trains a module by the
            estimator's parameters on these rows, and returns it with its net.

        Returns
        -------
        module : torch.nn.Module or None
            What maps target rows; None leaves them to the source's.
        net : PairedNet or None
            None if nothing was trained.
        """
        raise NotImplementedError


def plain_model(source_model):
    """Return the estimator that was passed, out of a FrozenEstimator if need be."""
    return getattr(source_model, "estimator", None) or source_model


def fitted_source_model(estimator_name, source_model, kind):
    """Return the fitted deep estimator that was passed, out of a FrozenEstimator if need be."""
    if isinstance(source_model, FrozenEstimator):
        source_model = source_model.estimator
    if not isinstance(source_model, kind):
        raise ValueError(
            "source_model must be a fitted deep estimator of skda or None; got "
            f"{type(source_model).__name__}."
        )
    if not hasattr(source_model, "net_"):
        raise NotFittedError(
            f"source_model of {estimator_name} is not fitted. Fit it first; where "
            "scikit-learn clones (grid searches, cross-validation) pass "
            "sklearn.frozen.FrozenEstimator(source_model), which keeps its weights."
        )
    return source_model
