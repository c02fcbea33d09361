"""
How good is the model on the new data?
======================================

A score on held-out source rows says how good a model is on rows like those. This lesson estimates
its accuracy on target rows that have no labels, under five simulated shifts, and sees in which of
them that is possible. On the digits of a second scanner it is not; there a few labels give an
interval that needs no assumption.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

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
# A second scanner, and thirty labels
# -----------------------------------
# The images of the second scanner cannot be reached by weights. Thirty of them, drawn at random,
# are labeled: the interval from these is exact, whatever has shifted.

X, y, sample_domain = datasets.load_digits_scanners(random_state=0)
source, target = sample_domain > 0, sample_domain < 0
model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
model.fit(X[source], y[source])
known = np.where(target, np.nan, y)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    blind = estimate_performance(
        model, X, known, sample_domain, cv=3, random_state=0
    )
labeled = np.random.default_rng(0).choice(
    np.flatnonzero(target), size=30, replace=False
)
known[labeled] = y[labeled]
seen = estimate_performance(
    model, X, known, sample_domain, cv=3, random_state=0
)
truth = model.score(X[target], y[target])
print(f"truth {truth:.3f}\n{blind}\n{seen}")
