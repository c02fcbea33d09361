"""Each set comes in the promised form, from small files or from the public ones."""

import functools
import inspect
import os
from io import BytesIO

import numpy as np
import pytest
from scipy import sparse
from scipy.io import savemat
from sklearn.datasets import dump_svmlight_file
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import OneHotEncoder

from benchmarks._data import DEFAULT, fill_data_home
from skda import datasets
from skda.datasets import _download

FETCHERS = [name for name in datasets.__all__ if name.startswith("fetch_")]
HEART = {
    "cleveland": "63.0,1.0,1.0,145.0,233.0,1.0,2.0,150.0,0.0,2.3,3.0,0.0,6.0,0\n"
    "67.0,1.0,4.0,160.0,286.0,0.0,2.0,108.0,1.0,1.5,2.0,3.0,3.0,2\n",
    "hungarian": "28,1,2,130,132,0,2,185,0,0,?,?,?,0\n",
    "switzerland": "32,1,1,95,0,?,0,127,0,.7,1,?,?,1\n",
    "va": "63,0,4,140,260,0,1,112,1,3,2,?,?,2\n44,1,4,0,209,0,1,127,0,0,?,?,?,0\n",
}


@pytest.fixture
def any_content(monkeypatch):
    """Small files of a test's own pass for the public ones."""
    monkeypatch.setattr(_download.RemoteFile, "_difference", lambda *args: None)


@pytest.fixture
def heart(server, any_content, tmp_path):
    """The fetcher of heart disease, with a few rows of each hospital on the server."""
    server.files = {f"processed.{name}.data": text.encode() for name, text in HEART.items()}
    return functools.partial(
        datasets.fetch_heart_disease, data_home=tmp_path, n_retries=0, delay=0.0
    )


def test_domains_of_the_target_are_negative_and_keep_their_number(heart, server):
    every = heart()
    assert every.domain_names == {1: "cleveland", 2: "hungary", 3: "switzerland", 4: "va"}
    np.testing.assert_array_equal(every.sample_domain, [1, 1, 2, 3, 4, 4])
    two = heart(source=["va", "cleveland"], target="hungary")
    assert two.domain_names == {1: "cleveland", 4: "va", -2: "hungary"}
    np.testing.assert_array_equal(two.sample_domain, [1, 1, 4, 4, -2])
    np.testing.assert_array_equal(two.data, every.data[[0, 1, 4, 5, 2]])
    np.testing.assert_array_equal(two.target, [0, 1, 1, 0, 0])
    assert heart(target=["cleveland", "va"]).domain_names == {
        2: "hungary",
        3: "switzerland",
        -1: "cleveland",
        -4: "va",
    }
    assert len(server.asked) == 4, "each file once"


def test_only_files_of_the_domains_are_downloaded(heart, server):
    heart(source="va", target="hungary")
    assert sorted(path.rsplit(".", 2)[1] for path in server.asked) == ["hungarian", "va"]


def test_a_tuple_has_rows_labels_and_domains(heart):
    X, y, sample_domain = heart(target="va", return_X_y=True)
    assert X.shape == (6, 13) and y.shape == sample_domain.shape == (6,)
    assert X.dtype == float and y.dtype.kind == sample_domain.dtype.kind == "i"


def test_gaps_are_nan_also_those_that_are_written_as_zero(heart):
    bunch = heart()
    chol, trestbps = (bunch.feature_names.index(name) for name in ("chol", "trestbps"))
    np.testing.assert_array_equal(np.isnan(bunch.data[:, chol]), [0, 0, 0, 1, 0, 0])
    np.testing.assert_array_equal(np.isnan(bunch.data[:, trestbps]), [0, 0, 0, 0, 0, 1])
    assert np.isnan(bunch.data[3, bunch.feature_names.index("fbs")])


