"""Feature augmentation: its blocks, its names, and a target that differs in one coefficient."""

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression

from skda import FeatureAugmentationTransformer, TrainOnSource, make_domain_pipeline, stack_domains


def test_each_source_has_its_block_and_the_targets_share_one(xp):
    X = np.arange(8.0).reshape(4, 2)
    ids = np.array([3, -1, 1, -2])
    Z = FeatureAugmentationTransformer().fit_transform(xp.asarray(X), sample_domain=ids)
    zero = np.zeros(2)
    expected = [
        [*X[0], *zero, *X[0], *zero],
        [*X[1], *zero, *zero, *X[1]],
        [*X[2], *X[2], *zero, *zero],
        [*X[3], *zero, *zero, *X[3]],
    ]
    np.testing.assert_array_equal(xp.to_numpy(Z), expected)


def test_inner_products_double_within_a_domain():
    # The kernel view of [1]: 2k(x, x') within a domain, k(x, x') across.
    rng = np.random.default_rng(0)
    X, ids = rng.normal(size=(6, 3)), np.array([1, 1, 1, -2, -2, -2])
    Z = FeatureAugmentationTransformer().fit_transform(X, sample_domain=ids)
    same = (ids[:, None] > 0) == (ids > 0)
    np.testing.assert_allclose(Z @ Z.T, np.where(same, 2, 1) * (X @ X.T))


def test_names_say_whose_block_it_is():
    X, ids = np.ones((3, 1)), [2, 1, -3]
    fa = FeatureAugmentationTransformer().fit(X, sample_domain=ids)
    assert fa.get_feature_names_out(["age"]).tolist() == [
        "age_shared",
        "age_source1",
        "age_source2",
        "age_target",
    ]


def test_a_few_target_labels_correct_what_differs():
    plain, adapted = [], []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        Xs, Xt = rng.normal(size=(400, 10)), rng.normal(size=(400, 10))
        shared = rng.normal(size=10)
        other = shared.copy()
        other[:2] = -3 * shared[:2] - 2
        ys, yt = (Xs @ shared > 0).astype(int), (Xt @ other > 0).astype(int)
        few = np.where(np.arange(400) < 40, yt, -1)
        X, y, ids = stack_domains(Xs, ys, Xt, few)
        with sklearn.config_context(enable_metadata_routing=True):
            for steps, scores in (((), plain), ((FeatureAugmentationTransformer(),), adapted)):
                last = TrainOnSource(LogisticRegression(max_iter=1000), use_target_labels=True)
                model = make_domain_pipeline(*steps, last).fit(X, y, sample_domain=ids)
                scores.append(model.score(Xt[40:], yt[40:]))
    assert np.mean(adapted) > np.mean(plain) + 0.05
