"""The tests and estimates that a diagnosis rests on, as functions of arrays on the host."""

import math

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.stats import mannwhitneyu
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import NearestNeighbors

from .._core._meta_estimator import class_columns
from .._numerics._em_priors import em_priors
from .._numerics._kernels import resolve_gamma
from .._numerics._weights import effective_sample_size
from ..metrics import mmd_test

# Trees for probabilities, and for scores that are only ranked; they take most of the time. A leaf
# of fewer rows gives probabilities of 0 and 1.
_N_TREES, _N_RANKING_TREES, _LEAST_LEAF = 100, 50, 3
_LEAST_PROBA = 1e-3  # a forest that never saw a class somewhere does not know it impossible
_LOG_TEMPERATURES = (-2.0, 2.0)  # beyond, the classes are separate and any value fits
_N_SIMULATED = 999  # label draws of a parametric test
_BANDWIDTHS = (1.0, 8.0)  # factors of the median kernel: the median alone sees coarse changes only
_N_NEIGHBORS, _SUPPORT_LEVEL = 5, 0.99
_LEAST_CLASS = 5  # labeled target rows of a class from which its rows are compared
# Some directions cannot hold all that is known of the labels. A third keeps out those that hold
# next to nothing, and which would pass to the target without being of use.
_KEPT = 1 / 3
_STANDARD_ERRORS = 2.0  # by which the target may fall short of the source
_MOST_DIRECTIONS = 10  # that are taken away in the search for a shared subspace


def forest(seed, *, balanced=False):
    """Return the classifier of all tests: nonlinear, quick, and close to calibrated."""
    return ExtraTreesClassifier(
        _N_RANKING_TREES if balanced else _N_TREES,
        min_samples_leaf=_LEAST_LEAF,
        bootstrap=True,
        oob_score=not balanced,
        class_weight="balanced" if balanced else None,
        random_state=seed,
    )


def domain_scores(Z, is_target, seed):
    """Probability of the target for each row by a forest of the other half, and two-sample test.

    Given the forest, the scores of rows that it has not seen are exchangeable between the domains
    if nothing differs, so that the rank test of each half is exact.

    Returns
    -------
    scores : ndarray of shape (n,)
    auc : float
        Area under the ROC curve, mean of the halves.
    pvalue : float
    """
    scores, pvalues, areas = np.empty(len(Z)), [], []
    folds = StratifiedKFold(2, shuffle=True, random_state=seed)
    for learnt, held_out in folds.split(Z, is_target):
        model = forest(seed, balanced=True).fit(Z[learnt], is_target[learnt])
        found = scores[held_out] = model.predict_proba(Z[held_out])[:, 1]
        truth = is_target[held_out]
        areas.append(roc_auc_score(truth, found))
        test = mannwhitneyu(found[truth], found[~truth], alternative="greater")
        pvalues.append(test.pvalue)
    return scores, float(np.mean(areas)), float(min(1.0, 2 * min(pvalues)))


def effective_size(scores_of_source):
    """Effective number of source rows, as a part of them, under the odds of being target rows."""
    odds = scores_of_source / np.maximum(1 - scores_of_source, _LEAST_PROBA)
    return (effective_sample_size(odds) or len(odds)) / len(odds)


def outside_part(Zs, Zt):
    """Proportion of target rows that lie farther from the source than its own rows do."""
    k = min(_N_NEIGHBORS, len(Zs) - 1)
    tree = NearestNeighbors(n_neighbors=k).fit(Zs)
    limit = np.quantile(tree.kneighbors()[0][:, -1], _SUPPORT_LEVEL)
    return float((tree.kneighbors(Zt)[0][:, -1] > limit * (1 + 1e-9)).mean())


def calibrated(proba, temperature):
    """Return probabilities with their logarithms multiplied, rows of sum 1."""
    logs = temperature * np.log(np.maximum(proba, _LEAST_PROBA))
    found = np.exp(logs - logs.max(axis=1, keepdims=True))
    return found / found.sum(axis=1, keepdims=True)


def best_temperature(proba, codes):
    """Return the factor of the logarithms under which held-out labels are most likely."""

    def loss(log_factor):
        return -log_likelihood(calibrated(proba, math.exp(log_factor)), codes)

    found = minimize_scalar(loss, bounds=_LOG_TEMPERATURES, method="bounded")
    return math.exp(found.x)


def log_likelihood(proba, codes):
    """Log-likelihood of these classes."""
    return float(np.log(np.maximum(proba[np.arange(len(codes)), codes], 1e-12)).sum())


