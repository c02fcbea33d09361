"""
Paired rows: ten samples that were measured on both instruments
================================================================

A calibration was made on one spectrometer, with eighty samples of known content. The laboratory
buys a second one. Its channels are slightly displaced, its gain is another and its base line is
tilted, and the calibration is of no use on it. Ten samples are still there and are measured again.

The spectra are simulated, so that the truth is known.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.cross_decomposition import PLSRegression

from skda import (
    DIPLSRegressor,
    DirectStandardizationTransformer,
    PairedCCATransformer,
)

# %%
# Two instruments
# ---------------
# Nine substances with overlapping peaks; the first is what we want to know.

CHANNELS = np.linspace(0, 1, 150)
CENTERS = np.array([0.1, 0.2, 0.32, 0.42, 0.5, 0.6, 0.68, 0.78, 0.88])
WIDTHS = np.array([0.09, 0.1, 0.08, 0.1, 0.09, 0.1, 0.08, 0.1, 0.09])


def measure(amounts, rng, *, displaced=0.0, gain=1.0, tilt=0.0):
    """Spectra of samples with these amounts of the nine substances."""
    peaks = np.exp(
        -(
            (
                ((CHANNELS - displaced)[None, :] - CENTERS[:, None])
                / WIDTHS[:, None]
            )
            ** 2
        )
    )
    noise = 0.02 * rng.normal(size=(len(amounts), len(CHANNELS)))
    return gain * amounts @ peaks + tilt * CHANNELS + noise


def laboratory(seed):
    """Amounts of all samples and their spectra on both instruments."""
    rng = np.random.default_rng(seed)
    amounts = rng.uniform(0.5, 1.5, size=(140, 9))
    old = measure(amounts, rng)
    new = measure(amounts, rng, displaced=0.01, gain=1.15, tilt=0.3)
    return amounts[:, 0], old, new


y, old, new = laboratory(0)
TRAIN, STANDARDS, LATER = np.arange(80), np.arange(10), np.arange(80, 140)

# %%
# Standardize the second instrument
# ---------------------------------
# ``fit_pairs`` takes the ten samples on both, in the same order. In a pipeline, ``pair_id`` names
# the sample of each row, beside ``sample_domain``. The target's rows are mapped, so that the
# calibration stays as it is.

calibration = PLSRegression(8, scale=False).fit(old[TRAIN], y[TRAIN])


def error(spectra):
    """Root mean squared error of the calibration on the samples that came later."""
    return np.sqrt(
        np.mean((calibration.predict(spectra).ravel() - y[LATER]) ** 2)
    )


standardizer = DirectStandardizationTransformer().fit_pairs(
    old[STANDARDS], new[STANDARDS]
)
print(f"old instrument               {error(old[LATER]):.3f}")
print(f"new instrument               {error(new[LATER]):.3f}")
print(
    f"new instrument, standardized {error(standardizer.transform(new[LATER])):.3f}"
)

# %%
# How many pairs does it take?
# ----------------------------
# Against a calibration from the standards alone, whose contents are known, and against DIPLS, which
# does not know which spectra belong together.


def errors(seed, n_standards):
    """Errors on the new instrument, by method."""
    y, old, new = laboratory(seed)
    a, b = old[:n_standards], new[:n_standards]
    model = PLSRegression(8, scale=False).fit(old[TRAIN], y[TRAIN])
    found = {
        "as it is": model.predict(new[LATER]),
        "standards alone": PLSRegression(min(8, n_standards - 1), scale=False)
        .fit(b, y[:n_standards])
        .predict(new[LATER]),
    }
    for method in ("ds", "pds", "sst"):
        n_components = min(8, n_standards - 1) if method == "sst" else None
        map_ = DirectStandardizationTransformer(
            method, n_components=n_components
        ).fit_pairs(a, b)
        found[method.upper()] = model.predict(map_.transform(new[LATER]))
    cca = PairedCCATransformer(8, reg=1e-4).fit_pairs(a, b)
    scores = cca.transform(old[TRAIN], sample_domain=np.ones(len(TRAIN)))
    on_scores = PLSRegression(scores.shape[1], scale=False).fit(
        scores, y[TRAIN]
    )
    found["CCA"] = on_scores.predict(cca.transform(new[LATER]))
    both = np.concatenate([old[TRAIN], b])
    labels = np.concatenate([y[TRAIN], np.full(n_standards, np.nan)])
    ids = np.repeat([1, -2], [len(TRAIN), n_standards])
    dipls = DIPLSRegressor(8).fit(both, labels, sample_domain=ids)
    found["DIPLS, no pairs"] = dipls.predict(new[LATER])
    return {
        name: np.sqrt(np.mean((np.ravel(p) - y[LATER]) ** 2))
        for name, p in found.items()
    }


SIZES = (10, 20, 40)
results = {n: [errors(seed, n) for seed in range(5)] for n in SIZES}
names = list(results[10][0])
mean = {
    name: [np.mean([r[name] for r in results[n]]) for n in SIZES]
    for name in names
}
print("standards           " + "".join(f"{n:8d}" for n in SIZES))
for name in names:
    print(f"{name:20s}" + "".join(f"{value:8.3f}" for value in mean[name]))

fig, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
for name in names:
    ax.plot(SIZES, mean[name], marker="o", label=name)
ax.set(
    xscale="log",
    yscale="log",
    xticks=SIZES,
    xlabel="standards",
    ylabel="error",
)
ax.set_xticklabels(SIZES)
ax.legend(frameon=False, fontsize=8, ncols=2)
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# What the map is
# ---------------
# Piecewise standardization (PDS) predicts each channel from those around it: few standards suffice,
# and what it can mend is local, such as a displacement of channels. Direct standardization (DS)
# predicts each channel from all of them. Between the standards lies what they do not span; no
# method sees that, so choose standards that differ.
