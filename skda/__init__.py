"""Domain adaptation and transfer learning for tabular data, in plain scikit-learn.

``import skda`` loads nothing else: a public name is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # A type checker cannot know what `__getattr__` finds, so it is shown the names themselves.
    from . import dask, datasets, inspection, metrics, model_selection, monitoring
    from ._array import *
    from ._core import *
    from .augmentation import *
    from .conformal import *
    from .deep import *
    from .ensemble import *
    from .feature_based import *
    from .instance_based import *
    from .model_based import *
    from .pipeline import *
    from .relation_based import *

__version__ = "0.1.0.dev0"

# The public names, by the module they are imported from; its own `__all__` says the same.
_PUBLIC = {
    "_array": [
        "config_context",
        "get_config",
        "set_config",
        "show_versions",
    ],
    "_core": [
        "DomainWarning",
        "encode_domains",
        "stack_domains",
    ],
    "augmentation": [
        "AugmentedEstimator",
        "BatchEffectAugmenter",
        "DomainRandomizationAugmenter",
        "FeatureDropoutAugmenter",
        "GaussianNoiseAugmenter",
        "MixupAugmenter",
        "SpectralDistortionAugmenter",
    ],
    "conformal": [
        "ConformalClassifier",
        "ConformalRegressor",
        "WeightedCalibratedClassifier",
    ],
    "deep": [
        "ADDAClassifier",
        "AFNClassifier",
        "AaDClassifier",
        "AdaBNClassifier",
        "AdaBNRegressor",
        "CDANClassifier",
        "DANClassifier",
        "DANNClassifier",
        "DANNRegressor",
        "DANRegressor",
        "DeepCORALClassifier",
        "DeepCORALRegressor",
        "DeepJDOTClassifier",
        "DeepSourceOnlyClassifier",
        "DeepSourceOnlyRegressor",
        "FineTuningClassifier",
        "FineTuningRegressor",
        "GraphConvolutionClassifier",
        "JANClassifier",
        "MCCClassifier",
        "MCDClassifier",
        "MDDClassifier",
        "MultiTaskNetClassifier",
        "MultiTaskNetRegressor",
        "PrototypicalNetworkClassifier",
        "RelationNetworkClassifier",
        "SHOTClassifier",
        "TwoTowerClassifier",
        "WDGRLClassifier",
        "WDGRLRegressor",
    ],
    "ensemble": [
        "AutoAdaptClassifier",
        "AutoAdaptRegressor",
        "ConsensusClassifier",
        "ConsensusRegressor",
        "ViewFusionClassifier",
        "ViewFusionRegressor",
        "default_candidates",
    ],
    "feature_based": [
        "CORALTransformer",
        "CoOptimalTransportTransformer",
        "ColumnBridgeTransformer",
        "ComBatTransformer",
        "DIPLSRegressor",
        "DirectStandardizationTransformer",
        "DomainScaler",
        "EasyTLClassifier",
        "FeatureAugmentationTransformer",
        "GFKTransformer",
        "GromovWassersteinTransformer",
        "JDATransformer",
        "JDOTClassifier",
        "JDOTRegressor",
        "KernelDIPLSRegressor",
        "KernelManifoldAlignmentTransformer",
        "LinearTransportTransformer",
        "MEDAClassifier",
        "MIDATransformer",
        "OTLabelPropagationClassifier",
        "OptimalTransportTransformer",
        "PairedCCATransformer",
        "QuantileTransportTransformer",
        "SubspaceAlignmentTransformer",
        "TCATransformer",
        "TJMTransformer",
    ],
    "instance_based": [
        "DomainClassifierWeighter",
        "GaussianWeighter",
        "ImportanceWeightedEstimator",
        "KLIEPWeighter",
        "KMMWeighter",
        "KernelDensityWeighter",
        "LabelShiftClassifier",
        "MultiSourceTrAdaBoostClassifier",
        "NearestNeighborsWeighter",
        "RuLSIFWeighter",
        "TrAdaBoostClassifier",
        "TrAdaBoostRegressor",
        "TwoStageTrAdaBoostRegressor",
        "ULSIFWeighter",
    ],
    "model_based": [
        "DomainExpertsClassifier",
        "DomainExpertsRegressor",
        "ForestTransferClassifier",
        "ForestTransferRegressor",
        "GradualSelfTrainingClassifier",
        "MultiTaskTransferClassifier",
        "MultiTaskTransferRegressor",
        "RegularizedTransferClassifier",
        "RegularizedTransferRegressor",
        "SelfTrainingTransferClassifier",
        "StackedTransferClassifier",
        "StackedTransferRegressor",
        "TransferGaussianProcessClassifier",
        "TransferGaussianProcessRegressor",
        "TransferKernel",
        "TreeTransferClassifier",
    ],
    "pipeline": ["PerDomain", "TrainOnSource", "adapt_to", "make_domain_pipeline"],
    "relation_based": [
        "AttributeZeroShotClassifier",
        "GraphLabelPropagationClassifier",
        "PrototypeClassifier",
    ],
}

# Subpackages that are used by their own name, as in `skda.metrics.mmd`.
_SUBPACKAGES = [
    "dask",
    "datasets",
    "inspection",
    "metrics",
    "model_selection",
    "monitoring",
]

# Subpackages that need more than the base installation, and the extra that brings it.
_EXTRAS = {"deep": "deep"}

_MODULE_OF = {name: module_name for module_name, names in _PUBLIC.items() for name in names}

# `from skda import *` must work on the base installation.
__all__ = sorted(name for name, module_name in _MODULE_OF.items() if module_name not in _EXTRAS)


def _not_installed(name, module_name, error):
    """Return the error that says which extra brings what a name of a module needs."""
    return ModuleNotFoundError(
        f"skda.{name} needs {error.name}, which is not installed: "
        f"pip install 'skda[{_EXTRAS[module_name]}]'",
        name=error.name,
    )


def _find(name):
    """Import and return what is asked for by name for the first time."""
    if name in _SUBPACKAGES or (name in _PUBLIC and not name.startswith("_")):
        return import_module(f"skda.{name}")
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'skda' has no attribute {name!r}")
    module_name = _MODULE_OF[name]
    try:
        value = getattr(import_module(f"skda.{module_name}"), name)
    except ModuleNotFoundError as error:
        if module_name not in _EXTRAS or (error.name or "").startswith("skda"):
            raise
        raise _not_installed(name, module_name, error) from error
    globals()[name] = value
    return value


# Hidden from type checkers, for which every name would exist then, a misspelled one too.
if not TYPE_CHECKING:
    __getattr__ = _find


def __dir__():
    return sorted([*globals(), *_MODULE_OF, *_SUBPACKAGES])
