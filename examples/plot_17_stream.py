"""
A year of drifting sensors: alarms, and a model that keeps up
=============================================================

A model was fitted once, and measurements come in week after week. The sensors age, one is
exchanged, somebody cleans the instrument: offsets and gains change, and nobody labels rows any
more. A frozen model gets worse and does not know it. Here a monitor watches the measurements,
sounds an alarm when they have changed, and the map in front of the model learns the new state.

The measurements are the real ones of the breast cancer data that scikit-learn ships; the calendar
and the drift are simulated.
"""

import matplotlib.pyplot as plt
import numpy as np
import sklearn
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from skda import LinearTransportTransformer, adapt_to, make_domain_pipeline
from skda.monitoring import DriftMonitor, StreamingAdapter

sklearn.set_config(enable_metadata_routing=True)

# %%
# A year
# ------
# Half of the rows, with labels, train the model. The other half are the patients of the year: each
# week 100 of them are measured. For eight weeks all is well. Then the sensors
# age for ten weeks; in week 26 the instrument is exchanged; and in week 40 the new one is moved to
# another room.

rng = np.random.default_rng(0)
X, y = load_breast_cancer(return_X_y=True)
X = StandardScaler().fit_transform(X)
order = rng.permutation(len(X))
train, patients = order[:284], order[284:]
n_weeks, per_week, d = 52, 100, X.shape[1]


def state(common_offset):
    """Log gain and offset of each sensor: part of the offset is common to all, part its own."""
    return rng.normal(scale=0.5, size=d), common_offset + rng.normal(size=d)


start = np.zeros((2, d))
aged, exchanged, moved = state(1.5), state(-1.5), state(1.0)


def sensors(week):
    """Return log gain and offset in a week."""
    if week >= 40:
        return moved
    if week >= 26:
        return exchanged
    return start + np.clip((week - 8) / 10, 0.0, 1.0) * np.array(aged)


weeks = []
for week in range(n_weeks):
    rows = rng.choice(patients, per_week)
    gain, offset = sensors(week)
    weeks.append((X[rows] * np.exp(gain) + offset, y[rows]))

# %%
# Watching
# --------
# The first five weeks are the normal state. The monitor says after each week whether anything has
# changed, since when, and where. The chance that an alarm is false is one in a million per row.

monitor = DriftMonitor(random_state=0).fit(
    np.concatenate([rows for rows, _ in weeks[:5]])
)
for week in range(5, n_weeks):
    monitor.update(weeks[week][0])
    if monitor.alarm_:
        break
print(
    f"alarm in week {week}, change estimated in week {5 + monitor.since_ // per_week}"
)
for name, evalue in list(monitor.features_.items())[:3]:
    print(f"  {name}: evidence {evalue:.0e}")
monitor.plot()

# %%
# Three ways to go on
# -------------------
# *Frozen*: the model as it was. *Aligned once*: its map learns the week of the first alarm, and
# never again. *Kept up*: :class:`~skda.monitoring.StreamingAdapter` does so at every
# alarm. None of them sees a label after the training.


def fitted_model():
    """Fit the model, in front of it a map of later states to the training rows."""
    model = make_domain_pipeline(
        LinearTransportTransformer(direction="to_source"),
        LogisticRegression(max_iter=1000),
    )
    return model.fit(X[train], y[train], sample_domain=np.ones(len(train)))


frozen, once, first_alarm = fitted_model(), fitted_model(), week
adapter = StreamingAdapter(fitted_model(), DriftMonitor(random_state=0))
adapter.fit(np.concatenate([rows for rows, _ in weeks[:5]]), sample_domain=1)
ways = {"frozen": [], "aligned once": [], "kept up": []}
for week in range(5, n_weeks):
    rows, labels = weeks[week]
    source = np.ones(per_week)
    ways["frozen"].append(
        np.mean(frozen.predict(rows, sample_domain=source) == labels)
    )
    domain = source if week <= first_alarm else -2 * source
    ways["aligned once"].append(
        np.mean(once.predict(rows, sample_domain=domain) == labels)
    )
    ways["kept up"].append(np.mean(adapter.predict(rows) == labels))
    # What is learnt from the rows of a week serves the weeks after it.
    if week == first_alarm:
        adapt_to(once, rows, -2)
    adapter.update(rows)

for name, accuracies in ways.items():
    print(
        f"{name:12s} mean {np.mean(accuracies):.2f}, worst week {np.min(accuracies):.2f}"
    )

# %%
# The log
# -------
# Every decision is on record, and the same rows give the same decisions:

for record in adapter.log_:
    print(
        record["event"],
        "in week",
        5 + record["row"] // per_week,
        "as domain",
        record["domain"],
    )
stream = np.concatenate([rows for rows, _ in weeks[5:]])
reference = np.concatenate([rows for rows, _ in weeks[:5]])
again = adapter.replay(adapter.log_, reference, stream)
print("replayed:", len(again.log_), "records alike")

# %%
# Accuracy over the year
# ----------------------

fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for (name, accuracies), color in zip(
    ways.items(), ("gray", "tab:blue", "black"), strict=True
):
    ax.plot(range(5, n_weeks), accuracies, color=color, label=name)
for record in adapter.log_:
    if record["event"] == "alarm":
        ax.axvline(
            5 + record["row"] / per_week,
            color="tab:red",
            linestyle=":",
            linewidth=1,
        )
ax.set(
    xlabel="week (dotted: alarms)",
    ylabel="accuracy",
    title="A model that is never refitted, on sensors that drift",
)
ax.legend(frameon=False)
ax.spines[["top", "right"]].set_visible(False)
plt.show()
