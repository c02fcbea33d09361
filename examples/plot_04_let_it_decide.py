"""
Let it decide: a consensus instead of a choice
==============================================

Which of some twenty methods helps on the images of a new scanner? Without labels of that scanner
nobody knows, and every score that needs none is misled somewhere. This lesson fits all of them,
shows how far apart they end, and combines them: first for a scanner on which the source model
fails, then for one on which it does not, where adapting would only do harm.

The images are the real ones that scikit-learn ships; the second scanner is simulated.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import sklearn

from skda import AutoAdaptClassifier
from skda.datasets import load_digits_scanners

sklearn.set_config(enable_metadata_routing=True)

# %%
# A scanner on which the source model fails
# -----------------------------------------
# The target has no labels in ``known``. Its true ones stay in ``y``, to look at in the end.

X, y, sample_domain = load_digits_scanners(random_state=1)
rows = np.random.default_rng(0).permutation(len(y))[:900]
X, y, sample_domain = X[rows], y[rows], sample_domain[rows]
target = sample_domain < 0
known = np.where(target, np.nan, y)

model = AutoAdaptClassifier().fit(X, known, sample_domain=sample_domain)
print(model.verdict_)

# %%
# Each candidate was fitted once, as it comes. Now the labels of the target tell how good each was,
# which the consensus did not know. It is about as good as the best ones, and nobody had to know
# which these are.

accuracy = {
    name: fitted.score(X[target], y[target])
    for name, fitted in model.consensus_.estimators_.items()
}
accuracy["consensus"] = model.score(X[target], y[target])
for name, value in sorted(accuracy.items(), key=lambda item: item[1]):
    print(f"{name:28s}{value:.2f}")

# %%
# A scanner that is the same
# --------------------------
# Half of the source's own images stand in for a target that did not change. The source model's
# labels lead back from there to the source: it is kept.

source = np.flatnonzero(~target)
same = np.where(np.arange(len(source)) % 2 == 0, 1, -2)
hidden = np.where(same < 0, np.nan, y[source])
kept = AutoAdaptClassifier().fit(X[source], hidden, sample_domain=same)
print(kept.verdict_)

unchanged = {
    name: fitted.score(X[source][same < 0], y[source][same < 0])
    for name, fitted in kept.consensus_.estimators_.items()
}
unchanged["consensus"] = kept.score(X[source][same < 0], y[source][same < 0])

# %%
# Both at a glance
# ----------------

fig, axes = plt.subplots(
    1, 2, figsize=(7, 5), layout="constrained", sharex=True
)
for ax, found, title in (
    (axes[0], accuracy, "new scanner"),
    (axes[1], unchanged, "same scanner"),
):
    names = sorted(found, key=found.get)
    special = {"consensus": "tab:orange", "source only": "tab:gray"}
    colors = [special.get(name, "tab:blue") for name in names]
    drawn = ax.barh(names, [found[name] for name in names], color=colors)
    ax.bar_label(
        drawn, [f"{found[name]:.2f}" for name in names], padding=2, fontsize=8
    )
    ax.set(xlim=(0, 1.1), xlabel="accuracy on the target", title=title)
    ax.spines[["top", "right"]].set_visible(False)

figure = Path("demo_output") / "let_it_decide.png"
figure.parent.mkdir(exist_ok=True)
fig.savefig(figure, dpi=150)
print(f"figure: {figure}")
