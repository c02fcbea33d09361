"""What shifted between the domains, of which kind the shift is, and what adaptation changed."""

from ._changed_predictions import changed_predictions
from ._diagnose import diagnose
from ._feature_shift import feature_shift
from ._plot_domains import DomainsDisplay, plot_domains
from ._plot_feature_shift import FeatureShiftDisplay, plot_feature_shift
from ._plot_weights import WeightsDisplay, plot_weights
from ._shift_report import Finding, ShiftReport

__all__ = [
    "DomainsDisplay",
    "FeatureShiftDisplay",
    "Finding",
    "ShiftReport",
    "WeightsDisplay",
    "changed_predictions",
    "diagnose",
    "feature_shift",
    "plot_domains",
    "plot_feature_shift",
    "plot_weights",
]
