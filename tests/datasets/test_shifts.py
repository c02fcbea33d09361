"""Each generator shifts what it says, and nothing else."""

import numpy as np
import pytest
from sklearn.model_selection import cross_val_score
from sklearn.svm import SVC, SVR

from skda.datasets import (
    make_conditional_shift,
    make_covariate_shift,
    make_label_shift,
    make_subspace_shift,
)

GENERATORS = [
    make_covariate_shift,
    make_label_shift,
    make_conditional_shift,
    make_subspace_shift,
]
TASKS = ["binary", "multiclass", "regression"]

# Rows of a published benchmark: settings there, and the accuracy on the target of an SVC that was
# trained on the source and of one trained on the target.
PUBLISHED = [
    (make_covariate_shift, {"noise": 0.6, "center": (-0.4, 3)}, 0.881, 0.915),
    (make_label_shift, {"noise": 0.8}, 0.850, 0.932),
    (make_conditional_shift, {"noise": 0.8}, 0.662, 0.817),
    (make_subspace_shift, {"noise": 0.4}, 0.190, 0.985),
]


def split(X, y, sample_domain):
    source = sample_domain > 0
    return X[source], y[source], X[~source], y[~source]


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("make", GENERATORS)
def test_rows_and_ids_are_those_asked_for(make, task):
    X, y, sample_domain = make(83, 50, task=task, random_state=0)
    assert X.shape == (133, 2)
    assert np.array_equal(sample_domain, [1] * 83 + [-2] * 50)
    assert np.isfinite(X).all() and np.isfinite(y).all()
    classes = {"binary": 2, "multiclass": 3 if make is make_subspace_shift else 5}
    assert y.dtype.kind == ("f" if task == "regression" else "i")
    if task in classes:
        assert set(y[:83]) == set(range(classes[task]))


@pytest.mark.parametrize("make", GENERATORS)
def test_same_seed_same_rows(make):
    for once, again in zip(make(random_state=3), make(random_state=3), strict=True):
        assert np.array_equal(once, again)
    assert not np.array_equal(make(random_state=3)[0], make(random_state=4)[0])


@pytest.mark.parametrize("make", GENERATORS)
def test_shuffle_only_reorders_the_rows_within_a_domain(make):
    drawn, mixed = make(random_state=0, shuffle=False), make(random_state=0)
    assert not np.array_equal(drawn[0], mixed[0])
    rows = [
        sorted(zip(*map(tuple, (X[:, 0], X[:, 1], y, domain)), strict=True))
        for X, y, domain in (drawn, mixed)
    ]
    assert rows[0] == rows[1]


@pytest.mark.parametrize(("make", "options", "from_source", "from_target"), PUBLISHED)
def test_published_accuracies_are_reached(make, options, from_source, from_target):
    scores = []
    for seed in range(5):
        Xs, ys, Xt, yt = split(*make(**options, random_state=seed))
        scores.append([SVC().fit(Xs, ys).score(Xt, yt), cross_val_score(SVC(), Xt, yt).mean()])
    # Published means are over five random fifths of the target, ours over all of it.
    assert np.mean(scores, axis=0) == pytest.approx([from_source, from_target], abs=0.025)


def test_covariate_shift_keeps_the_labels_of_a_place():
    Xs, ys, Xt, yt = split(*make_covariate_shift(4000, task="regression", random_state=0))
    model = SVR(C=100).fit(Xs, ys)
    assert model.score(Xt, yt) > 0.95
    assert Xt.std() < 0.8 * Xs.std()


def test_covariate_shift_without_a_window_is_no_shift():
    Xs, ys, Xt, yt = split(*make_covariate_shift(4000, 4000, gamma=0, random_state=0))
    assert Xs.mean(axis=0) == pytest.approx(Xt.mean(axis=0), abs=0.1)
    assert ys.mean() == pytest.approx(yt.mean(), abs=0.03)