class SourceForest:
    """A forest of the source rows whose probabilities are calibrated on its out-of-bag rows."""

    def __init__(self, Z, codes, n_classes, seed):
        self.model = forest(seed).fit(Z, codes)
        held_out = np.nan_to_num(self.model.oob_decision_function_, nan=1.0 / n_classes)
        self.temperature = best_temperature(held_out, codes)
        self.held_out = calibrated(held_out, self.temperature)

    def proba(self, Z):
        """Calibrated probabilities of rows."""
        return calibrated(self.model.predict_proba(Z), self.temperature)


class SourceEstimator:
    """The user's classifier likewise, calibrated by cross-validation."""

    def __init__(self, estimator, X, codes, n_classes, cv):
        folds = StratifiedKFold(cv, shuffle=True, random_state=0)
        held_out = cross_val_predict(estimator, X, codes, cv=folds, method="predict_proba")
        self.classes = np.arange(n_classes)
        self.model = clone(estimator).fit(X, codes)
        self.temperature = best_temperature(held_out, codes)
        self.held_out = calibrated(held_out, self.temperature)

    def proba(self, X):
        """Calibrated probabilities of rows."""
        return calibrated(class_columns(self.model, X, self.classes), self.temperature)


def priors_with_interval(proba, source_priors, *, level, n_bootstraps, rng):
    """Return the target's priors by maximum likelihood, and percentile intervals of them."""
    priors = em_priors(proba, source_priors)[0]
    # Rows drawn anew are weights of the same rows.
    counts = rng.multinomial(len(proba), np.full(len(proba), 1 / len(proba)), size=n_bootstraps)
    drawn = [
        em_priors(proba, source_priors, weights=w, max_iter=200, tol=1e-4)[0]
        for w in counts.astype(float)
    ]
    return priors, np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0).T


def mixture_test(Zs, codes, Zt, priors, *, n_permutations, rng):
    """Test whether the target looks like the source's classes in other proportions.

    As many source rows of each class as possible are taken in the target's proportions. If the
    hypothesis is true, they and the target's rows are exchangeable.
    """
    counts = np.bincount(codes, minlength=len(priors))
    n = min(counts[c] / priors[c] for c in range(len(priors)) if priors[c] > 1 / len(Zt))
    sizes = np.minimum(np.rint(n * priors).astype(int), counts)
    rows = np.concatenate(
        [
            rng.choice(np.flatnonzero(codes == c), size, replace=False)
            for c, size in enumerate(sizes)
        ]
    )
    pvalue = mmd_pvalue(Zs[rows], Zt, n_permutations=n_permutations, rng=rng)
    return pvalue, len(rows)


def mmd_pvalue(Zs, Zt, *, n_permutations, rng, factors=_BANDWIDTHS):
    """Two-sample test at several bandwidths, Bonferroni's bound on their p-values."""
    if min(len(Zs), len(Zt)) < 2:
        return 1.0
    gamma = resolve_gamma("median", np.concatenate([Zs, Zt]), kernel="rbf", random_state=0)
    seed = int(rng.integers(2**31))
    pvalues = [
        mmd_test(
            *(Zs, Zt), gamma=gamma * factor, n_permutations=n_permutations, random_state=seed
        ).pvalue
        for factor in factors
    ]
    return float(min(1.0, len(factors) * min(pvalues)))


def label_likelihood_test(proba, codes, rng):
    """Test whether labels could be drawn from these probabilities.

    A parametric bootstrap of two statistics, Bonferroni's bound on their p-values: the likelihood
    of the labels, and how far the number of labels of each class is from the expected one. The
    second sees a model that is unsure of every row, and wrong in one direction.
    """
    steps = np.cumsum(proba, axis=1)
    u = rng.random((_N_SIMULATED, len(codes), 1))
    simulated = np.minimum((u > steps[None]).sum(axis=2), proba.shape[1] - 1)
    logs = np.log(np.maximum(proba, 1e-12))
    expected, variance = proba.sum(axis=0), (proba * (1 - proba)).sum(axis=0)

    def unlikeliness(labels):
        return -logs[np.arange(len(codes)), labels].sum(axis=-1)

    def bias(labels):
        counts = (labels[..., None] == np.arange(proba.shape[1])).sum(axis=-2)
        # One row's worth of variance, for classes that are all but impossible.
        return ((counts - expected) ** 2 / (variance + 1.0)).sum(axis=-1)

    pvalues = []
    for statistic in (unlikeliness, bias):
        # Rounding must not decide between equal sums.
        as_large = statistic(simulated) >= statistic(codes) - 1e-9
        pvalues.append((1 + as_large.sum()) / (_N_SIMULATED + 1))
    return float(min(1.0, 2 * min(pvalues)))


