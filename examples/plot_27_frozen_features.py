"""
Features of a frozen network: adapt them or the pixels?
=======================================================

Few people train a network on their own images. They take one that somebody
has trained on other images, freeze it, and train a small classifier on its
features. When the camera changes, so do the features. Does a frozen network
make a classifier robust against that, and what does adapting its features
bring?

The images are scikit-learn's digits, half of them seen by a second, simulated
scanner. So that nothing has to be downloaded, the network is a small one: it
is trained here on the digits 0 to 4, and used on the digits 5 to 9. This
lesson needs torch: ``pip install 'skda[deep]'``.
"""

import matplotlib.pyplot as plt
import numpy as np
import sklearn
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from torch import nn

from skda import (
    CORALTransformer,
    LinearTransportTransformer,
    MEDAClassifier,
    PerDomain,
    make_domain_pipeline,
)
from skda.datasets import load_digits_scanners

sklearn.set_config(enable_metadata_routing=True)

X, y, sample_domain = load_digits_scanners(random_state=0)
X = X / 16
others = (y < 5) & (sample_domain > 0)
job = y >= 5

# %%
# Where do the features come from?
# --------------------------------
# From a network that has never seen our classes, nor our second scanner. It
# has been trained on images under many conditions, as large networks are:
# light, contrast, blur and noise change at random while it learns the digits
# 0 to 4.


def other_conditions(images):
    """Change blur, light, contrast and noise of each image at random."""
    n = len(images)
    x = images.view(n, 8, 8)
    blur = 0.3 * torch.rand(n, 1, 1)
    left, right = x.roll(1, 2), x.roll(-1, 2)
    x = (1 - 2 * blur) * x + blur * (left + right)
    slope = torch.rand(n, 1, 1) - 0.5
    x = x * (1 + slope * torch.linspace(-1, 1, 8))
    x = (0.4 + 0.8 * torch.rand(n, 1, 1)) * x + 0.3 * torch.rand(n, 1, 1)
    x = x + 0.05 * torch.randn(n, 8, 1) + 0.05 * torch.randn(n, 8, 8)
    return x.reshape(n, 64)


def pretrained(seed):
    """Return a network trained on the digits 0 to 4, frozen."""
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)),
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 32, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),  # 512 features: the early layer
        nn.Linear(512, 64),
        nn.ReLU(),  # 64 features: the last layer
        nn.Linear(64, 5),
    )
    images = torch.tensor(X[others], dtype=torch.float32)
    digits = torch.tensor(y[others])
    step = torch.optim.Adam(net.parameters(), 2e-3)
    for _ in range(50):
        for rows in torch.randperm(len(images)).split(64):
            output = net(other_conditions(images[rows]))
            loss = nn.functional.cross_entropy(output, digits[rows])
            step.zero_grad()
            loss.backward()
            step.step()
    return net.requires_grad_(False)


networks = [pretrained(seed) for seed in range(3)]

# %%
# How do they get into a pipeline?
# --------------------------------
# A frozen network is a function of rows, and scikit-learn has a step for
# that. It learns nothing, so the domains do not matter to it.


def features(net, layer):
    """Return a step that turns images into the features of a layer."""
    part = net[:9] if layer == "early layer" else net[:11]

    def extract(images):
        rows = torch.as_tensor(images, dtype=torch.float32)
        return part(rows).numpy().astype(np.float64)

    return FunctionTransformer(extract)


example = features(networks[0], "early layer")
print(f"{X.shape[1]} pixels, {example.transform(X).shape[1]} features")

# %%
# Is a frozen network robust by itself?
# -------------------------------------
# No. Trained on the first scanner's features and used on the second's (first
# row of the table below), the classifier is worse than on the plain pixels:
# early features of two networks out of three nearly fail, and the last layer
# comes close to guessing. What the networks learnt about light and blur does
# not carry over to other digits.
#
# What does adapting bring?
# -------------------------
# Nearly everything. A scaler for each scanner costs one word and brings most
# of it. With covariances matched as well, the early layer overtakes the
# pixels. The last layer stays behind: it keeps what tells the digits 0 to 4
# apart and drops the rest. That is no shift, and no alignment brings it back.

logistic = LogisticRegression(C=0.1, max_iter=1000)
ways = {
    "no adaptation": [StandardScaler(), logistic],
    "scaler per domain": [PerDomain(StandardScaler()), logistic],
    "CORAL": [StandardScaler(), CORALTransformer(match_mean=True), logistic],
    "linear transport": [
        StandardScaler(),
        LinearTransportTransformer(),
        logistic,
    ],
    "MEDA": [PerDomain(StandardScaler()), MEDAClassifier()],
}
images, digits, ids = X[job], y[job], sample_domain[job]
target = ids < 0


def accuracy(first, steps):
    """Accuracy on the images of the second scanner."""
    model = make_domain_pipeline(*first, *[clone(step) for step in steps])
    model.fit(images, digits, sample_domain=ids)
    return np.mean(model.predict(images[target]) == digits[target])


table = {}
print(f"{'':18s} pixels  early layer  last layer")
for name, steps in ways.items():
    row = {"pixels": [accuracy([], steps)]}
    for layer in ("early layer", "last layer"):
        steps_of = [features(net, layer) for net in networks]
        row[layer] = [accuracy([step], steps) for step in steps_of]
    table[name] = row
    pixels, early, last = (np.mean(values) for values in row.values())
    print(f"{name:18s} {pixels:6.2f} {early:12.2f} {last:11.2f}")

# %%
# One dot is one network (three, trained from different seeds). On the early
# layer the networks differ by 40 points without adaptation; with it they
# agree.

fig, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
styles = {
    "pixels": ("tab:gray", "s", 0.2),
    "early layer": ("tab:blue", "o", 0.0),
    "last layer": ("tab:orange", "D", -0.2),
}
places = np.arange(len(table))[::-1]
for kind, (color, marker, shift) in styles.items():
    for place, row in zip(places, table.values(), strict=True):
        height = np.full(len(row[kind]), place + shift)
        label = kind if place == 0 else None
        ax.plot(row[kind], height, marker, color=color, label=label)
ax.axvline(0.2, color="black", lw=0.8, ls=":", label="guessing")
ax.set_yticks(places, list(table))
ax.set(xlim=(0.1, 1), xlabel="accuracy on the second scanner")
ax.legend(frameon=False, loc="lower left", bbox_to_anchor=(0.12, 0.1))
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# With a network of your own
# --------------------------
# ``part`` is any function from images to rows of numbers, such as a model of
# torchvision without its last layer. Extract the features once and store
# them: all that follows is as fast as for any table. Try an earlier layer
# where your classes are not those of the network. Well-known features of a
# large network, DeCAF6 of the Office-Caltech images, are in
# :mod:`skda.datasets`. :class:`~skda.DANClassifier` and its kin train a
# network of their own, see :ref:`sphx_glr_gallery_plot_09_deep_alignment.py`.
