"""Arrays, devices, settings and row containers; knows nothing of domains."""

from ._config import config_context, get_config, set_config
from ._show_versions import show_versions

__all__ = ["config_context", "get_config", "set_config", "show_versions"]
