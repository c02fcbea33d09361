"""Towers agree on the views of a row, stand in for each other, and find rows across views."""

import io

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

torch = pytest.importorskip("torch")
pytest.importorskip("skorch")

from skda import DomainWarning, GaussianNoiseAugmenter, TwoTowerClassifier  # noqa: E402
from skda.deep._contrastive import info_nce  # noqa: E402
from skda.deep._domain_norm import rows_of  # noqa: E402
from skda.deep._towers import (  # noqa: E402
    PairedViewsLoss,
    center_and_spread_of_known,
    mean_of_views,
)
from skda.deep._training import DomainBatch  # noqa: E402

VIEWS = {"image": [0, 1, 2, 3], "text": slice(4, 8)}
SMALL = {"module__hidden": 16, "n_components": 8, "random_state": 0}


def pairs_of_views(seed=0, n=60):
    """Two views of four hidden values; source rows have labels and no text."""
    rng = np.random.default_rng(seed)
    latent = rng.normal(size=(2 * n, 4))
    y = (latent[:, 0] > 0).astype(int)
    image, text = latent @ rng.normal(size=(4, 4)), np.tanh(latent @ rng.normal(size=(4, 4)))
    X = np.hstack([image, text])
    d = np.repeat([1, -2], n)
    X[:n, 4:] = np.nan
    return X, y, d


def only(X, view):
    """The rows with one view."""
    other = slice(4, 8) if view == "image" else slice(4)
    X = X.copy()
    X[:, other] = np.nan
    return X


@pytest.fixture(scope="module")
def paired():
    """A net, one without the contrastive loss, and their rows."""
    X, y, d = pairs_of_views()
    net = TwoTowerClassifier(VIEWS, temperature=0.1, max_epochs=80, batch_size=256, **SMALL)
    plain = clone(net).set_params(alignment_weight=0.0)
    return net.fit(X, y, sample_domain=d), plain.fit(X, y, sample_domain=d), (X, y, d)


# The loss


def test_info_nce_is_the_sum_of_the_paper_by_brute_force():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.nn.functional.normalize(torch.randn(2, 5, 3, generator=generator), dim=2).double()
    total = 0.0
    for i in range(5):
        own = np.exp(float(a[i] @ b[i]) / 0.3)
        total -= np.log(own / sum(np.exp(float(a[i] @ b[j]) / 0.3) for j in range(5)))
        total -= np.log(own / sum(np.exp(float(a[j] @ b[i]) / 0.3) for j in range(5)))
    assert float(info_nce(a, b, 0.3)) == pytest.approx(total / 10)
    assert float(info_nce(b, a, 0.3)) == pytest.approx(total / 10)
    a.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: info_nce(x, b, 0.3), a)


def test_only_pairs_count_each_among_the_rows_of_its_side():
    generator = torch.Generator().manual_seed(1)
    Z = torch.nn.functional.normalize(torch.randn(12, 3, 4, generator=generator), dim=2)
    present = torch.ones(12, 3)
    present[[0, 8], 0], present[[1, 2, 7], 2] = 0.0, 0.0
    packed = torch.cat([Z.flatten(start_dim=1), present], dim=1)
    loss = PairedViewsLoss(3, 0.2)
    found = loss(DomainBatch(packed[:5], None), DomainBatch(packed[5:], None))
    total, n = 0.0, 0
    for rows in (np.arange(5), np.arange(5, 12)):
        for u, v in ((0, 1), (0, 2), (1, 2)):
            both = [i for i in rows if present[i, u] and present[i, v]]
            total += len(both) * float(info_nce(Z[both, u], Z[both, v], 0.2))
            n += len(both)
    assert float(found) == pytest.approx(total / n, rel=1e-5)
    # One side alone, and rows of which none is a pair.
    alone = DomainBatch(packed[:5], None)
    assert float(loss(alone, None)) == pytest.approx(float(loss(None, alone)))
    packed[:5, -3:-1] = 0.0
    assert float(loss(DomainBatch(packed[:5], None), None)) == 0.0


def test_what_a_row_lacks_does_not_count_in_its_joint_embedding_nor_in_statistics(paired):
    net, _, (X, _, _) = paired
    module = net.net_.module_
    X = X[40:100].copy()
    X[10:20, 4:] = 1 + X[30:50:2, 4:]  # ten source rows without a text, ten with it
    rows = torch.as_tensor(X).float()
    embeddings, present = module.embed(rows)
    assert present[:, 1].tolist() == [False] * 10 + [True] * 50
    joint = mean_of_views(embeddings, present)
    torch.testing.assert_close(joint[0], embeddings[0, 0])
    torch.testing.assert_close(joint[-1], embeddings[-1].mean(dim=0))
    # Batch normalization sees the texts that are there, each side on its own.
    text = module.towers[1].train()
    with rows_of(20):
        by_side = module.embed(rows)[0][10:, 1]
    with rows_of(10):
        alone = torch.nn.functional.normalize(text(rows[10:, 4:])[0], dim=1)
    text.eval()
    torch.testing.assert_close(by_side, alone)


