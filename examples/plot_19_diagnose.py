"""
What shifted? A diagnosis before any adaptation
===============================================

A model of one place is to be used in another, and the data look different there. Whether to weight
rows, to correct class proportions or to align features depends on *why* they differ. ``diagnose``
tests what the rows and a few labels can tell, and prints one page.

The data are the patients of four hospitals (UCI heart disease, fetched once). Nobody knows in truth
how they differ, so a second part makes places of which it is known.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skda import (
    LabelShiftClassifier,
    LinearTransportTransformer,
    stack_domains,
)
from skda.datasets import fetch_heart_disease
from skda.inspection import changed_predictions, diagnose, plot_domains

# %%
# From Cleveland to three hospitals
# ---------------------------------
# The model is to learn from Cleveland's patients. Of forty patients of the other hospital, chosen
# at random, it is known who is ill. The table has gaps and categories, and goes in as it is.


def hospital_report(target, n_labels=40):
    """The report on Cleveland and another hospital."""
    X, y, sample_domain = fetch_heart_disease(
        source="cleveland", target=target, as_frame=True, return_X_y=True
    )
    X = X.drop(
        columns=["slope", "ca", "thal"]
    )  # hardly ever taken outside Cleveland
    known = np.where(sample_domain > 0, y, np.nan)
    rows = np.flatnonzero(sample_domain < 0)
    labeled = np.random.default_rng(0).choice(
        rows, size=n_labels, replace=False
    )
    known[labeled] = y.to_numpy()[labeled]
    return diagnose(X, known, sample_domain, random_state=0)


hospitals = {
    name: hospital_report(name) for name in ("hungary", "switzerland", "va")
}
for name, report in hospitals.items():
    print(f"{name:12s} {report.kind:12s} {report['KIND'].advice}")

# %%
# Hungary and the VA send other patients, on whom the labels fit a model of Cleveland: a covariate
# shift. In Switzerland the labels contradict such a model. An advice is what to try first, and no
# promise: where hospitals overlap so little, the lesson "A patient table with gaps and categories"
# finds that only labels help. Each line of the page has its evidence:

print(hospitals["switzerland"])

# %%
# Without labels these kinds look alike, and the report says so.

without_labels = hospital_report("switzerland", n_labels=0)
print(without_labels["KIND"].text)
print(without_labels["KIND"].advice)

# %%
# Places of which the truth is known
# ----------------------------------
# The patients of the breast cancer data that scikit-learn ships. Half of them are seen in the
# clinic; of the others some go to a second place. It either is a random half, or sees mostly
# healthy people, or mostly people with large cells, or has another microscope: all features in
# other units.

frame = load_breast_cancer(as_frame=True)
COLUMNS = ["mean texture", "mean smoothness", "mean area", "mean concavity"]
X_all = frame.data[COLUMNS]
ill = np.where(frame.target == 0, "ill", "well")
order = np.random.default_rng(0).permutation(len(ill))
clinic, rest = order[:280], order[280:]


def second_place(kind):
    """Rows and labels of the second place."""
    rows, rng = rest, np.random.default_rng(1)
    if kind == "mostly healthy":
        healthy, sick = rest[ill[rest] == "well"], rest[ill[rest] == "ill"]
        rows = rng.permutation(np.concatenate([healthy, sick[:15]]))
    if kind == "large cells":
        area = X_all["mean area"].iloc[rest].to_numpy()
        chance = 1 / (1 + np.exp(-(area - 700) / 100))
        rows = rest[rng.random(len(rest)) < chance]
    X = X_all.iloc[rows]
    if kind == "other microscope":
        X = X * [1.2, 0.9, 1.4, 1.1]
    return X, ill[rows]


def diagnosed(kind, n_labels=30):
    """The report on the clinic and a second place."""
    X_place, y_place = second_place(kind)
    y_known = y_place.astype(object)
    y_known[n_labels:] = None
    X, _, sample_domain = stack_domains(
        X_all.iloc[clinic], ill[clinic], X_place
    )
    y = np.concatenate([ill[clinic].astype(object), y_known])
    return diagnose(X, y, sample_domain, random_state=0)


PLACES = ("random half", "mostly healthy", "large cells", "other microscope")
reports = {kind: diagnosed(kind) for kind in PLACES}
for kind, report in reports.items():
    print(f"{kind:18s} {report.kind:12s} {report['KIND'].advice}")

# %%
# The figure of a report
# ----------------------

reports["other microscope"].plot()
plt.show()

# %%
# Following the advice
# --------------------
# The other microscope is undone by an alignment, which also shows in the plane.


def accuracies(kind):
    """Accuracy at the second place: plain, with corrected proportions, and aligned."""
    X_place, y_place = second_place(kind)
    X, y, sample_domain = stack_domains(
        X_all.iloc[clinic], ill[clinic], X_place
    )
    plain = make_pipeline(StandardScaler(), LogisticRegression())
    corrected = LabelShiftClassifier(plain, random_state=0).fit(
        X, y, sample_domain=sample_domain
    )
    mapping = LinearTransportTransformer().set_output(transform="pandas")
    mapping.fit(X, sample_domain=sample_domain)
    moved = mapping.transform(X, sample_domain=sample_domain)
    source = sample_domain > 0
    aligned = make_pipeline(StandardScaler(), LogisticRegression()).fit(
        moved[source], y[source]
    )
    return {
        "plain": corrected.estimator_.score(X[~source], y_place),
        "proportions": corrected.score(X[~source], y_place),
        "aligned": aligned.score(moved[~source], y_place),
    }, (X, sample_domain, mapping, corrected)


results = {kind: accuracies(kind) for kind in PLACES}
print(f"{'':18s}plain  proportions  aligned")
for kind, (found, _) in results.items():
    print(
        f"{kind:18s}{found['plain']:5.2f}{found['proportions']:13.2f}{found['aligned']:9.2f}"
    )

# %%
# Each method gains where the report names it, and takes 5 to 20 points where it does not belong: an
# alignment makes mostly healthy people look like the clinic's, and corrected proportions explain a
# microscope by an illness. For people with large cells no method is needed: a linear model is right
# about them already. In the plane one sees what the alignment undoes:

X, sample_domain, mapping, _ = results["other microscope"][1]
plot_domains(X, sample_domain, map=mapping)
plt.show()

# %%
# Whom the correction decides otherwise
# -------------------------------------
# Where people are mostly healthy, the correction takes back alarms. Those whose result changes
# differ from the others in these features, area and concavity of the cells before all:

X, sample_domain, _, corrected = results["mostly healthy"][1]
table = changed_predictions(
    corrected.estimator_, corrected, X[sample_domain < 0]
)
print(table.attrs["counts"])
print(
    table[["ks", "wasserstein"]].round(2) if len(table) else "no row changed"
)
