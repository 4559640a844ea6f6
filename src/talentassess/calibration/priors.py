"""Priors on item parameters: small typed objects with a log density and its two derivatives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from talentassess.core.arrays import FloatArray
from talentassess.core.errors import ModelError
from talentassess.core.logistic import expit, log_expit


class Prior(Protocol):
    """What a prior on one parameter offers; all methods take and return arrays of any shape."""

    def log_density(self, value: FloatArray) -> FloatArray:
        """Return the log density up to a constant."""
        ...

    def slope(self, value: FloatArray) -> FloatArray:
        """Return its first derivative."""
        ...

    def curvature(self, value: FloatArray) -> FloatArray:
        """Return minus its second derivative."""
        ...


@dataclass(frozen=True, slots=True)
class NormalPrior:
    """Normal prior; ``sd`` must be positive. Its functions take values of any shape.

    Examples
    --------
    >>> float(NormalPrior(0.0, 2.0).slope(np.array(1.0)))
    -0.25
    """

    mean: float
    sd: float

    def __post_init__(self) -> None:
        _positive("sd", self.sd)

    def log_density(self, value: FloatArray) -> FloatArray:
        """Return -(v - mean)^2 / (2 sd^2)."""
        return -0.5 * ((value - self.mean) / self.sd) ** 2

    def slope(self, value: FloatArray) -> FloatArray:
        """Return -(v - mean) / sd^2."""
        return -(value - self.mean) / self.sd**2

    def curvature(self, value: FloatArray) -> FloatArray:
        """Return 1 / sd^2."""
        return np.full_like(value, 1 / self.sd**2)


@dataclass(frozen=True, slots=True)
class LogNormalPrior:
    """Log-normal prior for parameters that must be positive, such as slopes; mean and sd of log(v); any shape."""

    mean_log: float
    sd_log: float

    def __post_init__(self) -> None:
        _positive("sd_log", self.sd_log)

    def log_density(self, value: FloatArray) -> FloatArray:
        """Return -log v - (log v - mean)^2 / (2 sd^2); -inf for v <= 0, so such values are never accepted."""
        with np.errstate(divide="ignore", invalid="ignore"):
            log_v = np.log(value)
            return np.where(value > 0, -log_v - 0.5 * ((log_v - self.mean_log) / self.sd_log) ** 2, -np.inf)

    def slope(self, value: FloatArray) -> FloatArray:
        """Return -(1 + (log v - mean) / sd^2) / v."""
        return -(1 + (np.log(value) - self.mean_log) / self.sd_log**2) / value

    def curvature(self, value: FloatArray) -> FloatArray:
        """Return (1 / sd^2 - 1 - (log v - mean) / sd^2) / v^2; negative far in the tail."""
        return (1 / self.sd_log**2 - 1 - (np.log(value) - self.mean_log) / self.sd_log**2) / value**2


@dataclass(frozen=True, slots=True)
class BetaPrior:
    """Beta(a, b) prior on an asymptote g, for parameters estimated as logit(g).

    The density is taken on the scale of g without the Jacobian of the logit, so its mode (a - 1) / (a + b - 2) is the
    value towards which g is drawn. Its functions take values of any shape.
    """

    a: float
    b: float

    def __post_init__(self) -> None:
        _positive("a - 1", self.a - 1)
        _positive("b - 1", self.b - 1)

    def log_density(self, value: FloatArray) -> FloatArray:
        """Return (a - 1) log g + (b - 1) log(1 - g) with g = expit(v)."""
        return (self.a - 1) * log_expit(value) + (self.b - 1) * log_expit(-value)

    def slope(self, value: FloatArray) -> FloatArray:
        """Return (a - 1)(1 - g) - (b - 1) g."""
        g: FloatArray = expit(value)
        return (self.a - 1) * (1 - g) - (self.b - 1) * g

    def curvature(self, value: FloatArray) -> FloatArray:
        """Return (a + b - 2) g (1 - g)."""
        g: FloatArray = expit(value)
        return (self.a + self.b - 2) * g * (1 - g)


def _positive(name: str, value: float) -> None:
    if not value > 0:
        raise ModelError(f"The prior's {name} must be positive; found {value}.")