def test_centers_and_spreads_are_those_of_known_values():
    X = torch.tensor([[1.0, 5.0], [3.0, torch.nan], [5.0, torch.nan], [torch.nan, torch.nan]])
    found = center_and_spread_of_known(X)
    assert found[0].tolist() == [3.0, 5.0] and found[1, 1] == 1.0
    assert torch.isnan(center_and_spread_of_known(X[3:])).all()


# What the pairs are good for


def test_a_text_is_read_by_labels_of_images_and_without_pairs_it_is_not(paired):
    net, plain, (X, y, d) = paired
    target = d < 0
    text = only(X[target], "text")
    assert net.score(text, y[target]) > 0.8 > 0.7 > plain.score(text, y[target])
    assert net.score(only(X[target], "image"), y[target]) > 0.8


def test_neighbors_across_views_are_those_of_the_embeddings(paired):
    net, plain, (X, _, d) = paired
    X = X[d < 0]
    distances, rows = net.kneighbors(only(X, "text"), X, view="text", n_neighbors=3)
    assert distances.shape == rows.shape == (60, 3)
    a, b = net.transform(only(X, "text")), net.transform(only(X, "image"))
    a, b = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (a, b))
    wanted = np.argsort(1 - a @ b.T, axis=1)[:, :3]
    np.testing.assert_array_equal(rows, wanted)
    np.testing.assert_allclose(distances, np.take_along_axis(1 - a @ b.T, wanted, 1), atol=1e-6)
    hits = (rows[:, 0] == np.arange(60)).mean()
    by_chance = plain.kneighbors(X, X, view="text", n_neighbors=1, return_distance=False)
    assert hits > 0.6 > 0.2 > (by_chance[:, 0] == np.arange(60)).mean()
    # Within a view a row is its own neighbor; rows that lack the view are never found.
    own = net.kneighbors(X, X, view="text", among_view="text", n_neighbors=1)[1]
    np.testing.assert_array_equal(own[:, 0], np.arange(60))
    some = X.copy()
    some[::2, :4] = np.nan
    assert (net.kneighbors(X, some, view="text")[1] % 2 == 1).all()


def test_kneighbors_refuses_what_it_cannot_do_in_words(paired):
    net, _, (X, _, d) = paired
    some = X[d < 0]
    with pytest.raises(ValueError, match="view must be one of"):
        net.kneighbors(some, some, view="sound")
    with pytest.raises(ValueError, match="60 rows lack it"):
        net.kneighbors(only(some, "image"), some, view="text")
    with pytest.raises(ValueError, match=r"n_neighbors must be at most .* which is 4"):
        net.kneighbors(some, some[:4], view="text")
    with pytest.raises(ValueError, match="n_neighbors"):
        net.kneighbors(some, some, view="text", n_neighbors=0)
    with pytest.raises(ValueError, match="return_distance"):
        net.kneighbors(some, some, view="text", return_distance="yes")
    with pytest.raises(ValueError, match="not fitted on"):
        net.kneighbors(some, some, view="text", among_domain=np.full(60, -9))


# Rows, domains and parameters


def test_rows_of_any_views_train_and_are_predicted(paired):
    X, y, d = pairs_of_views(n=30)
    X[5, 1] = X[40, 6] = np.nan  # single values count as means
    names = [*"abcdefgh", "unused"]
    frame = pd.DataFrame(np.column_stack([X, X[:, 0]]), columns=names)
    views = {"image": names[:4], "text": ["e", "f"], "more": np.isin(names, ["g", "h"])}
    net = TwoTowerClassifier(views, max_epochs=2, temperature=0.5, view_dropout=0.5, **SMALL)
    net.fit(frame, y, sample_domain=d)
    absent = frame.drop(columns=names[4:6])
    wanted = net.predict_proba(frame.assign(e=np.nan, f=np.nan))
    np.testing.assert_array_equal(net.predict_proba(absent), wanted)
    with pytest.raises(ValueError, match="feature names"):
        net.predict(frame.drop(columns="e"))
    with pytest.raises(ValueError, match=r"among_view must be one of .*; got None"):
        net.kneighbors(frame, frame, view="text")
    frame.iloc[3, :8] = np.nan
    for call in (net.predict, lambda X: clone(net).fit(X, y, sample_domain=d)):
        with pytest.raises(ValueError, match="Each row of X must have one of the views"):
            call(frame)


def test_a_side_that_lacks_a_view_is_scaled_as_the_other():
    X, y, d = pairs_of_views(n=30)
    X[d > 0, 4:] = np.nan
    X[d < 0, 4:] *= 100
    net = TwoTowerClassifier(VIEWS, max_epochs=2, **SMALL).fit(X, y, sample_domain=d)
    scaling = net.input_scaling_
    np.testing.assert_array_equal(scaling["source"][:, 4:], scaling["target"][:, 4:])
    assert (scaling["source"][:, :4] != scaling["target"][:, :4]).all()
    new = net.with_statistics_of(only(X[d < 0], "image") + 3)
    moved = new.input_scaling_["target"][0] - scaling["target"][0]
    np.testing.assert_allclose(moved, [3, 3, 3, 3, 0, 0, 0, 0], atol=1e-4)


