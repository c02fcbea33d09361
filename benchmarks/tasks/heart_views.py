"""Heart disease by views: four examinations, of which hospitals and patients lack some."""

import warnings

import numpy as np
import sklearn
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

from skda import CORALTransformer, ViewFusionClassifier, make_domain_pipeline

from .._data import origin
from .._task import Task
from .heart_columns import _load, common
from .heart_disease import PAIRS

VIEWS = {
    "history": [0, 1, 2],
    "rest": [3, 4, 5, 6],
    "exercise": [7, 8, 9, 10],
    "imaging": [11, 12],
}


def _pipeline(strength):
    return make_domain_pipeline(
        SimpleImputer(keep_empty_features=True),
        StandardScaler(),
        CORALTransformer(strength=strength),
        LogisticRegression(max_iter=2000),
    )


def _all_columns(strength):
    return lambda X, d: (_pipeline(strength), common(X, d))


def _fusion(strength, fusion="mean"):
    def make(X, d):
        estimators = {view: _pipeline(strength) for view in VIEWS}
        return ViewFusionClassifier(VIEWS, estimators, fusion=fusion, cv=5, random_state=0), X

    return make


METHODS = {
    "common columns": _all_columns(0.0),
    "common columns, CORAL": _all_columns(1.0),
    "fusion": _fusion(0.0),
    "fusion, CORAL in each view": _fusion(1.0),
    "fusion, product": _fusion(0.0, "product"),
    "fusion, product, CORAL": _fusion(1.0, "product"),
    "fusion, learned": _fusion(0.0, "learned"),
    "fusion, learned, CORAL": _fusion(1.0, "learned"),
}


def score_of(make, metric):
    """Score in % of a method on all target rows."""

    def score(X, y, sample_domain):
        target = sample_domain < 0
        with sklearn.config_context(enable_metadata_routing=True), warnings.catch_warnings():
            # Views that a hospital lacks are left out, and said so.
            warnings.simplefilter("ignore")
            model, rows = make(X, sample_domain)
            model.fit(rows, np.where(target, np.nan, y), sample_domain=sample_domain)
            proba = model.predict_proba(rows[target])[:, 1]
        found = proba if metric is roc_auc_score else proba > 0.5
        return 100.0 * metric(y[target], found)

    return score


PROTOCOL = """\
The thirteen columns as four views: history (age, sex, chest pain), rest (blood pressure,
cholesterol, sugar, electrocardiogram), exercise and imaging (vessels, thallium scan). A patient
lacks a view if none of its values is there; single gaps are filled with means. Logistic regression
on standardized columns in each view, beside one on the columns that both hospitals have."""

TASKS = [
    Task(
        name=f"heart-views-{kind}",
        protocol=f"{PROTOCOL}\n{words} (%) on the target rows.",
        pairs=lambda data: PAIRS if (data / "uci_heart_disease").exists() else [],
        load=_load,
        methods={name: score_of(make, metric) for name, make in METHODS.items()},
        origin=origin("uci_heart_disease"),
    )
    for kind, words, metric in (
        ("balanced", "Balanced accuracy", balanced_accuracy_score),
        ("auc", "Area under the ROC curve", roc_auc_score),
    )
]
