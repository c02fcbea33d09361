"""
The next site: a model that is never refitted
=============================================

A model was fitted on the measurements of one clinic. Other clinics use it, one after the other,
and each of them measures with an instrument of its own: every measurement has another offset and
another gain there. Nobody labels rows for the model again, and it is not fitted again. Each clinic
sends some rows without labels, and the map in front of the model learns the clinic from them.

The measurements are the real ones of the breast cancer data that scikit-learn ships. The clinics
are ours: we draw who goes where, and what their instruments do.
"""

import matplotlib.pyplot as plt
import numpy as np
import sklearn
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from skda import LinearTransportTransformer, adapt_to, make_domain_pipeline

sklearn.set_config(enable_metadata_routing=True)

# %%
# Six clinics
# -----------
# The first one has labels and is the source, 1; the others are targets, -2 to -6. The instruments
# differ by gains between a quarter and four, and by offsets of some two standard deviations.

rng = np.random.default_rng(0)
X, y = load_breast_cancer(return_X_y=True)
X = StandardScaler().fit_transform(X)
clinic = rng.permutation(np.arange(len(X)) % 6)
ids = np.array([1, -2, -3, -4, -5, -6])[clinic]
for target in range(-6, -1):
    gain, offset = (
        2.0 ** rng.uniform(-2, 2, X.shape[1]),
        2.0 * rng.normal(size=X.shape[1]),
    )
    X[ids == target] = X[ids == target] * gain + offset

# %%
# One fit, on the first clinic
# ----------------------------
# ``direction="to_source"`` leaves rows of the source as they are, and maps those of each target to
# them. No target has to be there in ``fit``.

model = make_domain_pipeline(
    LinearTransportTransformer(direction="to_source"),
    LogisticRegression(max_iter=1000),
)
first = ids == 1
model.fit(X[first], y[first], sample_domain=ids[first])

# %%
# A clinic that the model does not know is an error, not a guess:

try:
    model.predict(X[ids == -2], sample_domain=ids[ids == -2])
except ValueError as error:
    print(str(error).split(". ")[0])

# %%
# Clinics join
# ------------
# :func:`~skda.adapt_to` shows the map rows of a clinic. With more of them it goes on where it was.
# The accuracy is that of all rows of the clinic.


def accuracy(target):
    """Accuracy of the model in a clinic."""
    rows = ids == target
    return np.mean(model.predict(X[rows], sample_domain=ids[rows]) == y[rows])


frozen = model[-1].estimator_
seen = [10, 20, 40, 80]
curves = {}
for target in range(-2, -7, -1):
    rows = rng.permutation(np.flatnonzero(ids == target))
    curve = [frozen.score(X[rows], y[rows])]  # as if it were the first clinic
    for start, stop in zip([0, *seen[:-1]], seen, strict=True):
        adapt_to(model, X[rows[start:stop]], target)
        curve.append(accuracy(target))
    curves[target] = curve

print("rows seen ", *[f"{n:5d}" for n in [0, *seen]])
for target, curve in curves.items():
    print(f"clinic {target:3d}", *[f"{value:5.2f}" for value in curve])
print(
    "mean      ",
    *[f"{value:5.2f}" for value in np.mean(list(curves.values()), axis=0)],
)

# %%
# Without a map nobody knows what the model is worth elsewhere: as much as at home in one clinic,
# no better than a coin in another. Ten rows of a clinic are enough to know, because with few rows
# it is shifted and hardly bent: its covariance counts for little beside that of the source
# (``n_prior_rows``). Where the model was good by luck, the map costs a point or two at first.

fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for curve in curves.values():
    ax.plot([0, *seen], curve, "o-", color="tab:blue", alpha=0.4)
ax.plot(
    [0, *seen],
    np.mean(list(curves.values()), axis=0),
    "o-",
    color="black",
    label="mean",
)
ax.set(
    xlabel="rows without labels that the map has seen",
    ylabel="accuracy in the clinic",
    title="Five later clinics, one model that is never refitted",
)
ax.legend(frameon=False)
ax.spines[["top", "right"]].set_visible(False)
plt.show()
