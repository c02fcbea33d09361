"""Warnings that point at the line of the user, however many layers lie between."""

import sys
import warnings

# skda, and the packages through which a user's line calls it.
INSIDE = frozenset({"skda", "sklearn", "skorch", "joblib"})


class DomainWarning(UserWarning):
    """Warning about the domains of the data, for example that no ``sample_domain`` was passed.

    Without it there is nothing to adapt to, and an estimator fits as its plain counterpart would.
    """


def warn_user(message, category=UserWarning):
    """Warn at the nearest line that is not in this package or one that calls it.

    An estimator does not know how deep it is inside pipelines and searches, so that no fixed
    ``stacklevel`` would do. (From Python 3.12 on ``skip_file_prefixes`` does this.)
    """
    frame, level = sys._getframe(1), 2
    # A stack may be inside throughout, in a worker: then its first frame has to do.
    while frame.f_back is not None and _package(frame) in INSIDE:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def _package(frame):
    """Return the name of the top-level package whose code runs in a frame."""
    return frame.f_globals.get("__name__", "").partition(".")[0]
