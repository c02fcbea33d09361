"""A parameter of a method changes what is learnt: none is accepted and then forgotten."""

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("skorch")

from skda import (
    AaDClassifier,
    ADDAClassifier,
    CDANClassifier,
    DANNClassifier,
    DANNRegressor,
    DeepJDOTClassifier,
    FineTuningClassifier,
    MCCClassifier,
    MDDClassifier,
    SHOTClassifier,
    WDGRLClassifier,
    WDGRLRegressor,
)

SMALL = {"module__hidden": 8, "max_epochs": 3, "lr": 0.03, "random_state": 0}


@pytest.mark.parametrize(
    ("method", "params"),
    [
        (ADDAClassifier, {"discriminator_hidden": (4, 4)}),
        (ADDAClassifier, {"adaptation_betas": (0.9, 0.99)}),
        (DANNClassifier, {"discriminator_hidden": (4, 4)}),
        (CDANClassifier, {"discriminator_hidden": (4, 4)}),
        (CDANClassifier, {"entropy_weights": False}),
        (CDANClassifier, {"n_random": 5}),
        (CDANClassifier, {"smoothing": 0.05}),
        (DANNClassifier, {"smoothing": 0.05}),
        (DANNRegressor, {"smoothing": 0.05}),
        (DeepJDOTClassifier, {"feature_cost": 1.0}),
        (MCCClassifier, {"temperature": 0.5}),
        (MDDClassifier, {"classifier_hidden": (4, 4)}),
        (SHOTClassifier, {"pseudo_label_weight": 3.0}),
        (AaDClassifier, {"n_neighbors": 2}),
        (AaDClassifier, {"dispersion_decay": 0.0}),
        (WDGRLClassifier, {"critic_hidden": (4, 4)}),
        (WDGRLClassifier, {"n_critic": 1}),
        (WDGRLClassifier, {"critic_lr": 0.3}),
        (WDGRLClassifier, {"penalty": 0.0}),
        (WDGRLRegressor, {"penalty": 0.0}),
    ],
    ids=str,
)
def test_a_parameter_changes_what_is_learnt(method, params, domains):
    X, y, d = domains
    X = X.astype(np.float32)
    assert params.items() - method().get_params().items(), "not the default"
    plain = method(**SMALL).fit(X, y, sample_domain=d)
    other = method(**SMALL, **params).fit(X, y, sample_domain=d)
    answer = "predict" if method.__name__.endswith("Regressor") else "predict_proba"
    found, usual = (getattr(net, answer)(X, sample_domain=d) for net in (other, plain))
    assert abs(found - usual).max() > 1e-6


@pytest.mark.parametrize("unfreeze_every", [None, 1])
def test_freezing_every_layer_is_refused(unfreeze_every, domains):
    X, y, d = domains
    net = FineTuningClassifier(freeze=2, unfreeze_every=unfreeze_every, **SMALL)
    with pytest.raises(ValueError, match="freeze=2 leaves no layer to train"):
        net.fit(X, y, sample_domain=d)
