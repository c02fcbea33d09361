"""
Deep alignment: features that agree between two scanners
========================================================

A small network reads handwritten digits from one scanner. A second scanner blurs, dims and
flattens the images, and nobody has labeled those. :class:`~skda.DANClassifier` trains the network
on the labeled images while it makes the distributions of the features of both scanners agree. We
search over the weight of that alignment, plot the features, and plot the losses of the training.

This lesson needs torch and skorch: ``pip install 'skda[deep]'``.
"""

import matplotlib.pyplot as plt
import numpy as np
import sklearn
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV

from skda import DANClassifier, DeepSourceOnlyClassifier
from skda.datasets import load_digits_scanners
from skda.metrics import InformationMaximizationScorer
from skda.model_selection import DomainStratifiedKFold

sklearn.set_config(enable_metadata_routing=True)

X, y, sample_domain = load_digits_scanners(random_state=0)
source, target = sample_domain > 0, sample_domain < 0

# %%
# The network without adaptation
# ------------------------------
# A deep estimator is one more classifier, which scales its inputs by itself. ``y`` holds the digits
# of the target images too, for the scores in the end; the training ignores them.

training = {"max_epochs": 20, "random_state": 0}
plain = DeepSourceOnlyClassifier(**training)
plain.fit(X, y, sample_domain=sample_domain)
print(f"source only: {plain.score(X[target], y[target]):.2f}")

# %%
# A search over the weight of the alignment
# -----------------------------------------
# The scorer needs no labels of the target: it rewards predictions that are confident one by one
# and varied as a whole.

search = GridSearchCV(
    DANClassifier(**training),
    {"alignment_weight": [0.0, 0.3, 1.0, 3.0]},
    scoring=InformationMaximizationScorer(),
    cv=DomainStratifiedKFold(3),
)
search.fit(X, y, sample_domain=sample_domain)
best = search.best_estimator_
for weight, score in zip(
    search.cv_results_["param_alignment_weight"],
    search.cv_results_["mean_test_score"],
    strict=True,
):
    print(f"weight {weight}: label-free score {score:.3f}")
print(
    f"chosen: {search.best_params_}, accuracy {best.score(X[target], y[target]):.2f}"
)

# %%
# The features before and after
# -----------------------------
# ``transform`` gives the features that the network learnt. Without alignment the second scanner's
# images lie apart, in one cluster; with it most of them fall on the digits they belong to.

fig, axes = plt.subplots(1, 2, figsize=(7, 3.7), layout="constrained")
for ax, model, title in (
    (axes[0], plain, "source only"),
    (axes[1], best, "DAN"),
):
    features = model.transform(X, sample_domain=sample_domain)
    plane = PCA(2).fit_transform(features)
    for side, marker, alpha in ((source, "o", 0.25), (target, "x", 0.9)):
        ax.scatter(
            *plane[side].T,
            c=y[side],
            cmap="tab10",
            marker=marker,
            s=14,
            alpha=alpha,
        )
    right = model.score(X[target], y[target])
    ax.set_title(f"{title}: {right:.0%} of the second scanner", fontsize=10)
    ax.set(xticks=[], yticks=[])
fig.suptitle(
    "Circles: first scanner. Crosses: second scanner. Colors: digits.",
    fontsize=10,
)

# %%
# The course of the training
# --------------------------
# ``history_`` has a line per epoch. The alignment loss stays small while the network learns the
# digits of the source, which is what one hopes to see; where it stays up, the weight is too small.

history = best.history_
fig, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
epochs = np.arange(1, len(history) + 1)
ax.plot(epochs, history[:, "source_loss"], label="cross-entropy of the source")
if best.alignment_weight > 0:
    ax.plot(
        epochs,
        history[:, "alignment_loss"],
        label="alignment loss times its weight",
    )
ax.set(xlabel="epoch", ylabel="loss")
ax.legend()
plt.show()
