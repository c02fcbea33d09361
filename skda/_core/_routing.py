"""Metadata routing: every method of every estimator requests ``sample_domain``."""

from .._array._config import carry_config


class DomainRouting:
    """Request ``sample_domain`` in every method, so that a plain Pipeline hands it on.

    Also notes the configuration on clones, so that worker processes compute where the parent
    asked for. Two class attributes tell the contract tests what to expect:

    ``_labels`` : {"ignored", "source", "all"}
        Which labels are learnt from; "all" is for supervised transfer, which uses those of
        target rows too.
    ``_order_dependent`` : bool
        Whether random draws over the rows (mini-batches, folds, landmarks) make the result
        depend on their order.
    """

    _labels = "source"
    _order_dependent = False

    __metadata_request__fit = {"sample_domain": True}
    __metadata_request__partial_fit = {"sample_domain": True}
    __metadata_request__transform = {"sample_domain": True}
    __metadata_request__inverse_transform = {"sample_domain": True}
    __metadata_request__predict = {"sample_domain": True}
    __metadata_request__predict_proba = {"sample_domain": True}
    __metadata_request__predict_log_proba = {"sample_domain": True}
    __metadata_request__decision_function = {"sample_domain": True}
    __metadata_request__score = {"sample_domain": True}

    def __sklearn_clone__(self):
        clone = super().__sklearn_clone__()
        carry_config(clone)
        return clone