def test_a_frame_has_words_for_codes(heart):
    pytest.importorskip("pandas")
    bunch = heart(target="va", as_frame=True)
    assert list(bunch.frame.columns) == [*bunch.feature_names, "disease"]
    assert list(bunch.data["sex"]) == ["male"] * 4 + ["female", "male"]
    assert list(bunch.data["cp"].cat.categories)[-1] == "asymptomatic"
    assert bunch.data["thal"].isna().tolist() == [False, False, True, True, True, True]
    assert bunch.data["age"].dtype == float
    X, y, _ = heart(target="va", as_frame=True, return_X_y=True)
    assert X.equals(bunch.data) and y.equals(bunch.target)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"source": "Cleveland"}, "source must be among the domains .*got 'Cleveland'"),
        ({"target": 4}, "target must be the name of a domain or a list of names; got 4"),
        ({"source": "va", "target": ["va"]}, "got 'va' in both"),
        ({"source": []}, "name no domain"),
        ({"as_frame": "yes"}, "as_frame must be True or False"),
        ({"return_X_y": 1}, "return_X_y must be True or False"),
    ],
)
def test_wrong_domains_and_forms_are_refused(heart, server, options, match):
    with pytest.raises(ValueError, match=match):
        heart(**options)
    assert not server.asked


@pytest.mark.parametrize("name", FETCHERS)
def test_every_fetcher_has_the_common_options_and_says_what_is_missing(name, tmp_path):
    fetch = getattr(datasets, name)
    defaults = {key: p.default for key, p in inspect.signature(fetch).parameters.items()}
    common = {
        "source": None,
        "target": None,
        "data_home": None,
        "download_if_missing": True,
        "return_X_y": False,
        "as_frame": False,
        "n_retries": 3,
        "delay": 1.0,
    }
    assert common.items() <= defaults.items()
    with pytest.raises(OSError, match=r"https://.*save it as .*skda"):
        fetch(data_home=tmp_path, download_if_missing=False)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("fetch_adult", {"by": "age"}),
        ("fetch_adult", {"subset": "some"}),
        ("fetch_amazon_reviews", {"subset": "some"}),
        ("fetch_corn", {"response": "sugar"}),
        ("fetch_office_caltech", {"features": "vgg"}),
        ("fetch_reuters", {"topics": "orgs"}),
        ("fetch_student_performance", {"earlier_grades": "no"}),
        ("read_diabetes_readmission", {"path": "a.csv", "by": "weight"}),
        ("read_acs", {"files": "a.csv", "task": "wealth"}),
    ],
)
def test_options_of_one_set_are_checked(name, options):
    with pytest.raises(ValueError, match=f"{[*options][-1]} must be"):
        getattr(datasets, name)(**options)


def as_bytes(save, *args, **kwargs):
    """Return what a function writes into a file."""
    file = BytesIO()
    save(file, *args, **kwargs)
    return file.getvalue()


def test_reviews_are_sparse_and_their_labels_are_no_missing_mark(
    server, any_content, tmp_path, monkeypatch
):
    rng = np.random.default_rng(0)
    counts = sparse.random(6, 5000, density=0.01, random_state=0, format="csr")
    text = as_bytes(
        lambda f: dump_svmlight_file(counts, rng.choice([-1, 1], 6), f, zero_based=False)
    )
    server.files = {".svmlight": text}
    fetch = functools.partial(datasets.fetch_amazon_reviews, data_home=tmp_path, target="dvd")
    reviews = fetch(source="books", subset="all")
    assert sparse.issparse(reviews.data) and reviews.data.shape == (24, 5000)
    assert set(reviews.target) == {0, 1}
    np.testing.assert_array_equal(reviews.sample_domain, np.repeat([1, -2], 12))
    np.testing.assert_allclose(reviews.data[:6].toarray(), counts.toarray())
    with pytest.raises(OSError, match=f"has {len(text)} bytes, and 771076 are expected"):
        fetch(source="kitchen", n_retries=0)


def test_pictures_of_another_number_are_refused(server, tmp_path):
    few = {"fts": np.zeros((4, 800), np.uint8), "labels": np.ones((4, 1), np.uint8)}
    server.files["webcam_SURF_L10.mat"] = as_bytes(savemat, few)
    with pytest.raises(OSError, match="4 rows of 800 features, and 295 of 800 are expected"):
        datasets.fetch_office_caltech(source="webcam", data_home=tmp_path)


