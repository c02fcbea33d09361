"""Data of several domains: simulated with a known shift, and public sets that are fetched."""

from ._acs import read_acs
from ._adult import fetch_adult
from ._amazon_reviews import fetch_amazon_reviews
from ._corn import fetch_corn
from ._diabetes_readmission import read_diabetes_readmission
from ._digits import load_digits_scanners
from ._heart_disease import fetch_heart_disease
from ._mushrooms import fetch_mushrooms
from ._music import fetch_music
from ._office_caltech import fetch_office_caltech
from ._reuters import fetch_reuters
from ._schools import fetch_schools
from ._shifts import (
    make_conditional_shift,
    make_covariate_shift,
    make_label_shift,
    make_subspace_shift,
)
from ._student_performance import fetch_student_performance
from ._wine_quality import fetch_wine_quality

__all__ = [
    "fetch_adult",
    "fetch_amazon_reviews",
    "fetch_corn",
    "fetch_heart_disease",
    "fetch_mushrooms",
    "fetch_music",
    "fetch_office_caltech",
    "fetch_reuters",
    "fetch_schools",
    "fetch_student_performance",
    "fetch_wine_quality",
    "load_digits_scanners",
    "make_conditional_shift",
    "make_covariate_shift",
    "make_label_shift",
    "make_subspace_shift",
    "read_acs",
    "read_diabetes_readmission",
]
