"""An epoch of Deep CORAL and DAN beside a plain torch loop that does the same arithmetic."""

import numpy as np

from skda import DANClassifier, DeepCORALClassifier

from .._case import Case

EPOCHS = 3
HALF = 64
LR = 0.03


def rows(n, d):
    """Two shifted domains and the labels of the source, source first."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2 * n, d)).astype(np.float32)
    y = (X @ rng.normal(size=d) > 0).astype(int)
    X[n:] += 0.3
    return X, np.r_[y[:n], np.full(n, -1)], np.repeat([1, -2], n)


def plain_loop(loss_of, X, y, n):
    """Train the default network, normalized by side, by hand."""
    import torch

    from skda.deep import MLP
    from skda.deep._domain_norm import rows_of, with_domain_norms

    torch.manual_seed(0)
    module = with_domain_norms(MLP(X.shape[1], 2, batch_norm=True))
    optimizer = torch.optim.SGD(module.parameters(), lr=LR, momentum=0.9)
    source, target, labels = (torch.from_numpy(part) for part in (X[:n], X[n:], y[:n]))
    for _ in range(EPOCHS):
        order_source, order_target = torch.randperm(n), torch.randperm(n)
        for first in range(0, n, HALF):
            i, j = order_source[first : first + HALF], order_target[first : first + HALF]
            with rows_of(len(i)):
                logits, features = module(torch.cat([source[i], target[j]]))
            f, g = features[: len(i)], features[len(i) :]
            loss = torch.nn.functional.cross_entropy(logits[: len(i)], labels[i]) + loss_of(f, g)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def coral_by_hand(f, g):
    """100 times the CORAL loss."""
    import torch

    gap = torch.cov(f.T) - torch.cov(g.T)
    return 100.0 * gap.square().sum() / (4 * f.shape[1] ** 2)


def mmd_by_hand(f, g):
    """3 times the unbiased squared MMD under five Gaussian kernels around the median."""
    import torch

    z = torch.cat([f, g])
    n, m = len(f), len(g)
    squares = z.square().sum(dim=1)
    d2 = (squares[:, None] + squares - 2.0 * z @ z.T).clamp_min(0.0)
    gamma = 0.5 / d2.detach().median()
    K = sum(torch.exp(-gamma * 2.0**j * d2) for j in range(-2, 3)) / 5
    within = (K[:n, :n].sum() - n) / (n * (n - 1)) + (K[n:, n:].sum() - m) / (m * (m - 1))
    return 3.0 * (within - 2.0 * K[:n, n:].mean())


def training(ours, by_hand, skada_name):
    """Contenders of one method: fit as a whole, checks of the input included."""

    def contenders(n, d):
        X, y, sample_domain = rows(n, d)

        def skda_net():
            net = ours(max_epochs=EPOCHS, lr=LR, batch_size=2 * HALF, random_state=0)
            net.fit(X, y, sample_domain=sample_domain)

        def loop():
            plain_loop(by_hand, X, y, n)

        def skada_net():
            import skada.deep
            import torch

            from skda.deep import MLP

            class Flat(torch.nn.Module):  # skada's networks return the logits alone
                def __init__(self):
                    super().__init__()
                    net = MLP(d, 2)
                    self.extractor, self.head = net.extractor, net.head

                def forward(self, X, sample_weight=None):
                    return self.head(self.extractor(X))

            net = getattr(skada.deep, skada_name)(
                Flat(),
                layer_name="extractor",
                reg=1.0,
                max_epochs=EPOCHS,
                lr=LR,
                batch_size=2 * HALF,
                optimizer=torch.optim.SGD,
                optimizer__momentum=0.9,
                train_split=None,
                verbose=0,
            )
            net.fit(X, y, sample_domain=sample_domain)

        return {"skda": skda_net, "floor torch loop": loop, f"skada {skada_name}": skada_net}

    return contenders


SIZES = ({"n": 20_000, "d": 50},)

CASES = [
    Case(
        "deep",
        f"Deep CORAL, {EPOCHS} epochs",
        SIZES,
        training(DeepCORALClassifier, coral_by_hand, "DeepCoral"),
    ),
    Case("deep", f"DAN, {EPOCHS} epochs", SIZES, training(DANClassifier, mmd_by_hand, "DAN")),
]
