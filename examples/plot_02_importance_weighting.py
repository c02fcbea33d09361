"""
Weighting the rows that look like the target
============================================

A clinic that mostly saw tumours of smooth texture trains a model; another, which sees coarse ones,
wants to use it. What makes a tumour malignant is the same in both, only the patients differ: the
features shift, the labels given the features do not. Then the cure is to let the source rows that
look like target rows count for more. This lesson shows the weights, what they do to a simple model,
how to choose among them without labels, and where little is gained.

The measurements are real, the breast cancer data that scikit-learn ships. The two clinics are made:
each patient goes to one of them by chance, with odds that depend on texture alone.
"""

import matplotlib.pyplot as plt
import numpy as np
import sklearn
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skda import (
    DomainClassifierWeighter,
    ImportanceWeightedEstimator,
    KMMWeighter,
    RuLSIFWeighter,
    stack_domains,
)
from skda.metrics import ImportanceWeightedScorer
from skda.model_selection import DomainStratifiedKFold

sklearn.set_config(enable_metadata_routing=True)

TEXTURE, CONCAVITY = 1, 7
patients = load_breast_cancer()


def two_clinics(seed):
    """Send each patient to the source or the target clinic; return both, standardized."""
    rng = np.random.default_rng(seed)
    X, y = (
        patients.data[:, [CONCAVITY, TEXTURE]],
        patients.target_names[patients.target],
    )
    texture = (X[:, 1] - X[:, 1].mean()) / X[:, 1].std()
    to_target = rng.uniform(size=len(y)) < 1 / (1 + np.exp(-3 * texture))
    X, y, sample_domain = stack_domains(
        X[~to_target], y[~to_target], X[to_target], y[to_target]
    )
    return (
        StandardScaler().fit(X[sample_domain > 0]).transform(X),
        y,
        sample_domain,
    )


# %%
# What the weights look like
# --------------------------
# Kernel mean matching asks for weights under which the source, as a whole, looks like the target.
# A weighter can be fitted and inspected alone: it needs the rows and their domains, no labels.

X, y, sample_domain = two_clinics(seed=0)
source, target = sample_domain > 0, sample_domain < 0
weighter = KMMWeighter(min_effective_size=None).fit(
    X, sample_domain=sample_domain
)
print(f"{source.sum()} source rows, {target.sum()} target rows")
print(f"effective sample size {weighter.effective_sample_size_:.0f}")

# %%
# The effective sample size is the price: the weighted rows are worth as much as so many rows of
# equal weight. The same two lines train the model with and without the weights.


def fitted(weighter):
    model = ImportanceWeightedEstimator(LogisticRegression(C=0.1), weighter)
    return model.fit(X, y, sample_domain=sample_domain)


fig, axes = plt.subplots(1, 2, figsize=(7, 3.5), sharex=True, sharey=True)
ill = y == "malignant"
grid = np.stack(
    np.meshgrid(np.linspace(-3, 6, 200), np.linspace(-3, 6, 200)), axis=-1
)
for axis, (title, chosen) in zip(
    axes,
    {"every source row counts 1": None, "weighted": weighter}.items(),
    strict=True,
):
    model = fitted(chosen)
    sizes = 12 * model.weights_
    axis.scatter(
        *X[target].T, s=8, color="0.75", label="target, labels unknown"
    )
    for group, color, name in (
        (~ill, "tab:blue", "benign"),
        (ill, "tab:red", "malignant"),
    ):
        rows = group[source]
        axis.scatter(
            *X[source][rows].T,
            s=sizes[rows],
            color=color,
            alpha=0.6,
            label=name,
        )
    border = model.predict_proba(grid.reshape(-1, 2))[:, 1].reshape(200, 200)
    axis.contour(
        grid[..., 0], grid[..., 1], border, levels=[0.5], colors="black"
    )
    score = model.score(X[target], y[target])
    axis.set_title(f"{title}\n{score:.0%} right on the target", fontsize=10)
    axis.set_xlabel("concave points")
