"""Progress and callbacks as scikit-learn has them, where the installed version does.

``sklearn.callback`` (1.9) is experimental, so this is the only file that knows it. Without it
estimators have no ``set_callbacks``, and the functions here do nothing.

``CALLBACK_SUPPORT`` holds the base classes of an estimator that has them: one, or none.

A fit is a tree of tasks: the fit itself, its rounds or epochs, and the fits of estimators inside.
`begin_fit` opens the first, `subtask` one below the task that is open, and `fresh_fit` closes all.
"""

import copy
import warnings
from contextlib import contextmanager, nullcontext
from functools import partial
from numbers import Integral

from sklearn.base import BaseEstimator, clone

from .._array._watch import unwatched
from ._fit_rows import LENT, FitRows, LentRows

try:
    from sklearn.callback import AutoPropagatedCallback, CallbackSupportMixin
    from sklearn.callback._callback_support import callback_management_context
except ImportError:  # before 1.9, or after a change of the experimental module
    CALLBACK_SUPPORT = ()
else:
    CALLBACK_SUPPORT = (CallbackSupportMixin,)

_TASK = "_fit_task"  # attribute that an estimator has during a fit that is watched


def at_most(n_rounds):
    """Return a largest number of rounds, None for what is no number (an error comes later)."""
    return int(n_rounds) if isinstance(n_rounds, Integral) and n_rounds >= 0 else None


class Task:
    """An open task of a fit, as a context: its hooks are called when it begins and ends."""

    stops = False
    """Whether a callback has asked for no further rounds; known at the end of the task."""

    def __init__(self, estimator, context, rows, outer=None):
        self.estimator, self.context, self.rows, self.outer = estimator, context, rows, outer
        self._attributes = None

    def offer(self, attributes):
        """Let callbacks have a fitted copy, with the attributes that a function returns.

        It is called where a callback asks, at the end of the task.
        """
        self._attributes = attributes

    def __enter__(self):
        self.context.call_on_fit_task_begin(estimator=self.estimator, **self.rows.for_hooks())
        setattr(self.estimator, _TASK, self)
        return self

    def __exit__(self, kind, *_):
        # Whatever a callback raises, what follows is not in this task any more.
        setattr(self.estimator, _TASK, self.outer)
        # A task that fails has no end, as in scikit-learn; the fit is over.
        if kind is None:
            self._end()

    def _end(self):
        lent = LentRows(self.rows)

        def attributes():
            # The copy is none of a fit that goes on.
            return {**self._attributes(), LENT: lent, _TASK: None}

        try:
            self.stops = self.context.call_on_fit_task_end(
                estimator=self.estimator,
                reconstruction_attributes=attributes if self._attributes else None,
                **self.rows.for_hooks(),
            )
        finally:
            lent.rows = None


def begin_fit(estimator, X, y=None, ids=None, labeled=None, *, n_tasks=0, in_turn=True):
    """Open the task of a whole fit, if a callback watches; :func:`callbacks_of_fit` closes it.

    Parameters
    ----------
    estimator : estimator
        The estimator that is being fitted, a subclass of ``CALLBACK_SUPPORT``. Its class attribute
        ``_holds_estimators`` says whether others are fitted inside.
    X, y
        As given by the user.
    ids, labeled : ndarray of shape (n_samples,), default=None
        Domain of each row, and whether its label may be learnt from; None: all rows are alike.
    n_tasks : int or None, default=0
        Largest number of tasks in it, None if that is not known.
    in_turn : bool, default=True
        Whether these come one after another.
    """
    if not _is_watched(estimator):
        return
    how = {"max_subtasks": n_tasks, "sequential_subtasks": in_turn}
    context = estimator._init_callback_context(**how)
    task = Task(estimator, context, FitRows(X, y, ids, labeled))
    # At its end the estimator itself is fitted; a comparison is no estimator.
    if isinstance(estimator, BaseEstimator):
        task.offer(dict)
    task.__enter__()


