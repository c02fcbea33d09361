"""Predictions of several models for the same rows put together, without a true label.

Votes are class indices in an array (n, M), one column per model, -1 where a model says nothing.
NumPy on the host: votes are labels.
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse

# A count added to every cell of a confusion matrix, so that a model that was never seen to err is
# not taken for one that cannot.
_SMOOTHING = 1.0
_LEAST_PRIOR = 1e-12


class Consensus(NamedTuple):
    """What expectation-maximization learnt from votes."""

    posterior: np.ndarray
    """Probability of each class for each row, (n, K)."""
    confusion: np.ndarray
    """Probability of each vote given the class, (M, K, K)."""
    priors: np.ndarray
    """Proportion of each class, (K,)."""


def vote_matrix(votes, n_classes):
    """Return votes as a CSR matrix (n, M K) with a one where a model votes for a class.

    Parameters
    ----------
    votes : ndarray of int of shape (n, M)
        Class indices, -1 for none.
    n_classes : int
        Number of classes K.

    Returns
    -------
    matrix : CSR matrix of shape (n, M K)
        Column ``m K + k`` is the vote of model m for class k.
    """
    n, n_models = votes.shape
    row, model = np.nonzero(votes >= 0)
    column = model * n_classes + votes[row, model]
    ones = np.ones(len(row))
    return sparse.csr_matrix((ones, (row, column)), shape=(n, n_models * n_classes))


def count_votes(votes, n_classes, weights):
    """Return the weighted share of the votes for each class, (n, K); equal ones without a vote."""
    weighted = vote_matrix(votes, n_classes) @ np.kron(
        np.asarray(weights, dtype=float)[:, None], np.eye(n_classes)
    )
    total = weighted.sum(axis=1, keepdims=True)
    return np.where(total > 0, weighted / np.where(total > 0, total, 1.0), 1.0 / n_classes)


def dawid_skene(votes, n_classes, exponents, *, known=None, n_rounds=30):
    r"""Learn a confusion matrix per model, and the class of each row, from the votes alone.

    Expectation-maximization of Dawid and Skene (1979) in which model m's likelihood has an exponent
    :math:`e_m`: the posterior is

    .. math:: T_{ik} \propto \pi_k \prod_m C_m[k, v_{im}]^{e_m}

    and then :math:`C_m[k, l] \propto 1 + \sum_i T_{ik} [v_{im} = l]` and π is the mean of T.

    Parameters
    ----------
    votes : ndarray of int of shape (n, M)
        Class indices, -1 for none.
    n_classes : int
        Number of classes K.
    exponents : ndarray of shape (M,)
        How much each vote counts; below 1 for models that are no independent witnesses.
    known : ndarray of int of shape (n,) or None, default=None
        Class index of rows whose class is known, -1 elsewhere.
    n_rounds : int, default=30
        Rounds from the weighted share of the votes on.

    Returns
    -------
    consensus : Consensus
        Posterior, confusion matrices and priors.
    """
    n_models = votes.shape[1]
    cast = vote_matrix(votes, n_classes)
    posterior = _with_known(count_votes(votes, n_classes, exponents), known)
    for _ in range(n_rounds):
        counts = (cast.T @ posterior).reshape(n_models, n_classes, n_classes)
        confusion = counts.transpose(0, 2, 1) + _SMOOTHING
        confusion /= confusion.sum(axis=2, keepdims=True)
        priors = posterior.mean(axis=0)
        posterior = _posterior(cast, confusion, priors, exponents)
        posterior = _with_known(posterior, known)
    return Consensus(posterior, confusion, priors)


def class_posterior(votes, confusion, priors, exponents):
    """Return the probability of each class for new rows, (n, K), from what was learnt."""
    return _posterior(vote_matrix(votes, len(priors)), confusion, priors, exponents)


def _posterior(cast, confusion, priors, exponents):
    n_models, n_classes, _ = confusion.shape
    # Row m K + l holds what a vote of model m for class l says about each class.
    evidence = (np.log(confusion) * exponents[:, None, None]).transpose(0, 2, 1)
    log_joint = cast @ evidence.reshape(n_models * n_classes, n_classes)
    log_joint += np.log(np.maximum(priors, _LEAST_PRIOR))
    joint = np.exp(log_joint - log_joint.max(axis=1, keepdims=True))
    return joint / joint.sum(axis=1, keepdims=True)


def _with_known(posterior, known):
    if known is None:
        return posterior
    rows = np.flatnonzero(known >= 0)
    posterior[rows] = 0.0
    posterior[rows, known[rows]] = 1.0
    return posterior


def pairwise_agreement(votes):
    """Return the share of rows on which each two models vote alike, (M, M)."""
    n_models = votes.shape[1]
    agreement = np.ones((n_models, n_models))
    for m in range(n_models):
        agreement[m] = (votes == votes[:, [m]]).mean(axis=0)
    return agreement
