"""Which kind of shift lies between the domains, on what evidence, and what follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import type_of_target

from .._array._rows import n_rows, take_rows
from .._core._labels import as_labels, labeled_rows, missing_labels, take_labels
from .._core._param_checks import check_integer, check_real
from .._core._sample_domain import check_both_sides, check_sample_domain
from .._core._typing import ArrayLike, DomainIds, Predictor, RandomState
from .._numerics._em_priors import corrected_proba
from . import _shift_tests as tests
from ._feature_shift import adjust_pvalues, feature_shift
from ._shift_columns import read_columns
from ._shift_findings import findings_of
from ._shift_report import ShiftReport

_N_BINS = 4  # classes that stand for a numeric label
_CV = 5
_LEAST_ROWS = 5
# Labels are few, and several tests read them: a kind is ruled out at a tenth of the level, by tests
# that permute at a fifth, since 199 permutations give no smaller p-values for several classes.
_PART_OF_LEVEL, _PART_IF_PERMUTED = 0.1, 0.2
# Labeled target rows from which it counts as evidence that a test of them finds nothing.
LEAST_LABELS = 10
# By how much more likely (logarithm) another explanation must make the labels to be preferred.
# exp(2), about 7: "substantial" evidence.
_MUCH_LIKELIER = 2.0
_N_BOOTSTRAPS = 100
CODES = (
    *("SIZE", "SOURCES", "MISSING", "NEWCAT", "TEXT", "NEWCLASS", "DOMAINS", "FEATURES"),
    *("OVERLAP", "PRIORS", "MIXTURE", "CLASSES", "CONCEPT", "SUBSPACE", "LOSS", "KIND"),
)


@dataclass
class Evidence:
    """Everything that was measured, for the findings to put in words."""

    alpha: float
    sizes: dict
    columns: Any
    features: Any
    scores: np.ndarray | None = None  # of a domain classifier, source rows first
    pvalues: dict = field(default_factory=dict)  # of the domains as a whole
    auc: float = 0.5
    outside: float = 0.0
    effective: float = 1.0
    classes: list = field(default_factory=list)
    regression: bool = False
    n_labeled: int = 0
    n_new_classes: int = 0
    priors: dict | None = None
    mixture: dict | None = None
    labels: dict | None = None
    subspace: dict | None = None
    loss: dict | None = None
    kind: str = "unknown"


def diagnose(
    X: ArrayLike,
    y: ArrayLike | None,
    sample_domain: DomainIds,
    *,
    estimator: Predictor | None = None,
    alpha: float = 0.05,
    max_rows: int = 2000,
    n_permutations: int = 199,
    ignore: Sequence[str] = (),
    random_state: RandomState = None,
) -> ShiftReport:
    """Report which kind of shift lies between the domains, how sure that is, and what follows.

    Different shifts call for different methods: weights for rows that lie elsewhere, new class
    proportions where only these have changed, alignments where the rows of every class have moved.
    The report tests what the data can tell: whether the domains differ at all, whether other
    proportions of the source's classes explain the target's rows, and, with labels of some target
    rows, whether a model of the source is right about them.

    Parameters
    ----------
    X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
        Rows of all domains. Columns of a frame that are not numbers are categories; those with
        many different texts are left out, with a note. Values may be missing.
    y : array-like of shape (n_samples,) or None
        Labels of the source rows, and of the target rows that have one (NaN or None marks those
        that have none, as in :func:`~skda.stack_domains`). About 30 labels of the target tell most
        kinds apart. Numbers that are not all whole (regression) are cut into four bins at the
        source's quartiles, which stand for classes. None: only the rows are compared.
    sample_domain : array-like of int of shape (n_samples,)
        Domain of each row: >= 0 a source, < 0 a target. Several sources (targets) are pooled.
    estimator : classifier or None, default=None
        Model of the source, with ``predict_proba``, whose probabilities the labels of the target
        are compared with. It gets the rows as they come. None, and always in regression: a forest
        of the rows as numbers.
    alpha : float, default=0.05
        Level of the tests: chance that a shift is reported where there is none.
    max_rows : int, default=2000
        Rows of each domain that are used, a random subset of them if there are more; at least 20.
        Labeled target rows are kept first. Raising it finds smaller shifts and takes longer.
    n_permutations : int, default=199
        Number of permutations in tests that permute; the least p-value is
        1/(``n_permutations`` + 1).
    ignore : sequence of str, default=()
        Codes of findings to leave out of the report, for example ``["TEXT"]``.
    random_state : int, RandomState instance or None, default=None
        Seed of subsets, forests and permutations.

    Returns
    -------
    report : ShiftReport
        With the attributes ``kind``, ``findings`` and ``features``.

    Raises
    ------
    ImportError
        If pandas is not installed.
    ValueError
        If a side has fewer than 5 rows, the source has a single class or a row without a label, or
        a parameter is out of range.

    See Also
    --------
    feature_shift : The table of features alone.
    skda.metrics.mmd_test : The two-sample test.
    skda.model_selection.compare : Compares methods on several targets.

    Notes
    -----
    "none": after Holm's correction no test of the rows (kernel discrepancy, forest of the domains,
    features one by one) and none of the labels (class counts, labels given the rows) rejects.

    Otherwise, "label" if source rows in other class proportions (maximum likelihood [1]_) look
    like the target's rows and make its labels likely; "covariate" if they do not, and the labels
    are as likely under a calibrated model of the source as labels that follow it (parametric
    bootstrap; the tests of [2]_ in plainer form) and aligned rows do not make them likelier. If the
    labels contradict the model: "subspace" if there are directions along which the rows agree and
    a model of the source predicts in both domains, else "conditional". Where a label shift and a
    covariate shift both stand up, the likelier labels decide. With fewer than 10 labels of the
    target no absence of a contradiction counts.

    The loss is split by the method of [3]_. Every test sees large differences only in few rows; a
    test that does not reject is no proof. Several kinds at once are reported as "conditional".
    Cost: five forests and some kernel tests on at most `max_rows` rows of each domain. Computed on
    the host.

    References
    ----------
    .. [1] Saerens, M., Latinne, P., Decaestecker, C. (2002). Adjusting the outputs of a classifier
       to new a priori probabilities. Neural Computation. doi:10.1162/089976602753284446
    .. [2] Polo, F. M., Izbicki, R., Lacerda, E. G., Ibieta-Jimenez, J. P., Vicente, R. (2023). A
       unified framework for dataset shift diagnostics. Information Sciences. arXiv:2205.08340
    .. [3] Cai, T., Namkoong, H., Yadlowsky, S. (2023). Diagnosing model performance under
       distribution shift. arXiv:2303.02011

    Examples
    --------
    >>> from skda.datasets import make_covariate_shift
    >>> from skda.inspection import diagnose
    >>> X, y, sample_domain = make_covariate_shift(200, 200, random_state=0)
    >>> diagnose(X, y, sample_domain, random_state=0).kind
    'covariate'
    """
    how: dict[str, Any] = {
        "estimator": estimator,
        "alpha": alpha,
        "max_rows": max_rows,
        "ignore": ignore,
    }
    how |= {"n_permutations": n_permutations, "random_state": random_state}
    return diagnosed(X, y, sample_domain, **how)


def diagnosed(
    X,
    y,
    sample_domain,
    *,
    estimator,
    alpha,
    max_rows,
    n_permutations,
    ignore,
    random_state,
    counts=None,
    tabulate=None,
):
    """Diagnose rows that may be a sample of a larger table.

    `counts` is the number of rows of each domain of the table, and ``tabulate(columns)`` returns
    its table of features. None: the rows are the table.
    """
    alpha = check_real("alpha", alpha, low=0, high=1, closed="neither")
    check_integer("max_rows", max_rows, low=20)
    check_integer("n_permutations", n_permutations, low=19)
    ignore = _check_ignore(ignore)
    rng = check_random_state(random_state)
    generator = np.random.default_rng(rng.randint(2**31))
    ids = check_sample_domain(sample_domain, n_rows(X))
    check_both_sides(ids)
    _check_enough_rows(ids)
    labeled, codes, classes, regression = _read_labels(y, ids, estimator)
    columns = read_columns(X, ids, rng.randint(2**31))
    source, target = _chosen_rows(ids, labeled, max_rows, generator)
    if counts is None:
        counts = dict(zip(*np.unique(ids, return_counts=True), strict=True))
    found = Evidence(
        alpha,
        _sizes(counts) | {"used_source": len(source), "used_target": len(target)},
        columns,
        feature_shift(columns.table, ids) if tabulate is None else tabulate(columns),
        classes=classes,
        regression=regression,
    )
    seed = int(rng.randint(2**31))
    Zs, Zt = columns.matrix[source], columns.matrix[target]
    _compare_rows(found, Zs, Zt, n_permutations, seed, generator)
    curves = {"Zs": Zs, "Zt": Zt, "scores": found.scores, "source_rows": source}
    curves["target_rows"] = target
    if codes is not None:
        known = np.flatnonzero(labeled[target])
        known_codes = codes[target][known]
        found.n_new_classes = int((known_codes < 0).sum())
        known, known_codes = known[known_codes >= 0], known_codes[known_codes >= 0]
        found.n_labeled = len(known)
        case = _Case(Zs, codes[source], Zt, known, known_codes, len(classes), seed, n_permutations)
        models = _models(case, X, source, target, None if regression else estimator)
        _compare_classes(found, case, models, generator)
        found.kind = _kind(found, case, models, generator)
        curves["source_codes"] = case.source_codes
    else:
        found.kind = "unknown" if _moved(found) else "none"
    kept = [finding for finding in findings_of(found) if finding.code not in ignore]
    curves |= {"X": columns.table, "ids": ids, "priors": found.priors, "classes": classes}
    return ShiftReport(found.kind, kept, found.features, curves)


@dataclass
class _Case:
    """Rows and classes as the tests take them."""

    Zs: np.ndarray
    source_codes: np.ndarray
    Zt: np.ndarray
    known: np.ndarray  # positions of labeled rows in Zt
    known_codes: np.ndarray
    n_classes: int
    seed: int
    n_permutations: int

    @property
    def Z_known(self):
        return self.Zt[self.known]


@dataclass
class _Models:
    """Probabilities under the source, of the user's model and of the forest."""

    forest: Any
    held_out: np.ndarray  # of the source rows
    on_target: np.ndarray
    forest_on_target: np.ndarray


