"""The rule for ``sample_domain``: which row belongs to which domain.

``sample_domain >= 0`` is a source, ``< 0`` a target; rows are of one domain when their ids are
equal. Nothing else about an id has a meaning.
"""

import numpy as np

from .._array._backend import to_numpy
from .._array._warnings import DomainWarning, warn_user
from ._fit_rows import domains_of_fit

_TOO_LARGE = 2.0**63  # from here on a number wraps to another sign as an int64
_HELPERS = "with skda.stack_domains or skda.encode_domains"


def check_sample_domain(sample_domain, n_samples):
    """Return sample_domain as one signed integer per row, or raise an error that names the rule."""
    check_no_masked_entries("sample_domain", sample_domain)
    ids = np.asarray(to_numpy(sample_domain))
    if ids.ndim != 1:
        raise ValueError(
            f"sample_domain must be one-dimensional, one integer per row; got shape {ids.shape}. "
            "Pass sample_domain.ravel() if it is a column."
        )
    if ids.shape[0] != n_samples:
        raise ValueError(
            f"sample_domain must have one value per row of X; got {ids.shape[0]} values for "
            f"{n_samples} rows. Build both together, for example {_HELPERS}. A step of a pipeline "
            "that adds or drops rows (a sampler) belongs inside skda.TrainOnSource, with the model."
        )
    # Nullable integers of pandas come as objects; NumPy finds their type again.
    if ids.dtype == object:
        ids = np.asarray(ids.tolist())
    # As integers False and True would both be sources, and the mask was meant otherwise.
    if ids.dtype.kind == "b":
        raise ValueError(
            "sample_domain must be signed integers (source >= 0, target < 0); got booleans. "
            "Write np.where(is_target, -2, 1), or build it with skda.encode_domains."
        )
    if ids.dtype.kind not in "iuf":
        raise ValueError(
            f"sample_domain must be signed integers (source >= 0, target < 0); got values like "
            f"{ids.tolist()[0]!r}. Turn names into ids with skda.encode_domains(names, target=...)."
        )
    # Whole numbers pass as floats: pandas makes floats of integers beside missing values.
    if ids.dtype.kind == "f":
        if not np.isfinite(ids).all():
            raise ValueError(
                "sample_domain must be signed integers (source >= 0, target < 0); got NaN or "
                f"infinity. Give every row a domain id, for example {_HELPERS}."
            )
        if (ids != np.rint(ids)).any():
            raise ValueError(
                "sample_domain must be signed integers (source >= 0, target < 0); got the value "
                f"{ids[ids != np.rint(ids)][0]}. Build it {_HELPERS}."
            )
    if ids.dtype.kind in "uf" and ids.size and np.abs(ids).max() >= _TOO_LARGE:
        raise ValueError(
            "sample_domain must be signed 64-bit integers (source >= 0, target < 0); got "
            f"{ids[np.abs(ids).argmax()]!r}, which is none. Renumber the domains, for example "
            "with skda.encode_domains(ids, target=...)."
        )
    return ids.astype(np.int64)


def check_no_masked_entries(name, values):
    """Raise if a masked array hides entries: what lies under its mask would be taken for data."""
    if isinstance(values, np.ma.MaskedArray) and np.ma.getmaskarray(values).any():
        raise ValueError(
            f"{name} must not have masked entries; got {int(np.ma.getmaskarray(values).sum())}. "
            f"Drop those rows, or write {name}.filled(...) with a value of your own."
        )


def check_both_sides(ids):
    """Raise if the rows are all source or all target."""
    for side, missing, hint in (
        ("source", not (ids >= 0).any(), "a non-negative"),
        ("target", not (ids < 0).any(), "a negative"),
    ):
        if missing:
            sign = ">= 0" if side == "source" else "< 0"
            raise ValueError(
                f"sample_domain has no {side} rows (values {sign}); got only "
                f"{np.unique(ids)[:5].tolist()}. Mark {side} rows with {hint} id, for example "
                "with skda.stack_domains. In a cross-validation, split with "
                "skda.model_selection.DomainStratifiedKFold, which keeps both domains in every "
                "fold."
            )


def domains_for_fit(sample_domain, n_samples, *, estimator, one_sided=False, goes_on=False):
    """Return the id of each row to fit on; without any, every row is source, with a warning.

    The estimator keeps which ids it has seen, so that :func:`domains_for_predict` can refuse rows
    of others. A fit that goes on keeps nothing here: rows that fail count as not seen, so the
    learner calls :func:`note_domains` when it has learnt from them.
    """
    if sample_domain is None:
        warn_user(
            f"{type(estimator).__name__} was fitted without sample_domain: every row is taken as "
            "source and nothing is adapted. Pass sample_domain to fit (with "
            "sklearn.set_config(enable_metadata_routing=True) a Pipeline passes it on).",
            DomainWarning,
        )
        # A warning and no error: the estimator has to work where no domains are known, too.
        if not goes_on:
            estimator._fit_domains = None
        return np.zeros(n_samples, dtype=np.int64)
    ids = check_sample_domain(sample_domain, n_samples)
    if not one_sided:
        check_both_sides(ids)
    if not goes_on:
        estimator._fit_domains = np.unique(ids).tolist()
    return ids


