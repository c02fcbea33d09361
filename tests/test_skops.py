"""Every estimator goes through skops, whose files cannot run code on loading."""

import pytest

from tests import checks

io = pytest.importorskip("skops.io")

ESTIMATORS = [e for e in checks.all_estimators() if hasattr(e, "fit")]


def others(types):
    """Types to trust that are not ours.

    What scikit-learn's own estimators inside consist of (a Tree, a score function) is between
    skops and scikit-learn: a plain DecisionTreeClassifier needs it as well.
    """
    return [name for name in types if not name.startswith(("skda.", "sklearn."))]


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_a_fitted_estimator_survives_skops(estimator):
    X, y, d = checks.make_data(estimator)
    y = checks.hide_labels(y, d, estimator)
    model = checks.fitted(estimator, X, y, d)
    dumped = io.dumps(model)
    untrusted = io.get_untrusted_types(data=dumped)
    assert not others(untrusted), "types that a reader cannot judge"
    loaded = io.loads(dumped, trusted=untrusted)
    checks.assert_same(checks.outputs(loaded, X, d), checks.outputs(model, X, d), "after skops")
