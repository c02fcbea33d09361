"""Where the data sets are that are too large, or not ours, to ship, and where they come from."""

import os
import re
import shutil
from pathlib import Path

DEFAULT = Path(os.environ.get("SKDA_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))

ORIGINS = {
    "adult": ("adult.data with a header row", "UCI, data set 2"),
    "amazon_reviews_5000": (
        "<category>_train.svmlight and <category>_test.svmlight",
        "github.com/GRAAL-Research/domain_adversarial_neural_network",
    ),
    "corn_nir": ("corn.mat", "Eigenvector Research, a copy in github.com/B-Analytics/di-PLS"),
    "mnist_usps": (
        "mnist_usps.npz with X_mnist, y_mnist, X_usps and y_usps",
        "MNIST_vs_USPS.mat of github.com/chamwen/JPDA",
    ),
    "mushrooms": ("agaricus-lepiota.data with a header row", "UCI, data set 73"),
    "music_mgr_msd": (
        "MGR.npy and MGR_crossval_index.json",
        "github.com/eddardd/WBTransport",
    ),
    "office_caltech10_decaf6": (
        "two of dslr.mat and webcam.mat, amazon.mat, caltech.mat",
        "github.com/jindongwang/transferlearning",
    ),
    "office_caltech10_surf": (
        "two of amazon_, Caltech10_, dslr_ and webcam_SURF_L10.mat",
        "github.com/jindongwang/transferlearning",
    ),
    "reuters21578_da": (
        "<pair>_src.mat and <pair>_tar.mat of OrgsPeople, OrgsPlaces or PeoplePlaces",
        "github.com/cswhjiang/Transfer-Spectral-Clustering",
    ),
    "school_ilea": ("school.mat", "github.com/jiayuzhou/MALSAR"),
    "student_performance": ("student-mat.csv and student-por.csv", "UCI, data set 320"),
    "uci_heart_disease": ("processed.<hospital>.data", "UCI, data set 45"),
    "wine_quality": ("winequality-red.csv and winequality-white.csv", "UCI, data set 186"),
}


def origin(folder):
    """One sentence on what a task wants in a folder of the data, and where that comes from."""
    files, backend = ORIGINS[folder]
    return f"It wants, in {folder}: {files} ({backend})."


# Folder under ``skda`` in scikit-learn's data home where a fetcher looks for each folder's files.
CACHED = {
    "adult": "adult",
    "amazon_reviews_5000": "amazon_reviews",
    "corn_nir": "corn",
    "mushrooms": "mushrooms",
    "music_mgr_msd": "music",
    "office_caltech10_decaf6": "office_caltech_decaf6",
    "office_caltech10_surf": "office_caltech_surf",
    "reuters21578_da": "reuters",
    "school_ilea": "schools",
    "student_performance": "student_performance",
    "uci_heart_disease": "heart_disease",
    "wine_quality": "wine_quality",
}


def fill_data_home(data_home, data=DEFAULT):
    """Put the files of a local folder where the fetchers of ``skda.datasets`` find them.

    Returns whether there was anything to put there. With ``SCIKIT_LEARN_DATA`` set to `data_home`,
    lessons and tests then need no network.
    """
    for folder, name in CACHED.items():
        if (data / folder).is_dir():
            cache = Path(data_home) / "skda" / name
            cache.mkdir(parents=True, exist_ok=True)
            for file in (data / folder).iterdir():
                if file.name != "README.md" and not (cache / file.name).exists():
                    shutil.copyfile(file, cache / file.name)
    return data.is_dir()


# What lessons use of sets of which not all domains are in the local folder.
_USED = {
    "fetch_amazon_reviews": {"source": "books", "target": "dvd"},
    "fetch_office_caltech": {"source": "amazon", "target": "caltech"},
}


def lessons_without_data(examples):
    """Return the names of the lessons whose data sets are neither here nor to be downloaded."""
    from skda import datasets

    there = {}
    names = []
    for lesson in sorted(Path(examples).glob("plot_*.py")):
        used = set(re.findall(r"\bfetch_\w+", lesson.read_text("utf-8"))) & set(datasets.__all__)
        for fetch in used - there.keys():
            there[fetch] = _can_be_had(getattr(datasets, fetch), _USED.get(fetch, {}))
        if not all(there[fetch] for fetch in used):
            names.append(lesson.name)
    return names


def _can_be_had(fetch, domains):
    try:
        fetch(**domains, n_retries=0)
    except OSError:
        return False
    return True
