"""Ways to estimate a metric on the target without its labels.

References
----------
.. [1] Sugiyama, M., Krauledat, M., Müller, K.-R. Covariate shift adaptation by importance weighted
   cross validation. JMLR 8, 2007.
.. [2] Kivimäki, J. et al. Confidence-based estimators for predictive performance in model
   monitoring. JAIR 82, 2025. arXiv:2407.08649
.. [3] Białek, J. et al. Estimating model performance under covariate shift without labels. 2024.
   arXiv:2401.08348
.. [4] Garg, S. et al. Leveraging unlabeled data to predict out-of-distribution performance. ICLR
   2022. arXiv:2201.04234
.. [5] Saerens, M., Latinne, P., Decaestecker, C. Adjusting the outputs of a classifier to new a
   priori probabilities. Neural Computation 14, 2002. doi:10.1162/089976602753284446
"""

import warnings

import numpy as np
from sklearn.ensemble import RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from .._numerics._em_priors import em_priors
from .._numerics._folds import dealt_folds
from ._performance_values import from_mean_loss, row_losses, soft_rows, value_of

# Beyond it a probability of 0 or 1 would be a point at infinity for the calibration.
_LEAST_PROBABILITY = 1e-4
# Weak: calibration has two numbers per class, and hundreds of rows.
_CALIBRATION_C, _CALIBRATION_STEPS = 10.0, 200
_LOSS_TREES, _LOSS_LEAF, _LOSS_FOLDS = 60, 5, 3


def weighted_estimate(outputs, metric, weights):
    """Return the metric of source rows that are weighted to stand for target rows [1]_."""
    return value_of(metric, outputs.source._replace(weights=weights), outputs.n_classes)


def posteriors_of(outputs, weights=None):
    """Return class probabilities of the source and target rows, calibrated on the source rows.

    A multinomial logistic regression on the logarithms of the model's probabilities; of a model
    without any, on its predictions.

    Parameters
    ----------
    outputs : Outputs
        What the model says.
    weights : ndarray of shape (n_source,), default=None
        Weight of each source row; of target rows, they calibrate where the target is.
    """
    source, target = (_scores(rows, outputs.n_classes) for rows in (outputs.source, outputs.target))
    true = outputs.source.true
    posteriors = [np.zeros((len(Z), outputs.n_classes)) for Z in (source, target)]
    present = np.unique(true)
    if len(present) == 1:
        for posterior in posteriors:
            posterior[:, present] = 1.0
        return posteriors
    if weights is not None:
        weights = weights * (len(weights) / weights.sum())
    model = LogisticRegression(C=_CALIBRATION_C, max_iter=_CALIBRATION_STEPS)
    with warnings.catch_warnings():
        # The last digits of a probability do not matter here.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(source, true, sample_weight=weights)
    for posterior, Z in zip(posteriors, (source, target), strict=True):
        posterior[:, present] = model.predict_proba(Z)
    return posteriors


def _scores(rows, n_classes):
    """Return what the calibration reads: log-odds for two classes, else logarithms."""
    if rows.proba is None:
        return np.eye(n_classes)[rows.predicted]
    logs = np.log(np.clip(rows.proba, _LEAST_PROBABILITY, 1.0))
    return logs[:, 1:] - logs[:, :1] if n_classes == 2 else logs


def expected_estimate(outputs, metric, posterior):
    """Return what is to be expected of the metric if the posteriors of the target rows are right.

    With posteriors calibrated on source rows that is CBPE [2]_, on weighted ones PAPE [3]_.
    """
    target = outputs.target
    rows = soft_rows(target.predicted, target.proba, posterior)
    return value_of(metric, rows, outputs.n_classes)


def prior_weights(outputs, posterior):
    """Return weights of source rows, target over source prior of their class, by EM [5]_."""
    true = outputs.source.true
    source = np.bincount(true, minlength=outputs.n_classes) / len(true)
    present = source > 0
    target = np.zeros_like(source)
    target[present] = em_priors(posterior[:, present], source[present])[0]
    ratio = np.divide(target, source, out=np.zeros_like(source), where=present)
    return ratio[true], target


def threshold_estimate(outputs, source_posterior, target_posterior):
    """Return the proportion of target rows above a threshold of the confidence (ATC [4]_).

    Above it lie as many source rows as are right. For the accuracy only.
    """
    source = outputs.source
    confidence = source_posterior[np.arange(len(source.true)), source.predicted]
    wrong = np.mean(source.true != source.predicted)
    threshold = np.quantile(confidence, wrong)
    target = outputs.target.predicted
    return float(np.mean(target_posterior[np.arange(len(target)), target] >= threshold))


def predicted_losses(outputs, metric, weights, rng):
    """Return the loss of each source and target row, predicted from its features (DLE).

    A forest learns the losses of source rows; those of the source are cross-fitted.
    """
    losses = row_losses(metric, outputs.source)
    Z = [
        rows.predicted[:, None] if X is None else np.column_stack([X, rows.predicted])
        for X, rows in ((outputs.X_source, outputs.source), (outputs.X_target, outputs.target))
    ]

    def forest(rows):
        model = RandomForestRegressor(_LOSS_TREES, min_samples_leaf=_LOSS_LEAF, random_state=rng)
        return model.fit(Z[0][rows], losses[rows], sample_weight=weights[rows])

    held_out = np.empty(len(losses))
    folds = dealt_folds(np.zeros(len(losses)), rng, _LOSS_FOLDS)
    for fold in range(folds.max() + 1):
        held_out[folds == fold] = forest(folds != fold).predict(Z[0][folds == fold])
    return held_out, forest(slice(None)).predict(Z[1])


def loss_estimate(metric, losses):
    """Return the metric of predicted losses."""
    return from_mean_loss(metric, losses.mean(), losses.mean())[0]
