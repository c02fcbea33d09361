"""The contract of every estimator: `sample_domain`, labels, validation, base classes."""

from ._sample_domain import DomainWarning
from ._stack import encode_domains, stack_domains

__all__ = ["DomainWarning", "encode_domains", "stack_domains"]