def test_target_rows_enter_the_pairs_and_their_labels_do_not():
    X, y, d = pairs_of_views(n=30)
    options = {"max_epochs": 2, "input_scaling": "source", "batch_norm": False} | SMALL
    net = TwoTowerClassifier(VIEWS, **options)
    wanted = net.fit(X, y, sample_domain=d).predict_proba(X)
    hidden = np.where(d > 0, y, 1 - y)
    np.testing.assert_array_equal(
        clone(net).fit(X, hidden, sample_domain=d).predict_proba(X), wanted
    )
    # Other partners on the target change what is learnt, and at weight 0 nothing does.
    other = X.copy()
    other[d < 0, 4:] = X[d < 0, 4:][::-1]
    assert abs(clone(net).fit(other, y, sample_domain=d).predict_proba(X) - wanted).max() > 1e-4
    plain = clone(net).set_params(alignment_weight=0.0)
    without = [clone(plain).fit(rows, y, sample_domain=d).predict_proba(X) for rows in (X, other)]
    np.testing.assert_array_equal(*without)
    labeled = clone(net).set_params(use_target_labels=True).fit(X, y, sample_domain=d)
    assert abs(labeled.predict_proba(X) - wanted).max() > 1e-4


def test_pairs_of_the_source_are_enough_where_no_domain_is_known():
    X, y, _ = pairs_of_views(n=30)
    X[:, 4:] = np.tanh(X[:, :4])  # all are paired
    net = TwoTowerClassifier(VIEWS, max_epochs=60, alignment_schedule="sigmoid", **SMALL)
    with pytest.warns(DomainWarning, match="without sample_domain"):
        net.fit(X, y)
    found = net.kneighbors(X, X, view="text", n_neighbors=1, return_distance=False)
    assert (found[:, 0] == np.arange(60)).mean() > 0.4


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"precision": "bf16"},
        {"batch_norm": "joint"},
        {"pretrain": "contrastive", "pretrain__epochs": 2},
        {"pretrain": "denoising", "pretrain__epochs": 2},
        {"augmenters": [GaussianNoiseAugmenter()]},
    ],
    ids=str,
)
def test_a_view_that_hardly_any_row_has_breaks_no_step(params):
    X, y, d = pairs_of_views(n=30)
    X[d < 0, :4] = np.nan
    X[35, :4] = 0.5  # one target row has an image, and is the only pair
    net = TwoTowerClassifier(VIEWS, max_epochs=3, batch_size=16, **SMALL | params)
    net.fit(X, y, sample_domain=d)
    assert np.isfinite(net.predict_proba(X, sample_domain=d)).all()
    X[35, :4] = np.nan
    with pytest.warns(DomainWarning, match="No row has two of the views"):
        net.fit(X, y, sample_domain=d)
    net.set_params(alignment_weight=0.0).fit(X, y, sample_domain=d)


def test_a_training_may_go_on_with_gaps_that_the_first_rows_had_not():
    X, y, d = pairs_of_views(n=30)
    full = np.hstack([X[:, :4], np.tanh(X[:, :4])])
    net = TwoTowerClassifier(VIEWS, max_epochs=2, warm_start=True, **SMALL)
    net.fit(full, y, sample_domain=d)
    assert net.net_.module_.complete and net.net_.alignment_.complete
    net.fit(X, y, sample_domain=d)
    assert not net.net_.module_.complete and not net.net_.alignment_.complete
    assert np.isfinite(net.predict_proba(X)).all()
    # What need not be asked for is left out of the steps, and nothing else.
    again = TwoTowerClassifier(VIEWS, max_epochs=2, **SMALL)
    wanted = again.fit(full, y, sample_domain=d).predict_proba(full)
    again._check_views_of = lambda data: np.ones((len(data.ids), 2), dtype=bool)
    found = again.fit(full, y, sample_domain=d).predict_proba(full)
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_weights_can_be_stored_as_plain_values(paired):
    net, _, (X, _, _) = paired
    file = io.BytesIO()
    net.save_weights(file)
    file.seek(0)
    loaded = clone(net).load_weights(file)
    np.testing.assert_array_equal(loaded.predict_proba(X), net.predict_proba(X))
    assert loaded.views_["text"].tolist() == [4, 5, 6, 7]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"views": {"image": [0, 1], "text": [1, 2]}}, "must not share columns"),
        ({"views": {"image": [0, 1]}}, "two views at least"),
        ({"views": "image"}, "views must be a dict"),
        ({"module": "resnet"}, "module must be a network of numbers"),
        ({"n_components": 0}, "n_components must"),
        ({"temperature": 0.0}, "temperature must"),
        ({"view_dropout": 1.0}, "view_dropout must"),
        ({"alignment_weight": -1.0}, "alignment_weight must"),
        ({"use_target_labels": "no"}, "use_target_labels must"),
    ],
)
def test_bad_parameters_are_named(params, words):
    X, y, d = pairs_of_views(n=10)
    net = TwoTowerClassifier(VIEWS, max_epochs=1, **SMALL).set_params(**params)
    with pytest.raises(ValueError, match=words):
        net.fit(X, y, sample_domain=d)