def _check_enough_rows(ids):
    """Raise if a side has too few rows for a forest to learn from one half of them."""
    for name, count in (("source", (ids >= 0).sum()), ("target", (ids < 0).sum())):
        if count < _LEAST_ROWS:
            raise ValueError(
                f"diagnose needs at least {_LEAST_ROWS} rows on each side; the {name} has {count}. "
                "Add rows."
            )


def _sizes(counts):
    """Return the numbers of rows and domains of both sides."""
    sides = {"source": [], "target": []}
    for domain, n in counts.items():
        sides["source" if domain >= 0 else "target"].append(int(n))
    rows = {f"{side}_rows": sum(own) for side, own in sides.items()}
    return rows | {f"{side}s": len(own) for side, own in sides.items()}


def _check_ignore(ignore):
    ignore = [ignore] if isinstance(ignore, str) else list(ignore)
    unknown = [code for code in ignore if code not in CODES]
    if unknown:
        raise ValueError(f"ignore must be codes of findings {list(CODES)}; got {unknown}.")
    return ignore


def _read_labels(y, ids, estimator):
    """Return which rows have labels, their codes (-1: new to the target) and the classes."""
    if y is None:
        return np.zeros(len(ids), dtype=bool), None, [], False
    y = as_labels(y)
    if y.ndim != 1 or len(y) != len(ids):
        raise ValueError(
            f"y must be one-dimensional, one label per row of X ({len(ids)}); got shape {y.shape}."
        )
    labeled = labeled_rows(y, ids)
    source = ids >= 0
    if missing_labels(y[source]).any() and y.dtype.kind != "i":
        raise ValueError(
            f"y must have a label on every source row; {int(missing_labels(y[source]).sum())} have "
            "none. Leave those rows out."
        )
    known = take_labels(y, labeled)
    on_source = known[source[labeled]]
    numeric = known.dtype.kind in "fiu" and type_of_target(on_source).startswith("continuous")
    codes = np.full(len(ids), -1)
    if numeric:
        edges = np.unique(np.quantile(on_source, np.arange(1, _N_BINS) / _N_BINS))
        codes[labeled] = np.searchsorted(edges, known, side="right")
        classes = [f"bin {i + 1}" for i in range(len(edges) + 1)]
    else:
        if estimator is not None and not is_classifier(estimator):
            raise ValueError(
                "estimator must be a classifier with predict_proba, or None for a forest; got "
                f"{estimator!r}."
            )
        classes = np.unique(on_source)
        place = np.minimum(np.searchsorted(classes, known), len(classes) - 1)
        codes[labeled] = np.where(classes[place] == known, place, -1)
        classes = classes.tolist()
    if len(classes) < 2:
        raise ValueError(
            f"y must have at least two classes on the source rows; got {classes}. Pass y=None to "
            "compare the rows alone."
        )
    return labeled, codes, classes, bool(numeric)


