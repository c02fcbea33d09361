"""The contract of skda, as checks that any estimator can be put through.

``test_common.py`` runs them on every public estimator, beside scikit-learn's own. A check takes
an unfitted estimator and fails with what the user would notice.
"""

import importlib
import inspect
import pickle
import pkgutil
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from sklearn.base import BaseEstimator, clone, is_classifier, is_regressor
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import get_routing_for_object

import skda
from skda import (
    DomainWarning,
    GaussianWeighter,
    ImportanceWeightedEstimator,
    KMMWeighter,
    PerDomain,
    TrainOnSource,
    config_context,
)
from skda._array._backend import is_foreign_array, to_numpy
from skda.model_selection import DomainStratifiedKFold, GuardedSearchCV
from tests.backends import BACKENDS, TestedBackend

METHODS = (
    "transform",
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
)

# Estimators that cannot be built without arguments, or are tried with more than one set.
EXAMPLES = {
    "GuardedSearchCV": [
        GuardedSearchCV(
            {
                "weighted": ImportanceWeightedEstimator(LogisticRegression(), GaussianWeighter()),
                "small C": LogisticRegression(C=0.01),
            }
        ),
        GuardedSearchCV({"weighted": ImportanceWeightedEstimator(Ridge(), GaussianWeighter())}),
    ],
    "ImportanceWeightedEstimator": [
        ImportanceWeightedEstimator(LogisticRegression(), KMMWeighter()),
        ImportanceWeightedEstimator(Ridge(), GaussianWeighter()),
        ImportanceWeightedEstimator(
            LogisticRegression(), None, use_target_labels=True, target_share=0.5
        ),
        ImportanceWeightedEstimator(LogisticRegression(), GaussianWeighter(), resample=True),
    ],
    "AugmentedEstimator": [
        skda.AugmentedEstimator(LogisticRegression(), [skda.GaussianNoiseAugmenter()]),
        skda.AugmentedEstimator(Ridge(), [skda.MixupAugmenter()], n_copies=2),
    ],
    "TrainOnSource": [
        TrainOnSource(LogisticRegression()),
        TrainOnSource(Ridge()),
        TrainOnSource(SelectKBest(k=1)),
    ],
    "PerDomain": [PerDomain(StandardScaler())],
    "KLIEPWeighter": [skda.KLIEPWeighter(), skda.KLIEPWeighter(gamma="median")],
    "RuLSIFWeighter": [skda.RuLSIFWeighter(), skda.RuLSIFWeighter(gamma="median", reg=0.1)],
    # They take rows of one stream, without sample_domain, and the second is around a model that is
    # fitted already: scikit-learn's checks of the first are in their own tests.
    "DriftMonitor": [],
    "StreamingAdapter": [],
    # Around few candidates, since each is fitted each time.
    "ConsensusClassifier": [
        skda.ConsensusClassifier(
            {"label shift": skda.LabelShiftClassifier(), "EasyTL": skda.EasyTLClassifier()},
            estimator=LogisticRegression(),
        ),
    ],
    "ConsensusRegressor": [
        skda.ConsensusRegressor({"JDOT": skda.JDOTRegressor()}, estimator=Ridge()),
    ],
    "AutoAdaptClassifier": [
        skda.AutoAdaptClassifier(
            LogisticRegression(),
            candidates={
                "label shift": skda.LabelShiftClassifier(),
                "EasyTL": skda.EasyTLClassifier(),
            },
        ),
    ],
    "AutoAdaptRegressor": [
        skda.AutoAdaptRegressor(Ridge(), candidates={"JDOT": skda.JDOTRegressor()}),
    ],
    "LabelShiftClassifier": [
        skda.LabelShiftClassifier(),
        skda.LabelShiftClassifier(method="bbse"),
        # Without folds, and so in any order of the rows.
        skda.LabelShiftClassifier(check_fit=False, calibration=None),
    ],
    "CoOptimalTransportTransformer": [
        skda.CoOptimalTransportTransformer(),
        skda.CoOptimalTransportTransformer(reg=0.1, use_target_labels=True),
    ],
    "ColumnBridgeTransformer": [
        skda.ColumnBridgeTransformer(),
        skda.ColumnBridgeTransformer(cross_fit=False, uncertainty="both"),
    ],
    "ComBatTransformer": [
        skda.ComBatTransformer(),
        skda.ComBatTransformer(
            reference="target", smooth_covariates=[0], covariance_components=0.9
        ),
    ],
    # With few folds, since each is a fit, and weights that few rows can bear.
    "ConformalClassifier": [
        skda.ConformalClassifier(LogisticRegression(), GaussianWeighter(exponent=0.5), cv=None)
    ],
    "ConformalRegressor": [skda.ConformalRegressor(Ridge(), cv=2, use_target_labels=True)],
    "WeightedCalibratedClassifier": [
        skda.WeightedCalibratedClassifier(
            LogisticRegression(), GaussianWeighter(exponent=0.5), cv=None
        )
    ],
    "CORALTransformer": [
        skda.CORALTransformer(),
        skda.CORALTransformer(direction="to_source", strength=0.5),
        skda.CORALTransformer(direction="to_common"),
    ],
    "QuantileTransportTransformer": [
        skda.QuantileTransportTransformer(),
        skda.QuantileTransportTransformer(direction="to_source"),
        skda.QuantileTransportTransformer(direction="to_common"),
    ],
    "DirectStandardizationTransformer": [
        skda.DirectStandardizationTransformer(pairing="order"),
        skda.DirectStandardizationTransformer("ds", regression="pls", pairing="order"),
        skda.DirectStandardizationTransformer("sst", direction="to_target", pairing="order"),
    ],
    "PairedCCATransformer": [
        skda.PairedCCATransformer(pairing="order"),
        skda.PairedCCATransformer(1, kernel="rbf", pairing="order"),
    ],
    "DomainScaler": [skda.DomainScaler(), skda.DomainScaler(robust=True)],
    "GraphConvolutionClassifier": [
        skda.GraphConvolutionClassifier(hidden=8, max_iter=30, lr=0.02, random_state=0),
        skda.GraphConvolutionClassifier(
            propagation="appnp",
            hidden=8,
            alignment="adversarial",
            max_iter=30,
            lr=0.02,
            random_state=0,
        ),
    ],
    "GromovWassersteinTransformer": [
        skda.GromovWassersteinTransformer(),
        skda.GromovWassersteinTransformer(reg=0.05, use_target_labels=True, max_iter=30),
    ],
    "JDOTClassifier": [skda.JDOTClassifier(), skda.JDOTClassifier(reg=0.1)],
    "JDOTRegressor": [skda.JDOTRegressor(), skda.JDOTRegressor(reg=0.1)],
    "KernelDIPLSRegressor": [
        skda.KernelDIPLSRegressor(),
        skda.KernelDIPLSRegressor(criterion="mean"),
    ],
    "KernelManifoldAlignmentTransformer": [
        skda.KernelManifoldAlignmentTransformer(),
        skda.KernelManifoldAlignmentTransformer(2, kernel="rbf"),
    ],
    "LinearTransportTransformer": [
        skda.LinearTransportTransformer(),
        skda.LinearTransportTransformer(reg="oas", strength=0.5),
        skda.LinearTransportTransformer(direction="to_common"),
    ],
    "MEDAClassifier": [
        skda.MEDAClassifier(),
        skda.MEDAClassifier(solver="nystroem", n_basis=50, random_state=0),
    ],
    "MIDATransformer": [
        skda.MIDATransformer(),
        skda.MIDATransformer(domain_columns=[0], solver="nystroem", n_basis=50, random_state=0),
    ],
    "OTLabelPropagationClassifier": [
        skda.OTLabelPropagationClassifier(),
        skda.OTLabelPropagationClassifier(reg=0.1, label_kind="hard"),
    ],
    "OptimalTransportTransformer": [
        skda.OptimalTransportTransformer(),
        skda.OptimalTransportTransformer(direction="to_source", batch_size=20, random_state=0),
        skda.OptimalTransportTransformer(reg=0.1, class_reg=0.2),
        skda.OptimalTransportTransformer(reg=0.1, class_reg=0.2, class_penalty="l1l2"),
        skda.OptimalTransportTransformer(reg=0.1, marginal_reg=1.0, metric="euclidean"),
    ],
    "PrototypicalNetworkClassifier": [
        skda.PrototypicalNetworkClassifier(
            n_shot=1, n_query=1, n_episodes=40, module__hidden=8, random_state=0
        ),
    ],
    "RelationNetworkClassifier": [
        skda.RelationNetworkClassifier(
            n_shot=1, n_query=1, n_episodes=30, lr=0.003, module__hidden=8, random_state=0
        ),
    ],
    "MultiTaskTransferClassifier": [  # "auto" is dozens of fits, and has tests of its own
        skda.MultiTaskTransferClassifier(sharing=0.5),
        skda.MultiTaskTransferClassifier(sharing=0.8, intercept="shared"),
    ],
    "MultiTaskTransferRegressor": [
        skda.MultiTaskTransferRegressor(),
        skda.MultiTaskTransferRegressor(sharing=0.8, alpha=2.0, intercept="shared"),
    ],
    "RegularizedTransferClassifier": [
        skda.RegularizedTransferClassifier(),
        skda.RegularizedTransferClassifier(reg=1.0, penalty="l1", penalize_intercept=False),
    ],
    "RegularizedTransferRegressor": [
        skda.RegularizedTransferRegressor(),
        skda.RegularizedTransferRegressor(reg=1.0, penalty="l1", penalize_intercept=True),
    ],
    "SelfTrainingTransferClassifier": [
        skda.SelfTrainingTransferClassifier(),
        skda.SelfTrainingTransferClassifier(keep_source=False, n_rounds=3),
    ],
    "GradualSelfTrainingClassifier": [
        skda.GradualSelfTrainingClassifier(),
        skda.GradualSelfTrainingClassifier(n_intermediate=0),
    ],
    "StackedTransferClassifier": [
        skda.StackedTransferClassifier(),
        skda.StackedTransferClassifier(method="feature"),
        skda.StackedTransferClassifier(method="residual", n_estimators=5),
    ],
    "StackedTransferRegressor": [
        skda.StackedTransferRegressor(),
        skda.StackedTransferRegressor(method="feature"),
        skda.StackedTransferRegressor(method="residual"),
    ],
    "TreeTransferClassifier": [
        skda.TreeTransferClassifier(),
        skda.TreeTransferClassifier(method="strut"),
        skda.TreeTransferClassifier(method="relabel"),
    ],
    "DomainExpertsClassifier": [
        skda.DomainExpertsClassifier(),
        skda.DomainExpertsClassifier(weighting="uniform"),
        skda.DomainExpertsClassifier(weighting="labels"),
        skda.DomainExpertsClassifier(weighting="mmd"),
        skda.DomainExpertsClassifier(weighting="consensus"),
    ],
    "DomainExpertsRegressor": [
        skda.DomainExpertsRegressor(),
        skda.DomainExpertsRegressor(weighting="labels"),
        skda.DomainExpertsRegressor(weighting="mmd"),
        skda.DomainExpertsRegressor(weighting="consensus"),
    ],
    "GraphLabelPropagationClassifier": [
        skda.GraphLabelPropagationClassifier(),
        skda.GraphLabelPropagationClassifier(
            5, alpha=0.8, metric="cosine", target_priors="source", target_share=None
        ),
    ],
    "PrototypeClassifier": [
        skda.PrototypeClassifier(),
        skda.PrototypeClassifier(metric="cosine", strength=0.5),
        skda.PrototypeClassifier(metric="mahalanobis", shrinkage=0.1),
    ],
    "ForestTransferClassifier": [
        skda.ForestTransferClassifier(RandomForestClassifier(5, random_state=0), method=method)
        for method in ("mix", "ser", "relabel")
    ],
    "ForestTransferRegressor": [
        skda.ForestTransferRegressor(RandomForestRegressor(5, random_state=0), method=method)
        for method in ("mix", "strut", "relabel")
    ],
    "TwoStageTrAdaBoostRegressor": [
        skda.TwoStageTrAdaBoostRegressor(n_steps=3, n_estimators=3, cv=2)
    ],
    # A single missing value is no missing view, as it would be in a view of one column.
    "ViewFusionClassifier": [
        skda.ViewFusionClassifier(
            {"first": slice(2), "rest": slice(1, None)},
            {"first": LogisticRegression(), "rest": LogisticRegression(C=0.1)},
            fusion="learned",
            cv=2,
            random_state=0,
        ),
    ],
    "ViewFusionRegressor": [
        skda.ViewFusionRegressor({"first": slice(2), "rest": slice(1, None)}, Ridge()),
    ],
}

