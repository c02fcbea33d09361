"""
Choosing without target labels
==============================

Which method, how strong, and can the answer be believed? The usual way to choose, the score on
held-out rows with labels, is not available: the rows that matter have none. This lesson looks at
what shifted, scores a grid of candidates with several label-free scorers, and in the end uses the
target labels to see which of the scorers chose well.

The images are the handwritten digits that scikit-learn ships; the second scanner is simulated, as
:func:`skda.datasets.load_digits_scanners` documents.
"""

import matplotlib.pyplot as plt
import numpy as np
import sklearn
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler

from skda import (
    CORALTransformer,
    DomainScaler,
    SubspaceAlignmentTransformer,
    make_domain_pipeline,
)
from skda.datasets import load_digits_scanners
from skda.inspection import feature_shift
from skda.metrics import (
    BatchNuclearNormScorer,
    CircularValidationScorer,
    DEVScorer,
    ImportanceWeightedScorer,
    InformationMaximizationScorer,
    LabeledTargetScorer,
    MixValScorer,
    SourceScorer,
    mmd_test,
    proxy_a_distance,
)
from skda.model_selection import (
    DomainStratifiedKFold,
    compare,
    plot_comparison,
)

sklearn.set_config(enable_metadata_routing=True)

X, y, sample_domain = load_digits_scanners(random_state=0)
source, target = sample_domain > 0, sample_domain < 0
hidden = np.where(target, np.nan, y)  # what we know when we choose

# %%
# Is there a shift, and where?
# ----------------------------
# The permutation test shows whether the two sets of images could come from one distribution; the
# proxy A-distance, from 0 to 2, how easily a classifier separates them. The table goes feature by
# feature, here pixel by pixel, and corrects the p-values for their number, 64.

test = mmd_test(X[source], X[target], random_state=0)
print(f"squared MMD {test.statistic:.3f}, p-value {test.pvalue:.3f}")
print(
    f"proxy A-distance {proxy_a_distance(X[source], X[target], random_state=0):.2f}\n"
)

shift = feature_shift(X, sample_domain)
print(
    shift[["ks", "adjusted_pvalue", "wasserstein", "psi"]]
    .head()
    .round(3)
    .to_string()
)
print(
    f"\n{(shift['adjusted_pvalue'] < 0.01).sum()} of {len(shift)} pixels shifted"
)

# %%
# Several methods side by side
# ----------------------------
# :func:`~skda.model_selection.compare` cross-validates candidates on the same folds and ranks them
# under every scorer. The source-only model, here a scaler and a classifier fitted on the source
# rows, is always among them: a method that no scorer puts above it is not worth its trouble.

classifier = LogisticRegression(max_iter=1000)
candidates = {
    "CORAL": make_domain_pipeline(
        StandardScaler(), CORALTransformer(match_mean=True), classifier
    ),
    "domain scaler": make_domain_pipeline(DomainScaler(), classifier),
    "subspaces": make_domain_pipeline(
        StandardScaler(),
        SubspaceAlignmentTransformer(n_components=20),
        classifier,
    ),
}
table = compare(candidates, X, hidden, sample_domain, cv=3)
print(table.xs("mean", axis=1, level=1).round(3).to_string())
plot_comparison(table)

# %%
# All scorers in one search
# -------------------------
# Scorers are plain scikit-learn scorers, so a grid search takes a dictionary of them. ``refit``
# names the one that decides. The last one uses the target labels; it is there for this lesson
# only, and ``y`` must hold them for it. The other scorers get the same ``y`` and ignore them. A
# name such as ``"accuracy"`` would not do: scikit-learn's scorers compare all rows with ``y``.

scoring = {
    "source": SourceScorer(),
    "importance weighted": ImportanceWeightedScorer(),
    "DEV": DEVScorer(),
    "information": InformationMaximizationScorer(),
    "nuclear norm": BatchNuclearNormScorer(),
    "MixVal": MixValScorer(),
    "circular": CircularValidationScorer(),
    "target": LabeledTargetScorer(),
}
search = GridSearchCV(
    candidates["CORAL"],
    {
        "coraltransformer__strength": [0.0, 0.25, 0.5, 0.75, 1.0],
        "coraltransformer__reg": [0.01, 0.1, 1.0],
    },
    scoring=scoring,
    refit="information",
    cv=DomainStratifiedKFold(n_splits=3, shuffle=True, random_state=0),
).fit(X, y, sample_domain=sample_domain)

# %%
# What the target labels show
# ---------------------------
# Each point is a candidate. A scorer is useful when its best candidate, marked, is high, whatever
# its scale; the correlation says how well it orders them all.

results = search.cv_results_
truth = results["mean_test_target"]
unadapted = truth[results["param_coraltransformer__strength"] == 0.0].max()

fig, axes = plt.subplots(
    2, 4, figsize=(7, 4.2), sharey=True, layout="constrained"
)
print(f"{'scorer':22s}{'correlation':>12s}{'accuracy of its choice':>24s}")
for ax, name in zip(axes.ravel(), scoring, strict=True):
    scores = results[f"mean_test_{name}"]
    best = np.argmax(scores)
    print(f"{name:22s}{spearmanr(scores, truth)[0]:12.2f}{truth[best]:24.3f}")
    ax.scatter(scores, truth, color="lightsteelblue")
    ax.scatter(scores[best], truth[best], color="tab:blue")
    ax.axhline(unadapted, color="black", linestyle="--", linewidth=1)
    ax.set_title(name, fontsize=9)
    ax.set_xlabel("score", fontsize=8)
    ax.tick_params(labelsize=7)
    ax.locator_params(axis="x", nbins=3)
for ax in axes[:, 0]:
    ax.set_ylabel("accuracy on target", fontsize=8)
print(f"\nsource only {unadapted:.3f}, best candidate {truth.max():.3f}")

# %%
# On this shift the information, the nuclear norm and the circular score order the candidates well.
# The accuracy of what they choose on the new images is more than 20 points above that of the
# source-only model (dashed). The source score is nearly flat: it cannot see the target. The
# weighted scores choose from the middle of the field, since hardly a source row looks like a target
# row, so that few rows carry all the weight. MixVal stays with a model that hardly adapts.
#
# Another shift gives another order. The user guide has a table over thirteen tasks, and every
# scorer fails somewhere in it: a label-free score is evidence, to be read beside others.
