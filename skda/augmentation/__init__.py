"""Changed copies of source rows, so that a model does not rely on what differs in other domains."""

from ._augmented_estimator import AugmentedEstimator
from ._batch_effect import BatchEffectAugmenter
from ._domain_randomization import DomainRandomizationAugmenter
from ._feature_dropout import FeatureDropoutAugmenter
from ._gaussian_noise import GaussianNoiseAugmenter
from ._mixup import MixupAugmenter
from ._spectral_distortion import SpectralDistortionAugmenter

__all__ = [
    "AugmentedEstimator",
    "BatchEffectAugmenter",
    "DomainRandomizationAugmenter",
    "FeatureDropoutAugmenter",
    "GaussianNoiseAugmenter",
    "MixupAugmenter",
    "SpectralDistortionAugmenter",
]
