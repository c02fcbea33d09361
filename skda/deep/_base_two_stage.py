"""Methods of two stages: a network trained on the source, and a copy of it that is adapted.

Target rows are mapped by the copy, source rows by the network of the first stage.
"""

import copy

import numpy as np
import torch
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator

from ._base import BaseDeep, domain_codes
from ._inference import seeded
from ._training import PairedNet


class AdaptingNet(PairedNet):
    """A net whose module is adapted by the alignment alone, without labels."""

    def losses(self, batch):
        """Return the loss that the alignment computes from the module and the batch."""
        return None, self.alignment_.of_batch(self.module_, batch)


class BaseStaged(BaseDeep):
    """Train on the source, then adapt a copy; a method gives `_adapt` and its parameters.

    A method with a parameter `source_model` may start from a fitted estimator instead.
    """

    def _source_model(self):
        return getattr(self, "source_model", None)

    @property
    def _one_sided(self):
        return self._source_model() is not None

    def _encode(self, data, *, known=False, classes=None):
        if self._source_model() is None:
            return super()._encode(data, known=known, classes=classes)
        self._take_over()
        return super()._encode(data, known=True)

    def _take_over(self):
        take_over(self, fitted_source_model(self, self._source_model()))

    def _fit(self, data, y, *, fresh, epochs=None):
        if self._source_model() is None:
            super()._fit(data, y, fresh=fresh)
        self.source_domains_ = data.source_domains
        self.target_domains_ = data.target_domains
        for name in ("target_module_", "adapted_net_"):
            vars(self).pop(name, None)
        device = self._place(data)
        if len(data.target):
            with seeded(self._rng, device):
                self.net_.module_.to(device)
                self._adapt(data, self._rows(data), torch.as_tensor(y, device=device))

    def _adapt(self, data, X, y):
        """Adapt a copy of the network to the target rows."""
        raise NotImplementedError

    def _train_copy(self, module, alignment, data, X, y, *, source, target, **options):
        """Train a copy for `adaptation_epochs` at `adaptation_lr` and map target rows by it."""
        self.target_module_ = module.eval()
        if not self.adaptation_epochs:
            return
        stop_early = options.get("stop_early", True)
        options = {"net_class": AdaptingNet, "lr": self.adaptation_lr} | options
        net = self._wrap(module, alignment, X.device, **options)
        domain = torch.as_tensor(domain_codes(data.ids), device=X.device)
        self._train(
            net,
            X,
            y,
            domain,
            source,
            target,
            n_epochs=self.adaptation_epochs,
            stop_early=stop_early,
        )
        self.adapted_net_, self.target_module_ = net, net.module_

    def _check_params(self):
        super()._check_params()
        epochs = getattr(self, "adaptation_epochs", 0)
        if not isinstance(epochs, int | np.integer) or epochs < 0:
            raise ValueError(f"adaptation_epochs must be an integer of at least 0; got {epochs!r}.")


def fitted_source_model(estimator, source_model):
    """Return the fitted deep estimator that was passed, out of a FrozenEstimator if need be."""
    if isinstance(source_model, FrozenEstimator):
        source_model = source_model.estimator
    if not isinstance(source_model, BaseDeep):
        raise ValueError(
            "source_model must be a fitted deep estimator of skda or None; got "
            f"{type(source_model).__name__}."
        )
    if not hasattr(source_model, "net_"):
        raise NotFittedError(
            f"source_model of {type(estimator).__name__} is not fitted. Fit it first; where "
            "scikit-learn clones (grid searches, cross-validation) pass "
            "sklearn.frozen.FrozenEstimator(source_model), which keeps its weights."
        )
    return source_model


def take_over(estimator, source_model):
    """Start from what a fitted source model has learnt, on a copy."""
    if estimator.n_features_in_ != source_model.n_features_in_:
        raise ValueError(
            f"X has {estimator.n_features_in_} features, but source_model was fitted on "
            f"{source_model.n_features_in_}. Pass the same columns."
        )
    for name in ("classes_", "y_mean_", "y_scale_", "_n_features_out"):
        if hasattr(source_model, name):
            setattr(estimator, name, copy.copy(getattr(source_model, name)))
    estimator.net_ = copy.deepcopy(source_model.net_)
