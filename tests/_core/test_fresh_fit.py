"""A fit starts from nothing, and what does not end leaves nothing behind."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import StandardScaler

from skda import CORALTransformer, PerDomain


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_interrupted_fit_is_not_a_fit(domains, monkeypatch, error):
    X, _, d = domains
    coral = CORALTransformer().fit(X, sample_domain=d)

    def interrupted(self, data):
        self.maps_ = {1: np.eye(4)}
        raise error

    monkeypatch.setattr(CORALTransformer, "_fit", interrupted)
    with pytest.raises(error):
        coral.fit(X, sample_domain=d)
    with pytest.raises(NotFittedError):
        coral.transform(X, sample_domain=d)
    assert not [name for name in vars(coral) if name.endswith("_")]


def test_a_clone_that_fails_leaves_no_mix_of_an_old_and_a_new_fit(domains):
    X, _, d = domains
    scaler = PerDomain(StandardScaler()).fit(X, sample_domain=d)
    broken = np.where((d < 0)[:, None], np.inf, X)
    with pytest.raises(ValueError, match="infinity"):
        scaler.fit(broken, sample_domain=d)
    with pytest.raises(NotFittedError):
        scaler.transform(X, sample_domain=d)
