"""The diagnosis names the kind of shift where it is known, and says what it cannot know."""

import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from benchmarks import diagnose as study
from skda.datasets import make_conditional_shift, make_covariate_shift, make_label_shift
from skda.inspection import Finding, ShiftReport, _diagnose, diagnose
from skda.inspection import _shift_tests as shift_tests

pd = pytest.importorskip("pandas")

QUICK = {"n_permutations": 99, "random_state": 0}


def hide(y, ids, n_labels, seed=0):
    """Labels with all but some of the target's missing."""
    y = np.asarray(y, dtype=float).copy()
    target = np.flatnonzero(ids < 0)
    y[np.random.default_rng(seed).permutation(target)[n_labels:]] = np.nan
    return y


@pytest.fixture(scope="module")
def label_report():
    X, y, ids = make_label_shift(200, 200, random_state=0)
    return diagnose(X, hide(y, ids, 30), ids, **QUICK)


@pytest.mark.parametrize(
    "setting", ["covariate", "conditional, noise", "subspace", "no shift, ratio=0.5"]
)
def test_kind_of_a_known_shift(setting):
    X, y, ids = study.draw(setting, 0)
    assert diagnose(X, y, ids, random_state=0).kind == study.SETTINGS[setting][2]


@pytest.mark.slow
@pytest.mark.parametrize("setting", study.SETTINGS)
def test_kind_is_right_in_nine_of_ten_draws(setting):
    row = study.kinds_of(setting, 20)
    assert row["kinds"].get(row["right"], 0) >= 18


def test_report_of_a_label_shift(label_report):
    assert label_report.kind == "label"
    assert "LabelShiftClassifier" in label_report["KIND"].advice
    priors = label_report["PRIORS"].evidence["0"]
    assert priors["source"] == 0.5 and priors["interval"][0] > 0.8
    assert label_report["MIXTURE"].severity == "info"


def test_without_labels_of_the_target_label_and_covariate_shift_are_not_told_apart():
    X, y, ids = make_label_shift(150, 150, random_state=0)
    report = diagnose(X, hide(y, ids, 0), ids, **QUICK)
    assert report.kind == "label or covariate"
    assert "cannot be told apart without labels" in str(report)
    X, y, ids = make_covariate_shift(150, 150, random_state=0)
    report = diagnose(X, hide(y, ids, 0), ids, **QUICK)
    assert report.kind == "covariate or conditional"
    assert "Until then AutoAdaptClassifier" in report["KIND"].advice


def test_without_source_labels_only_the_rows_are_compared():
    X, _, ids = make_covariate_shift(100, 100, random_state=0)
    report = diagnose(X, None, ids, **QUICK)
    assert report.kind == "unknown"
    assert {f.code for f in report.findings} == {"SIZE", "DOMAINS", "FEATURES", "OVERLAP", "KIND"}


def test_labels_that_are_turned_round_are_found_where_the_rows_agree():
    rng = np.random.default_rng(0)
    X, ids = rng.normal(size=(300, 2)), np.repeat([1, -2], 150)
    y = (X[:, 0] > 0).astype(float)
    y[ids < 0] = 1 - y[ids < 0]
    report = diagnose(X, hide(y, ids, 30), ids, **QUICK)
    assert report.kind == "conditional"
    assert report["CONCEPT"].severity == "serious"
    assert "Train on target labels" in report["KIND"].advice
    assert report["KIND"].advice.startswith("TransferGaussianProcessClassifier")


def test_numeric_labels_are_cut_into_bins():
    X, y, ids = make_conditional_shift(200, 200, task="regression", random_state=0)
    report = diagnose(X, hide(y, ids, 30), ids, **QUICK)
    assert report.kind == "conditional"
    assert "bins" in report["SIZE"].text
    assert "TransferGaussianProcessRegressor" in report["KIND"].advice
    assert "before it" in report["KIND"].advice  # an alignment
    assert list(report["PRIORS"].evidence)[:4] == ["bin 1", "bin 2", "bin 3", "bin 4"]


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    n = 160
    ids = np.repeat([1, 2, -3], [50, 50, 60])
    table = pd.DataFrame(
        {
            "size": rng.normal(size=n),
            "kind": rng.choice(["a", "b"], n),
            "note": [f"text number {i}" for i in range(n)],
        }
    )
    table.loc[ids < 0, "size"] += 1.0
    table.loc[rng.permutation(np.flatnonzero(ids < 0))[:20], "size"] = np.nan
    table.loc[150:, "kind"] = "c"
    y = np.where(rng.random(n) < 0.5, "yes", "no").astype(object)
    y[ids < 0] = None
    return table, y, ids


