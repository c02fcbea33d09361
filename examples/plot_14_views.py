"""
Views: two cameras, one of them replaced, and sometimes only one
=================================================================

Two cameras look at handwritten digits, one at the left half and one at the right half. On the new
site the right camera is another model: paper looks gray to it, and its contrast is lower. And on
some days one of the cameras is off. Each camera is a *view*: a block of columns that is measured
together, that shifts together and that is missing together.

The digits are those that scikit-learn ships; the new camera is simulated.
"""

import matplotlib.pyplot as plt
import numpy as np
import sklearn
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from skda import (
    CORALTransformer,
    TwoTowerClassifier,
    ViewFusionClassifier,
    make_domain_pipeline,
    stack_domains,
)

sklearn.set_config(enable_metadata_routing=True)

# %%
# Two sites
# ---------
# Columns 0 to 31 are the left half of each picture, 32 to 63 the right one.

pictures, digit = load_digits(return_X_y=True)
pictures = pictures.reshape(-1, 8, 8) / 16
VIEWS = {"left": slice(32), "right": slice(32, None)}


def sites(seed, n=700):
    """Pictures of the old site with their digits, and those of the new one."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(pictures))
    left, right = (
        pictures[order][:, :, half] for half in (slice(4), slice(4, None))
    )
    new = 0.5 + 0.4 * right + rng.normal(0, 0.05, right.shape)
    old, later = slice(n), slice(n, 2 * n)
    X_old = np.hstack([left[old].reshape(n, -1), right[old].reshape(n, -1)])
    X_new = np.hstack([left[later].reshape(n, -1), new[later].reshape(n, -1)])
    return X_old, digit[order[old]], X_new, digit[order[later]]


X_old, y_old, X_new, y_new = sites(0)
X, y, sample_domain = stack_domains(X_old, y_old, X_new)

# %%
# One model per view
# ------------------
# The right camera gets an adaptation, the left one, which has not changed, gets none. The fusion is
# the mean of their probabilities. Parameters of a view go by its name, so that each strength can be
# searched on its own: ``right__coraltransformer__strength``.


def classifier():
    return LogisticRegression(max_iter=2000)


def fused(strength, **params):
    """A classifier per camera, the right one adapted."""
    right = make_domain_pipeline(
        CORALTransformer(strength=strength), classifier()
    )
    return ViewFusionClassifier(
        VIEWS, {"left": classifier(), "right": right}, **params
    )


models = {
    "all columns": make_domain_pipeline(classifier()),
    "all columns, CORAL": make_domain_pipeline(
        CORALTransformer(), classifier()
    ),
    "fusion": fused(0.0),
    "fusion, right adapted": fused(1.0),
    "fusion, learned weights": fused(
        1.0, fusion="learned", cv=3, random_state=0
    ),
    "two towers": TwoTowerClassifier(VIEWS, temperature=0.1, random_state=0),
}
for model in models.values():
    model.fit(X, y, sample_domain=sample_domain)
print(models["fusion, learned weights"].weights_.round(2))

# %%
# A camera is off
# ---------------
# All columns of the view are NaN. The fusion leaves it out, and so does the network; the models of
# all columns can do nothing with such a row and get the mean of the old site.


def without(view):
    """The new site's rows with this camera off."""
    rows = X_new.copy()
    rows[:, VIEWS[view]] = np.nan
    return rows


conditions = {
    "both": X_new,
    "left off": without("left"),
    "right off": without("right"),
}
accuracy = {}
print(f"{'':25s}" + "".join(f"{name:>11s}" for name in conditions))
for name, model in models.items():
    accuracy[name] = []
    for rows in conditions.values():
        if name.startswith("all"):
            rows = np.where(np.isnan(rows), X_old.mean(axis=0), rows)
        accuracy[name].append(model.score(rows, y_new))
    print(
        f"{name:25s}" + "".join(f"{value:11.3f}" for value in accuracy[name])
    )

# %%
# Which right half belongs to this left half?
# -------------------------------------------
# The two towers have learnt, from pictures of both sites and without labels of the new one, to give
# both halves of a picture the same embedding. So halves can be looked up; a low temperature makes
# that more exact.

nearest = models["two towers"].kneighbors(
    without("right"), X_new, view="left", n_neighbors=5, return_distance=False
)
own = np.arange(len(X_new))
hits = {
    "its own half": np.mean(nearest[:, 0] == own),
    "its own half among five": np.mean((nearest == own[:, None]).any(axis=1)),
    "a half of the same digit": np.mean(y_new[nearest[:, 0]] == y_new),
}
for name, share in hits.items():
    print(f"{name:25s}{share:.2f}")

fig, axes = plt.subplots(3, 6, figsize=(6, 3.6), layout="constrained")
for i, row in enumerate(axes):
    left = X_new[i, :32].reshape(8, 4)
    found = [X_new[j, 32:].reshape(8, 4) for j in (i, *nearest[i])]
    for ax, right in zip(row, found, strict=True):
        ax.imshow(np.hstack([left, right]), cmap="gray_r", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
axes[0, 0].set_title("truth", fontsize=9)
axes[0, 1].set_title("found first", fontsize=9)
plt.show()

# %%
# Which one to take
# -----------------
# With both cameras on, one linear model of all columns, adapted as a whole, beats the fusion: it
# sees how the halves of a digit go together, which a mean of two opinions does not. The fusion pays
# where a view is missing: it loses little then, and each view can be adapted, searched and looked
# at on its own. The towers learn from rows without labels how the views go together, so that one
# can stand in for the other; they are networks, and need more rows.
