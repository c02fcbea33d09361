"""The types that many signatures of the nets share."""

from typing import Literal, TypeAlias

import torch

Backbone: TypeAlias = Literal["mlp", "resnet", "realmlp"] | type[torch.nn.Module] | torch.nn.Module