@pytest.mark.parametrize("task", TASKS)
def test_label_shift_moves_the_share_of_the_first_class_only(task):
    Xs, ys, Xt, yt = split(*make_label_shift(8000, 8000, task=task, ratio=0.8, random_state=0))
    below = np.median(ys) if task == "regression" else 0.5
    assert np.mean(ys < below) == pytest.approx(0.5, abs=0.01)
    assert np.mean(yt < below) == pytest.approx(0.8, abs=0.02)
    for side in (np.less, np.greater_equal):
        of_source, of_target = Xs[side(ys, below)], Xt[side(yt, below)]
        assert of_source.mean(axis=0) == pytest.approx(of_target.mean(axis=0), abs=0.1)
        assert np.cov(of_source.T) == pytest.approx(np.cov(of_target.T), abs=0.15)


def test_conditional_shift_maps_the_rows_and_keeps_their_labels():
    moved = make_conditional_shift(scale=0.5, offset=(1, 2), random_state=0)
    still = make_conditional_shift(scale=1, offset=0, random_state=0)
    target = moved[2] < 0
    np.testing.assert_allclose(moved[0][target], still[0][target] * 0.5 + [1, 2])
    np.testing.assert_array_equal(moved[0][~target], still[0][~target])
    np.testing.assert_array_equal(moved[1], still[1])


@pytest.mark.parametrize("task", TASKS)
def test_subspace_shift_is_solved_in_the_subspace_only(task):
    Xs, ys, Xt, yt = split(*make_subspace_shift(task=task, noise=0.2, random_state=0))
    model = SVR(C=10) if task == "regression" else SVC()
    assert model.fit(Xs, ys).score(Xt, yt) < 0.3
    along = [np.abs(X.sum(axis=1, keepdims=True)) for X in (Xs, Xt)]
    assert model.fit(along[0], ys).score(along[1], yt) > 0.8


def test_noise_of_each_domain_is_its_own():
    exact = make_label_shift(random_state=0, shuffle=False)
    noisy = make_label_shift(noise=(0, 0.5), random_state=0, shuffle=False)
    target = exact[2] < 0
    difference = noisy[0] - exact[0]
    assert not difference[~target].any()
    assert difference[target].std() == pytest.approx(0.5, rel=0.1)


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (make_label_shift, {"task": "ordinal"}, r"task must be one of .*; got 'ordinal'"),
        (make_label_shift, {"ratio": 1.5}, r"ratio must be a number in \[0, 1\]; got 1.5"),
        (make_label_shift, {"noise": -1}, "noise must be a non-negative number; got -1"),
        (make_label_shift, {"noise": (1, 2, 3)}, r"noise must be a number or two; got \(1, 2, 3\)"),
        *[(make, {"noise": np.inf}, "noise must be .*; got inf") for make in GENERATORS],
        *[(make, {"shuffle": "no"}, "shuffle must be True or False") for make in GENERATORS],
        *[
            (make, {"n_samples_target": bad}, "n_samples_target must be an integer from")
            for make in GENERATORS
            for bad in (np.nan, 1e300, 10**300, "many", None, True)
        ],
        *[
            (make_conditional_shift, {name: bad}, f"{name} must be a ")
            for name in ("scale", "offset")
            for bad in (np.nan, np.inf, "bogus", (1, np.nan), None, [[1, 2]])
        ],
        (make_covariate_shift, {"gamma": np.nan}, "gamma must be a non-negative number"),
        (make_covariate_shift, {"center": (0, np.inf)}, "center must be a finite number"),
        (make_label_shift, {"ratio": "half"}, "ratio must be a number"),
        (make_covariate_shift, {"n_samples_source": 7}, "must be an integer from 8 .*; got 7"),
        (make_subspace_shift, {"n_samples_target": 3}, "must be an integer from 4 .*; got 3"),
        (make_covariate_shift, {"center": (99, 99)}, r"center=\(99, 99\) leave fewer than"),
    ],
)
def test_bad_input_is_named(make, options, message):
    with pytest.raises(ValueError, match=message):
        make(**options, random_state=0)
