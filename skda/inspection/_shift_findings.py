"""Put what a diagnosis measured in words: one function per question, one finding each."""

from ._shift_report import WORDS, Finding

_FEW_ROWS = 50
_FEW_LABELS = 20
_MISSING_DIFFERS = 0.1  # difference of a column's proportion of gaps
_MUCH_OUTSIDE, _LITTLE_LEFT = 0.1, 0.2  # part of the target rows, of the source rows
_SEPARATE = 0.95  # area under the ROC curve from which the domains hardly overlap
_NAMED = 5  # features or columns that a sentence names
_FEW_FEATURES = 0.5  # part of the features up to which a shift is one of single features

ADVICE = {
    "none": "The plain model. Adaptation has nothing to gain here.",
    "covariate": (
        "Weights, no alignment: ImportanceWeightedEstimator with DomainClassifierWeighter or "
        "KMMWeighter."
    ),
    "label": "LabelShiftClassifier; no alignment.",
    "label or covariate": (
        "Label some 30 target rows. Until then LabelShiftClassifier or weights, and alignments "
        "with a strength below 1 at most."
    ),
    "covariate or conditional": (
        "Label some 30 target rows. Until then {AutoAdapt}, which adapts where the source's model "
        "shows that it fails; an alignment by hand with strength=0.5 at most."
    ),
    "unknown": "Pass y: the labels of the source rows, and of some target rows.",
}
# Of all methods of a few target labels the best in mean rank, on other data than the shifts above.
_USE_LABELS = (
    "{TransferGaussianProcess}, which learns from the target labels as well and finds out how much "
    "of the source to keep ({RegularizedTransfer} from some thousand rows)."
)
_TARGET_SHIFT = "No method of skda corrects the distribution of a numeric label; collect labels."


def findings_of(found):
    """Return all findings, in the order of the page."""
    parts = (
        *(_size, _sources, _missing, _new_categories, _text, _new_classes, _domains, _features),
        *(_overlap, _priors, _mixture, _classes, _concept, _subspace, _loss, _kind),
    )
    return [finding for part in parts if (finding := part(found)) is not None]


def _size(found):
    sizes = {**found.sizes, "labeled_target_rows": found.n_labeled}
    few_rows = min(sizes["source_rows"], sizes["target_rows"]) < _FEW_ROWS
    few_labels = found.n_labeled < _FEW_LABELS
    text = (
        f"{sizes['source_rows']} source rows and {sizes['target_rows']} target rows, "
        f"{found.n_labeled} of them labeled; {found.columns.n_features} features."
    )
    if found.regression:
        text += " The labels are numbers: four bins stand for classes."
    if sizes["used_source"] < sizes["source_rows"] or sizes["used_target"] < sizes["target_rows"]:
        text += f" {sizes['used_source']} and {sizes['used_target']} were used."
    advice = "Label some 30 target rows: most kinds of shift look alike without." * few_labels
    if few_rows:
        advice = f"So few rows show large shifts only. {advice}".strip()
    return Finding("SIZE", "warning" if few_rows or few_labels else "info", text, sizes, advice)


def _sources(found):
    n = found.sizes["sources"]
    if n < 2 and found.sizes["targets"] < 2:
        return None
    return Finding(
        "SOURCES",
        "info",
        f"{n} sources and {found.sizes['targets']} targets were pooled.",
        {"sources": n, "targets": found.sizes["targets"]},
        "Diagnose each pair by itself as well; methods take each source by its id.",
    )


def _missing(found):
    gaps = found.columns.missing
    if not gaps:
        return None
    differ = [name for name, (s, t) in gaps.items() if abs(s - t) > _MISSING_DIFFERS]
    text = f"{_plural(len(gaps), 'column has', 'columns have')} missing values"
    text += f", in other proportions in {_names(differ)}." if differ else ", alike in both domains."
    advice = "Impute, and see whether these columns mean the same in both domains."
    evidence = {name: {"source": s, "target": t} for name, (s, t) in gaps.items()}
    return Finding("MISSING", "warning" if differ else "info", text, evidence, advice)


def _new_categories(found):
    new = found.columns.new_categories
    if not new:
        return None
    return Finding(
        "NEWCAT",
        "warning",
        f"The target has categories that the source has not, in {_names(list(new))}.",
        dict(new),
        "OneHotEncoder(handle_unknown='ignore'), or join categories.",
    )


