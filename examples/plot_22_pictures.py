"""
Pictures of a shift, and of what a method does about it
=======================================================

A table of numbers says that a model got worse; a picture often says why.
This lesson goes through the displays of ``skda.inspection`` on one story: a
classifier reads handwritten digits from one scanner, and a second scanner
blurs and dims the images.

All displays are used alike, as scikit-learn's are: ``from_estimator`` or
``from_predictions`` computes, ``plot`` draws and returns the display, and the
numbers behind the picture are its attributes.

This lesson needs torch and skorch for one of its pictures:
``pip install 'skda[deep]'``.
"""

# sphinx_gallery_thumbnail_number = 3

import warnings

import matplotlib.pyplot as plt
import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression

from skda import (
    CORALTransformer,
    DANNClassifier,
    DomainScaler,
    DomainWarning,
    JDATransformer,
    JDOTClassifier,
    KMMWeighter,
    LinearTransportTransformer,
    OptimalTransportTransformer,
    SubspaceAlignmentTransformer,
    make_domain_pipeline,
)
from skda.datasets import load_digits_scanners
from skda.inspection import (
    ComparisonDisplay,
    ConvergenceDisplay,
    DomainCalibrationDisplay,
    DomainConfusionDisplay,
    DomainsDisplay,
    DriftDisplay,
    FeatureShiftDisplay,
    TrainingCurveDisplay,
    TransportPlanDisplay,
    WeightsDisplay,
)
from skda.metrics import InformationMaximizationScorer, LabeledTargetScorer
from skda.model_selection import DomainStratifiedKFold, compare
from skda.monitoring import DriftMonitor

sklearn.set_config(enable_metadata_routing=True)

X, y, sample_domain = load_digits_scanners(random_state=0)
X = X / 16  # from 0, black, to 1
source, target = sample_domain > 0, sample_domain < 0
print(source.sum(), "images of the first scanner,", target.sum(), "others")

# %%
# Which features have shifted
# ---------------------------
# The six pixels whose values differ most. The second scanner turns black
# into gray, so that what used to be 0 is so no more.

FeatureShiftDisplay.from_rows(X, sample_domain)
plt.show()

# %%
# Both domains in the plane, before and after a map
# -------------------------------------------------
# The images of the two scanners lie apart. A map that moves the mean and the
# covariance of the second scanner onto those of the first brings them
# together.

mapping = LinearTransportTransformer(direction="to_source")
mapping.fit(X, sample_domain=sample_domain)
DomainsDisplay.from_estimator(mapping, X, sample_domain=sample_domain)
plt.show()

# %%
# What a model without adaptation gets wrong
# ------------------------------------------
# Rows are the true digits, columns the predicted ones, and numbers are
# percent of a row. The errors in the target are not spread evenly: most
# digits are taken for a few others. The labels of the second scanner serve
# this picture only.

plain = make_domain_pipeline(LogisticRegression(max_iter=500))
plain.fit(X, y, sample_domain=sample_domain)
confusion = DomainConfusionDisplay.from_estimator(
    plain, X, y, sample_domain=sample_domain
)
plt.show()
print(confusion.accuracies)

# %%
# Whether its probabilities can be believed
# -----------------------------------------
# This model notices that something is amiss: most images of the second
# scanner get a low probability (the large marks), and about as many of them
# are right as it says. A mark is a bin of probabilities, and its line an
# interval for the part that is right.

reliability = DomainCalibrationDisplay.from_estimator(
    plain, X, y, sample_domain=sample_domain
)
plt.show()
print(reliability.expected_calibration_errors)

# %%
# Whether weights would help
# --------------------------
# Weighting the images of the first scanner asks for images there that look
# like the second scanner's. The effective sample size says that there are
# next to none: all weight would rest on a few rows.

# The picture says in more detail what the warning does.
warnings.simplefilter("ignore", DomainWarning)
weighter = KMMWeighter(min_effective_size=None, reg=0.1)
weighter.fit(X, sample_domain=sample_domain)
weights = WeightsDisplay.from_estimator(weighter)
plt.show()
print(f"{weights.effective_sample_size:.0f} rows of {source.sum()}")

# %%
# Which candidate to take
# -----------------------
# Some alignments beside the model that does not adapt. The label-free score
# is what one has in practice; the accuracy is shown to check it. A line is
# one standard deviation over the folds, and the ring marks the best. A third
# of the images is enough for this.


