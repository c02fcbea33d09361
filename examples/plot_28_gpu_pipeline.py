"""
A pipeline on a GPU: torch tensors in, torch tensors out
========================================================

Kernel matrices, transport plans and covariances of many rows are work that a
GPU does well. The methods of skda are written against the Python array API:
they work where the data are. A torch tensor on a GPU stays there, from the
scaler to the labels that are predicted.

This lesson runs on a GPU where torch finds one and on the CPU elsewhere; the
code is the same. It needs torch: ``pip install 'skda[deep]'``.
"""

import os

# scipy reads this when it is first imported, scikit-learn asks for it.
os.environ["SCIPY_ARRAY_API"] = "1"

from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
import sklearn
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler

import skda
from skda import (
    CORALTransformer,
    OptimalTransportTransformer,
    RuLSIFWeighter,
    make_domain_pipeline,
)
from skda.datasets import load_digits_scanners
from skda.metrics import InformationMaximizationScorer
from skda.model_selection import DomainStratifiedKFold

sklearn.set_config(enable_metadata_routing=True)

# %%
# Which device is there?
# ----------------------
# Images of digits from one scanner have labels, those from a second one have
# none (``y`` holds them for the score at the end; no fit uses them).

device = "cuda" if torch.cuda.is_available() else "cpu"
X, y, sample_domain = load_digits_scanners(random_state=0)
X = X / 16
target = sample_domain < 0
print(f"torch {torch.__version__} works on: {device}")

# %%
# How do arrays of NumPy get to the device?
# -----------------------------------------
# By one line around ``fit``. Each step of skda moves the rows when it checks
# them, works on the device, and gives back what came in: an array of NumPy.
# Nothing else in the program changes, and the steps of scikit-learn work as
# they always do.


def new_model():
    """Scale, match means and covariances, classify."""
    align = CORALTransformer(match_mean=True)
    classify = LogisticRegression(max_iter=1000)
    return make_domain_pipeline(StandardScaler(), align, classify)


with skda.config_context(backend="torch", device=device):
    model = new_model().fit(X, y, sample_domain=sample_domain)
    labels = model.predict(X[target])
right = np.mean(labels == y[target])
print(f"{type(labels).__name__}, accuracy {right:.3f}")

# %%
# Can the whole pipeline stay on the device?
# ------------------------------------------
# Yes, where each step of scikit-learn can. With ``array_api_dispatch`` its
# scaler and, since version 1.9, its logistic regression take tensors; `a page
# of its guide <https://scikit-learn.org/stable/modules/array_api.html>`_ lists
# the others. Rows, labels and domains are moved once, here in single
# precision, and the labels come back as a tensor on the same device.

sklearn.set_config(array_api_dispatch=True)
rows = torch.asarray(X, dtype=torch.float32, device=device)
digits = torch.asarray(y, device=device)
domains = torch.asarray(sample_domain, device=device)

model = new_model().fit(rows, digits, sample_domain=domains)
labels = model.predict(rows[domains < 0])
right = (labels == digits[domains < 0]).float().mean()
print(f"{type(labels).__name__} on {labels.device}, accuracy {right:.3f}")
classifier = model[-1].estimator_
print(f"coefficients: {classifier.coef_.dtype} on {classifier.coef_.device}")

# %%
# Can a search stay there?
# ------------------------
# It can: folds are cut from the tensors, and the scorer, which needs no label
# of the target, works on them as well.

search = GridSearchCV(
    new_model(),
    {"coraltransformer__strength": [0.0, 0.5, 1.0]},
    scoring=InformationMaximizationScorer(),
    cv=DomainStratifiedKFold(3),
)
search.fit(rows, digits, sample_domain=domains)
strengths = search.cv_results_["param_coraltransformer__strength"]
for strength, score in zip(
    strengths,
    search.cv_results_["mean_test_score"],
    strict=True,
):
    print(f"strength {strength}: label-free score {score:.2f}")

# %%
# Is it the same result?
# ----------------------
# Random numbers come from NumPy on every device, so a seed means the same
# everywhere. What is left is rounding: double precision agrees to the last
# digits, single precision to four or five. On most GPUs single precision is
# many times faster, so that is the question to ask.

in_numpy = CORALTransformer().fit_transform(X, sample_domain=sample_domain)
for dtype in (torch.float64, torch.float32):
    tensor = torch.asarray(X, dtype=dtype, device=device)
    mapped = CORALTransformer().fit_transform(tensor, sample_domain=domains)
    error = np.abs(mapped.cpu().numpy() - in_numpy).max()
    print(f"{dtype}: largest difference of a pixel {error:.0e}")

# %%
# When does it pay?
# -----------------
# The time of one fit against the number of rows, for two methods whose cost is
# a matrix of all pairs of rows. The rows are random numbers: their values do
# not matter here. On a GPU the first call also loads libraries, and calls
# return before they are done; so the best of three counts, and the clock
# waits for the device (``synchronize``).

sizes = [250, 500, 1000, 2000]
methods = {
    "Sinkhorn transport": OptimalTransportTransformer(reg=0.1),
    "RuLSIF weights": RuLSIFWeighter(),
}
ways = {
    "NumPy, double": lambda rows: rows,
    "NumPy, single": lambda rows: rows.astype(np.float32),
    f"torch on {device}, single": lambda rows: torch.asarray(
        rows, dtype=torch.float32, device=device
    ),
}


def seconds(method, rows, domains):
    """Return the shortest time of three fits, in seconds."""
    times = []
    for _ in range(3):
        start = perf_counter()
        method.fit(rows, sample_domain=domains)
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(perf_counter() - start)
    return min(times)


rng = np.random.default_rng(0)
times = {}
for n in sizes:
    made = rng.normal(size=(n, 50))
    made[n // 2 :] += 0.3
    halves = np.repeat([1, -2], n // 2)
    for way, convert in ways.items():
        for name, method in methods.items():
            times[name, way, n] = seconds(method, convert(made), halves)

fig, axes = plt.subplots(1, 2, figsize=(7, 3.2), sharey=True)
colors = ("tab:gray", "tab:orange", "tab:blue")
for ax, name in zip(axes, methods, strict=True):
    for way, color in zip(ways, colors, strict=True):
        line = [times[name, way, n] for n in sizes]
        ax.loglog(sizes, line, "o-", color=color, label=way)
    ax.set(title=name, xlabel="rows")
    ax.set_xticks(sizes, [str(n) for n in sizes])
    ax.minorticks_off()
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set_ylabel("seconds for a fit")
axes[0].legend(frameon=False, fontsize=9)
fig.tight_layout()
plt.show()

# %%
# On one core of a CPU torch is no faster than NumPy, and slower where a sum of
# exponentials is most of the work; single precision alone saves up to half of
# the time. So: on a CPU leave arrays as they are. A GPU starts to pay where
# the matrix of all pairs is large, which is from thousands of rows on; below
# that, starting the work costs more than the work. Each method says in its
# documentation whether all of it runs on the device ("Array level (a)") or a
# part is done by NumPy ("(b)"), such as exact transport.
#
# The networks of :mod:`skda.deep` have a parameter ``device`` of their own.