def test_groups_of_the_census_lose_the_columns_that_name_them(server, any_content, tmp_path):
    pytest.importorskip("pandas")
    lines = [
        "39, State-gov, 77516, Bachelors, 13, Never-married, Adm-clerical, Not-in-family, "
        "White, Male, 2174, 0, 40, United-States, <=50K",
        "28, ?, 338409, Bachelors, 13, Married-civ-spouse, ?, Wife, Black, Female, 0, 0, 40, "
        "Cuba, >50K.",
    ]
    server.files = {"adult.data": "\n".join(lines).encode(), "adult.test": lines[1].encode()}
    fetch = functools.partial(datasets.fetch_adult, data_home=tmp_path)
    by_race = fetch(by="race", target="Black", as_frame=True)
    assert "race" not in by_race.feature_names and len(by_race.feature_names) == 13
    np.testing.assert_array_equal(by_race.sample_domain, [5, -3, -3])
    np.testing.assert_array_equal(by_race.target, [0, 1, 1])
    assert by_race.data["workclass"].isna().tolist() == [False, True, True]
    rows = fetch(by="education", subset="train").data
    assert rows.shape == (2, 12) and rows.dtype == object
    assert rows[1, 0] == 28.0 and np.isnan(rows[1, 1])


# The public files themselves


@pytest.fixture(scope="module")
def public(tmp_path_factory):
    """A data home with the public files, where they are on this machine."""
    if not DEFAULT.is_dir():
        pytest.skip(f"the public files are not in {DEFAULT}")
    home = tmp_path_factory.mktemp("data_home")
    fill_data_home(home)
    return {"data_home": os.fspath(home), "download_if_missing": False}


@pytest.mark.parametrize(
    ("name", "options", "shape", "classes"),
    [
        ("heart_disease", {}, (920, 13), (411, 509)),
        ("mushrooms", {"target": "tapering"}, (8124, 21), (4208, 3916)),
        ("office_caltech", {"source": "amazon", "target": "caltech"}, (2081, 800), None),
        (
            "office_caltech",
            {"features": "decaf6", "source": "dslr", "target": "webcam"},
            (452, 4096),
            None,
        ),
        ("amazon_reviews", {"source": "books", "target": "dvd"}, (4000, 5000), (2000, 2000)),
        ("reuters", {"target": "tar"}, (2445, 4771), (1270, 1175)),
        ("music", {"target": "f16"}, (5000, 57), (500,) * 10),
        ("adult", {"subset": "test"}, (16281, 13), (12435, 3846)),
        ("wine_quality", {"target": "white"}, (6497, 11), None),
        ("student_performance", {"earlier_grades": True}, (1044, 32), None),
        ("schools", {"target": "school_139"}, (15362, 27), None),
        ("corn", {"source": "m5", "target": ["mp5", "mp6"]}, (240, 700), None),
    ],
)
def test_public_files_give_the_published_numbers_of_rows_and_classes(
    public, name, options, shape, classes
):
    X, y, sample_domain = getattr(datasets, f"fetch_{name}")(**options, **public, return_X_y=True)
    assert X.shape == shape and len(y) == len(sample_domain) == shape[0]
    assert (sample_domain < 0).any() == ("target" in options)
    if classes:
        assert tuple(np.bincount(y)) == classes


def test_hospitals_have_the_published_proportions_of_the_ill(public):
    heart = datasets.fetch_heart_disease(**public)
    ill = [heart.target[heart.sample_domain == i].sum() for i in (1, 2, 3, 4)]
    assert ill == [139, 106, 115, 149]


def test_mushrooms_give_the_published_accuracy_without_adaptation(public):
    X, y, sample_domain = datasets.fetch_mushrooms(target="tapering", return_X_y=True, **public)
    source = sample_domain > 0
    # The benchmark has the shape of the stalk, which is the domain, among the features.
    X = np.column_stack([X, source.astype(str)])
    X = OneHotEncoder().fit_transform(X)
    model = LogisticRegression().fit(X[source], y[source])
    assert model.score(X[~source], y[~source]) == pytest.approx(0.673, abs=0.005), "SKADA-Bench"


def test_samples_of_corn_are_the_same_on_each_instrument(public):
    corn = datasets.fetch_corn(**public, response="protein")
    values = corn.target.reshape(3, 80)
    np.testing.assert_array_equal(values, np.tile(values[0], (3, 1)))
    assert 7 < values.min() < values.max() < 10, "percent"
    assert corn.feature_names[0] == "1100" and corn.feature_names[-1] == "2498"
