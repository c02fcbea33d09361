"""Methods that move the features of the rows."""

from ._co_optimal_transport import CoOptimalTransportTransformer
from ._column_bridge import ColumnBridgeTransformer
from ._combat import ComBatTransformer
from ._coral import CORALTransformer
from ._dipls import DIPLSRegressor
from ._direct_standardization import DirectStandardizationTransformer
from ._domain_scaler import DomainScaler
from ._easytl import EasyTLClassifier
from ._feature_augmentation import FeatureAugmentationTransformer
from ._gfk import GFKTransformer
from ._gromov_wasserstein import GromovWassersteinTransformer
from ._jda import JDATransformer
from ._jdot import JDOTClassifier, JDOTRegressor
from ._kernel_dipls import KernelDIPLSRegressor
from ._kernel_manifold_alignment import KernelManifoldAlignmentTransformer
from ._linear_transport import LinearTransportTransformer
from ._meda import MEDAClassifier
from ._mida import MIDATransformer
from ._optimal_transport import OptimalTransportTransformer
from ._ot_label_propagation import OTLabelPropagationClassifier
from ._paired_cca import PairedCCATransformer
from ._quantile_transport import QuantileTransportTransformer
from ._subspace_alignment import SubspaceAlignmentTransformer
from ._tca import TCATransformer
from ._tjm import TJMTransformer

__all__ = [
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
]
