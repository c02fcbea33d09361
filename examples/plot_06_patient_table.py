"""
A patient table with gaps and categories
========================================

Tables of patients have numbers beside categories, and gaps in both. scikit-learn's
``ColumnTransformer`` makes columns of numbers of them; a domain adaptation method follows as the
next step of the pipeline. This lesson builds such a pipeline on patients of four hospitals and
compares what kinds of method do to it.

The data are real: 920 patients of the UCI heart disease data, fetched once.
"""

import matplotlib.pyplot as plt
import numpy as np
import sklearn
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skda import (
    CORALTransformer,
    DomainClassifierWeighter,
    DomainScaler,
    ImportanceWeightedEstimator,
    TrainOnSource,
    make_domain_pipeline,
)
from skda.datasets import fetch_heart_disease

sklearn.set_config(enable_metadata_routing=True)

# %%
# Four hospitals
# --------------
# ``target`` names the hospital that the model is for. Its rows get a negative number in
# ``sample_domain``; its labels are there too, for us to judge by.

heart = fetch_heart_disease(source="cleveland", target="va", as_frame=True)
print(heart.domain_names)
print(heart.data.dtypes.astype(str).value_counts().to_dict())

# %%
# Gaps differ between hospitals: the last three columns were hardly taken outside Cleveland, and
# Switzerland measured no cholesterol.

every = fetch_heart_disease(as_frame=True)
gaps = (
    every.data.isna()
    .groupby(every.sample_domain)
    .mean()
    .rename(index=every.domain_names)
)
print((100 * gaps.loc[:, gaps.max() > 0.1]).round().astype(int))
print(
    every.target.groupby(every.sample_domain)
    .mean()
    .rename(index=every.domain_names)
    .round(2)
)

# %%
# From a table to columns of numbers
# ----------------------------------
# Columns that the target lacks are left out. The others are filled and scaled, or filled and
# encoded. ``make_domain_pipeline`` takes the ``ColumnTransformer`` like any step; as its parts use
# no labels, it is fitted on the rows of both hospitals, so that it knows the categories of both.

FEATURES = [
    name for name in heart.feature_names if name not in ("slope", "ca", "thal")
]


def prepare():
    """Numbers are filled and scaled, categories filled and encoded."""
    return make_column_transformer(
        (
            make_pipeline(SimpleImputer(strategy="median"), StandardScaler()),
            make_column_selector(dtype_include="number"),
        ),
        (
            make_pipeline(
                SimpleImputer(strategy="most_frequent"),
                OneHotEncoder(handle_unknown="ignore", sparse_output=False),
            ),
            make_column_selector(dtype_include="category"),
        ),
    )


X, y, sample_domain = (
    heart.data[FEATURES],
    heart.target.to_numpy(),
    heart.sample_domain,
)
model = make_domain_pipeline(
    prepare(), CORALTransformer(), LogisticRegression()
)
model.fit(X, y, sample_domain=sample_domain)
print(model.predict(X[sample_domain < 0].head(3)))

# %%
# Which method?
# -------------
# A model of Cleveland's patients goes to each of the other three. We compare the plain model, the
# same with columns scaled in each hospital, with aligned covariances, and with weights. Labels of
# the target are used in the last line only, thirty of them.


def models():
    """What follows the preparation, by name."""
    logistic = LogisticRegression(max_iter=1000)
    weighter = DomainClassifierWeighter(random_state=0)
    return {
        "plain": [logistic],
        "scaled by hospital": [DomainScaler(), logistic],
        "aligned (CORAL)": [CORALTransformer(), logistic],
        "weighted": [ImportanceWeightedEstimator(logistic, weighter)],
        "30 labels": [TrainOnSource(logistic, use_target_labels=True)],
    }


def scores(target, seed=0):
    """Accuracy and balanced accuracy on patients of the target whose labels no method saw."""
    X, y, sample_domain = fetch_heart_disease(
        source="cleveland", target=target, as_frame=True, return_X_y=True
    )
    X, y = X[FEATURES], y.to_numpy()
    rows = np.random.default_rng(seed).permutation(
        np.flatnonzero(sample_domain < 0)
    )
    labeled, judged = rows[:30], rows[30:]
    known = np.where(sample_domain > 0, y, np.nan)
    known[labeled] = y[labeled]
    found = {}
    for name, steps in models().items():
        model = make_domain_pipeline(prepare(), *steps)
        model.fit(X, known, sample_domain=sample_domain)
        predicted = model.predict(X.iloc[judged])
        right = np.mean(predicted == y[judged])
        found[name] = right, balanced_accuracy_score(y[judged], predicted)
    return found


TARGETS = ("hungary", "switzerland", "va")
results = {
    target: [scores(target, seed) for seed in range(5)] for target in TARGETS
}
mean = {
    target: {
        name: np.mean([run[name] for run in runs], axis=0) for name in models()
    }
    for target, runs in results.items()
}
print(
    f"{'accuracy / balanced':20s}"
    + "".join(f"{target:>14s}" for target in TARGETS)
)
for name in models():
    cells = "".join(
        "   {:.2f} / {:.2f}".format(*mean[target][name]) for target in TARGETS
    )
    print(f"{name:20s}{cells}")

# %%
# The maps cost accuracy. They make the patients of each hospital look like those of Cleveland, on
# average; but in Switzerland and at the VA most patients are ill, and their columns *should* look
# ill. The weighter found so few patients of Cleveland who resemble the others that it gave all of
# them the weight one, which is the plain model. Thirty labels are worth more than any method
# without. A diagnosis beforehand says much of this: see the lesson "What shifted?".

fig, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
for shift, name in enumerate(models()):
    heights = [mean[target][name][0] for target in TARGETS]
    ax.bar(np.arange(3) + 0.16 * (shift - 2), heights, width=0.15, label=name)
ax.set(
    xticks=range(3),
    xticklabels=TARGETS,
    ylabel="accuracy on target",
    ylim=(0.4, 1.0),
)
ax.legend(frameon=False, fontsize=8, ncols=2)
ax.spines[["top", "right"]].set_visible(False)
plt.show()