# scikit-learn's checks that the estimators of a subpackage cannot pass, each with its reason.
EXPECTED_FAILURES = {
    "skda.augmentation": {
        "check_sample_weight_equivalence_on_dense_data": (
            "each row is changed at random, copies of a row otherwise than one row of their weight"
        ),
    },
    "skda.deep": {
        "check_sample_weight_equivalence_on_dense_data": (
            "copies of rows are other batches than one row of their weight, and rows without "
            "weight still count in scaling, normalization and alignment"
        ),
    },
}
RESAMPLING_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": (
        "rows are drawn by weight, so that weights equal repeated rows in the mean only"
    ),
}


def all_estimators():
    """Find every public estimator of the package, in examples ready to be checked."""
    found = {}
    for module in pkgutil.walk_packages(skda.__path__, "skda."):
        if any(part.startswith("_") for part in module.name.split(".")[1:]):
            continue
        public_module = importlib.import_module(module.name)
        for name in getattr(public_module, "__all__", []):
            thing = getattr(public_module, name)
            if (
                inspect.isclass(thing)
                and issubclass(thing, BaseEstimator)
                and hasattr(thing, "fit")
            ):
                found[name] = EXAMPLES[name] if name in EXAMPLES else [_example(thing)]
    return [example for name in sorted(found) for example in found[name]]