axes[0].set_ylabel("texture")
axes[0].legend(loc="upper right", fontsize=8)
plt.tight_layout()
plt.show()

# %%
# Does it hold up?
# ----------------
# One draw proves little. Over ten draws, with three weighters, beside the model that was trained on
# the target clinic's own labels:

WEIGHTERS = {
    "source only": None,
    "kernel mean matching": KMMWeighter(min_effective_size=None),
    "relative density ratio": RuLSIFWeighter(
        random_state=0, min_effective_size=None
    ),
    "domain classifier": DomainClassifierWeighter(
        random_state=0, min_effective_size=None
    ),
}
scores = {name: [] for name in [*WEIGHTERS, "trained on the target"]}
for seed in range(10):
    X, y, sample_domain = two_clinics(seed)
    target = sample_domain < 0
    for name, chosen in WEIGHTERS.items():
        scores[name].append(fitted(chosen).score(X[target], y[target]))
    ceiling = LogisticRegression(C=0.1).fit(X[target], y[target])
    scores["trained on the target"].append(ceiling.score(X[target], y[target]))
for name, values in scores.items():
    print(f"{name:<24}{np.mean(values):.3f} ± {np.std(values):.3f}")

gains = {
    name: np.mean(scores[name]) - np.mean(scores["source only"])
    for name in WEIGHTERS
}
assert (
    min(gain for name, gain in gains.items() if name != "source only") > 0.01
)

# %%
# Choosing among weighters without labels
# ---------------------------------------
# The weighter is a parameter like any other, and so is whatever is inside it. The scorer weights
# held-out *source* rows, so it needs no label from the target.

X, y, sample_domain = two_clinics(seed=0)
target = sample_domain < 0
hidden = y.astype(object)
hidden[target] = None
search = GridSearchCV(
    make_pipeline(
        StandardScaler(),
        ImportanceWeightedEstimator(
            LogisticRegression(C=0.1), KMMWeighter(min_effective_size=None)
        ),
    ),
    {
        "importanceweightedestimator__weighter": [
            None,
            KMMWeighter(min_effective_size=None),
            KMMWeighter(reg=100.0, min_effective_size=None),
            RuLSIFWeighter(random_state=0, min_effective_size=None),
        ]
    },
    scoring=ImportanceWeightedScorer(),
    cv=DomainStratifiedKFold(5, shuffle=True, random_state=0),
)
search.fit(X, hidden, sample_domain=sample_domain)
print(search.best_params_["importanceweightedestimator__weighter"])
print(
    f"{search.score(X, hidden, sample_domain=sample_domain):.3f} estimated without labels"
)
right = np.mean(search.predict(X[target]) == y[target])
print(f"{right:.3f} right on the target")

# %%
# Where there is less to gain
# ---------------------------
# Weights help a model that has to choose where to be right. With all thirty measurements the same
# model is nearly right everywhere, so that less is left to gain, and in thirty dimensions the
# domains overlap less. Check the effective sample size before believing a weighted model: below
# a few dozen rows its scores are a matter of luck.

rng = np.random.default_rng(0)
texture = patients.data[:, TEXTURE]
texture = (texture - texture.mean()) / texture.std()
to_target = rng.uniform(size=len(texture)) < 1 / (1 + np.exp(-3 * texture))
labels = patients.target_names[patients.target]
X, y, sample_domain = stack_domains(
    patients.data[~to_target],
    labels[~to_target],
    patients.data[to_target],
    labels[to_target],
)
X = StandardScaler().fit(X[sample_domain > 0]).transform(X)
target = sample_domain < 0
for name, chosen in WEIGHTERS.items():
    model = fitted(chosen)
    size, score = (
        model.effective_sample_size_,
        model.score(X[target], y[target]),
    )
    print(
        f"{name:<24}effective sample size {size:5.0f}, {score:.3f} right on the target"
    )
