"""Regression over courses and schools: student performance (UCI) and ILEA exam scores."""

import csv

import numpy as np
import sklearn.pipeline
from scipy.io import loadmat
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_squared_error, root_mean_squared_error
from sklearn.model_selection import cross_val_predict
from sklearn.preprocessing import StandardScaler

from skda import (
    CORALTransformer,
    DomainClassifierWeighter,
    DomainScaler,
    ImportanceWeightedEstimator,
    RuLSIFWeighter,
    make_domain_pipeline,
    stack_domains,
)

from .._data import origin
from .._task import Task

COURSES = {"maths": "student-mat.csv", "Portuguese": "student-por.csv"}
EVERY = 10  # one school in ten is a target in turn


def _course(data, name):
    """Rows of a course as dictionaries, without the grades of earlier terms, and the grade."""
    with open(data / "student_performance" / COURSES[name], newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    grades = np.array([float(row["G3"]) for row in rows])
    features = [{k: v for k, v in row.items() if k not in ("G1", "G2", "G3")} for row in rows]
    numeric = {k for k, v in features[0].items() if v.strip("-").isdigit()}
    return [{k: float(v) if k in numeric else v for k, v in r.items()} for r in features], grades


def _load_course(data, pair):
    (source, y_source), (target, y_target) = (_course(data, name) for name in pair.split(">"))
    encoder = DictVectorizer(sparse=False).fit(source + target)
    return stack_domains(encoder.transform(source), y_source, encoder.transform(target), y_target)


def by_school(data):
    """Rows of the Portuguese course, final grades, and the school, which is no feature here."""
    rows, grades = _course(data, "Portuguese")
    school = np.array([row.pop("school") for row in rows])
    return DictVectorizer(sparse=False).fit_transform(rows), grades, school


def _schools(data):
    content = loadmat(data / "school_ilea" / "school.mat")
    return [
        (X.astype(float), y.ravel().astype(float))
        for X, y in zip(content["X"][0], content["Y"][0], strict=True)
    ]


def _load_schools(data, pair):
    schools = _schools(data)
    X = np.concatenate([rows for rows, _ in schools])
    y = np.concatenate([scores for _, scores in schools])
    return X, y, np.repeat(np.arange(len(schools)), [len(rows) for rows, _ in schools])


def on_target(metric, make_model):
    """Score of a model fitted on labeled source and unlabeled target rows, on the target rows."""

    def score(X, y, sample_domain):
        target = sample_domain < 0
        model = make_model().fit(X, y, sample_domain=sample_domain)
        return metric(y[target], model.predict(X[target]))

    return score


def trained_on_target(X, y, sample_domain):
    """Root mean squared error of a model cross-validated on the target's own labels."""
    target = sample_domain < 0
    model = sklearn.pipeline.make_pipeline(StandardScaler(), Ridge(1.0))
    predicted = cross_val_predict(model, X[target], y[target], cv=10)
    return root_mean_squared_error(y[target], predicted)


def each_school(make_model):
    """Mean over the target schools, every tenth, of the squared error with all others as source."""
    score = on_target(mean_squared_error, make_model)

    def mean(X, y, school):
        targets = np.unique(school)[::EVERY]
        return np.mean([score(X, y, np.where(school == t, -1, school + 1)) for t in targets])

    return mean


MODELS = {
    "source only": lambda: make_domain_pipeline(StandardScaler(), Ridge(1.0)),
    "DomainScaler": lambda: make_domain_pipeline(DomainScaler(), Ridge(1.0)),
    "CORAL": lambda: make_domain_pipeline(
        StandardScaler(), CORALTransformer(match_mean=False), Ridge(1.0)
    ),
    "domain classifier": lambda: make_domain_pipeline(
        StandardScaler(),
        ImportanceWeightedEstimator(
            Ridge(1.0), DomainClassifierWeighter(random_state=0, min_effective_size=None)
        ),
    ),
    "RuLSIF": lambda: make_domain_pipeline(
        StandardScaler(),
        ImportanceWeightedEstimator(
            Ridge(1.0), RuLSIFWeighter(random_state=0, min_effective_size=None)
        ),
    ),
}

TASKS = [
    Task(
        name="students",
        protocol="""\
Final grade (0 to 20) from everything but the earlier grades, one-hot, standardized, ridge
regression; root mean squared error on the other course, less is better. "target labels": ten-fold
cross-validation within that course. In brackets: the data set's own checks.""",
        pairs=lambda data: (
            ["maths>Portuguese", "Portuguese>maths"]
            if (data / "student_performance").exists()
            else []
        ),
        load=_load_course,
        methods={name: on_target(root_mean_squared_error, make) for name, make in MODELS.items()}
        | {"target labels": trained_on_target},
        published={
            "source only": {"maths>Portuguese": 3.72, "Portuguese>maths": 4.62},
            "target labels": {"maths>Portuguese": 2.82, "Portuguese>maths": 4.44},
        },
        digits=2,
        tolerance=0.1,
        higher_is_better=False,
        origin=origin("student_performance"),
    ),
    Task(
        name="schools",
        protocol="""\
Exam scores of pupils of 139 London schools; every tenth school is the target in turn and all others
are sources. Ridge regression; mean squared error, less is better. In brackets: the data set's own
check.""",
        pairs=lambda data: ["all>one"] if (data / "school_ilea" / "school.mat").exists() else [],
        load=_load_schools,
        methods={name: each_school(make) for name, make in MODELS.items() if name != "RuLSIF"},
        published={"source only": {"all>one": 102.4}},
        tolerance=2.0,
        higher_is_better=False,
        origin=origin("school_ilea"),
    ),
]