def test_frames_with_categories_gaps_and_text(frame):
    report = diagnose(*frame, **QUICK)
    assert report["TEXT"].evidence == {"columns": ["note"]}
    assert report["NEWCAT"].evidence == {"kind": ["c"]}
    assert report["MISSING"].evidence["size"] == {"source": 0.0, "target": pytest.approx(1 / 3)}
    assert report["MISSING"].severity == "warning"
    assert report["SOURCES"].evidence["sources"] == 2
    assert list(report.features.index) == ["size", "kind"]
    assert report.kind != "none"


def test_sparse_rows_are_taken():
    rng = np.random.default_rng(0)
    X = sparse.random_array((120, 600), density=0.05, random_state=rng, format="csr")
    report = diagnose(X, None, np.repeat([1, -2], 60), **QUICK)
    assert report["SIZE"].evidence["source_rows"] == 60
    assert "reduced" in report["TEXT"].text


def test_a_class_that_only_the_target_has_is_reported():
    X, y, ids = make_label_shift(100, 100, random_state=0)
    y = hide(y, ids, 30)
    y[np.flatnonzero((ids < 0) & ~np.isnan(y))[:4]] = 7
    report = diagnose(X, y, ids, **QUICK)
    assert report["NEWCLASS"].evidence == {"rows": 4}
    assert report["SIZE"].evidence["labeled_target_rows"] == 26


def test_the_users_classifier_takes_the_rows_as_they_come(frame):
    seen = []

    class Watched(LogisticRegression):
        def fit(self, X, y):
            seen.append(type(X))
            return super().fit(X[["size"]], y)

        def predict_proba(self, X):
            return super().predict_proba(X[["size"]])

    table, y, ids = frame
    table = table.fillna({"size": 0.0})
    y = np.where(np.arange(len(y)) % 2, "yes", "no")
    report = diagnose(table, y, ids, estimator=Watched(), **QUICK)
    assert set(seen) == {pd.DataFrame}
    assert report["SIZE"].evidence["labeled_target_rows"] == 60


def test_at_most_max_rows_are_used_and_labeled_ones_first():
    ids = np.repeat([1, -2], [100, 80])
    labeled = ids >= 0
    labeled[150:165] = True
    rng = np.random.default_rng(0)
    source, target = _diagnose._chosen_rows(ids, labeled, 40, rng)
    assert len(source) == len(target) == 40
    assert (ids[source] >= 0).all() and (ids[target] < 0).all()
    assert set(range(150, 165)) <= set(target.tolist())
    X, _, ids = make_covariate_shift(100, 100, random_state=0)
    report = diagnose(X, None, ids, max_rows=50, **QUICK)
    assert report["SIZE"].evidence["used_target"] == 50


def test_a_seed_repeats_the_report(label_report):
    X, y, ids = make_label_shift(200, 200, random_state=0)
    again = diagnose(X, hide(y, ids, 30), ids, **QUICK)
    assert again.to_dict() == label_report.to_dict()


def test_report_as_text_table_and_dict(label_report):
    text = str(label_report)
    assert len(text.splitlines()) <= 40 and max(map(len, text.splitlines())) <= 96
    table = label_report.to_frame()
    assert table.index.tolist() == [f.code for f in label_report.findings]
    assert json.loads(table.loc["PRIORS", "evidence"])["0"]["source"] == 0.5
    plain = json.loads(json.dumps(label_report.to_dict()))
    assert plain["kind"] == "label" and set(plain["features"]) == {"x0", "x1"}
    with pytest.raises(KeyError, match="no finding 'NONE'"):
        label_report["NONE"]


