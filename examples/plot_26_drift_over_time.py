"""
Drift over time: which past should a model learn from?
======================================================

A forecast is fitted again every quarter, on labels of the past, and used in
the quarter to come. Seasons return, instruments age, and one day the thing
itself changes. Is all of the past the best training set, or the last year, or
the same season a year ago? And does aligning past rows with the new ones help?
The honest judge is the *rolling origin*: each quarter is the target once, and
only what was known before it may be used.

The solar plant of this lesson is simulated, so that we know what changed.
"""

import matplotlib.pyplot as plt
import numpy as np
import sklearn
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from skda import CORALTransformer, make_domain_pipeline
from skda.metrics import LabeledTargetScorer
from skda.model_selection import compare, iter_target_domains

sklearn.set_config(enable_metadata_routing=True)

# %%
# What changes?
# -------------
# Five years of a plant, 150 hours a quarter. Power depends on light and on the
# temperature of the modules, thus on air temperature and wind. Three things
# change:
#
# * the *seasons*: dark and cold, bright and warm, and back;
# * the *instruments*: each of four sensors drifts, a little every quarter;
# * the *plant*: from the fifth year on its new modules give 15 % more.

rng = np.random.default_rng(1)
n = 150
gain_drift = 0.04 * rng.normal(size=4)
offset_drift = 0.15 * rng.normal(size=4)


def measured(quarter):
    """Return what the four sensors show in a quarter, and the power."""
    season = np.cos(np.pi / 2 * (quarter % 4))
    delayed = np.cos(np.pi / 2 * (quarter % 4) - 0.4)
    sun = 5 - 2.5 * season + 0.2 * rng.normal()
    light = 1.4 * sun * rng.beta(3, 1.5, n)
    brighter = light - light.mean()
    air = 12 - 9 * delayed + 0.8 * rng.normal()
    air = air + 2 * brighter + 3 * rng.normal(size=n)
    wind = rng.gamma(3, 1.2 + 0.3 * season, n)
    humid = 70 + 10 * season - 8 * brighter + 6 * rng.normal(size=n)

    module = air + 4 * light - wind
    power = 10 * light * (1 - 0.006 * (module - 25))
    power = power * (1.15 if quarter >= 16 else 1.0)
    sensors = np.column_stack([light, air / 5, wind, humid / 10])
    sensors = sensors * (1 + quarter * gain_drift) + quarter * offset_drift
    return sensors, power + 1.5 * rng.normal(size=n)


parts = [measured(quarter) for quarter in range(20)]
X = np.concatenate([rows for rows, _ in parts])
y = np.concatenate([power for _, power in parts])
quarters = np.repeat(np.arange(20), n)

# %%
# What would mixed rows have told?
# --------------------------------
# Folds that mix all quarters let the model learn from the future. The figure
# that comes out is good, and nobody will ever see it again.

plain = [StandardScaler(), PolynomialFeatures(2, include_bias=False), Ridge()]
folds = KFold(5, shuffle=True, random_state=0)
mixed = cross_val_score(make_pipeline(*plain), X, y, cv=folds).mean()
print(f"R² in folds of mixed quarters: {mixed:.2f}")

# %%
# How is the rolling origin taken?
# --------------------------------
# :func:`~skda.model_selection.iter_target_domains` gives each quarter as the
# target with all earlier ones as sources. Two more ways to choose the past are
# a few lines. :func:`~skda.model_selection.compare` takes any of them and
# fits CORAL and the model without it for each quarter. The first year only
# trains.


def pasts(keep):
    """Yield the targets from the second year on, with a part of their past."""
    for now, ids, rows in iter_target_domains(quarters, past_only=True):
        if now >= 4:
            chosen = (ids < 0) | keep(quarters[rows], now)
            yield now, ids[chosen], rows[chosen]


choices = {
    "all quarters": lambda then, now: then < now,
    "last four": lambda then, now: then >= now - 4,
    "same season": lambda then, now: then == now - 4,
}
aligned = make_domain_pipeline(CORALTransformer(match_mean=True), *plain)
scores = {}
for name, keep in choices.items():
    table = compare(
        {"CORAL": aligned},
        X,
        y,
        pasts(keep),
        scoring={"r2": LabeledTargetScorer("r2")},
        cv=3,
        source_only=make_pipeline(*plain),
    )
    scores[name] = table["r2", "mean"].unstack()

# %%
# Which past, and does adapting pay?
# ----------------------------------
# Medians over the twelve quarters of years two to four, and over the four
# after the plant has changed:

ways = ["source only", "CORAL"]
for title, years in (
    ("years 2 to 4", slice(4, 15)),
    ("year 5, new modules", slice(16, 19)),
):
    print(f"{title:22s}" + "".join(f"{way:>13s}" for way in ways))
    for name, score in scores.items():
        median = score.loc[years].median()
        print(f"  {name:20s}" + "".join(f"{median[w]:13.2f}" for w in ways))

# %%
# Alignment depends on what it is given. With all quarters as the source CORAL
# turns bright days into dark ones to match a winter: seasons are a true
# difference of the weather, and mapping it away does much harm. Between the
# same season of two years the weather is nearly the same, what differs is the
# sensors, and to undo that is what CORAL is for. The worst quarter shows it:

for name, way in (
    ("all quarters", "source only"),
    ("all quarters", "CORAL"),
    ("last four", "source only"),
    ("same season", "source only"),
    ("same season", "CORAL"),
):
    worst = scores[name].loc[4:15, way].min()
    print(f"{name:13s} {way:12s} worst quarter {worst:6.2f}")

# %%
# What can no alignment find?
# ---------------------------
# The new modules. In year 5 the same weather gives more power, which no sensor
# shows; only labels can tell. A model that forgets, such as the one of the
# last four quarters, takes it up as labels arrive. The aligned one learns from
# the old plant until a year has passed.

fig, ax = plt.subplots(figsize=(7, 3.8), layout="constrained")
bottom = -0.5
for name, way, style in (
    ("all quarters", "source only", {"color": "tab:gray"}),
    ("last four", "source only", {"color": "tab:orange"}),
    ("same season", "CORAL", {"color": "tab:blue", "linewidth": 2.5}),
    ("all quarters", "CORAL", {"color": "tab:red", "linestyle": "none"}),
):
    line = scores[name][way].clip(lower=bottom)
    ax.plot(line.index, line, marker="o", label=f"{name}, {way}", **style)
ax.axvline(15.5, color="black", linewidth=0.8, linestyle=":")
ax.text(15.7, -0.25, "new modules", fontsize=9)
ax.set_xticks(range(4, 20, 4), [f"year {k},\nwinter" for k in range(2, 6)])
ax.set_yticks([-0.5, 0, 0.5, 1], ["-0.5 or less", "0", "0.5", "1"])
ax.set_ylabel("R² in the quarter")
fig.legend(frameon=False, ncols=2, loc="outside upper center")
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# So before a method is chosen, the past is: rows that differ from the new ones
# only by what the method can undo. :func:`~skda.inspection.diagnose` tests of
# which kind a shift is, and a few labels of the new quarter show whether its
# rule is still the old one. For alarms between the quarters, and a map that
# learns on the way, see :ref:`sphx_glr_gallery_plot_17_stream.py`.