def label_counts_test(source_codes, target_codes, n_classes, rng):
    """Exact test whether labeled rows of both domains have the classes in equal proportions."""
    source = np.bincount(source_codes, minlength=n_classes)
    target = np.bincount(target_codes, minlength=n_classes)
    total, m = source + target, target.sum()
    expected = total * m / total.sum()

    def chi2(counts):
        return ((counts - expected) ** 2 / np.maximum(expected, 1e-12)).sum(axis=-1)

    drawn = rng.multivariate_hypergeometric(total, m, size=_N_SIMULATED)
    return float((1 + (chi2(drawn) >= chi2(target) - 1e-9).sum()) / (_N_SIMULATED + 1))


def class_conditional_tests(Zs, source_codes, Zt, target_codes, *, n_permutations, rng):
    """Test for each class with enough labels whether its rows look alike in both domains."""
    found = {}
    for c in np.unique(target_codes):
        own, other = Zs[source_codes == c], Zt[target_codes == c]
        if len(other) >= _LEAST_CLASS and len(own) >= _LEAST_CLASS:
            found[int(c)] = mmd_pvalue(
                own, other, n_permutations=n_permutations, rng=rng, factors=(1.0,)
            )
    return found


def shared_directions(Zs, Zt, *, alpha, n_permutations, rng):
    """Search for directions along which the domains do not differ.

    The direction in which the means (or, where these agree, the covariances) differ most is taken
    away, until a two-sample test finds nothing in what is left.

    Returns
    -------
    basis : ndarray of shape (n_features, n_left) or None
        None if nothing is left.
    """
    # Equal directions of the features (dummies of a category) have no variance of their own.
    _, singular, rows = np.linalg.svd(np.concatenate([Zs, Zt]), full_matrices=False)
    basis = rows[singular > singular[0] * 1e-6].T
    for _ in range(min(_MOST_DIRECTIONS, basis.shape[1] - 1)):
        away = _most_different(Zs @ basis, Zt @ basis)
        complement = np.linalg.svd(away[None, :], full_matrices=True)[2][1:].T
        basis = basis @ complement
        left = (Zs @ basis, Zt @ basis)
        if mmd_pvalue(*left, n_permutations=n_permutations, rng=rng) > alpha:
            return basis
    return None


def _most_different(As, At):
    """Unit vector along which the means, or else the variances, differ most."""
    shift = At.mean(axis=0) - As.mean(axis=0)
    error = np.sqrt(As.var(axis=0) / len(As) + At.var(axis=0) / len(At)) + 1e-12
    # The largest of many z-scores reaches √(2 log d) by chance.
    if np.abs(shift / error).max() > 3.0 + math.sqrt(2 * math.log(len(shift))):
        return shift / np.linalg.norm(shift)
    difference = np.cov(At, rowvar=False) - np.cov(As, rowvar=False)
    values, vectors = np.linalg.eigh(np.atleast_2d(difference))
    return vectors[:, np.argmax(np.abs(values))]


def subspace_holds(Zs, source_codes, Zt_labeled, target_codes, basis, full, *, seed):
    """Tell whether a model of the shared directions predicts in both domains.

    Measured in log-likelihood per row over the class proportions: the model must keep a third of
    what the full model knows of the source's labels, and know something of the target's, not
    clearly less than of the source's.
    """
    n_classes = full.held_out.shape[1]
    model = SourceForest(Zs @ basis, source_codes, n_classes, seed)
    priors = np.bincount(source_codes, minlength=n_classes) / len(source_codes)

    def known(proba, codes):
        logs = np.log(np.maximum(proba[np.arange(len(codes)), codes], 1e-12))
        return logs - np.log(np.maximum(priors[codes], 1e-12))

    everything = float(known(full.held_out, source_codes).mean())
    shared = float(known(model.held_out, source_codes).mean())
    gains = known(model.proba(Zt_labeled @ basis), target_codes)
    on_target, error = float(gains.mean()), float(gains.std() / math.sqrt(len(gains)))
    holds = shared > max(_KEPT * everything, 0) and on_target > max(
        shared - _STANDARD_ERRORS * error, 0
    )
    evidence = {"all_directions": everything, "shared_source": shared, "shared_target": on_target}
    return bool(holds), evidence


def loss_split(source_loss, source_scores, target_loss, target_scores):
    """Split the growth of the mean loss in three (DISDE: Cai, Namkoong and Yadlowsky 2023).

    Rows of both domains are weighted to the distribution p_s p_t / (p_s + p_t) of rows that both
    have. `scores` are probabilities of the target under balanced domains.
    """
    shared_source = np.average(source_loss, weights=source_scores + _LEAST_PROBA)
    shared_target = np.average(target_loss, weights=1 - target_scores + _LEAST_PROBA)
    return {
        "source": float(source_loss.mean()),
        "target": float(target_loss.mean()),
        "harder rows": float(shared_source - source_loss.mean()),
        "y given x": float(shared_target - shared_source),
        "never seen": float(target_loss.mean() - shared_target),
    }
