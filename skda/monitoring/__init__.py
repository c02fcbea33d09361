"""Monitoring of a deployed model: alarms of drift, and re-alignment when one sounds."""

from ._drift_monitor import DriftMonitor
from ._streaming_adapter import StreamingAdapter

__all__ = ["DriftMonitor", "StreamingAdapter"]