def note_domains(estimator, ids):
    """Let the estimator know these domains from now on, beside the earlier ones.

    Public attributes of that kind belong to each class; this one is what all share.
    """
    earlier = getattr(estimator, "_fit_domains", None) or []
    estimator._fit_domains = sorted({*earlier, *np.unique(ids).tolist()})


def domains_for_predict(sample_domain, n_samples, *, estimator):
    """Return the id of each row to transform or predict; without any, every row is target.

    Raises if the estimator was not fitted on one of the domains. What it learnt of others does
    not hold there, and a guess would be wrong in silence.
    """
    if sample_domain is None:
        # Callbacks are given rows of the fit, and metrics cannot state their domains.
        known = domains_of_fit(estimator, n_samples)
        return np.full(n_samples, -1, dtype=np.int64) if known is None else known
    ids = check_sample_domain(sample_domain, n_samples)
    check_known_domains(estimator, ids)
    return ids


def check_known_domains(estimator, ids):
    """Raise if the estimator was fitted with domains, and not on all of these."""
    known = getattr(estimator, "_fit_domains", None)
    # Fitted without sample_domain it takes all rows alike.
    if known is None:
        return
    unknown = sorted(set(np.unique(ids).tolist()) - set(known))
    if not unknown:
        return
    learns = hasattr(estimator, "partial_fit")
    hint = " or add them with partial_fit or skda.adapt_to" if learns else ""
    raise ValueError(
        f"sample_domain has domains that {type(estimator).__name__} was not fitted on: {unknown}. "
        f"It knows the sources {[i for i in known if i >= 0]} and the targets "
        f"{[i for i in known if i < 0]}. Fit again with rows of the new domains{hint}. Rows of the "
        "domains that it adapts to need no sample_domain if there is a single map for them."
    )


def check_target_is_stated(estimator, *, named):
    """Raise if each target has a map of its own, and nothing says which one rows belong to."""
    known = estimator._fit_domains
    if named or known is None:
        return
    targets = [i for i in known if i < 0]
    # With a single target, rows of no stated domain can only be its rows.
    if len(targets) == 1:
        return
    name = type(estimator).__name__
    if targets:
        raise ValueError(
            f"{name} has a map for each target {targets}, so sample_domain must say which one each "
            "row belongs to. Pass sample_domain."
        )
    raise ValueError(
        f"{name} knows the sources {known} and no target yet, so rows without sample_domain, which "
        "are target rows, have no map. Add the target with partial_fit or skda.adapt_to, or pass "
        "the sample_domain of source rows."
    )


def tasks_of_rows(estimator, ids, tasks, *, stated):
    """Return which task of several each row belongs to, -1 for none of them.

    Parameters
    ----------
    estimator : estimator
        Fitted on domains, or without any.
    ids : ndarray of int of shape (n_samples,)
        Domain of each row, as :func:`domains_for_predict` gives it.
    tasks : list of int
        Domains that have a model of their own.
    stated : bool
        Whether the rows came with their domains.

    Returns
    -------
    places : ndarray of int64 of shape (n_samples,)
        Position in `tasks`. Rows of no stated domain are target rows: of the target, if the
        estimator knows one only.
    """
    known = estimator._fit_domains or []
    targets = [i for i in known if i < 0]
    if not stated:
        ids = np.full(len(ids), targets[0] if len(targets) == 1 else -1)
    # Fitted without domains, or with the domain left open: no id names a task.
    if not known or not (stated or len(targets) == 1):
        return np.full(len(ids), -1, dtype=np.int64)
    place = {domain: i for i, domain in enumerate(tasks)}
    found, back = np.unique(ids, return_inverse=True)
    return np.array([place.get(i, -1) for i in found.tolist()], dtype=np.int64)[back]


def rows_to_score(sample_domain, n_samples):
    """Return the rows that ``score`` may use, or None for all of them.

    With sample_domain these are the source rows: no target label chooses a model silently.
    """
    if sample_domain is None:
        return None
    rows = np.flatnonzero(check_sample_domain(sample_domain, n_samples) >= 0)
    if not len(rows):
        raise ValueError(
            "score with sample_domain looks at source rows only, and sample_domain has none "
            "(values >= 0). To score labeled target rows leave sample_domain out, or use "
            "skda.metrics.LabeledTargetScorer."
        )
    return rows
