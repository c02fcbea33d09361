"""Metadata routing: every method of every estimator requests ``sample_domain``."""

from .._array._config import carry_config
from ._doc_link import doc_link_module, doc_link_names, doc_link_template


class DomainRouting:
    """Request ``sample_domain`` in every method, so that a plain Pipeline passes it on.

    Also notes the configuration on clones, so that worker processes compute where the parent
    asked for. Class attributes say what the estimator does, to its users and to the contract tests:

    ``_labels`` : {"ignored", "source", "all"}
        Which labels are learnt from; "all" is for supervised transfer, which uses those of
        target rows too.
    ``_order_dependent`` : bool
        Whether random draws over the rows (mini-batches, folds, landmarks) make the result
        depend on their order.
    ``_array_level`` : {"a", "b", "c", "inner"}
        Where the arithmetic runs: wholly on the device of the rows (a), partly or wholly in NumPy
        on the host (b), in torch (c), or wherever the estimator inside computes.
    """

    _labels = "source"
    _order_dependent = False
    _array_level = "b"

    # Requested by the class, so that no user has to call set_fit_request on each step.
    __metadata_request__fit = {"sample_domain": True}
    __metadata_request__partial_fit = {"sample_domain": True}
    __metadata_request__transform = {"sample_domain": True}
    __metadata_request__inverse_transform = {"sample_domain": True}
    __metadata_request__predict = {"sample_domain": True}
    __metadata_request__predict_proba = {"sample_domain": True}
    __metadata_request__predict_log_proba = {"sample_domain": True}
    __metadata_request__decision_function = {"sample_domain": True}
    __metadata_request__score = {"sample_domain": True}

    @property
    def _doc_link_module(self):
        return doc_link_module()

    @property
    def _doc_link_template(self):
        return doc_link_template()

    def _doc_link_url_param_generator(self):
        return doc_link_names(type(self))

    def __sklearn_clone__(self):
        clone = super().__sklearn_clone__()
        # Searches clone in the parent process and fit in the workers: the settings travel on the
        # clone.
        carry_config(clone)
        return clone

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # scikit-learn's tag also promises predicted labels on the device; ours are NumPy arrays
        on_device = self._array_level == "a" and tags.estimator_type != "classifier"
        tags.array_api_support = on_device
        return tags