def test_page_of_html_needs_nothing_from_outside(label_report, tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "report.html"
    page = label_report.to_html(path)
    assert path.read_text("utf-8") == page
    assert "data:image/png;base64," in page
    assert not re.search(r"https?://|<script|<link|src=\"(?!data:)", page)
    assert "LabelShiftClassifier" in label_report._repr_html_()


def test_html_escapes_names():
    X, y, ids = make_label_shift(40, 40, random_state=0)
    table = pd.DataFrame(X, columns=["<script>", "b"])
    report = diagnose(table, hide(y, ids, 0), ids, **QUICK)
    assert "<script>" not in report._repr_html_()


def test_figure_has_all_panels(label_report):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    figure = label_report.plot()
    assert len(figure.axes) == 6
    pyplot.close(figure)


def test_findings_can_be_left_out():
    X, _, ids = make_covariate_shift(40, 40, random_state=0)
    report = diagnose(X, None, ids, ignore=["OVERLAP", "SIZE"], **QUICK)
    assert {f.code for f in report.findings} == {"DOMAINS", "FEATURES", "KIND"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alpha": 1.0}, "alpha must be"),
        ({"max_rows": 5}, "max_rows must be"),
        ({"n_permutations": 3}, "n_permutations must be"),
        ({"ignore": ["SIZES"]}, "ignore must be codes"),
        ({"y": np.zeros(80)}, "two classes"),
        ({"y": np.zeros((80, 2))}, "one-dimensional"),
        ({"y": np.full(80, np.nan)}, "label on every source row"),
        ({"X": np.full((80, 2), np.inf)}, "infinity"),
        ({"sample_domain": np.ones(80, dtype=int)}, "no target rows"),
        ({"sample_domain": np.repeat([1, -2], [77, 3])}, "at least 5 rows"),
    ],
)
def test_errors_name_the_rule(change, message):
    X, y, ids = make_label_shift(40, 40, random_state=0)
    arguments = {"X": X, "y": y, "sample_domain": ids, **change}
    with pytest.raises(ValueError, match=message):
        diagnose(**arguments)


def test_labels_from_the_probabilities_are_not_rejected_and_others_are():
    rng = np.random.default_rng(0)
    p = rng.random(40)
    proba = np.column_stack([1 - p, p])
    pvalues = [
        shift_tests.label_likelihood_test(proba, (rng.random(40) < p).astype(int), rng)
        for _ in range(60)
    ]
    assert np.mean(np.array(pvalues) <= 0.05) <= 0.12
    turned = (rng.random(40) > p).astype(int)
    assert shift_tests.label_likelihood_test(proba, turned, rng) <= 0.01


def test_class_counts_agree_with_fishers_exact_test():
    from scipy.stats import chi2_contingency

    source, target = np.repeat([0, 1], [60, 40]), np.repeat([0, 1], [8, 22])
    found = shift_tests.label_counts_test(source, target, 2, np.random.default_rng(0))
    exact = chi2_contingency([[60, 40], [8, 22]], correction=True).pvalue
    assert found == pytest.approx(exact, abs=0.003)


def test_loss_split_adds_up_and_finds_the_cause():
    rng = np.random.default_rng(0)
    hard = rng.random(4000) < np.repeat([0.2, 0.8], 2000)
    scores = np.where(hard, 0.8, 0.2)
    loss = hard.astype(float)
    split = shift_tests.loss_split(loss[:2000], scores[:2000], loss[2000:], scores[2000:])
    total = split["harder rows"] + split["y given x"] + split["never seen"]
    assert total == pytest.approx(split["target"] - split["source"])
    assert abs(split["y given x"]) < 0.03  # the same loss for the same rows
    assert split["harder rows"] == pytest.approx(0.3, abs=0.03)
    other = shift_tests.loss_split(loss[:2000], scores[:2000], 1 - loss[2000:], scores[2000:])
    assert abs(other["y given x"]) < 0.05
    moved = shift_tests.loss_split(np.zeros(50), np.full(50, 0.5), np.ones(50), np.full(50, 0.5))
    assert moved["y given x"] == pytest.approx(1.0)


