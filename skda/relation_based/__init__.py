"""Methods that label a row by its relation to other rows, to class means or to descriptions.

They are for few labels per class, for classes that the source lacks, and for classes without any
labeled row.
"""

from ._attribute_zero_shot import AttributeZeroShotClassifier
from ._graph_label_propagation import GraphLabelPropagationClassifier
from ._prototypes import PrototypeClassifier

__all__ = [
    "AttributeZeroShotClassifier",
    "GraphLabelPropagationClassifier",
    "PrototypeClassifier",
]
