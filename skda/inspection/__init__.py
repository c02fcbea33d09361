"""What shifted between the domains, and what adaptation changed: a report, tables and pictures."""

from ._changed_predictions import changed_predictions
from ._diagnose import diagnose
from ._feature_shift import feature_shift
from ._plot_calibration import DomainCalibrationDisplay
from ._plot_comparison import ComparisonDisplay
from ._plot_confusion import DomainConfusionDisplay
from ._plot_convergence import ConvergenceDisplay
from ._plot_domains import DomainsDisplay, plot_domains
from ._plot_drift import DriftDisplay
from ._plot_feature_shift import FeatureShiftDisplay, plot_feature_shift
from ._plot_training import TrainingCurveDisplay
from ._plot_transport import TransportPlanDisplay
from ._plot_weights import WeightsDisplay, plot_weights
from ._shift_report import Finding, ShiftReport

__all__ = [
    "ComparisonDisplay",
    "ConvergenceDisplay",
    "DomainCalibrationDisplay",
    "DomainConfusionDisplay",
    "DomainsDisplay",
    "DriftDisplay",
    "FeatureShiftDisplay",
    "Finding",
    "ShiftReport",
    "TrainingCurveDisplay",
    "TransportPlanDisplay",
    "WeightsDisplay",
    "changed_predictions",
    "diagnose",
    "feature_shift",
    "plot_domains",
    "plot_feature_shift",
    "plot_weights",
]
