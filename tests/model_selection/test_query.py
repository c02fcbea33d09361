"""query_rows: the rows whose labels choose, train or measure a model."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.svm import LinearSVC

from skda import DomainScaler, make_domain_pipeline
from skda.model_selection import GuardedSearchCV, query_rows
from skda.model_selection._query import inclusion_probabilities

pytestmark = pytest.mark.usefixtures("routing")


@pytest.fixture
def line():
    """200 rows on a line, the first half source, and three models with other thresholds."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(200, 1))
    models = [LogisticRegression(C=100).fit(X, X[:, 0] > at) for at in (0.0, 0.3, -0.3)]
    return X, np.repeat([1, -2], 100), models


def test_only_target_rows_without_a_label_come_back(line):
    X, d, models = line
    y = np.full(200, np.nan)
    y[100:150] = 1
    for goal in ("choose", "train", "measure"):
        rows = query_rows(models, X, n=10, goal=goal, y=y, sample_domain=d, random_state=0).indices
        assert len(set(rows)) == 10 and rows.min() >= 150
        assert query_rows(models, X, n=10, goal=goal, random_state=0).indices.min() < 100


# To choose


def test_rows_to_choose_are_uniform_among_disagreements(line):
    X, d, models = line
    differ = np.flatnonzero(
        (d < 0) & np.any([m.predict(X) != models[0].predict(X) for m in models], axis=0)
    )
    counts = np.zeros(200)
    for seed in range(300):
        rows = query_rows(models, X, n=5, sample_domain=d, random_state=seed)
        counts[rows.indices] += 1
        assert rows.n_pool == len(differ)
        assert rows.probabilities == pytest.approx(5 / len(differ))
    assert counts[np.setdiff1d(np.arange(200), differ)].sum() == 0
    expected = 300 * 5 / len(differ)
    assert abs(counts[differ] - expected).max() < 4.5 * np.sqrt(expected)


def test_scores_say_how_many_models_differ(line):
    X, d, models = line
    rows = query_rows(models, X, n=5, sample_domain=d, random_state=0)
    first, *others = (m.predict(X[rows.indices]) for m in models)
    np.testing.assert_allclose(rows.scores, np.mean([o != first for o in others], axis=0))


def test_fewer_rows_where_models_disagree_on_fewer(line):
    X, d, models = line
    rows = query_rows(models, X, n=1000, sample_domain=d)
    assert 0 < len(rows.indices) == rows.n_pool < 100
    none = query_rows([models[0], models[0]], X, n=5)
    assert len(none.indices) == none.n_pool == 0


def test_models_come_in_any_container(line):
    X, d, models = line
    wanted = query_rows(models, X, n=5, random_state=0).indices
    named = dict(zip("abc", models, strict=True))
    np.testing.assert_array_equal(query_rows(named, X, n=5, random_state=0).indices, wanted)
    voting = VotingClassifier(list(named.items())).fit(X, X[:, 0] > 0.2)
    assert len(query_rows(voting, X, n=1).indices) <= 1
    forest = RandomForestClassifier(5, random_state=0).fit(X, X[:, 0] > 0)
    assert query_rows(forest, X, n=3, goal="measure").n_pool == 200
    models = {"scaler": make_domain_pipeline(DomainScaler(), LogisticRegression())}
    y = np.where(d < 0, np.nan, X[:, 0] > 0)
    X = X + np.where(d < 0, 0.5, 0)[:, None]
    search = GuardedSearchCV(models).fit(X, y, sample_domain=d)
    rows = query_rows(search, X, n=5, sample_domain=d, random_state=0).indices
    source_only, scaler = search.estimators_.values()
    assert (source_only.predict(X[rows]) != scaler.predict(X[rows])).all()


def test_rows_are_drawn_without_regard_to_candidates_that_were_given_up(line):
    X, d, _ = line
    y = (X[:, 0] > 0).astype(float)

    class Bad(LogisticRegression):
        def predict(self, X):
            return 1 - super().predict(X)

    search = GuardedSearchCV({"bad": Bad()}, source_only=LogisticRegression())
    search.fit(X, np.where(d < 0, np.nan, y), sample_domain=d)
    rows = query_rows(search, X, n=8, sample_domain=d, random_state=0).indices
    assert len(rows) == 8
    search.update(X[rows], y[rows])
    assert search.results_["given_up"].tolist() == [False, True]
    assert len(query_rows(search, X, n=8, sample_domain=d).indices) == 0
    assert search.n_labels_needed_ is None


# To train


