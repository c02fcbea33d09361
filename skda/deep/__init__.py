"""Networks that learn aligned features, on torch and skorch."""

from importlib import import_module

from .. import _not_installed

try:
    for _needed in ("torch", "skorch"):
        import_module(_needed)
except ModuleNotFoundError as error:
    raise _not_installed("deep", "deep", error) from error

from ._aad import AaDClassifier
from ._adabn import AdaBNClassifier, AdaBNRegressor
from ._adda import ADDAClassifier
from ._afn import AFNClassifier
from ._cdan import CDANClassifier
from ._dan import DANClassifier, DANRegressor
from ._dann import DANNClassifier, DANNRegressor
from ._deep_coral import DeepCORALClassifier, DeepCORALRegressor
from ._deep_jdot import DeepJDOTClassifier
from ._fine_tuning import FineTuningClassifier, FineTuningRegressor
from ._graph_convolution import GraphConvolutionClassifier
from ._jan import JANClassifier
from ._mcc import MCCClassifier
from ._mcd import MCDClassifier
from ._mdd import MDDClassifier
from ._modules import MLP, RealMLP, ResNet  # noqa: F401  (networks; not estimators)
from ._multi_task_net import MultiTaskNetClassifier, MultiTaskNetRegressor
from ._prototypical import PrototypicalNetworkClassifier
from ._relation_network import RelationNetworkClassifier
from ._shot import SHOTClassifier
from ._source_only import DeepSourceOnlyClassifier, DeepSourceOnlyRegressor
from ._two_tower import TwoTowerClassifier
from ._wdgrl import WDGRLClassifier, WDGRLRegressor

__all__ = [
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
]
