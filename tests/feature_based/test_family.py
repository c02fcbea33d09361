"""What holds for every method: its mixins, its parameters, its entries in the docs."""

import inspect
import re

import numpy as np
import pytest
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    RegressorMixin,
    TransformerMixin,
    is_classifier,
    is_regressor,
)
from sklearn.exceptions import NotFittedError

import skda
import skda.feature_based
from skda._core._routing import DomainRouting

CLASSES = [getattr(skda.feature_based, name) for name in skda.feature_based.__all__]
KERNEL_METHODS = [
    skda.TCATransformer,
    skda.JDATransformer,
    skda.TJMTransformer,
    skda.MIDATransformer,
]


def rows_of_two_domains(n=20, d=4):
    rng = np.random.default_rng(0)
    y = np.tile([0, 1], n // 2)
    X = rng.normal(size=(2 * n, d)) + 2.0 * np.concatenate([y, y])[:, None]
    X[n:] += 0.5
    return X, np.concatenate([y, y]), np.repeat([1, -2], n)


@pytest.mark.parametrize("cls", CLASSES)
def test_routing_comes_first_then_the_kind_of_estimator_then_the_base(cls):
    # The tags of DomainRouting depend on the kind of estimator, which the mixins after it set.
    order = cls.__mro__
    kinds = [c for c in (ClassifierMixin, RegressorMixin, TransformerMixin) if issubclass(cls, c)]
    assert len(kinds) == 1
    assert order.index(DomainRouting) < order.index(kinds[0]) < order.index(BaseEstimator)


@pytest.mark.parametrize("entry", ["kernel", "gamma", "degree", "coef0"])
def test_kernel_parameters_are_described_in_the_same_words(entry):
    texts = set()
    for cls in KERNEL_METHODS:
        lines = inspect.getdoc(cls).splitlines()
        start = next(i for i, line in enumerate(lines) if line.startswith(f"{entry} :"))
        end = start + 1
        while lines[end].startswith(" ") or lines[end - 1].endswith("\\"):
            end += 1
        assert end > start + 1
        # Which kernel is the default is each method's own.
        texts.add(re.sub("default=.*", "", "\n".join(lines[start:end])))
    assert len(texts) == 1


BOOLEAN = [
    (cls, name)
    for cls in CLASSES
    for name, parameter in inspect.signature(cls).parameters.items()
    if isinstance(parameter.default, bool)
]
NUMBER = [
    (cls, name)
    for cls in CLASSES
    for name, parameter in inspect.signature(cls).parameters.items()
    if isinstance(parameter.default, int | float) and not isinstance(parameter.default, bool)
]


def model_of(cls, **params):
    # Row k of both domains is the same sample to the methods that learn from pairs.
    if "pairing" in inspect.signature(cls).parameters:
        params = {"pairing": "order"} | params
    return cls(**params)


def fit(cls, **params):
    X, y, ids = rows_of_two_domains()
    y = y.astype(float) if is_regressor(cls()) else y
    return model_of(cls, **params).fit(X, y, sample_domain=ids)


@pytest.mark.parametrize("value", ["no", 1, None, np.nan, [True]])
@pytest.mark.parametrize(("cls", "name"), BOOLEAN)
def test_switches_take_true_and_false_only(cls, name, value):
    with pytest.raises(ValueError, match=rf"{name} must be True or False; got"):
        fit(cls, **{name: value})


@pytest.mark.parametrize("value", [True, "1", np.nan, [1.0]])
@pytest.mark.parametrize(("cls", "name"), NUMBER)
def test_numbers_are_neither_true_nor_text(cls, name, value):
    with pytest.raises(ValueError, match=rf"^{name} must be"):
        fit(cls, **{name: value})


@pytest.mark.parametrize("value", [True, np.True_, 0.5, [1.5]])
@pytest.mark.parametrize(
    ("cls", "name"),
    [(skda.ComBatTransformer, "covariates"), (skda.MIDATransformer, "domain_columns")],
)
def test_columns_are_positions_or_names(cls, name, value):
    with pytest.raises(ValueError, match=rf"{name} must be columns of X"):
        fit(cls, **{name: value})


@pytest.mark.parametrize("value", [True, np.inf, "nearest", [1]])
def test_the_regularization_of_coral_is_a_number_or_a_rule(value):
    for cls in (skda.CORALTransformer, skda.LinearTransportTransformer):
        with pytest.raises(ValueError, match=r"^reg must be"):
            fit(cls, reg=value)


@pytest.mark.parametrize("value", [[], "middle", 1])
@pytest.mark.parametrize(
    "cls",
    [
        skda.OptimalTransportTransformer,
        skda.JDOTClassifier,
        skda.JDOTRegressor,
        skda.OTLabelPropagationClassifier,
    ],
)
def test_cost_scale_is_one_of_its_rules(cls, value):
    with pytest.raises(ValueError, match="cost_scale must be"):
        fit(cls, cost_scale=value)


PRIVATE = {"_fit_backend", "_fit_domains", "_carried_config"}


@pytest.mark.parametrize("cls", CLASSES)
def test_fitted_state_is_public_and_its_dictionaries_have_plain_keys(cls):
    model = fit(cls)
    params = set(model.get_params(deep=False))
    private = {name for name in vars(model) if name.startswith("_")}
    assert private <= PRIVATE, private
    for name, value in vars(model).items():
        assert name in params or name in private or name.endswith("_"), name
        if isinstance(value, dict):
            assert all(isinstance(key, int | str) for key in value), name
        assert not inspect.isfunction(value), name


def test_every_kind_is_there():
    assert {is_classifier(cls()) or 2 * is_regressor(cls()) for cls in CLASSES} == {0, 1, 2}


def interrupt(*args, sample_weight=None, **kwargs):
    raise KeyboardInterrupt


def then_interrupt(function):
    def interrupted(*args, **kwargs):
        function(*args, **kwargs)
        raise KeyboardInterrupt

    return interrupted


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("early", [True, False])
def test_an_interrupted_fit_is_no_fit(cls, early, monkeypatch):
    X, y, ids = rows_of_two_domains()
    for model in (fit(cls), model_of(cls)):  # after an earlier fit and without
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            # At the latest where all that is learnt is stored already.
            patch.setattr(cls, "_fit", then_interrupt(cls._fit))
            if early:
                # Where the fitted arrays are about to be stored, or an inner model is fitted.
                patch.setattr("skda._core._validation.DomainData.to_input", interrupt)
                patch.setattr("sklearn.linear_model.LogisticRegression.fit", interrupt)
                patch.setattr("sklearn.linear_model.Ridge.fit", interrupt)
            model.fit(X, y.astype(float) if is_regressor(model) else y, sample_domain=ids)
        assert vars(model).keys() - model.get_params(deep=False) <= PRIVATE
        with pytest.raises(NotFittedError):
            (model.predict if hasattr(model, "predict") else model.transform)(X)


@pytest.mark.parametrize(
    ("cls", "first", "then", "gone"),
    [
        (skda.MIDATransformer, {"augment": True}, {"augment": False}, "domain_scale_"),
        (
            skda.MIDATransformer,
            {"domain_columns": [0]},
            {"domain_columns": None},
            "domain_columns_mean_",
        ),
        (skda.ComBatTransformer, {"covariates": [0]}, {"covariates": range(4)}, "grand_mean_"),
    ],
)
def test_a_refit_forgets_what_it_does_not_compute(cls, first, then, gone):
    X, y, ids = rows_of_two_domains()
    model = fit(cls, **first)
    assert hasattr(model, gone)
    model.set_params(**then).fit(X, y, sample_domain=ids)
    assert not hasattr(model, gone)


@pytest.mark.parametrize("cls", CLASSES)
def test_a_plain_refit_forgets_the_domains(cls):
    X, y, ids = rows_of_two_domains()
    y = y.astype(float) if is_regressor(cls()) else y
    with pytest.warns(skda.DomainWarning):
        plain = model_of(cls).fit(X, y)
    again = model_of(cls).fit(X, y, sample_domain=ids)
    with pytest.warns(skda.DomainWarning):
        again.fit(X, y)
    assert vars(again).keys() == vars(plain).keys()


LARGE = [
    skda.JDATransformer,
    skda.TJMTransformer,
    skda.MIDATransformer,
    skda.MEDAClassifier,
    skda.TCATransformer,
    skda.OptimalTransportTransformer,
    skda.JDOTClassifier,
    skda.JDOTRegressor,
    skda.OTLabelPropagationClassifier,
    skda.KernelDIPLSRegressor,
    skda.KernelManifoldAlignmentTransformer,
    skda.GromovWassersteinTransformer,
    skda.CoOptimalTransportTransformer,
]
LARGE_PARAMS = {skda.TCATransformer: {"kernel": "rbf"}}  # the linear one needs no such matrix


@pytest.mark.parametrize("cls", LARGE)
def test_a_matrix_that_does_not_fit_is_refused_with_the_numbers_and_a_way_out(cls, monkeypatch):
    monkeypatch.setattr("skda._numerics._budget._free_bytes", lambda: 1000)
    words = rf"{cls.__name__} needs at least .* rows.*are free\. .*sample of the rows"
    with pytest.raises(MemoryError, match=words):
        fit(cls, **LARGE_PARAMS.get(cls, {}))


@pytest.mark.parametrize("cls", LARGE)
def test_a_long_fit_says_once_beforehand_what_it_costs(cls, monkeypatch):
    monkeypatch.setattr("skda._numerics._budget._LONG", 1e-12)
    words = rf"{cls.__name__} needs about .* GB and .* for .* rows .*\. .*rows"
    with pytest.warns(skda.DomainWarning, match=words) as caught:
        fit(cls, **LARGE_PARAMS.get(cls, {}))
    assert len([one for one in caught if " GB and " in str(one.message)]) == 1


@pytest.mark.parametrize(
    "params", [{"kernel": "linear"}, {"kernel": "rbf", "solver": "nystroem", "n_basis": 10}]
)
def test_explicit_features_need_no_large_matrix(params, monkeypatch):
    monkeypatch.setattr("skda._numerics._budget._free_bytes", lambda: 1000)
    fit(skda.TCATransformer, **params)
