"""Optuna searches with our splitters and scorers."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score, cross_validate
from sklearn.preprocessing import StandardScaler

from skda import CORALTransformer, make_domain_pipeline, stack_domains
from skda.metrics import InformationMaximizationScorer, LabeledTargetScorer
from skda.model_selection import DomainStratifiedKFold

optuna = pytest.importorskip("optuna")

pytestmark = pytest.mark.usefixtures("routing")


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    ys, yt = rng.integers(0, 2, 60), rng.integers(0, 2, 60)
    Xs, Xt = (rng.normal(size=(60, 2)) + [[3.0, 0.0]] * y[:, None] for y in (ys, yt))
    Xt = Xt * [[0.5, 2.0]] + [[3.0, -3.0]]
    return *stack_domains(Xs, ys, Xt), Xt, yt


def pipeline():
    return make_domain_pipeline(
        StandardScaler(), CORALTransformer(match_mean=True), LogisticRegression()
    )


def folds():
    return DomainStratifiedKFold(2, shuffle=True, random_state=0)


def test_a_study_chooses_without_target_labels(data):
    X, y, d, X_target, y_target = data

    def objective(trial):
        strength = trial.suggest_float("strength", 0, 1)
        model = pipeline().set_params(coraltransformer__strength=strength)
        scores = cross_validate(
            model,
            X,
            y,
            cv=folds(),
            scoring=InformationMaximizationScorer(),
            params={"sample_domain": d},
        )
        return scores["test_score"].mean()

    sampler = optuna.samplers.RandomSampler(seed=0)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(objective, n_trials=6)
    best = pipeline().set_params(coraltransformer__strength=study.best_params["strength"])
    weak = pipeline().set_params(coraltransformer__strength=0.0)
    for model in (best, weak):
        model.fit(X, y, sample_domain=d)
    assert best.score(X_target, y_target) > weak.score(X_target, y_target) + 0.1


# Their class is experimental, and uses a module of theirs that is deprecated.
@pytest.mark.filterwarnings("ignore:OptunaSearchCV is experimental")
@pytest.mark.filterwarnings("ignore:`optuna.terminator` module:FutureWarning")
def test_their_search_routes_domains_to_splitter_and_scorer(data):
    OptunaSearchCV = pytest.importorskip("optuna_integration").OptunaSearchCV
    X, y, d, X_target, y_target = data
    search = OptunaSearchCV(
        pipeline(),
        {"coraltransformer__strength": optuna.distributions.FloatDistribution(0, 1)},
        cv=folds(),
        scoring=InformationMaximizationScorer(),
        n_trials=4,
        random_state=0,
        error_score="raise",
    ).fit(X, y, sample_domain=d)
    best = clone(pipeline()).set_params(**search.best_params_)
    scores = cross_val_score(
        best,
        X,
        y,
        cv=folds(),
        scoring=InformationMaximizationScorer(),
        params={"sample_domain": d},
    )
    assert_allclose(search.best_score_, scores.mean())
    assert_allclose(search.predict(X_target), best.fit(X, y, sample_domain=d).predict(X_target))
    # Its own score passes no domains on; a scorer that is called by hand gets them.
    with pytest.raises(ValueError, match="needs sample_domain"):
        search.score(X_target, y_target)
    judged = LabeledTargetScorer("accuracy")(
        search, X_target, y_target, sample_domain=np.full(len(y_target), -2)
    )
    assert judged == search.best_estimator_.score(X_target, y_target)