def _chosen_rows(ids, labeled, max_rows, rng):
    """Return the source and target rows to use, in order; labeled target rows are kept first."""
    source, target = np.flatnonzero(ids >= 0), np.flatnonzero(ids < 0)
    if len(source) > max_rows:
        source = np.sort(rng.choice(source, max_rows, replace=False))
    if len(target) > max_rows:
        first = rng.permutation(target)
        # A stable sort puts the labeled ones in front, in random order.
        target = np.sort(first[np.argsort(~labeled[first], kind="stable")][:max_rows])
    return source, target


def _compare_rows(found, Zs, Zt, n_permutations, seed, rng):
    """Note whether the rows of the domains differ, and how far they overlap."""
    is_target = np.arange(len(Zs) + len(Zt)) >= len(Zs)
    both = np.concatenate([Zs, Zt])
    found.scores, found.auc, by_forest = tests.domain_scores(both, is_target, seed)
    by_feature = found.features["adjusted_pvalue"].dropna()
    found.pvalues = {
        "mmd": tests.mmd_pvalue(Zs, Zt, n_permutations=n_permutations, rng=rng, factors=(1.0,)),
        "classifier": by_forest,
        "features": float(by_feature.min()) if len(by_feature) else 1.0,
    }
    found.outside = tests.outside_part(Zs, Zt)
    found.effective = tests.effective_size(found.scores[: len(Zs)])


