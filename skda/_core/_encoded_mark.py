"""Marks of missing labels that an ensemble around an estimator has turned into a class."""

from sklearn.base import is_classifier

from ._labels import as_labels, missing_labels


def check_no_encoded_mark(estimator, y, ids):
    """Raise if a classifier is given one class on all target rows that no source row has.

    That is a mark of missing labels, and no class: ensembles of scikit-learn re-encode y before
    they fit what is inside them, and so turn the mark -1 into a class. Their columns of
    probabilities then belong to other classes than those of the models inside.
    """
    y = as_labels(y)
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    source, target = y[ids >= 0], y[ids < 0]
    if y.ndim != 1 or not len(source) or not len(target) or missing_labels(target).any():
        return
    mark = target[0]
    # In a regression equal values are no sign of a mark.
    if (target != mark).any() or (source == mark).any() or not is_classifier(estimator):
        return
    raise ValueError(
        "y must not have a class on all target rows that no source row has; got "
        f"{target[:1].tolist()[0]!r} on all {len(target)}. It looks like a mark of missing labels "
        "that was re-encoded, as VotingClassifier, BaggingClassifier and StackingClassifier do "
        "before they fit a model that adapts. Combine such models with "
        "skda.ensemble.ConsensusClassifier, or put the ensemble inside: "
        "make_domain_pipeline(CORALTransformer(), VotingClassifier(...)). In a y of your own write "
        "NaN (None among text) on target rows, as skda.stack_domains does."
    )