def test_mixture_is_rejected_only_where_rows_of_a_class_moved():
    rng = np.random.default_rng(0)
    codes = np.repeat([0, 1], 100)
    Zs = rng.normal(size=(200, 2)) + 3.0 * codes[:, None]
    other = np.repeat([0, 1], [90, 10])
    Zt = rng.normal(size=(100, 2)) + 3.0 * other[:, None]
    options = {"n_permutations": 99, "rng": rng}
    same, n = shift_tests.mixture_test(Zs, codes, Zt, np.array([0.9, 0.1]), **options)
    assert same > 0.05 and n == pytest.approx(111, abs=1)
    assert shift_tests.mixture_test(Zs, codes, Zt + 1.0, np.array([0.9, 0.1]), **options)[0] < 0.05


def test_directions_along_which_the_domains_agree_are_found():
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(400, 3))
    Z[200:, 0] += 2.0
    basis = shift_tests.shared_directions(Z[:200], Z[200:], alpha=0.01, n_permutations=199, rng=rng)
    assert basis.shape == (3, 2)
    assert np.abs(basis[0]).max() < 0.15
    Z[200:] *= 5.0
    assert (
        shift_tests.shared_directions(Z[:200], Z[200:], alpha=0.01, n_permutations=199, rng=rng)
        is None
    )


def test_priors_are_inside_their_interval():
    rng = np.random.default_rng(0)
    proba = np.where(rng.random((200, 1)) < 0.8, [[0.9, 0.1]], [[0.1, 0.9]])
    priors, interval = shift_tests.priors_with_interval(
        proba, np.array([0.5, 0.5]), level=0.9, n_bootstraps=50, rng=rng
    )
    assert (interval[:, 0] < priors).all() and (priors < interval[:, 1]).all()
    assert priors.sum() == pytest.approx(1.0)


def test_part_outside_the_source():
    rng = np.random.default_rng(0)
    Zs, Zt = rng.normal(size=(200, 2)), rng.normal(size=(100, 2))
    Zt[:40] += 20.0
    assert shift_tests.outside_part(Zs, Zt) == pytest.approx(0.4, abs=0.04)
    assert shift_tests.effective_size(np.full(10, 0.5)) == pytest.approx(1.0)


def fake(**labels):
    """Evidence in which the rows differ and the mixture explains them."""
    given = {"n": 30, "priors_pvalue": 1.0, "concept_pvalue": 1.0, "corrected_pvalue": 1.0}
    given |= {"corrected_gain": 0.0, "aligned_gain": 0.0, "class_pvalues": {}}
    return SimpleNamespace(
        alpha=0.05,
        pvalues={"mmd": 0.001},
        mixture={"pvalue": 0.5},
        labels={**given, **labels},
        subspace=None,
    )


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        ({}, "label"),
        ({"corrected_gain": -3.0}, "covariate"),
        ({"corrected_pvalue": 0.001}, "covariate"),
        ({"class_pvalues": {0: 0.001}, "concept_pvalue": 0.001}, "conditional"),
        ({"n": 5}, "label or covariate"),
        ({"n": 5, "concept_pvalue": 0.001}, "label or covariate"),
    ],
)
def test_what_the_labels_decide_where_proportions_explain_the_rows(labels, kind):
    case = SimpleNamespace(Zs=np.zeros((5, 1)))
    assert _diagnose._kind(fake(**labels), case, None, None) == kind


def test_a_report_is_read_by_code_and_as_plain_values():
    table = pd.DataFrame({"ks": [0.5], "pvalue": [0.01]}, index=["age"])
    found = Finding("SIZE", "info", "Two rows.", {"rows": np.int64(2)}, "Add rows.")
    report = ShiftReport(kind="none", findings=[found], features=table, curves=None)
    assert report["SIZE"] is found and "SIZE      info" in repr(report)
    with pytest.raises(KeyError, match="no finding 'AGE'; it has"):
        report["AGE"]
    plain = json.loads(json.dumps(report.to_dict()))
    assert plain["findings"][0]["evidence"] == {"rows": 2}
    assert plain["features"]["age"]["ks"] == 0.5