def _models(case, X, source, target, estimator):
    forest = tests.SourceForest(case.Zs, case.source_codes, case.n_classes, case.seed)
    by_forest = forest.proba(case.Zt)
    if estimator is None:
        return _Models(forest, forest.held_out, by_forest, by_forest)
    least = int(np.bincount(case.source_codes).min())
    if least < 2:
        raise ValueError(
            "estimator needs two source rows of each class to be calibrated; the rarest has one. "
            "Leave that class out, or pass estimator=None."
        )
    model = tests.SourceEstimator(
        estimator, take_rows(X, source), case.source_codes, case.n_classes, min(_CV, least)
    )
    return _Models(forest, model.held_out, model.proba(take_rows(X, target)), by_forest)


def _compare_classes(found, case, models, rng):
    """Note what class proportions explain, and what the labels of the target say."""
    counts = np.bincount(case.source_codes, minlength=case.n_classes)
    source_priors = np.maximum(counts, 1e-9) / counts.sum()
    priors, interval = tests.priors_with_interval(
        models.on_target, source_priors, level=1 - found.alpha, n_bootstraps=_N_BOOTSTRAPS, rng=rng
    )
    found.priors = {"source": source_priors, "target": priors, "interval": interval}
    pvalue, n_compared = tests.mixture_test(
        case.Zs, case.source_codes, case.Zt, priors, n_permutations=case.n_permutations, rng=rng
    )
    found.mixture = {"pvalue": pvalue, "compared_source_rows": n_compared}
    if len(case.known):
        _compare_labels(found, case, models, rng)
        _split_loss(found, case, models)


