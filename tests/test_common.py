"""Every public estimator keeps scikit-learn's contract and skda's own."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from tests import checks

ESTIMATORS = checks.all_estimators()


def needs_absent_cuda(check):
    """Whether a check of scikit-learn puts arrays on a GPU of this machine, which has none.

    It skips such checks only where torch was built without CUDA, and its plain wheel has it.
    """
    keywords = repr(getattr(check, "keywords", None))
    if "cuda" not in keywords or "torch" not in keywords:
        return False
    import torch

    return not torch.cuda.is_available()


@pytest.mark.filterwarnings("ignore:.*fitted without sample_domain:skda.DomainWarning")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=checks.expected_failures)
def test_scikit_learn_contract(estimator, check):
    if needs_absent_cuda(check):
        pytest.skip("no GPU")
    check(estimator)


@pytest.mark.parametrize(
    ("estimator", "check"),
    checks.pairs(ESTIMATORS),
    ids=lambda part: getattr(part, "__name__", None) or repr(part),
)
def test_skda_contract(estimator, check):
    check(estimator)
