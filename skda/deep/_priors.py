"""Class proportions of the target, estimated along the training, and a source that follows them.

Alignment, and batch normalization of each side on its own, make the features of both domains agree
as wholes. Where the classes have other proportions on the target, that pairs rows of different
classes. Source rows drawn by the target's proportions take this away (Tachet des Combes 2020).
"""

from numbers import Real

import numpy as np
import torch

from .._array._backend import to_numpy
from .._array._rows import take_rows
from .._array._warnings import warn_user
from .._core._callbacks import clone_inside, fitted_inside
from .._core._param_checks import check_option
from .._core._sample_domain import DomainWarning
from .._numerics._em_priors import em_priors
from ._domain_norm import rows_of

PRIOR_CORRECTIONS = ("resample", "select")
SELECTED_FITS = 3  # of networks, of which one is kept

# The estimate begins when the classifier has learnt something, and then follows slowly: it depends
# on the network, and the network on it.
_BEGIN = 0.1  # of the training
_STEP = 0.3  # of the way to the new estimate
_STEPS_BETWEEN = 10  # steps of the network between two estimates, so that they cost little
_MOST_ROWS = 2048  # target rows of an estimate: its error is then below a percent
_LEAST = 0.1  # of equal proportions: a class that was lost can come back
_EM_ROUNDS = 30

# Distance of the proportions in total variation that is worth a warning. On eight pairs of domains
# whose proportions differ by 0.02 to 0.17, the estimates of DAN, DANN and MCC lay up to 0.15 from
# the source's; on label-shifted blobs, which differ by 0.24, at 0.14 to 0.24. Networks without any
# normalization or scaling err by up to 0.30 where nothing differs, which is worth a warning, too.
_LARGE_GAP = 0.2
# Standard errors of a proportion that a gap must exceed, too: few rows differ by chance.
_ERRORS_OF_A_GAP = 3.0
_SETTLED = 100  # steps before which running statistics and predictions mean little


def followed_priors(p, trained):
    """Return the proportions under which predictions agree with their mean, after few rounds."""
    return em_priors(p, trained, max_iter=_EM_ROUNDS, tol=0.0)[0]


class TargetPriors:
    """The present estimate, and the source rows' chances to be drawn by it.

    Parameters
    ----------
    codes : ndarray of int of shape (n_source,)
        Class index of each source row that is trained on.
    n_classes : int
        Number of classes.
    weights : ndarray of shape (n_source,), default=None
        How much the label of each row counts; None: all alike.
    given : ndarray of shape (n_classes,), default=None
        The target's proportions where they are known; None: they are estimated.
    """

    def __init__(self, codes, n_classes, weights=None, given=None):
        self.codes = codes
        counts = np.bincount(codes, minlength=n_classes)
        weighed = counts if weights is None else np.bincount(codes, weights, minlength=n_classes)
        self.present = weighed > 0
        self.source = counts / counts.sum()
        self.now = self.source.copy()
        # Drawn by some proportions, rows train the classifier for these times their mean weights.
        self.weight = np.divide(weighed, counts, where=counts > 0, out=np.ones(n_classes))
        self.given = None if given is None else self._of_classes(given)
        self._next = 0

    def _of_classes(self, given):
        """Return the user's proportions as fractions of one."""
        given = check_proportions(given)
        if len(given) != len(self.present):
            raise ValueError(
                "prior_correction must be a proportion for each class, in the order of classes_; "
                f"got {len(given)} numbers and {len(self.present)} classes."
            )
        missing = np.flatnonzero((given > 0) & ~self.present)
        if len(missing):
            raise ValueError(
                f"prior_correction gives {given[missing[0]]:g} to class number {missing[0]}, of "
                "which there is no source row to draw. Set it to 0, or add source rows of it."
            )
        return given / given.sum()

    @classmethod
    def of_source(cls, rows, n_classes, given=None):
        """Return the estimate that begins at the source rows that are trained on."""
        own = torch.as_tensor(rows.source, device=rows.y.device)
        weights = None if rows.weights is None else rows.weights[own].double().cpu().numpy()
        return cls(rows.y[own].cpu().numpy(), n_classes, weights, given)

    def update(self, net, batches):
        """Estimate the proportions anew if it is time, and tell the batches."""
        if self.given is not None:
            if batches.source_chances is None:
                self.now = self.given
                batches.source_chances = self.chances()
            return
        if net.progress() < _BEGIN or net.n_steps_ < self._next:
            return
        self._next = net.n_steps_ + _STEPS_BETWEEN
        new = (1.0 - _STEP) * self.now + _STEP * self.estimate(net, batches.X, batches.sides[1])
        self.now = new / new.sum()
        batches.source_chances = self.chances()

    def estimate(self, net, X, rows):
        """Return the proportions of the classes among these rows, as the network sees them."""
        p = target_probabilities(net.module_, X, rows)
        new = followed_priors(p, np.where(self.present, self.now * self.weight, 1.0))
        # The source has no rows of a class that it lacks.
        new = np.where(self.present, np.maximum(new, _LEAST / len(new)), 0.0)
        return new / new.sum()

    def warn_if_far(self, found, n_rows, n_steps):
        """Warn if the proportions found on so many target rows are not those of the training."""
        if n_steps < _SETTLED:
            return
        trained = self.source * self.weight
        gap = 0.5 * np.abs(found - trained / trained.sum()).sum()
        if gap > max(_LARGE_GAP, _ERRORS_OF_A_GAP * 0.5 / np.sqrt(n_rows)):
            warn_user(
                f"The class proportions that the network finds on the target differ by {gap:.2f} "
                "from those of the source (total variation: 0 is equal, 1 no class in common; see "
                "target_priors_). Either it is mostly wrong there, or the proportions differ, and "
                "domains aligned as wholes pair rows of different classes. "
                "Try prior_correction='resample', which draws source rows by the target's "
                "proportions, and compare with alignment_weight=0.",
                DomainWarning,
            )

    def chances(self):
        """Return the chance of each source row to be the next one."""
        ratio = np.divide(self.now, self.source, where=self.present, out=np.zeros_like(self.now))
        weights = ratio[self.codes]
        return weights / weights.sum()


