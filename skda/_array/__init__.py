"""Arrays, devices, settings and row containers; knows nothing of domains."""

from ._config import config_context, get_config, set_config

__all__ = ["config_context", "get_config", "set_config"]