def test_rows_to_train_on_are_unsure_dense_and_apart():
    rng = np.random.default_rng(0)
    groups = np.array([[0.0, 0.0], [0.0, 4.0], [0.0, 8.0], [5.0, 4.0]])
    X = np.vstack([center + 0.3 * rng.normal(size=(40, 2)) for center in groups])
    X = np.vstack([X, [[0.0, 60.0]]])  # unsure, but alone
    model = LogisticRegression().fit([[-1.0, 0.0], [1.0, 0.0]], [0, 1])  # unsure at x = 0
    rows = query_rows(model, X, n=3, goal="train")
    assert sorted(rows.indices // 40) == [0, 1, 2]
    assert rows.probabilities is None and rows.scores.shape == (3,)
    with pytest.raises(ValueError, match="goal='measure'"):
        rows.mean(np.ones(3))
    # A group that has a label already is left for later.
    y = np.full(len(X), np.nan)
    y[rows.indices[0]] = 1
    again = query_rows(model, X, n=2, goal="train", y=y).indices
    assert rows.indices[0] // 40 not in again // 40


def test_copies_of_a_row_and_few_rows_are_no_problem():
    model = LogisticRegression().fit([[-1.0], [1.0]], [0, 1])
    X = np.zeros((20, 1))
    assert len(set(query_rows(model, X, n=3, goal="train").indices)) == 3
    assert query_rows(model, X[:1], n=3, goal="train").indices.tolist() == [0]


def test_rows_to_train_on_must_be_numbers():
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame({"a": ["x", "y", "z"]})

    class Any:
        def predict(self, X):
            return np.zeros(len(X))

    with pytest.raises(ValueError, match="dense table of numbers"):
        query_rows(Any(), X, n=1, goal="train")


# To measure


def test_an_estimate_from_measured_rows_is_unbiased_and_better_than_a_plain_one(line):
    X, d, models = line
    model, target = models[0], d < 0
    rng = np.random.default_rng(1)
    proba = model.predict_proba(X)[:, 1]
    y = rng.uniform(size=200) < proba  # the model knows how sure it may be
    wrong = (model.predict(X) != y).astype(float)
    truth = wrong[target].mean()
    estimates, plain = [], []
    for seed in range(1500):
        rows = query_rows(model, X, n=20, goal="measure", sample_domain=d, random_state=seed)
        estimates.append(rows.mean(wrong[rows.indices]))
        plain.append(wrong[target][np.random.default_rng(seed).permutation(100)[:20]].mean())
    error = np.std(estimates) / np.sqrt(len(estimates))
    assert abs(np.mean(estimates) - truth) < 4 * error
    assert np.std(estimates) < 0.9 * np.std(plain)


def test_the_mean_over_disagreements_is_unbiased_too(line):
    X, d, models = line
    values = X[:, 0]
    pool = query_rows(models, X, n=1000, sample_domain=d).indices
    found = []
    for seed in range(300):
        rows = query_rows(models, X, n=4, sample_domain=d, random_state=seed)
        found.append(rows.mean(values[rows.indices]))
    assert np.mean(found) == pytest.approx(values[pool].mean(), abs=4 * np.std(found) / 300**0.5)


def test_weights_are_bounded_and_probabilities_are_kept():
    rng = np.random.default_rng(0)
    for n in (1, 5, 29, 30):
        scores = rng.exponential(size=30) ** 3
        probabilities = inclusion_probabilities(scores, n)
        assert probabilities.sum() == pytest.approx(n)
        assert (probabilities <= 1).all() and (probabilities >= 0.5 * n / 30 - 1e-12).all()
    np.testing.assert_allclose(inclusion_probabilities(np.zeros(4), 2), 0.5)


@pytest.mark.parametrize("n", [7, 100, 500])
def test_all_rows_are_measured_when_there_are_no_more(line, n):
    X, d, models = line
    rows = query_rows(models[0], X, n=n, goal="measure", sample_domain=d, random_state=0)
    assert len(set(rows.indices)) == min(n, 100)
    if n >= 100:
        assert rows.mean(X[rows.indices, 0]) == pytest.approx(X[d < 0, 0].mean())


def test_models_without_probabilities(line):
    X, d, _ = line
    svc = LinearSVC().fit(X, X[:, 0] > 0)
    alone = query_rows(svc, X, n=5, goal="measure", sample_domain=d, random_state=0)
    np.testing.assert_allclose(alone.probabilities, 0.05)
    other = LinearSVC().fit(X, X[:, 0] > 0.5)
    both = query_rows([svc, other], X, n=40, goal="measure", sample_domain=d, random_state=0)
    differ = svc.predict(X[both.indices]) != other.predict(X[both.indices])
    assert both.probabilities[differ].min() > both.probabilities[~differ].max()
    ridges = [Ridge(a).fit(X, X[:, 0]) for a in (1.0, 500.0)]
    far = query_rows(ridges, X, n=20, goal="train", sample_domain=d).indices
    assert abs(X[far, 0]).mean() > 0.4


# Bad input


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"n": 0}, "n must be"),
        ({"n": 2.5}, "n must be"),
        ({"goal": "learn"}, "goal"),
        ({"y": [1, 2]}, "one label per row"),
        ({"y": np.ones(200)}, "no target row without a label"),
        ({"sample_domain": np.ones(200)}, "no target row without a label"),
        ({"sample_domain": [1, -2]}, "one value per row"),
    ],
)
def test_bad_parameters_are_named(line, params, words):
    X, d, models = line
    with pytest.raises(ValueError, match=words):
        query_rows(models, X, **{"n": 5, "sample_domain": d, **params})


def test_one_model_cannot_be_chosen_among(line):
    X, _, models = line
    for one in (models[0], models[:1]):
        with pytest.raises(ValueError, match="two fitted models or more"):
            query_rows(one, X, n=5)
    with pytest.raises(ValueError, match="got none"):
        query_rows({}, X, n=5, goal="measure")
    rows = query_rows(models, X, n=5, goal="measure")
    with pytest.raises(ValueError, match="one entry per queried row, 5"):
        rows.mean([1.0])
