"""What shifted between the domains, and by how much."""

from ._diagnose import diagnose
from ._feature_shift import feature_shift
from ._shift_report import Finding, ShiftReport

__all__ = ["Finding", "ShiftReport", "diagnose", "feature_shift"]