def _example(estimator_class):
    """Return an instance with default parameters; a network is small and soon trained."""
    if estimator_class.__module__.startswith("skda.deep"):
        return estimator_class(module__hidden=8, max_epochs=8, lr=0.03, random_state=0)
    return estimator_class()


def expected_failures(estimator):
    """Return scikit-learn's checks that this estimator may fail, with reasons."""
    if estimator.get_params().get("resample"):
        return RESAMPLING_FAILURES
    subpackage = ".".join(type(estimator).__module__.split(".")[:2])
    return EXPECTED_FAILURES.get(subpackage, {})


# Data and outputs


def make_data(estimator, *, n=40, sources=(1,), target=-2, seed=0):
    """Interleaved domains with different means and covariances; every label is known."""
    rng = np.random.default_rng(seed)
    sample_domain = rng.permutation(np.repeat([*sources, target], n))
    d = 3
    X = rng.normal(size=(len(sample_domain), d))
    y = (X[:, 0] + 0.3 * rng.normal(size=len(X)) > 0).astype(int)
    for domain in (*sources, target):
        rows = sample_domain == domain
        mixing = np.eye(d) + 0.3 * rng.normal(size=(d, d))
        X[rows] = X[rows] @ mixing + 0.5 * rng.normal(size=d)
    if get_tags(estimator).input_tags.positive_only:
        X = np.abs(X)
    if getattr(estimator, "_fills_gaps", False):
        # The target lacks a column, and has a gap in another: what such a method is for.
        X[sample_domain == target, 2] = np.nan
        X[np.flatnonzero(sample_domain == target)[0], 0] = np.nan
    if is_regressor(estimator):
        y = X[:, 0] + 0.1 * rng.normal(size=len(X))
    return X, y, sample_domain


