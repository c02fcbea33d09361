"""
Label shift: a clinic's model in a screening program
======================================================

A clinic sees patients of whom half are ill. Its classifier is to be used in a screening program,
where one in ten is. The illness looks the same in both places; it is only rarer. A model that
believes in the clinic's odds raises far too many alarms. The correction needs no labels of the
program, only its measurements.

The measurements are the real ones of the breast cancer data that scikit-learn ships. The two
places are ours: we draw who goes where.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.calibration import calibration_curve
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skda import DomainWarning, LabelShiftClassifier, stack_domains

# %%
# Two places
# ----------
# 200 people are screened, 20 of them ill; all others were in the clinic. Two cheap measurements
# are used, texture and smoothness of the cells, which do not tell everything. With all thirty the
# classes hardly overlap, and where a model is certain, odds do not matter.

frame = load_breast_cancer(as_frame=True)
X_all = frame.data[["mean texture", "mean smoothness"]].to_numpy()
ill = np.where(frame.target == 0, "ill", "well")


def draw(seed):
    """Rows of the clinic and of the screening program, with their labels."""
    order = np.random.default_rng(seed).permutation(len(ill))
    sick, healthy = order[ill[order] == "ill"], order[ill[order] == "well"]
    screened = np.concatenate([sick[:20], healthy[:180]])
    clinic = np.concatenate([sick[20:], healthy[180:]])
    return X_all[clinic], ill[clinic], X_all[screened], ill[screened]


# %%
# One fit
# -------
# :class:`~skda.LabelShiftClassifier` fits the classifier on the clinic's rows, works out from its
# probabilities on the screened how rare the illness must be among them, and corrects the
# probabilities for that.

X_clinic, y_clinic, X_screened, y_screened = draw(0)
X, y, sample_domain = stack_domains(X_clinic, y_clinic, X_screened)

classifier = make_pipeline(StandardScaler(), LogisticRegression())
model = LabelShiftClassifier(classifier).fit(X, y, sample_domain=sample_domain)

print("classes                ", *model.classes_)
print("shares in the clinic   ", *model.source_priors_.round(2))
print("shares among screened  ", *model.target_priors_.round(2), "(estimated)")
print(
    "                       ",
    *[(y_screened == c).mean() for c in model.classes_],
    "(true)",
)

# %%
# How much it matters
# -------------------
# Twenty draws, and the three ways to estimate the proportions. ``em`` maximizes the likelihood; it
# needs probabilities that can be believed, as those of a logistic regression. ``bbse`` and
# ``rlls`` invert the confusion matrix, which asks less of the classifier and gives a noisier
# answer.


def outcomes(seed):
    """Accuracy, log loss and number of alarms of each model among the screened."""
    X_clinic, y_clinic, X_screened, y_screened = draw(seed)
    X, y, sample_domain = stack_domains(X_clinic, y_clinic, X_screened)
    warnings.simplefilter("ignore", DomainWarning)  # see below
    models = {
        method: LabelShiftClassifier(
            classifier, method=method, random_state=0
        ).fit(X, y, sample_domain=sample_domain)
        for method in ("em", "bbse", "rlls")
    }
    models = {"clinic's model": models["em"].estimator_, **models}
    return {
        name: (
            model.score(X_screened, y_screened),
            log_loss(y_screened, model.predict_proba(X_screened)),
            (model.predict(X_screened) == "ill").sum(),
        )
        for name, model in models.items()
    }


results = [outcomes(seed) for seed in range(20)]
print(f"{'':16s}accuracy  log loss  alarms (of 200 screened, 20 ill)")
for name in results[0]:
    accuracy, loss, alarms = np.mean(
        [result[name] for result in results], axis=0
    )
    print(f"{name:16s}{accuracy:8.2f}{loss:10.2f}{alarms:8.0f}")

# %%
# The clinic's model raises an alarm for a third of the screened. Corrected, it is right in nine of
# ten, and its probabilities come close to what is true, in the figure below. Nothing has become
# easier to see, though: with measurements as poor as these and an illness as rare, most of the ill
# stay below one half. What is won is that the probabilities can be used, to rank people or to weigh
# a missed case against a false alarm.
#
# ``bbse`` now and then finds no ill person at all among the screened: it says so with a
# :class:`~skda.DomainWarning`, and its log loss shows what that costs.

probabilities = {"clinic's model": [], "corrected": []}
truth = []
for seed in range(20):
    X_clinic, y_clinic, X_screened, y_screened = draw(seed)
    X, y, sample_domain = stack_domains(X_clinic, y_clinic, X_screened)
    model = LabelShiftClassifier(classifier).fit(
        X, y, sample_domain=sample_domain
    )
    probabilities["clinic's model"].append(
        model.estimator_.predict_proba(X_screened)[:, 0]
    )
    probabilities["corrected"].append(model.predict_proba(X_screened)[:, 0])
    truth.append(y_screened == "ill")

fig, ax = plt.subplots(figsize=(5, 4.5), layout="constrained")
ax.plot([0, 1], [0, 1], color="lightgray")
for (name, values), color in zip(
    probabilities.items(), ("tab:gray", "tab:blue"), strict=True
):
    observed, predicted = calibration_curve(
        np.concatenate(truth),
        np.concatenate(values),
        n_bins=10,
        strategy="quantile",
    )
    ax.plot(predicted, observed, "o-", color=color, label=name)
ax.set(
    xlim=(0, 1),
    ylim=(0, 1),
    xlabel="probability of illness, as predicted",
    ylabel="proportion that is ill",
    title="People in the screening program",
)
ax.legend(frameon=False)
ax.spines[["top", "right"]].set_visible(False)
plt.show()
