"""The epochs of a training as tasks that scikit-learn's callbacks watch."""

import copy
from contextlib import nullcontext

import torch

from .._core._callbacks import subtask


class EpochTasks:
    """Opens a task for a training and one for each of its epochs.

    Parameters
    ----------
    estimator : BaseDeep
        The estimator whose fit is watched.
    name : str
        What the training is for.
    learnt : callable or None
        Gets the net and returns the attributes with which a copy of the estimator can predict;
        None where it cannot before the end of the fit.
    """

    def __init__(self, estimator, name, learnt):
        self.estimator, self.name, self.learnt = estimator, name, learnt

    def training(self, n_epochs):
        """Return the task of a training, as a context."""
        return subtask(self.estimator, self.name, n_epochs)

    def begin(self):
        """Open the task of an epoch."""
        with _generators_kept():
            self.epoch = subtask(self.estimator, "epoch").__enter__()

    def end(self, net):
        """Close it; return whether a callback asks to end the training."""
        if self.learnt is not None:
            self.epoch.offer(lambda: self.learnt(net))
        with _generators_kept():
            self.epoch.__exit__(None)
        return self.epoch.stops


class NoTasks:
    """Stands in for `EpochTasks` where no callback watches."""

    def training(self, n_epochs):
        """Return a context that does nothing."""
        return nullcontext()

    def begin(self):
        """Do nothing."""

    def end(self, net):
        """Let the training go on."""
        return False


def _generators_kept():
    """Return the context that keeps random numbers of a callback from changing the training."""
    # Those of all GPUs are saved only where torch has begun to use one.
    started = torch.cuda.is_available() and torch.cuda.is_initialized()
    return torch.random.fork_rng(range(torch.cuda.device_count()) if started else [])


def frozen_copy(module):
    """Return a copy of a module that is being trained, ready to predict."""
    return copy.deepcopy(module).eval()


def net_with_copy(net):
    """Return a copy of a net with a module of its own, which further training does not change."""
    new = copy.copy(net)
    vars(new)["module_"] = frozen_copy(net.module_)
    vars(new)["tasks"] = NoTasks()
    return new