def _is_watched(estimator):
    if not isinstance(estimator, CALLBACK_SUPPORT):
        return False
    state = vars(estimator)
    # What stands in a search has to know it only where estimators inside may be watched.
    return "_skl_callbacks" in state or (
        getattr(estimator, "_holds_estimators", False) and "_parent_callback_ctx" in state
    )


@contextmanager
def callbacks_of_fit(estimator):
    """Close the task that a fit has opened, and let go of its callbacks whatever happens."""
    if not _is_watched(estimator):
        yield
        return
    with callback_management_context(estimator):
        try:
            yield
            task = vars(estimator).get(_TASK)
            if task is not None:
                task.__exit__(None)
        finally:
            vars(estimator).pop(_TASK, None)


def subtask(estimator, name, n_tasks=0):
    """Return a task within the one that is open, as a context.

    Parameters
    ----------
    estimator : estimator
        The estimator that is being fitted.
    name : str
        What is done, as a progress bar shows it.
    n_tasks : int or None, default=0
        Largest number of tasks within, None if that is not known.

    Returns
    -------
    task : Task or Unwatched
    """
    outer = vars(estimator).get(_TASK)
    if outer is None:
        return unwatched()
    return Task(estimator, outer.context.subcontext(name, max_subtasks=n_tasks), outer.rows, outer)


def rounds_of(estimator, name):
    """Return the function that opens a task for each round of a formula."""
    return partial(subtask, estimator, name) if vars(estimator).get(_TASK) else unwatched


def learnt_by(estimator, method, *found):
    """Return the attributes that a method stores on a copy of an estimator."""
    new = copy.copy(estimator)
    before = dict(vars(new))
    with warnings.catch_warnings():
        # What it has to say is said once, at the end of the fit.
        warnings.simplefilter("ignore")
        getattr(new, method)(*found)
    return {name: x for name, x in vars(new).items() if x is not before.get(name, before)}


class InnerTask:
    """The task of fitting an estimator inside another one; it may go to another process."""

    def __init__(self, caller, context):
        self.caller, self.context = caller, context

    @contextmanager
    def fitting(self, inner):
        """Let an estimator that is fitted in this block call the same callbacks."""
        # scikit-learn would warn of each candidate that has none.
        supports = hasattr(inner, "set_callbacks")
        within = self.context.propagate_callback_context(inner) if supports else nullcontext()
        with within:
            self.context.call_on_fit_task_begin(estimator=self.caller)
            try:
                yield
            finally:
                # Also where it fails: its caller may leave it out and go on.
                self.context.call_on_fit_task_end(estimator=self.caller)


def inner_tasks(estimator, name, n):
    """Return a task for each of n estimators that are fitted inside, None where nobody watches."""
    outer = vars(estimator).get(_TASK)
    if outer is None:
        return [None] * n
    # Without the rows: it goes to other processes with each of the estimators.
    caller = copy.copy(estimator)
    vars(caller).pop(_TASK)
    # scikit-learn counts tasks itself if they come in turn, and asks for numbers if not.
    numbers = [None] * n if outer.context.sequential_subtasks else range(n)
    contexts = [outer.context.subcontext(name, i) for i in numbers]
    return [InnerTask(caller, context) for context in contexts]


def fitting(task, inner):
    """Return the context in which an estimator is fitted as this task."""
    return nullcontext() if task is None else task.fitting(inner)


def clone_inside(estimator):
    """Return a clone that is to be fitted inside the fit of the estimator itself.

    Callbacks that go on to estimators inside come from there; it keeps the others.
    """
    new = clone(estimator)
    if "_skl_callbacks" in vars(new):
        own = new._skl_callbacks
        new.set_callbacks(*(one for one in own if not isinstance(one, AutoPropagatedCallback)))
    return new


def fitted_inside(estimator, name, inner):
    """Return the context in which the next estimator inside is fitted."""
    return fitting(inner_tasks(estimator, name, 1)[0], inner)
