"""Plain scikit-learn pipelines in which no supervised step sees a target label.

:class:`TrainOnSource` fits any scikit-learn estimator on source rows and applies it to all;
:class:`PerDomain` fits one clone of a transformer per domain; :func:`make_domain_pipeline` builds
a plain :class:`sklearn.pipeline.Pipeline` and wraps the steps that need it;
:func:`adapt_to` lets a fitted one learn a new domain.
"""

from ._adapt_to import adapt_to
from ._make_domain_pipeline import make_domain_pipeline
from ._per_domain import PerDomain
from ._train_on_source import TrainOnSource

__all__ = ["PerDomain", "TrainOnSource", "adapt_to", "make_domain_pipeline"]