def _compare_labels(found, case, models, rng):
    """Note how likely the target's labels are under each explanation."""
    codes, plain = case.known_codes, models.on_target[case.known]
    ratio = found.priors["target"] / found.priors["source"]
    corrected = corrected_proba(plain, ratio)
    plain_fit = tests.log_likelihood(plain, codes)
    aligned = models.forest.proba(_aligned(case.Zs, case.Zt)[case.known])
    by_forest = models.forest_on_target[case.known]
    given = tests.class_conditional_tests(
        *(case.Zs, case.source_codes, case.Z_known, codes),
        n_permutations=case.n_permutations,
        rng=rng,
    )
    adjusted = adjust_pvalues(list(given.values()), "holm") if given else []
    found.labels = {
        "n": len(codes),
        "priors_pvalue": tests.label_counts_test(case.source_codes, codes, case.n_classes, rng),
        "concept_pvalue": tests.label_likelihood_test(plain, codes, rng),
        "corrected_pvalue": tests.label_likelihood_test(corrected, codes, rng),
        "corrected_gain": tests.log_likelihood(corrected, codes) - plain_fit,
        "aligned_gain": tests.log_likelihood(aligned, codes)
        - tests.log_likelihood(by_forest, codes),
        "class_pvalues": dict(zip(given, map(float, adjusted), strict=True)),
        "accuracy": float((plain.argmax(axis=1) == codes).mean()),
    }


def _aligned(Zs, Zt):
    """Return target rows with the source's mean and variance of each feature."""
    spread = Zt.std(axis=0)
    scale = np.where(spread > 0, Zs.std(axis=0) / np.where(spread > 0, spread, 1.0), 1.0)
    return (Zt - Zt.mean(axis=0)) * scale + Zs.mean(axis=0)


def _split_loss(found, case, models):
    """Note the error on both domains, and which part of its growth is due to what."""
    wrong = models.held_out.argmax(axis=1) != case.source_codes
    missed = models.on_target[case.known].argmax(axis=1) != case.known_codes
    scores_target = found.scores[len(case.Zs) :][case.known]
    found.loss = tests.loss_split(
        wrong.astype(float), found.scores[: len(case.Zs)], missed.astype(float), scores_target
    )


def _moved(found):
    """Tell whether any test of the rows or labels rejects, all of them taken together."""
    return bool((_adjusted(found) <= found.alpha).any())


def _adjusted(found):
    """Return the adjusted p-values of the rows, then of class counts and of labels given rows."""
    pvalues = list(found.pvalues.values())
    if found.labels is not None:
        pvalues += [found.labels["priors_pvalue"], found.labels["concept_pvalue"]]
    return adjust_pvalues(pvalues, "holm")


def _kind(found, case, models, rng):
    """Name the kind of shift: see the notes of ``diagnose``."""
    adjusted = _adjusted(found)
    if not (adjusted <= found.alpha).any():
        return "none"
    rows_differ = (adjusted[: len(found.pvalues)] <= found.alpha).any()
    if not rows_differ:  # the labels differ: given the rows, or else in number
        return "conditional" if adjusted[-1] <= found.alpha else "label"
    level = _PART_OF_LEVEL * found.alpha
    mixture_fits = found.mixture["pvalue"] > found.alpha
    labels = found.labels
    if labels is None:
        return _kind_without_labels(mixture_fits)
    label_fits = (
        mixture_fits
        and labels["corrected_pvalue"] > level
        and min(labels["class_pvalues"].values(), default=1.0) > _PART_IF_PERMUTED * found.alpha
    )
    covariate_fits = labels["concept_pvalue"] > level and labels["aligned_gain"] < _MUCH_LIKELIER
    if (label_fits or covariate_fits) and labels["n"] < LEAST_LABELS:
        return _kind_without_labels(mixture_fits)
    if label_fits and covariate_fits:
        return "covariate" if labels["corrected_gain"] < -_MUCH_LIKELIER else "label"
    if label_fits or covariate_fits:
        return "label" if label_fits else "covariate"
    return "subspace" if _subspace_holds(found, case, models, rng) else "conditional"


def _kind_without_labels(mixture_fits):
    return "label or covariate" if mixture_fits else "covariate or conditional"


def _subspace_holds(found, case, models, rng):
    """Search for directions that the domains share, and note what a model of them is worth."""
    if case.Zs.shape[1] < 2:
        return False
    basis = tests.shared_directions(
        case.Zs,
        case.Zt,
        alpha=_PART_IF_PERMUTED * found.alpha,
        n_permutations=case.n_permutations,
        rng=rng,
    )
    if basis is None:
        found.subspace = {"directions": 0}
        return False
    holds, found.subspace = tests.subspace_holds(
        *(case.Zs, case.source_codes, case.Z_known, case.known_codes, basis, models.forest),
        seed=case.seed,
    )
    found.subspace["directions"] = basis.shape[1]
    return holds