def uses_target_labels(estimator):
    """Return whether the estimator is one of supervised transfer."""
    return estimator._labels == "all" or estimator.get_params().get("use_target_labels", False)


def hide_labels(y, sample_domain, estimator, mark=np.nan):
    """Return y with the missing mark on target rows, on most of them for supervised transfer."""
    hidden = y.astype({"nan": float, "None": object}.get(str(mark), y.dtype))
    target = np.flatnonzero(sample_domain < 0)
    if uses_target_labels(estimator):
        target = target[len(target) // 3 :]
    hidden[target] = mark
    return hidden


def fitted(estimator, X, y, sample_domain):
    """Return a fitted clone with a fixed seed."""
    estimator = clone(estimator)
    if "random_state" in estimator.get_params():
        estimator.set_params(random_state=0)
    return estimator.fit(X, y, sample_domain=sample_domain)


def outputs(estimator, X, sample_domain):
    """Return what a fitted estimator outputs for these rows, by method, as NumPy arrays."""
    outputs_by_method = {
        method: np.asarray(to_numpy(getattr(estimator, method)(X, sample_domain=sample_domain)))
        for method in METHODS
        if hasattr(estimator, method)
    }
    # Those of an ensemble have one entry per candidate.
    n_source = int((np.asarray(sample_domain) >= 0).sum())
    if hasattr(estimator, "weights_") and estimator.weights_.shape[0] == n_source:
        outputs_by_method["weights_"] = by_row(estimator, sample_domain)
    return outputs_by_method


def by_row(estimator, sample_domain):
    """Return the weights of source rows at their places, NaN on target rows."""
    weights = np.full(len(sample_domain), np.nan)
    weights[np.asarray(sample_domain) >= 0] = to_numpy(estimator.weights_)
    return weights


def assert_same(found, wanted, what, rtol=1e-6, atol=1e-7):
    """Compare outputs by method."""
    assert found.keys() == wanted.keys()
    for method, values in wanted.items():
        if values.dtype.kind in "fc":
            np.testing.assert_allclose(
                found[method], values, rtol=rtol, atol=atol, err_msg=f"{what}: {method}"
            )
        else:
            np.testing.assert_array_equal(found[method], values, err_msg=f"{what}: {method}")


# Checks


def only(applies):
    """Mark a check as one for the estimators of which ``applies(estimator)`` is true."""

    def mark(check):
        check.applies = applies
        return check

    return mark


def check_sample_domain_is_requested_everywhere(estimator):
    """A plain Pipeline can hand sample_domain to every method without any set_request."""
    routing = get_routing_for_object(estimator)
    for method in ("fit", "partial_fit", "score", *METHODS):
        if hasattr(type(estimator), method):
            assert routing.consumes(method, ["sample_domain"]) == {"sample_domain"}, method
            signature = inspect.signature(getattr(type(estimator), method))
            assert "sample_domain" in signature.parameters, method


@only(lambda e: hasattr(e, "fit_transform"))
def check_fit_transform_is_fit_then_transform(estimator):
    """Each row is mapped by its own domain's map, in both ways of asking."""
    X, y, d = make_data(estimator)
    at_once = clone(estimator).fit_transform(X, y, sample_domain=d)
    in_turn = clone(estimator).fit(X, y, sample_domain=d).transform(X, sample_domain=d)
    np.testing.assert_allclose(to_numpy(at_once), to_numpy(in_turn), rtol=1e-7, atol=1e-9)


@only(lambda e: not uses_target_labels(e))
def check_target_labels_do_not_matter(estimator):
    """What stands in y on target rows changes nothing."""
    X, y, d = make_data(estimator)
    wanted = outputs(fitted(estimator, X, y, d), X, d)
    target = d < 0
    permuted = y.copy()
    permuted[target] = np.random.default_rng(1).permutation(y[target])
    assert (permuted != y).any()
    hidden = hide_labels(y, d, estimator)
    constant = y.copy()
    constant[target] = y[~target][0]
    minus_one = hide_labels(y, d, estimator, mark=-1)
    for other in (permuted, hidden, minus_one, constant):
        assert_same(outputs(fitted(estimator, X, other, d), X, d), wanted, "target labels leak")


@only(lambda e: not e._order_dependent)
def check_row_order_does_not_matter(estimator):
    """Shuffling the rows shuffles the output and nothing else."""
    X, y, d = make_data(estimator)
    y = hide_labels(y, d, estimator)
    wanted = outputs(fitted(estimator, X, y, d), X, d)
    order = np.random.default_rng(2).permutation(len(X))
    found = outputs(fitted(estimator, X[order], y[order], d[order]), X[order], d[order])
    # iterative solvers stop at their tolerance, on sums in another order
    assert_same(found, {m: v[order] for m, v in wanted.items()}, "row order", rtol=1e-4, atol=1e-5)


def check_names_of_domains_do_not_matter(estimator):
    """Only the sign of an id and its equality with others have a meaning."""
    X, y, d = make_data(estimator)
    y = hide_labels(y, d, estimator)
    wanted = outputs(fitted(estimator, X, y, d), X, d)
    for source, target in ((5, -9), (0, -1)):
        renamed = np.where(d >= 0, source, target)
        found = outputs(fitted(estimator, X, y, renamed), X, renamed)
        assert_same(found, wanted, f"domains {source}/{target}")


def check_floats_and_lists_as_sample_domain(estimator):
    """Integral floats and plain lists are as good as integers."""
    X, y, d = make_data(estimator)
    y = hide_labels(y, d, estimator)
    wanted = outputs(fitted(estimator, X, y, d), X, d)
    for other in (d.astype(float), d.tolist(), pd.Series(d, index=np.arange(len(d)) + 7)):
        assert_same(outputs(fitted(estimator, X, y, other), X, other), wanted, str(type(other)))


def check_each_row_is_mapped_alone(estimator):
    """A row's output does not depend on the rows beside it, and no row is lost or added."""
    X, y, d = make_data(estimator)
    estimator = fitted(estimator, X, hide_labels(y, d, estimator), d)
    some = np.r_[np.flatnonzero(d < 0)[:3], np.flatnonzero(d >= 0)[:2]]
    for method in METHODS:
        if hasattr(estimator, method):
            call = getattr(estimator, method)
            all_rows = to_numpy(call(X, sample_domain=d))
            assert len(all_rows) == len(X), method
            few = to_numpy(call(X[some], sample_domain=d[some]))
            if few.dtype.kind == "f":
                np.testing.assert_allclose(few, all_rows[some], rtol=1e-4, atol=1e-6)
            else:
                np.testing.assert_array_equal(few, all_rows[some])


def check_rows_without_domain_are_target_rows(estimator):
    """Left out when the model is used, sample_domain means: target."""
    X, y, d = make_data(estimator)
    estimator = fitted(estimator, X, hide_labels(y, d, estimator), d)
    new = X[d < 0] + 0.01
    for method in METHODS:
        if hasattr(estimator, method):
            call = getattr(estimator, method)
            np.testing.assert_array_equal(
                to_numpy(call(new)), to_numpy(call(new, sample_domain=np.full(len(new), -2)))
            )


def check_one_sided_domains_raise(estimator):
    """Rows of one side only are an error that names the rule and the helper."""
    X, y, d = make_data(estimator)
    sides = {"target": np.abs(d), "source": -np.abs(d) - 1}
    # Maps that leave or join the source may get to know targets later.
    if not getattr(estimator, "_needs_target", True):
        del sides["target"]
    for side, ids in sides.items():
        with pytest.raises(ValueError, match=f"has no {side} rows") as error:
            clone(estimator).fit(X, y, sample_domain=ids)
        assert "skda.stack_domains" in str(error.value)
        assert "DomainStratifiedKFold" in str(error.value)


def check_bad_sample_domain_raises(estimator):
    """Every way of getting sample_domain wrong is named."""
    X, y, d = make_data(estimator)
    for bad, words in (
        (d[:-1], "one value per row"),
        (d < 0, "booleans"),
        (np.where(d < 0, "target", "source"), "encode_domains"),
        (np.where(d < 0, np.nan, 1.0), "NaN"),
        (d + 0.5, "signed integers"),
        (d.reshape(-1, 1), "one-dimensional"),
    ):
        with pytest.raises(ValueError, match=words) as error:
            clone(estimator).fit(X, y, sample_domain=bad)
        assert "sample_domain" in str(error.value)
    good = fitted(estimator, X, hide_labels(y, d, estimator), d)
    for method in METHODS:
        if hasattr(good, method):
            with pytest.raises(ValueError, match="one value per row"):
                getattr(good, method)(X, sample_domain=d[:-1])


@only(lambda e: not getattr(e, "_source_only", False))
def check_domains_that_were_not_fitted_are_refused(estimator):
    """What was learnt does not hold for another domain, and nothing is guessed in silence."""
    X, y, d = make_data(estimator)
    good = fitted(estimator, X, hide_labels(y, d, estimator), d)
    for method in METHODS:
        for unknown in (-9, 9):
            if hasattr(good, method):
                with pytest.raises(ValueError, match=rf"not fitted on: \[{unknown}\]"):
                    getattr(good, method)(X, sample_domain=np.where(d == -2, unknown, d))


def check_fit_without_sample_domain_warns(estimator):
    """With nothing to adapt to, the fit says so."""
    X, y, _ = make_data(estimator)
    with pytest.warns(DomainWarning, match="without sample_domain"):
        clone(estimator).fit(X, y)


@only(lambda e: not get_tags(e).input_tags.allow_nan)
def check_bad_rows_raise(estimator):
    """NaN and infinity are named, unless the estimator says that it takes them."""
    X, y, d = make_data(estimator)
    y = hide_labels(y, d, estimator)
    for bad in (np.nan, np.inf):
        broken = X.copy()
        broken[np.flatnonzero(d >= 0)[3], 1] = bad
        with pytest.raises(ValueError, match=r"NaN|infinity|inf"):
            clone(estimator).fit(broken, y, sample_domain=d)


@only(lambda e: hasattr(e, "predict") or hasattr(e, "transform"))
def check_plain_pipeline_and_searches(estimator):
    """In a plain Pipeline, GridSearchCV and cross_validate hand sample_domain through."""
    X, y, d = make_data(estimator)
    y = hide_labels(y, d, estimator)
    steps = [("scale", StandardScaler()), ("it", clone(estimator))]
    if not hasattr(estimator, "predict"):
        steps.append(("model", TrainOnSource(LogisticRegression())))
    pipe = Pipeline(steps)
    cv = DomainStratifiedKFold(2, shuffle=True, random_state=0)
    with sklearn.config_context(enable_metadata_routing=True):
        pipe.fit(X, y, sample_domain=d)
        alone = pipe.predict(X, sample_domain=d)
        assert len(alone) == len(X)
        scores = cross_validate(pipe, X, y, cv=cv, params={"sample_domain": d}, error_score="raise")
        assert np.isfinite(scores["test_score"]).all()
        grid = {"scale__with_mean": [False]}
        search = GridSearchCV(pipe, grid, cv=cv, error_score="raise")
        search.fit(X, y, sample_domain=d)
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()
        assert len(search.predict(X[d < 0])) == (d < 0).sum()


@only(lambda e: hasattr(e, "predict") or hasattr(e, "transform"))
def check_works_with_routing_off(estimator):
    """Fit with ``step__sample_domain`` and predict target rows, without any switch."""
    X, y, d = make_data(estimator)
    y = hide_labels(y, d, estimator)
    pipe = Pipeline([("scale", StandardScaler()), ("it", clone(estimator))])
    with sklearn.config_context(enable_metadata_routing=False):
        pipe.fit(X, y, it__sample_domain=d)
        method = "predict" if hasattr(estimator, "predict") else "transform"
        if hasattr(estimator, method):
            assert len(getattr(pipe, method)(X[d < 0])) == (d < 0).sum()


@only(is_classifier)
def check_every_missing_mark_means_missing(estimator):
    """NaN, None and -1 on target rows give the same model; integers stay integers."""
    X, y, d = make_data(estimator)
    wanted = fitted(estimator, X, hide_labels(y, d, estimator, mark=-1), d)
    for mark in (np.nan, None):
        model = fitted(estimator, X, hide_labels(y, d, estimator, mark=mark), d)
        assert model.classes_.dtype.kind == "i" and model.predict(X).dtype.kind == "i"
        assert_same(outputs(model, X, d), outputs(wanted, X, d), f"mark {mark}")


@only(is_regressor)
def check_whole_numbers_are_numbers_to_a_regressor(estimator):
    """Integer targets, which stack_domains turns into floats with NaN, are learnt as numbers."""
    X, y, d = make_data(estimator)
    counts = np.rint(10 * y)
    wanted = outputs(fitted(estimator, X, counts, d), X, d)
    if not uses_target_labels(estimator):
        found = outputs(fitted(estimator, X, hide_labels(counts, d, estimator), d), X, d)
        assert_same(found, wanted, "integers beside NaN")
    assert all(values.dtype.kind == "f" for values in wanted.values())


@only(is_classifier)
def check_one_source_class_is_learnt_or_explained(estimator):
    """With one class on the source a classifier predicts it, or says in our words what is wrong."""
    X, y, d = make_data(estimator)
    y = hide_labels(np.where(d >= 0, 1, y), d, estimator)
    try:
        model = clone(estimator).fit(X, y, sample_domain=d)
    except ValueError as error:
        assert "one class only" in str(error)
    else:
        assert 1 in model.predict(X)


@only(is_classifier)
def check_labels_of_any_kind(estimator):
    """Strings, bools, {-1, 1}, floats and gaps give the same model, named as they were."""
    X, y, d = make_data(estimator)
    source, target = d >= 0, d < 0
    codes = fitted(estimator, X, y, d).predict(X, sample_domain=d)
    kinds = {
        "text": np.array(["no", "yes"]),
        "object": np.array(["no", "yes"], dtype=object),
        "bool": np.array([False, True]),
        "minus one": np.array([-1, 1]),
        "floats": np.array([0.0, 1.0]),
        "gaps": np.array([10, 70], dtype=np.uint8),
    }
    for kind, names in kinds.items():
        if kind == "minus one" and uses_target_labels(estimator):
            continue  # ambiguous there, and refused
        model = fitted(estimator, X, names[y], d)
        assert model.classes_.tolist() == names.tolist(), kind
        assert model.predict(X, sample_domain=d).tolist() == names[codes].tolist(), kind
    if not uses_target_labels(estimator):  # as stack_domains leaves them
        for names in (kinds["text"], kinds["bool"], kinds["minus one"]):
            stacked = names[y].astype(object)
            stacked[target] = None
            model = fitted(estimator, X, stacked, d)
            assert model.classes_.tolist() == names.tolist()
            assert model.predict(X, sample_domain=d).tolist() == names[codes].tolist()
    assert source.any()


def check_data_frames(estimator):
    """pandas and polars go in; ``set_output`` gives names out."""
    X, y, d = make_data(estimator)
    y = hide_labels(y, d, estimator)
    names = ["age", "dose", "weight"]
    frame = pd.DataFrame(X, columns=names, index=np.arange(len(X)) + 100)
    wanted = outputs(fitted(estimator, X, y, d), X, d)
    model = fitted(estimator, frame, pd.Series(y, index=frame.index), d)
    assert model.feature_names_in_.tolist() == names
    assert_same(outputs(model, frame, d), wanted, "pandas")
    polars = pl.DataFrame(X, schema=names)
    assert_same(outputs(fitted(estimator, polars, y, d), polars, d), wanted, "polars")
    for method in METHODS:
        if hasattr(model, method):
            with pytest.raises(ValueError, match="feature names"):
                getattr(model, method)(frame.rename(columns={"age": "years"}))
    if hasattr(model, "transform") and hasattr(model, "set_output"):
        out = clone(estimator).set_output(transform="pandas")
        out = out.fit_transform(frame, y, sample_domain=d)
        assert isinstance(out, pd.DataFrame)
        assert out.index.tolist() == frame.index.tolist()
        assert out.columns.tolist() == model.get_feature_names_out().tolist()
        np.testing.assert_allclose(out.to_numpy(), wanted["transform"], rtol=1e-6, atol=1e-9)


def check_pickles(estimator):
    """A fitted estimator survives being saved."""
    X, y, d = make_data(estimator)
    model = fitted(estimator, X, hide_labels(y, d, estimator), d)
    assert_same(
        outputs(pickle.loads(pickle.dumps(model)), X, d), outputs(model, X, d), "after pickling"
    )


def check_inputs_and_parameters_are_left_alone(estimator):
    """Nothing that the user passed is written to."""
    X, y, d = make_data(estimator)
    y = hide_labels(y, d, estimator)
    kept = X.copy(), y.copy(), d.copy()
    model = clone(estimator)
    before = {name: repr(value) for name, value in model.get_params().items()}
    given = [a.copy() for a in kept]
    for array in given:
        array.setflags(write=False)
    model.fit(*given[:2], sample_domain=given[2])
    if hasattr(model, "transform"):
        out = to_numpy(model.transform(given[0], sample_domain=given[2]))
        target_only = to_numpy(model.transform(X[d < 0]))
        assert not np.shares_memory(out, given[0])
        assert not np.shares_memory(target_only, X)
    for array, wanted in zip(given, kept, strict=True):
        np.testing.assert_array_equal(array, wanted)
    assert {name: repr(value) for name, value in model.get_params().items()} == before


def check_refit_starts_afresh(estimator):
    """A second fit forgets the first."""
    X, y, d = make_data(estimator)
    y = hide_labels(y, d, estimator)
    X2, y2, d2 = make_data(estimator, seed=5)
    y2 = hide_labels(y2, d2, estimator)
    wanted = outputs(fitted(estimator, X2, y2, d2), X2, d2)
    model = fitted(estimator, X, y, d).fit(X2, y2, sample_domain=d2)
    assert_same(outputs(model, X2, d2), wanted, "second fit")


@only(lambda e: len(EXAMPLES.get(type(e).__name__, [])) > 1)
def check_refit_with_other_parameters_forgets_all(estimator):
    """Whatever a former fit learnt under other parameters is gone after this one."""
    X, y, d = make_data(estimator)
    y = hide_labels(y, d, estimator)
    learnt = set(vars(fitted(estimator, X, y, d)))
    for other in EXAMPLES[type(estimator).__name__]:
        X_other, y_other, d_other = make_data(other)
        model = fitted(other, X_other, hide_labels(y_other, d_other, other), d_other)
        model.set_params(**estimator.get_params(deep=False))
        model.fit(X, y, sample_domain=d)
        assert set(vars(model)) == learnt


def check_several_sources(estimator):
    """Several sources are taken; their ids reach the maps."""
    X, y, d = make_data(estimator, sources=(1, 2))
    y = hide_labels(y, d, estimator)
    model = fitted(estimator, X, y, d)
    for values in outputs(model, X, d).values():
        assert len(values) == len(X)


@only(lambda e: hasattr(e, "score") and (is_classifier(e) or is_regressor(e)))
def check_score_never_looks_at_target_labels_by_accident(estimator):
    """With sample_domain, score is the source's; target rows alone are refused, in words."""
    X, y, d = make_data(estimator)
    model = fitted(estimator, X, hide_labels(y, d, estimator), d)
    source = d >= 0
    wrong = y.copy()
    wrong[~source] = y[~source][::-1]
    right = model.score(X, y, sample_domain=d)
    assert right == pytest.approx(model.score(X, wrong, sample_domain=d))
    assert model.score(X, y, sample_domain=d, sample_weight=np.ones(len(X))) == pytest.approx(right)
    with pytest.raises(ValueError, match="LabeledTargetScorer"):
        model.score(X[~source], y[~source], sample_domain=d[~source])
    assert np.isfinite(model.score(X[~source], y[~source]))


@only(
    lambda e: (
        "strength" in e.get_params()
        and hasattr(e, "transform")
        and not getattr(e, "_fills_gaps", False)  # no gap is filled in part
    )
)
def check_strength_zero_is_the_identity(estimator):
    """A partial transformer at strength 0 returns the rows themselves."""
    X, y, d = make_data(estimator)
    still = clone(estimator).set_params(strength=0).fit_transform(X, y, sample_domain=d)
    np.testing.assert_array_equal(to_numpy(still), X)
    moved = clone(estimator).set_params(strength=1).fit_transform(X, y, sample_domain=d)
    assert abs(to_numpy(moved) - X).max() > 1e-3


@only(lambda e: hasattr(e, "transform"))
def check_precision_is_kept(estimator):
    """float32 stays float32 through a transformer."""
    X, y, d = make_data(estimator)
    for dtype in (np.float32, np.float64):
        model = fitted(estimator, X.astype(dtype), hide_labels(y, d, estimator), d)
        assert model.transform(X.astype(dtype), sample_domain=d).dtype == dtype


def check_docstring_states_the_array_level(estimator):
    """One class attribute serves the tag, the tests and the sentence that users read."""
    level = estimator._array_level
    sentence = (
        rf"Array level \({level}\)" if level != "inner" else "Array level: that of the estimator"
    )
    assert re.search(sentence.replace(" ", r"\s+"), type(estimator).__doc__)


@only(lambda e: e._array_level == "a")
def check_every_backend_agrees_with_numpy(estimator):
    """Level (a): torch in, torch out, on the same device and with the same values."""
    X, y, d = make_data(estimator)
    y = hide_labels(y, d, estimator)
    wanted = outputs(fitted(estimator, X, y, d), X, d)
    for name, device, dtype in BACKENDS[1:]:
        if dtype == "float32":
            continue  # precision has its own check
        backend = TestedBackend(name, device, dtype)
        rows = backend.asarray(X)
        model = fitted(estimator, rows, y, d)
        for method in METHODS:
            if hasattr(model, method) and not (method == "predict" and is_classifier(model)):
                out = getattr(model, method)(rows, sample_domain=d)
                assert is_foreign_array(out) and out.device == rows.device, (method, backend)
        assert_same(outputs(model, rows, d), wanted, repr(backend), rtol=1e-5, atol=1e-6)


def check_configured_backend_gives_back_what_came_in(estimator):
    """NumPy data worked on in torch come back as NumPy, with the same values."""
    X, y, d = make_data(estimator)
    y = hide_labels(y, d, estimator)
    wanted = outputs(fitted(estimator, X, y, d), X, d)
    with config_context(backend="torch", device="cpu"):
        model = fitted(estimator, X, y, d)
        if hasattr(model, "transform"):
            assert isinstance(model.transform(X, sample_domain=d), np.ndarray)
        assert_same(outputs(model, X, d), wanted, "in torch", rtol=1e-5, atol=1e-6)
    # what was learnt lives where the input came from, so no context is needed to use it
    assert_same(outputs(model, X, d), wanted, "after the context", rtol=1e-5, atol=1e-6)


CHECKS = [
    check
    for name, check in sorted(globals().items())
    if name.startswith("check_") and inspect.isfunction(check) and check.__module__ == __name__
]


def pairs(estimators):
    """Return each estimator with each check that is for it."""
    return [
        (estimator, check)
        for estimator in estimators
        for check in CHECKS
        if getattr(check, "applies", lambda _: True)(estimator)
    ]
