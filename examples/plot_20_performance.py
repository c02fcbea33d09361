"""
How good is the model on the new data?
======================================

A score on held-out source rows says how good a model is on rows like those. This lesson estimates
its accuracy on target rows that have no labels, under five simulated shifts, and sees in which of
them that is possible. Then it does so with the patients of four hospitals (UCI heart disease,
fetched once), where it is not; there forty labels give an interval that needs no assumption.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skda import datasets
from skda.metrics import estimate_performance

# %%
# Five shifts
# -----------
# The same classifier under no shift, and four shifts in which exactly one thing differs. All target
# labels are hidden from the estimate; the truth is computed afterwards, to compare.

SHIFTS = {
    "none": lambda: datasets.make_covariate_shift(gamma=0, random_state=0),
    "covariate": lambda: datasets.make_covariate_shift(random_state=0),
    "label": lambda: datasets.make_label_shift(random_state=0),
    "conditional": lambda: datasets.make_conditional_shift(random_state=0),
    "subspace": lambda: datasets.make_subspace_shift(random_state=0),
}

results = {}
for shift, make in SHIFTS.items():
    X, y, sample_domain = make()
    source, target = sample_domain > 0, sample_domain < 0
    model = LogisticRegression().fit(X[source], y[source])
    hidden = np.where(target, np.nan, y)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # that nothing is known is in the verdict as well
        found = estimate_performance(
            model, X, hidden, sample_domain, random_state=0
        )
    results[shift] = (
        found,
        model.score(X[source], y[source]),
        model.score(X[target], y[target]),
    )
    print(f"{shift:12s} truth {results[shift][2]:.3f}   {found}")

# %%
# Under the first three the estimate is close to the truth. Under the last two the source rows
# cannot be weighted so that they look like the target rows, and the function says that it does not
# know. What it returns then is a guess, without an interval.

fig, ax = plt.subplots(figsize=(7, 3.5), layout="constrained")
for i, (found, before, truth) in enumerate(results.values()):
    ax.plot(
        i,
        before,
        "o",
        color="lightgray",
        label="score on the source" if i == 0 else None,
    )
    ax.plot(i, truth, "k_", markersize=20, label="truth" if i == 0 else None)
    if found.verdict.known:
        low, high = found.interval
        ax.vlines(i, low, high, color="tab:blue")
    mark = "o" if found.verdict.known else "x"
    ax.plot(
        i,
        found.value,
        mark,
        color="tab:blue",
        label="estimate" if i == 0 else None,
    )
ax.set(
    xticks=range(len(results)),
    xticklabels=list(results),
    ylabel="accuracy on target",
)
ax.legend()

# %%
# What the verdict rests on
# -------------------------
# The evidence has, for each assumption that was tried, how well a forest tells the target rows from
# source rows weighted for it (an area of 0.5 is a guess), and how many source rows that leaves.

for shift in ("label", "subspace"):
    print(shift)
    for kind, balance in results[shift][0].evidence["balance"].items():
        print(
            f"  {kind:10s} area {balance['auc']:.2f}, limit {balance['limit']:.2f}"
        )

# %%
# Three hospitals, and forty labels
# ---------------------------------
# A model of Cleveland's patients, right on four of five of them by cross-validation. How often will
# it be right elsewhere?

NUMBERS = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
CATEGORIES = make_pipeline(
    SimpleImputer(strategy="most_frequent"),
    OneHotEncoder(handle_unknown="ignore"),
)
PREPARE = make_column_transformer(
    (NUMBERS, make_column_selector(dtype_include="number")),
    (CATEGORIES, make_column_selector(dtype_include="category")),
)


def hospital(target, n_labels):
    """Estimated accuracy in another hospital, and the true one."""
    X, y, sample_domain = datasets.fetch_heart_disease(
        source="cleveland", target=target, as_frame=True, return_X_y=True
    )
    X, y = X.drop(columns=["slope", "ca", "thal"]), y.to_numpy()
    source, target = sample_domain > 0, sample_domain < 0
    model = make_pipeline(PREPARE, LogisticRegression(max_iter=1000)).fit(
        X[source], y[source]
    )
    known = np.where(target, np.nan, y)
    labeled = np.random.default_rng(0).choice(
        np.flatnonzero(target), n_labels, replace=False
    )
    known[labeled] = y[labeled]
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # that nothing is known is in the verdict as well
        found = estimate_performance(
            model, X, known, sample_domain, cv=3, random_state=0
        )
    return found, model.score(X[target], y[target])


# %%
# Without a label from there: the other hospitals' patients are so unlike Cleveland's that no
# weights make up for it, and the function says that it does not know.

blind, truth = hospital("va", n_labels=0)
print(f"truth {truth:.3f}\n{blind}")

# %%
# With forty labels the interval from these is exact, whatever has shifted: a laboratory or a doctor
# who looks at forty patients knows more than any method without.

seen = {
    name: hospital(name, n_labels=40)
    for name in ("hungary", "switzerland", "va")
}
for name, (found, truth) in seen.items():
    print(f"{name:12s} truth {truth:.3f}   {found}")