def classifier(*steps):
    """Put a logistic regression behind some steps."""
    return make_domain_pipeline(*steps, LogisticRegression(max_iter=500))


candidates = {
    "source only": plain,
    "scaler": classifier(DomainScaler()),
    "CORAL": classifier(DomainScaler(), CORALTransformer()),
    "linear transport": classifier(LinearTransportTransformer()),
    "subspaces": classifier(
        DomainScaler(), SubspaceAlignmentTransformer(n_components=20)
    ),
}
third = slice(None, None, 3)
table = compare(
    candidates,
    X[third],
    y[third],
    sample_domain[third],
    scoring={
        "label-free score": InformationMaximizationScorer(),
        "target accuracy": LabeledTargetScorer(),
    },
    cv=DomainStratifiedKFold(3),
)
ComparisonDisplay.from_table(table)
plt.show()

# %%
# What the chosen one makes of it
# -------------------------------
# Its accuracy in the target is far higher, but it is now too sure there: the
# curve of the target lies below the diagonal. ``ax=`` draws in axes of one's
# own.

best = table["label-free score", "mean"].idxmax()
adapted = candidates[best].fit(X, y, sample_domain=sample_domain)
fig, axes = plt.subplots(1, 2, figsize=(7, 3.6), layout="constrained")
for ax, (name, model) in zip(
    axes, {"source only": plain, best: adapted}.items(), strict=True
):
    display = DomainCalibrationDisplay.from_estimator(
        model, X, y, sample_domain=sample_domain, ax=ax
    )
    ax.set_title(name)
plt.show()

# %%
# Whom optimal transport pairs with whom
# --------------------------------------
# Thirty images of three digits from either scanner, scaled by domain. In
# the image on the right, rows and columns are sorted by digit: mass outside
# of the blocks on the diagonal goes to another digit.

rng = np.random.default_rng(0)
few = np.concatenate(
    [
        rng.choice(np.flatnonzero(side & (y == digit)), 30, replace=False)
        for side in (source, target)
        for digit in (0, 1, 2)
    ]
)
ids = sample_domain[few]
rows = DomainScaler().fit_transform(X[few], sample_domain=ids)
transport = OptimalTransportTransformer(reg=0.05, marginal_reg=None)
transport.fit(rows, sample_domain=ids)
plan = TransportPlanDisplay.from_estimator(
    transport, rows, y[few], sample_domain=ids
)
plt.show()
print(f"{100 * plan.within_classes:.0f} % of the mass within its digit")

# %%
# Whether an iteration came to rest
# ---------------------------------
# Two methods guess the labels of the target in turns. Transport of features
# and labels (left) lowers an objective, and comes to rest after some rounds.
# Joint distribution adaptation (right) goes on changing hundreds of guesses
# until it is stopped, which is a reason not to rely on it here.

jdot = JDOTClassifier().fit(rows, y[few], sample_domain=ids)
scaled = DomainScaler().fit_transform(X, sample_domain=sample_domain)
jda = JDATransformer(n_components=20, kernel="linear", max_iter=20)
jda.fit(scaled, y, sample_domain=sample_domain)
fig, axes = plt.subplots(1, 2, figsize=(7, 2.8), layout="constrained")
ConvergenceDisplay.from_estimator(jdot, ax=axes[0])
ConvergenceDisplay.from_estimator(jda, ax=axes[1])
plt.show()

# %%
# How a network was trained
# -------------------------
# A domain-adversarial network: its second part guesses the scanner from the
# features. An accuracy of the domains near 0.5 means that it cannot.

net = DANNClassifier(max_epochs=15, random_state=0)
net.fit(X[third], y[third], sample_domain=sample_domain[third])
TrainingCurveDisplay.from_estimator(net)
plt.show()
print(f"accuracy in the target: {net.score(X[target], y[target]):.2f}")

# %%
# When the scanner was changed
# ----------------------------
# A monitor watches the images one after the other. The second scanner takes
# over after 200 of them.

images = rng.permutation(np.flatnonzero(source))
reference, stream = images[:400], images[400:600]
monitor = DriftMonitor(random_state=0).fit(X[reference])
monitor.update(X[np.concatenate([stream, np.flatnonzero(target)[:100]])])
DriftDisplay.from_estimator(monitor)
plt.show()
print("alarm at row", monitor.alarm_row_)
