"""
Many sites, few rows each: how much to share
============================================

Thirty clinics predict the recovery time of their patients from six measurements. These mean nearly
the same everywhere; but every clinic has its own level, and treats a little differently. Some
clinics have seventy patients on record, some have eight. One model for all clinics is blunt, a
model for each knows too little.

The clinics are simulated, so that what is found can be compared with what is true.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score

from skda import MultiTaskTransferRegressor

# %%
# Thirty clinics
# --------------
# Their coefficients scatter around common ones. Each has between 8 and 70 patients on record, and
# 200 new ones to be predicted. Ids are 0 to 29: every clinic is a source with labels, and nothing
# has to be called a target.

rng = np.random.default_rng(0)
n_clinics, n_features = 30, 6
common = np.array([1.5, -1.0, 1.0, 0.5, -0.5, 0.0])
w = common + 0.4 * rng.normal(size=(n_clinics, n_features))
level = rng.normal(size=n_clinics)
sizes = rng.integers(8, 71, size=n_clinics)


def patients(n_each):
    """Measurements, recovery times and clinics of so many patients of each clinic."""
    clinic = np.repeat(np.arange(n_clinics), n_each)
    X = rng.normal(size=(len(clinic), n_features))
    y = (
        np.sum(X * w[clinic], axis=1)
        + level[clinic]
        + 1.5 * rng.normal(size=len(clinic))
    )
    return X, y, clinic


X, y, clinic = patients(sizes)
X_new, y_new, clinic_new = patients(200)

# %%
# One model, thirty models, or something in between
# -------------------------------------------------
# ``sharing`` goes from thirty separate ridge regressions (0) to one (1). It is the correlation that
# the coefficients of two clinics have before any patient is seen. Left alone, it is chosen, and the
# penalty with it: by the error on patients that are left out one at a time, which a closed form
# gives without a second fit.

model = MultiTaskTransferRegressor().fit(X, y, sample_domain=clinic)
found = r2_score(y_new, model.predict(X_new, sample_domain=clinic_new))

grid = np.r_[np.linspace(0, 0.9, 10), 0.95, 0.99, 1.0]
curve = []
for sharing in grid:
    at = MultiTaskTransferRegressor(sharing).fit(X, y, sample_domain=clinic)
    curve.append(r2_score(y_new, at.predict(X_new, sample_domain=clinic_new)))

print(
    f"separate {curve[0]:.2f}   pooled {curve[-1]:.2f}   multi-task {found:.2f}"
)
print(
    f"best on the new patients, with sharing {grid[np.argmax(curve)]:.2f}: {max(curve):.2f}"
)

# %%
# Who gains
# ---------
# Clinics with few patients gain most over a model of their own, and lose nothing to the others.


def by_clinic(predicted):
    """Mean squared error in each clinic."""
    return np.array(
        [
            np.mean((y_new - predicted)[clinic_new == i] ** 2)
            for i in range(n_clinics)
        ]
    )


alone = np.empty(len(y_new))
for i in range(n_clinics):
    own = Ridge().fit(X[clinic == i], y[clinic == i])
    alone[clinic_new == i] = own.predict(X_new[clinic_new == i])
pooled = Ridge().fit(X, y).predict(X_new)
errors = {
    "alone": by_clinic(alone),
    "pooled": by_clinic(pooled),
    "multi-task": by_clinic(model.predict(X_new, sample_domain=clinic_new)),
}
few = sizes < 25
for name, error in errors.items():
    print(
        f"{name:12s} few patients {error[few].mean():.2f}   many {error[~few].mean():.2f}"
    )

# %%
# What is shared, what is a clinic's own
# --------------------------------------
# ``coef_`` is the shared part, ``domain_coef_`` has a row for each clinic. The shared part is near
# the coefficients that the clinics were drawn around.

off = np.abs(model.coef_ - common).max()
print(f"largest distance of a shared coefficient from the true one: {off:.2f}")

# %%
# A new clinic
# ------------
# Its patients have no id that the model knows, so they come without one and get the shared part. As
# soon as some of them have a known result, the clinic is a task like the others: here with 15
# results, means over ten new clinics.

scores = []
for _ in range(10):
    w_next, level_next = (
        common + 0.4 * rng.normal(size=n_features),
        rng.normal(),
    )
    X_next = rng.normal(size=(215, n_features))
    y_next = X_next @ w_next + level_next + 1.5 * rng.normal(size=215)
    X_few, y_few, X_rest, y_rest = (
        X_next[:15],
        y_next[:15],
        X_next[15:],
        y_next[15:],
    )

    # Negative: a target, some of whose labels may be missing. The choice of above is kept.
    ids = np.r_[clinic, np.full(215, -1)]
    labels = np.r_[y, y_few, np.full(200, np.nan)]
    joined = MultiTaskTransferRegressor(model.sharing_, alpha=model.alpha_)
    joined.fit(np.r_[X, X_next], labels, sample_domain=ids)
    predicted = (
        model.predict(X_rest),
        joined.predict(
            X_rest
        ),  # rows without an id are those of the only target
        Ridge().fit(X_few, y_few).predict(X_rest),
    )
    scores.append([r2_score(y_rest, p) for p in predicted])
shared, after, few_alone = np.mean(scores, axis=0)
print(
    f"shared part {shared:.2f}   with 15 labels {after:.2f}   these 15 alone {few_alone:.2f}"
)

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(7, 3.2), layout="constrained")
left.plot(grid, curve, "o-")
left.axhline(
    found,
    color="black",
    lw=0.8,
    ls="--",
    label=f'sharing="auto": {model.sharing_:g}',
)
left.set(
    xlabel="sharing",
    ylabel="R² on new patients",
    title="Between thirty models and one",
)
left.legend(frameon=False)
for name, color in (
    ("alone", "tab:orange"),
    ("pooled", "tab:gray"),
    ("multi-task", "tab:blue"),
):
    right.scatter(sizes, errors[name], s=18, color=color, label=name)
right.set(
    xlabel="patients on record", ylabel="mean squared error", title="By clinic"
)
right.set_ylim(0, 12)
right.legend(frameon=False)
for ax in (left, right):
    ax.spines[["top", "right"]].set_visible(False)
plt.show()