def _text(found):
    names = found.columns.left_out
    if found.columns.reduced:
        return Finding(
            "TEXT",
            "info",
            "The many columns were reduced to components before anything was compared.",
            {"columns": found.columns.n_features},
        )
    if not names:
        return None
    return Finding(
        "TEXT",
        "info",
        f"Columns of text were left out: {_names(names)}.",
        {"columns": names},
        "Turn text into features to have it compared.",
    )


def _new_classes(found):
    if not found.n_new_classes:
        return None
    return Finding(
        "NEWCLASS",
        "serious",
        f"{_plural(found.n_new_classes, 'labeled target row is', 'labeled target rows are')} of a "
        "class that the source has not; the tests leave them out.",
        {"rows": found.n_new_classes},
        "No method finds an unknown class: label more rows of the target.",
    )


def _domains(found):
    differ = min(found.pvalues.values()) * len(found.pvalues) <= found.alpha
    text = (
        "The rows of the domains differ"
        if differ
        else "No test finds a difference between the rows of the domains"
    )
    text += f": a classifier tells them apart with an area under the ROC curve of {found.auc:.2f}."
    return Finding(
        "DOMAINS",
        "warning" if differ else "info",
        text,
        {"auc": found.auc, **{f"pvalue_{name}": p for name, p in found.pvalues.items()}},
    )


def _features(found):
    table = found.features
    shifted = table[table["adjusted_pvalue"] <= found.alpha]
    names = [str(name) for name in shifted.index]
    text = f"{len(names)} of {len(table)} features shifted"
    text += f": {_names(names)}." if names else "."
    advice = ""
    if names and len(names) <= _FEW_FEATURES * len(table):
        advice = "See whether these columns are measured alike; DomainScaler if they are not."
    top = {
        str(name): {"ks": row["ks"], "wasserstein": row["wasserstein"], "psi": row["psi"]}
        for name, row in table.head(_NAMED).iterrows()
    }
    return Finding("FEATURES", "warning" if names else "info", text, top, advice)


def _overlap(found):
    poor = found.outside > _MUCH_OUTSIDE or found.effective < _LITTLE_LEFT
    poor = poor or found.auc > _SEPARATE
    text = (
        f"{100 * found.outside:.0f} % of the target rows lie outside the source; weighted to the "
        f"target, the source rows count as {100 * found.effective:.0f} % of their number."
    )
    advice = "Weights would rest on few rows: use clip or exponent, and doubt them." * poor
    evidence = {"outside": found.outside, "effective_sample_size": found.effective}
    return Finding("OVERLAP", "warning" if poor else "info", text, evidence, advice)


def _priors(found):
    if found.priors is None:
        return None
    source, target, interval = (found.priors[key] for key in ("source", "target", "interval"))
    moved = any(not low <= s <= high for s, (low, high) in zip(source, interval, strict=True))
    counted = found.labels is not None and found.labels["priors_pvalue"] <= found.alpha
    if counted:
        text = "The class proportions of the labeled target rows differ from the source's."
    elif moved:
        text = "If only the class proportions have changed, they are other ones in the target."
    else:
        text = "The class proportions need not have changed."
    evidence = {
        str(name): {"source": s, "target": t, "interval": list(ends)}
        for name, s, t, ends in zip(found.classes, source, target, interval, strict=True)
    }
    if found.labels is not None:
        evidence["pvalue_labels"] = found.labels["priors_pvalue"]
    return Finding("PRIORS", "warning" if moved or counted else "info", text, evidence)


def _mixture(found):
    if found.mixture is None:
        return None
    fits = found.mixture["pvalue"] > found.alpha
    text = (
        "The source's classes in other proportions look like the target's rows."
        if fits
        else "No proportions of the source's classes look like the target's rows: more has changed."
    )
    return Finding("MIXTURE", "info" if fits else "warning", text, found.mixture)


