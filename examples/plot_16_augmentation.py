"""
Augmentation: a calibration that has seen other instruments
===========================================================

A calibration is made on one spectrometer and will be used on others. Nothing of them is known yet:
no sample was measured on both, and there are no spectra to align with. What is known is how
spectrometers differ: the amplification, the base line, a small displacement of the channels. So
the calibration is shown copies of its own spectra with random distortions of these kinds.

The spectra are simulated, so that the truth is known.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.cross_decomposition import PLSRegression

from skda import (
    AugmentedEstimator,
    GaussianNoiseAugmenter,
    SpectralDistortionAugmenter,
)

# %%
# One instrument to learn from, many to be used on
# ------------------------------------------------
# Five substances with overlapping peaks; the first is what we want to know.

CHANNELS = np.linspace(0, 1, 100)
CENTERS = np.array([0.15, 0.35, 0.5, 0.65, 0.85])
WIDTH = 0.09


def measure(amounts, rng, *, displaced=0.0, gain=1.0, offset=0.0, tilt=0.0):
    """Spectra of samples with these amounts of the five substances."""
    peaks = np.exp(
        -((((CHANNELS - displaced)[None, :] - CENTERS[:, None]) / WIDTH) ** 2)
    )
    noise = 0.01 * rng.normal(size=(len(amounts), len(CHANNELS)))
    return gain * amounts @ peaks + offset + tilt * CHANNELS + noise


rng = np.random.default_rng(0)
amounts = rng.uniform(0.5, 1.5, size=(80, 5))
X, y = measure(amounts, rng), amounts[:, 0]
later = rng.uniform(0.5, 1.5, size=(60, 5))
INSTRUMENTS = [
    {
        "displaced": 0.005 * rng.normal(),
        "gain": np.exp(0.05 * rng.normal()),
        "offset": 0.2 * rng.normal(),
        "tilt": 0.2 * rng.normal(),
    }
    for _ in range(20)
]
spectra = [measure(later, rng, **instrument) for instrument in INSTRUMENTS]


def errors(model):
    """Root mean squared error on each of the other instruments."""
    return np.array(
        [
            np.sqrt(np.mean((np.ravel(model.predict(s)) - later[:, 0]) ** 2))
            for s in spectra
        ]
    )


# %%
# Copies with distortions
# -----------------------
# ``AugmentedEstimator`` fits any estimator on the rows and on changed copies of them. All rows here
# are source rows; the labels are those of the rows that were copied. Noise of any other kind
# than that of the instruments is no substitute.

source = np.ones(len(X), dtype=int)
calibration = PLSRegression(8, scale=False)


def augmented(augmenter, n_copies=10):
    """The calibration, fitted on copies as well."""
    model = AugmentedEstimator(
        calibration, [augmenter], n_copies=n_copies, random_state=0
    )
    return model.fit(X, y, sample_domain=source)


models = {
    "as it is": augmented(GaussianNoiseAugmenter(), n_copies=0),
    "noise": augmented(GaussianNoiseAugmenter(0.1)),
    "base line": augmented(
        SpectralDistortionAugmenter(0.5, degree=1, scatter=0.0, shift=0.0)
    ),
    "all distortions": augmented(
        SpectralDistortionAugmenter(0.5, degree=1, scatter=0.05, shift=0.5)
    ),
}
results = {name: errors(model) for name, model in models.items()}
print(f"{'':18s}mean error   worst instrument")
for name, found in results.items():
    print(f"{name:18s}{found.mean():10.3f}{found.max():19.3f}")

# %%
# How strong, and how many?
# -------------------------
# Distortions that are too weak leave out the instruments to come, and those that are too strong
# cost accuracy where there is nothing to be robust against. Between them there is much room. The
# number of copies matters less than their kind.

STRENGTHS = (0.0, 0.02, 0.1, 0.5, 2.0)
sweep = {
    n_copies: [
        errors(
            augmented(
                SpectralDistortionAugmenter(
                    s, degree=1, scatter=0.1 * s, shift=s
                ),
                n_copies,
            )
        ).mean()
        for s in STRENGTHS
    ]
    for n_copies in (2, 10)
}
print("strength  " + "".join(f"{s:8g}" for s in STRENGTHS))
for n_copies, found in sweep.items():
    print(
        f"{n_copies:2d} copies " + "".join(f"{value:8.3f}" for value in found)
    )

fig, (left, right) = plt.subplots(1, 2, figsize=(7, 2.8), layout="constrained")
left.plot(
    CHANNELS, np.array([s[0] for s in spectra]).T, color="C0", linewidth=0.7
)
left.plot(CHANNELS, measure(later[:1], rng)[0], color="black")
left.set(xlabel="channel", ylabel="one sample on all instruments")
right.boxplot(list(results.values()))
right.set_xticks(
    range(1, len(results) + 1),
    [name.replace(" ", "\n") for name in results],
    fontsize=8,
)
right.set(ylabel="error on an instrument", yscale="log")
for ax in (left, right):
    ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# When there is more to go by
# ---------------------------
# Augmentation needs nothing of the target. With spectra of the target, without labels,
# ``DomainRandomizationAugmenter`` learns from them how far features vary, and the alignments of the
# other lessons apply; with samples measured on both instruments, a standardization
# (:class:`~skda.DirectStandardizationTransformer`) is more exact.
