"""What the few-shot classifiers share: training on episodes, and a support set for predictions."""

from __future__ import annotations

from typing import Self

import numpy as np
import torch
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from .._array._backend import to_numpy
from .._array._rows import n_rows
from .._core._labels import as_labels, missing_labels, take_labels
from .._core._param_checks import check_bool, check_integer
from .._core._score import DomainClassifierMixin
from .._core._typing import Array, ArrayLike, DomainIds
from .._core._validation import class_labels
from ._base import BaseDeep
from ._base_tasks import ClassificationTask, log_proba
from ._base_two_stage import Adaptation
from ._domain_norm import renew_statistics
from ._episodes import EpisodeNet, Episodes, class_means
from ._inference import as_tensor, outputs
from ._modules import has_batch_norm
from ._near_identity import NearIdentity
from ._saving import as_plain
from ._training import train_batches

# Classes of an episode unless n_way says so: more ways make a harder and better training (Snell
# 2017, Section 2.6), and a step that costs more.
_MOST_WAYS = 20

# Labeled rows for which all guessed rows of a class count together, at most: hundreds of guesses
# would leave no weight to the labels, of which five say more than the guesses.
_GUESSED_ROWS = 5.0


class FewShotClassifier(DomainClassifierMixin, BaseDeep):
    """Base class: a network trained on episodes, whose classes are those of a support set.

    A subclass has a `_task_class`, whose criterion is the loss of an episode, and makes the
    comparison: a module that scores queries against prototypes, by rows and by columns.
    """

    _task_class = ClassificationTask
    _adaptation = Adaptation  # the support is no training, but target rows have a part in it
    _net_class = EpisodeNet
    _default_module = NearIdentity
    _trains_on = "episodes"
    _predicts_early = False  # the support, with which rows are compared, comes last
    _labels = "all"

    def _make_comparison(self, n_features):
        """Return the module that compares features of this width."""
        raise NotImplementedError

    def _check_params(self):
        """Check every parameter by name before anything is trained."""
        super()._check_params()
        check_integer("n_way", self.n_way, low=2, none=True, hint="None takes all classes.")
        for name in ("n_shot", "n_query", "n_episodes"):
            check_integer(name, getattr(self, name))
        check_bool("mix_classes", self.mix_classes)
        check_integer("n_refinements", self.n_refinements, low=0)

    def fit(  # type: ignore[override]
        self, X: ArrayLike, y: ArrayLike, *, sample_domain: DomainIds | None = None
    ) -> Self:
        """Train the network on episodes of the source, and take labeled target rows as support.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains.
        y : array-like of shape (n_samples,)
            Labels of the source rows, and of those target rows that are to be the support, of any
            class; missing values (NaN, None or -1) on the others.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row: >= 0 a source, < 0 a target. None: all rows are source, and a
            :class:`~skda.DomainWarning` says so.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        return super().fit(X, y, sample_domain=sample_domain)

    def fit_transform(  # type: ignore[override]
        self, X: ArrayLike, y: ArrayLike, *, sample_domain: DomainIds | None = None
    ) -> Array:
        """Train the network and return the features of the same rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains.
        y : array-like of shape (n_samples,)
            Labels, see :meth:`fit`.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row, see :meth:`fit`.

        Returns
        -------
        features : array of shape (n_samples, n_features_out)
            What the last layer before the output sees.
        """
        self.fit(X, y, sample_domain=sample_domain)
        return self.transform(X, sample_domain=sample_domain)

    def _encode(self, data, *, known=False, classes=None, weights=None):
        """Return the class index of each source row, -1 on target rows; they are support only."""
        found, codes = class_labels(self, data)
        own, position = np.unique(codes[data.source], return_inverse=True)
        self.source_classes_ = found[own]
        self._check_episodes(np.bincount(position))
        y = np.full(len(data.ids), -1, dtype=np.int64)
        y[data.source] = position
        return y

    def _check_episodes(self, sizes):
        """Raise unless classes of these numbers of rows are enough for an episode."""
        name, classes = type(self).__name__, self.source_classes_
        if len(classes) < 2:
            raise ValueError(
                f"{name} needs two classes or more among the labels that it learns from; the "
                f"source rows have one class only, {classes.tolist()[0]!r}. Pass source rows of "
                "other classes."
            )
        if self.n_way is not None and self.n_way > len(classes):
            raise ValueError(
                f"n_way must be at most the number of classes of the source, {len(classes)}; got "
                f"{self.n_way}. Lower it, or take n_way=None, which is all classes."
            )
        if sizes.min() < self.n_shot + self.n_query:
            raise ValueError(
                "n_shot + n_query must be at most the number of rows of each class of the source; "
                f"got {self.n_shot} + {self.n_query}, and the class "
                f"{classes.tolist()[sizes.argmin()]!r} has {sizes.min()} rows. Lower n_query or "
                "n_shot."
            )

    def _n_outputs(self):
        """Return the number of outputs of the module, which are not used."""
        return len(self.source_classes_)

    def _make_module(self, X):
        """Return a fresh module with the comparison as a part, so that it is trained and saved."""
        module = super()._make_module(X)
        module.add_module("comparison", self._make_comparison(self._n_features_out))
        return module

    def _train(self, net, rows, *, max_epochs, chunk=False, stop_early=True):
        """Train a net on episodes and count them."""
        episodes = Episodes(
            rows.X,
            rows.y.cpu().numpy(),
            rows.source,
            n_way=self.n_way or min(len(self.source_classes_), _MOST_WAYS),
            n_shot=self.n_shot,
            n_query=self.n_query,
            n_episodes=self.n_episodes,
            mix_classes=self.mix_classes,
            rng=self._rng,
        )
        train_batches(net, episodes, max_epochs=episodes.n_portions)
        self.n_iter_ = self.n_episodes

    def _adapt_net(self, data, rows):
        """Give the target its statistics, and take the support or else the source's prototypes."""
        module = self.net_.module_
        renews = self.batch_norm == "domain" and has_batch_norm(module)
        if renews and len(data.target) > 1:
            self.target_module_ = renew_statistics(module, rows.X[_index(data.target, rows.X)])
        labeled = data.labeled[data.target]
        if labeled.any():
            self._learn_support(rows.X[_index(data.target, rows.X)], data.y[data.target], labeled)
        else:
            source = rows.X[_index(data.source, rows.X)]
            everywhere = np.ones(len(source), dtype=bool)
            self._learn_support(source, data.y[data.source], everywhere, "source")

    def _learn_support(self, X, y, labeled, side="target"):
        """Describe the classes of the labeled ones of these scaled rows of one side."""
        module = self.net_.module_
        if side == "target":
            module = getattr(self, "target_module_", module)
        _, features = outputs(module.to(X.device), X, side)
        self.classes_, codes = np.unique(take_labels(y, labeled), return_inverse=True)
        member = np.zeros((len(y), len(self.classes_)))
        member[np.flatnonzero(labeled), codes] = 1.0
        member = torch.as_tensor(member, device=X.device)
        known = torch.as_tensor(labeled, device=X.device)
        self.prototypes_ = self._prototypes(features.double(), member, known).cpu().numpy()

    def _prototypes(self, features, member, known):
        """Return the class means of labeled rows, refined by the others [Ren 2018, Eq. 4-5]."""
        prototypes = class_means(features, member)
        if bool(known.all()):
            return prototypes
        for _ in range(self.n_refinements):
            scores = self._compare(features.float(), prototypes)
            guessed = torch.where(known[:, None], 0.0, log_proba(scores).exp())
            # A class that no row is likely to have stays where it is.
            guessed = guessed * (_GUESSED_ROWS / guessed.sum(dim=0).clamp_min(_GUESSED_ROWS))
            prototypes = class_means(features, member + guessed)
        return prototypes

    def _compare(self, features, prototypes):
        """Return the score of each row and class."""
        with torch.no_grad():
            return self.net_.module_.comparison(features, prototypes.to(features))

    def set_support(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Replace the classes by those of other labeled target rows; nothing is trained.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of the target.
        y : array-like of shape (n_samples,)
            Their labels, of any classes. Rows without one (NaN, None or -1) refine the means, as
            those of ``fit`` do.

        Returns
        -------
        self : object
            This estimator.
        """
        check_is_fitted(self)
        if y is None or not n_rows(y):
            raise ValueError("set_support needs y, the labels of the rows; got none. Pass them.")
        y = column_or_1d(as_labels(y), warn=True)
        data = self._data_for_predict(X, None, "set_support")
        if len(y) != len(data.ids):
            raise ValueError(
                f"y must have one label per row of X; got {len(y)} labels for {len(data.ids)} rows."
            )
        labeled = ~missing_labels(y)
        if not labeled.any():
            raise ValueError(
                f"set_support needs a label on one row at least; got {len(y)} rows without. Pass "
                "one row or more of each class."
            )
        check_classification_targets(take_labels(y, labeled))
        rows = self._scaled(as_tensor(data.X, self._torch_device(data)), data)
        self._learn_support(rows, y, labeled)
        return self

    def _scores(self, X, sample_domain, method):
        """Return the score of each class for each row, and the rows as they were checked."""
        (_, features), data = self._outputs(X, sample_domain, method)
        return self._compare(features, torch.as_tensor(self.prototypes_)), data

    def predict(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> np.ndarray:
        """Predict the class of each row, one of those of the support.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict, in any order.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row. None: every row is a target row.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Classes in the type of the labels of the support.
        """
        scores, _ = self._scores(X, sample_domain, "predict")
        return self.classes_[to_numpy(log_proba(scores).argmax(dim=1))]

    def predict_proba(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Predict the probability of each class of the support.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict, in any order.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row. None: every row is a target row.

        Returns
        -------
        proba : array of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        scores, data = self._scores(X, sample_domain, "predict_proba")
        return self._to_input(log_proba(scores).exp(), data)

    def _plain_state(self):
        own = ("source_classes_", "prototypes_")
        return super()._plain_state() | {name: as_plain(getattr(self, name)) for name in own}


def _index(rows, X):
    """Return row numbers as a tensor on the device of X."""
    return torch.as_tensor(rows, device=X.device)
