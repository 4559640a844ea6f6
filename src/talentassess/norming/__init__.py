"""Norms: tables with their cards, standard scores with their errors, and measurement error."""

from talentassess.norming.apply import apply_norms, apply_norms_raw
from talentassess.norming.card import NormCard, norm_card
from talentassess.norming.conversions import (
    mid_percentile,
    normalised_z,
    z_to_iq,
    z_to_stanine,
    z_to_sten,
    z_to_t,
)
from talentassess.norming.error import (
    confidence_band,
    kelley_true_score,
    reliable_change,
    standard_error_of_difference,
    standard_error_of_estimate,
    standard_error_of_measurement,
)
from talentassess.norming.fit import fit_norms, fit_norms_raw
from talentassess.norming.normed import NormedScores, NormSettings
from talentassess.norming.scale_norm import ScaleNorm
from talentassess.norming.storage import load_norms, save_norms
from talentassess.norming.table import NormTable

__all__ = [
    "NormCard",
    "NormSettings",
    "NormTable",
    "NormedScores",
    "ScaleNorm",
    "apply_norms",
    "apply_norms_raw",
    "confidence_band",
    "fit_norms",
    "fit_norms_raw",
    "kelley_true_score",
    "load_norms",
    "mid_percentile",
    "norm_card",
    "normalised_z",
    "reliable_change",
    "save_norms",
    "standard_error_of_difference",
    "standard_error_of_estimate",
    "standard_error_of_measurement",
    "z_to_iq",
    "z_to_stanine",
    "z_to_sten",
    "z_to_t",
]
