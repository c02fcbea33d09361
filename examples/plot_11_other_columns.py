"""
Other columns: a measurement that the labeled clinic does not make
===================================================================

The clinic with the diagnoses measures seven things. The clinic that wants to use the model measures
these seven and three more, which happen to be the telling ones. The usual model of the shared
columns cannot use them, because no labeled patient has them. A bridge can.

The patients are the breast-cancer samples that scikit-learn ships; the two clinics are a random
half each, so that nothing differs between them but the columns.
"""

import matplotlib.pyplot as plt
import numpy as np
import sklearn
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from skda import ColumnBridgeTransformer, make_domain_pipeline, stack_domains

sklearn.set_config(enable_metadata_routing=True)

# %%
# Two clinics
# -----------
# ``stack_domains`` with ``join="outer"`` keeps all columns; what a clinic lacks is NaN on its rows.

table, diagnosis = load_breast_cancer(return_X_y=True, as_frame=True)
SHARED = [
    "mean texture",
    "mean smoothness",
    "mean symmetry",
    "mean compactness",
    "radius error",
    "texture error",
    "smoothness error",
]
ONLY_THERE = ["mean concavity", "mean area", "worst concave points"]


def clinics(seed, rows=280):
    """Frames of both clinics and the diagnoses."""
    order = np.random.default_rng(seed).permutation(len(table))
    here, there = table.iloc[order[:rows]], table.iloc[order[rows:]]
    return (
        here[SHARED],
        diagnosis.iloc[order[:rows]].to_numpy(),
        there[SHARED + ONLY_THERE],
        diagnosis.iloc[order[rows:]].to_numpy(),
    )


X_here, y_here, X_there, y_there = clinics(0)
X, y, sample_domain = stack_domains(X_here, y_here, X_there, join="outer")
print(X.groupby(sample_domain).count().T)

# %%
# How well can the columns be predicted?
# --------------------------------------
# ``bridge_scores_`` is the cross-validated share of the variance, by domain and column. Nobody
# needs labels for it.

bridge = ColumnBridgeTransformer().fit(X, sample_domain=sample_domain)
for name, score in bridge.bridge_scores_[1].items():
    print(f"{name:25s}{score:.2f}")

# %%
# What it is worth
# ----------------
# The same classifier on the shared columns; with means where a value is missing, which tells it
# nothing; with the bridge; and, for comparison, with all columns measured in both clinics.


def accuracies(seed):
    """Accuracy in the other clinic, by what is done about the columns."""
    X_here, y_here, X_there, y_there = clinics(seed)
    full_here = table.loc[X_here.index, SHARED + ONLY_THERE]
    stacks = {
        "shared columns": stack_domains(X_here, y_here, X_there, join="inner"),
        "means": stack_domains(X_here, y_here, X_there, join="outer"),
        "bridge": stack_domains(X_here, y_here, X_there, join="outer"),
        "all measured": stack_domains(full_here, y_here, X_there),
    }
    strength = {"means": 0.0, "bridge": 1.0}
    scores = {}
    for name, (X, y, d) in stacks.items():
        steps = [StandardScaler(), LogisticRegression(max_iter=1000)]
        if name in strength:
            steps.insert(0, ColumnBridgeTransformer(strength=strength[name]))
        model = make_domain_pipeline(*steps).fit(X, y, sample_domain=d)
        scores[name] = model.score(X[d < 0], y_there)
    return scores


results = [accuracies(seed) for seed in range(10)]
names = list(results[0])
means = [np.mean([result[name] for result in results]) for name in names]
for name, mean in zip(names, means, strict=True):
    print(f"{name:20s}{mean:.3f}")

fig, ax = plt.subplots(figsize=(6, 2.5), layout="constrained")
ax.barh(names, means, color=["gray", "gray", "tab:red", "lightgray"])
ax.set(
    xlim=(0.8, 1.0), xlabel="accuracy in the other clinic, mean of ten draws"
)
ax.invert_yaxis()
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# Why it works, and when it does not
# ----------------------------------
# The bridge learns from the other clinic's rows how the three columns hang together with the
# seven. Source rows get predictions, and the classifier learns from these what the columns mean
# for the diagnosis; target rows have measurements, which say more than their predictions.
#
# The other way round there is nothing to be had: if it is the *target* that lacks a column, its
# prediction is a function of the shared columns and holds no more than they do. The bridge then
# gives the source cross-fitted predictions as well, so that the classifier does not rely on a
# measurement that it will never get.
