"""Which rows a map moves, and where to: the parameter ``direction``."""

from .._core._param_checks import check_option
from .._core._sample_domain import note_domains
from .._core._validation import data_for_fit

TO_TARGET, TO_SOURCE, TO_COMMON = DIRECTIONS = ("to_target", "to_source", "to_common")


def check_direction(direction, allowed=DIRECTIONS, hint=""):
    """Return ``direction`` if it is one of those that a class offers."""
    return check_option("direction", direction, allowed, hint=hint)


def is_moved(domain, direction):
    """Return whether rows of a domain are mapped, and not those that others are mapped to."""
    if direction == TO_COMMON:
        return True
    return domain >= 0 if direction == TO_TARGET else domain < 0


def has_later_targets(estimator):
    """Return whether a fitted estimator knows sources to which targets can be mapped later."""
    return not estimator._needs_target and estimator._fit_domains is not None


def has_reference(estimator, data):
    """Return whether there is something to map rows to: rows of both sides, or named sources.

    In the directions that leave or join the source, targets may all come later.
    """
    return data.adapts or has_later_targets(estimator)


def moved_domain(domain, maps, direction, targets):
    """Return the id under which the map of a row's domain is kept, None if it stays as it is."""
    if domain in maps:
        return domain
    # Rows of no stated domain are of the only target.
    if targets and maps and domain < 0 and direction != TO_TARGET:
        return targets[0]
    return None


def rows_of_moved_domains(estimator, X, sample_domain, kept):
    """Return checked new rows, and by domain all rows that its map is to be made of.

    Parameters
    ----------
    estimator : transformer
        A fitted transformer with a ``direction`` that keeps its reference as ``fit`` found it.
    X, sample_domain
        As given to ``partial_fit``.
    kept : str
        Name of the learnt dict of earlier rows by domain, which new ones join.

    Returns
    -------
    data : DomainData
    rows : dict
    """
    name, known = type(estimator).__name__, getattr(estimator, kept)
    if sample_domain is not None:
        check_knows_reference(estimator, known or has_later_targets(estimator))
    data = data_for_fit(estimator, X, None, sample_domain, one_sided=True, reset=False)
    if sample_domain is None:
        return data, {}  # nothing to adapt to, which has been warned of
    fixed = [i for i in data.domains if not is_moved(i, estimator.direction)]
    if fixed:
        raise ValueError(
            f"partial_fit of {name}(direction={estimator.direction!r}) learns the maps of domains "
            f"that move, and rows of {fixed} do not: the others are mapped to rows of that side. "
            "Leave them out, call fit on all rows, or choose another direction."
        )
    rows = {i: data.X_of(i) for i in data.domains}
    return data, {
        i: data.xp.concat([data.backend.asarray(known[i], x.dtype), x]) if i in known else x
        for i, x in rows.items()
    }


def check_knows_reference(estimator, knows):
    """Raise if a fit has not learnt what rows of later domains are to be mapped to."""
    if not knows:
        raise ValueError(
            f"partial_fit of {type(estimator).__name__} goes on from a fit with sample_domain, "
            "which learns what rows are mapped to. Call fit with the sample_domain of its rows "
            "first."
        )


def add_domains(estimator, data, *, named=True):
    """Note the domains of new rows among those that the estimator knows."""
    if named:
        note_domains(estimator, data.ids)
    estimator.source_domains_ = sorted({*estimator.source_domains_, *data.source_domains})
    estimator.target_domains_ = sorted({*estimator.target_domains_, *data.target_domains})