def _classes(found):
    if found.labels is None or not found.labels["class_pvalues"]:
        return None
    pvalues = {found.classes[code]: p for code, p in found.labels["class_pvalues"].items()}
    moved = [str(name) for name, p in pvalues.items() if p <= found.alpha]
    text = (
        f"Labeled target rows look otherwise than the source's of the same class: {_names(moved)}."
        if moved
        else "Labeled target rows look like the source's of the same class, as far as they show."
    )
    return Finding(
        "CLASSES",
        "warning" if moved else "info",
        text,
        {f"pvalue_{name}": p for name, p in pvalues.items()},
    )


def _concept(found):
    if found.labels is None:
        return None
    labels = found.labels
    wrong = labels["concept_pvalue"] <= found.alpha
    text = (
        "The labels of the target contradict a model of the source"
        if wrong
        else "The labels of the target are as likely as a model of the source expects"
    )
    text += f", which is right on {100 * labels['accuracy']:.0f} % of {labels['n']} rows."
    explained = labels["corrected_pvalue"] > found.alpha and found.mixture["pvalue"] > found.alpha
    if wrong and explained:
        text += " Corrected for the estimated class proportions it agrees with them."
    names = ("concept_pvalue", "corrected_pvalue", "corrected_gain", "aligned_gain", "accuracy")
    return Finding(
        "CONCEPT",
        ("warning" if explained else "serious") if wrong else "info",
        text,
        {name: labels[name] for name in names},
    )


def _subspace(found):
    if found.subspace is None:
        return None
    n = found.subspace["directions"]
    text = (
        f"Along {_plural(n, 'direction', 'directions')} the domains do not differ."
        if n
        else "No directions are left along which the domains do not differ."
    )
    return Finding("SUBSPACE", "info", text, found.subspace)


def _loss(found):
    if found.loss is None:
        return None
    loss = found.loss
    text = (
        f"The error is {loss['source']:.2f} on the source and {loss['target']:.2f} on the labeled "
        f"target rows; harder rows {loss['harder rows']:+.2f}, y given x "
        f"{loss['y given x']:+.2f}, never seen {loss['never seen']:+.2f}."
    )
    worse = loss["target"] - loss["source"] > 0.1
    return Finding("LOSS", "warning" if worse else "info", text, loss)


def _kind(found):
    kind = found.kind
    severity = "info" if kind == "none" else "serious"
    evidence = {"alpha": found.alpha, "labeled_target_rows": found.n_labeled}
    return Finding("KIND", severity, WORDS[kind], evidence, _advice(found))


def _advice(found):
    """Return what follows from the kind and from the features."""
    if found.kind in ("conditional", "subspace"):
        return f"{_for_task(_USE_LABELS, found)} {_advice_on_maps(found)}"
    if found.kind == "label" and found.regression:
        return _TARGET_SHIFT
    advice = _for_task(ADVICE[found.kind], found)
    if found.kind == "none" and not found.n_labeled:
        return f"{advice} Whether labels given the rows agree cannot be known without labels."
    if found.kind == "covariate" and found.outside > _MUCH_OUTSIDE:
        return f"{advice} No weights help the {100 * found.outside:.0f} % of rows outside."
    return advice


def _for_task(advice, found):
    """Return an advice with the estimators of this task in the places of their names."""
    names = ("AutoAdapt", "TransferGaussianProcess", "RegularizedTransfer")
    ending = "Regressor" if found.regression else "Classifier"
    return advice.format(**{name: name + ending for name in names})


def _advice_on_maps(found):
    """Return which alignment may come before a model that learns from target labels."""
    if found.kind == "subspace":
        n = _plural(found.subspace["directions"], "direction", "directions")
        return f"Or TCATransformer with a component for each of the {n} that the domains share."
    table = found.features
    n_shifted = int((table["adjusted_pvalue"] <= found.alpha).sum())
    if not n_shifted:
        return "No alignment helps: the labels differ, not the rows. Train on target labels."
    if n_shifted <= _FEW_FEATURES * len(table):
        return "DomainScaler before it; then QuantileTransportTransformer."
    if found.labels is not None and found.labels["aligned_gain"] > 0:
        return (
            "Aligned rows make the labels likelier: LinearTransportTransformer or "
            "CORALTransformer(match_mean=True) before it; then OptimalTransportTransformer."
        )
    return "Aligned rows do not make the labels likelier: no alignment before it."


def _plural(n, one, many):
    return f"{n} {one if n == 1 else many}"


def _names(names):
    shown = ", ".join(names[:_NAMED])
    return shown + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
