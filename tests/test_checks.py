"""The contract checks catch the faults that they are for: each is tried on a broken CORAL."""

import numpy as np
import pytest

from skda import CORALTransformer
from skda._core._sample_domain import check_both_sides
from tests import checks


class Identity(CORALTransformer):
    """Maps nothing."""

    def _map(self, X, domain, backend):
        return X


class SourceFirst(CORALTransformer):
    """Returns the rows grouped by domain, as a peer's TCA does."""

    def _map_all(self, data):
        mapped = super()._map_all(data)
        return data.xp.concat([mapped[data.source], mapped[data.target]])


class ReadsTargetLabels(CORALTransformer):
    """Learns from labels of target rows."""

    def fit(self, X, y=None, *, sample_domain=None):
        super().fit(X, y, sample_domain=sample_domain)
        if sample_domain is not None:
            secret = y[np.asarray(sample_domain) < 0]
            self.means_[1] = self.means_[1] + secret @ np.arange(len(secret))
        return self


class ReadsMagnitudes(CORALTransformer):
    """Lets the number of a domain matter."""

    def _map(self, X, domain, backend):
        return super()._map(X, domain, backend) + 0.01 * domain


class Reestimates(CORALTransformer):
    """Centers whatever it is given to transform."""

    def _map(self, X, domain, backend):
        mapped = super()._map(X, domain, backend)
        return mapped - mapped.mean(axis=0)


class LosesRows(CORALTransformer):
    """Drops the last row."""

    def _map_all(self, data):
        return super()._map_all(data)[:-1]


class WritesToInput(CORALTransformer):
    """Works in place."""

    def _fit(self, data):
        super()._fit(data)
        data.X[0] = 0.0


class Remembers(CORALTransformer):
    """Does not forget a former fit."""

    def fit(self, X, y=None, *, sample_domain=None):
        first = getattr(self, "maps_", None)
        super().fit(X, y, sample_domain=sample_domain)
        self.maps_ = first or self.maps_
        return self


class TakesOneSide(CORALTransformer):
    """Falls silent where one domain is missing."""

    def fit(self, X, y=None, *, sample_domain=None):
        try:
            check_both_sides(np.asarray(sample_domain))
        except ValueError:
            sample_domain = np.arange(len(X)) % 2 * 3 - 2
        return super().fit(X, y, sample_domain=sample_domain)


class LosesPrecision(CORALTransformer):
    """Returns float64 whatever came in."""

    def _map_all(self, data):
        return super()._map_all(data).astype("float64")


class LeavesTheDevice(CORALTransformer):
    """Answers in NumPy whatever came in."""

    def transform(self, X, *, sample_domain=None):
        return checks.to_numpy(super().transform(X, sample_domain=sample_domain))


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (Identity, checks.check_strength_zero_is_the_identity),
        (SourceFirst, checks.check_row_order_does_not_matter),
        (SourceFirst, checks.check_each_row_is_mapped_alone),
        (ReadsTargetLabels, checks.check_target_labels_do_not_matter),
        (ReadsTargetLabels, checks.check_fit_transform_is_fit_then_transform),
        (ReadsMagnitudes, checks.check_names_of_domains_do_not_matter),
        (Reestimates, checks.check_each_row_is_mapped_alone),
        (LosesRows, checks.check_each_row_is_mapped_alone),
        (WritesToInput, checks.check_inputs_and_parameters_are_left_alone),
        (Remembers, checks.check_refit_starts_afresh),
        (TakesOneSide, checks.check_one_sided_domains_raise),
        (LosesPrecision, checks.check_precision_is_kept),
        (LeavesTheDevice, checks.check_every_backend_agrees_with_numpy),
    ],
    ids=lambda part: part.__name__,
)
def test_fault_is_caught(broken, check):
    check(CORALTransformer())
    with pytest.raises((AssertionError, ValueError, pytest.fail.Exception)):
        check(broken())