def target_probabilities(module, X, rows):
    """Return class probabilities of the target rows, or of some of them, on the host."""
    rows = torch.as_tensor(rows[:: -(-len(rows) // _MOST_ROWS)], device=X.device)
    training = module.training
    module.eval()
    with torch.no_grad(), rows_of("target"):
        logits, _ = module(X[rows])
    module.train(training)
    return torch.softmax(logits.double(), dim=1).cpu().numpy()


# Proportions that the user gives, and the choice between two estimates


def check_proportions(given):
    """Return proportions of classes as floats, or say what is wrong with them."""
    given = np.asarray(given, dtype=float)
    fits = given.ndim == 1 and np.isfinite(given).all() and (given >= 0).all() and given.sum() > 0
    if not fits:
        raise ValueError(
            "prior_correction must be one proportion for each class if it is an array, none "
            f"below 0 and not all 0; got {given!r}."
        )
    return given


def check_prior_correction(value):
    """Check the parameter: None, the name of an estimate, or proportions."""
    if value is None or isinstance(value, (str, bool, Real)):
        check_option("prior_correction", value, [None, *PRIOR_CORRECTIONS], hint=_OR_AN_ARRAY)
    else:
        check_proportions(value)


_OR_AN_ARRAY = "Or give the target's proportions, an array of shape (n_classes,)."


def fit_selected(estimator, X, y, sample_weight, sample_domain):
    """Return the surer one of two fits, which differ in where the proportions come from.

    An aligned network tends to see the proportions that it was trained with, so that its estimate
    may stay where it began. That of a network without alignment does not, but is of no use where
    that network fails on the target. Which of them holds shows afterwards: rows of different
    classes that were paired leave the network unsure of its predictions.
    """
    ids = to_numpy(sample_domain)
    target = np.flatnonzero(ids < 0)
    X_target = take_rows(X, target)

    def fitted(**params):
        net = clone_inside(estimator).set_params(warm_start=False, **params)
        with fitted_inside(estimator, "network", net):
            net.fit(X, y, sample_weight, sample_domain=sample_domain)
        p = net.predict_proba(X_target, sample_domain=ids[target])
        return net, to_numpy(p).astype(float)

    followed, p = fitted(prior_correction="resample")
    source_only, q = fitted(alignment_weight=0.0, prior_correction=None)
    labels = to_numpy(take_rows(y, np.flatnonzero(ids >= 0)))
    given = _priors_without_alignment(q, labels, source_only.classes_)
    fixed, r = fitted(prior_correction=given)
    return (followed, "resample") if _entropy(p) <= _entropy(r) else (fixed, given)


def _priors_without_alignment(p, labels, classes):
    """Return the target's proportions by the predictions of a network trained on these labels."""
    source = np.array([np.mean(labels == c) for c in classes])
    found = np.maximum(followed_priors(p, source), _LEAST / len(source))
    return found / found.sum()


def _entropy(p):
    """Return the mean entropy of the rows."""
    return float(-np.sum(p * np.log(np.maximum(p, np.finfo(float).tiny)), axis=1).mean())
