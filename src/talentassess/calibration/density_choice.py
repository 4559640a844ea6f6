"""Which latent density do the answers support? One calibration per density, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import chi2

from talentassess.calibration import calibrate
from talentassess.calibration.shaped import NORMAL
from talentassess.core.calibration import Calibration
from talentassess.core.errors import CalibrationError, ModelError
from talentassess.core.latent_shape import LOGLINEAR
from talentassess.core.provenance import Provenance
from talentassess.core.responses import Responses
from talentassess.core.tabular import Columns, Tabular

CRITERIA = ("bic", "hq", "aic")


@dataclass(frozen=True, eq=False, kw_only=True)
class DensityComparison(Tabular):
    """The same answers calibrated under several latent densities.

    Attributes
    ----------
    densities : their names, the normal first.
    calibrations : one per density.
    provenance : of the answers.
    """

    densities: tuple[str, ...]
    calibrations: tuple[Calibration, ...]
    provenance: Provenance

    def __repr__(self) -> str:
        chosen = ", ".join(f"{c}: {self.densities[self._lowest(c)]}" for c in CRITERIA)
        return f"DensityComparison({len(self.densities)} densities; {chosen}; {self.provenance.label})"

    def best(self, criterion: str = "bic") -> Calibration:
        """Return the calibration with the lowest bic, hq or aic among those that converged.

        BIC leans to simple curves, AIC to flexible ones, HQ lies between. Unknown criteria raise ``ModelError``.
        """
        if criterion not in CRITERIA:
            raise ModelError(f"There is no criterion '{criterion}'; choose one of: {', '.join(CRITERIA)}.")
        return self.calibrations[self._lowest(criterion)]

    def tables(self) -> dict[str, Columns]:
        """Return ``densities``: per density the values of its shape, log-likelihood, criteria, moments and status.

        ``p`` tests a log-linear density against the normal (chi-square). It stays empty for Davidian curves: they are
        singular at the normal, so that no chi-square holds there.
        """
        fits, normal = self.calibrations, self.calibrations[0]
        shapes = [c.latent.shape_of(0) for c in fits]
        moments = [(0.0, 0.0) if s is None else s.skewness_kurtosis() for s in shapes]
        gain = [c.loglik - normal.loglik for c in fits]
        return {
            "densities": {
                "density": list(self.densities),
                "values": [0 if s is None else len(s.values) for s in shapes],
                "loglik": [c.loglik for c in fits],
                "gain": gain,
                "p": [
                    float(chi2.sf(max(2 * g, 0.0), len(s.values))) if s is not None and s.family == LOGLINEAR else None
                    for s, g in zip(shapes, gain, strict=True)
                ],
                **{name: [float(getattr(c, name)) for c in fits] for name in CRITERIA},
                "skewness": [skewness for skewness, _ in moments],
                "excess kurtosis": [kurtosis for _, kurtosis in moments],
                "status": [c.status.value for c in fits],
            }
        }

    def _lowest(self, criterion: str) -> int:
        usable = [n for n, c in enumerate(self.calibrations) if c.status.ok] or [0]
        return min(usable, key=lambda n: float(getattr(self.calibrations[n], criterion)))


def compare_densities(
    responses: Responses,
    model: str = "graded",
    *,
    densities: Sequence[str] = ("davidian-1", "davidian-2", "davidian-3", "loglinear-1", "loglinear-2", "loglinear-3"),
    groups: bool | Sequence[str] = False,
    se: str | None = "oakes",
) -> DensityComparison:
    """Calibrate one scale under the normal and other latent densities and compare them.

    Parameters
    ----------
    responses : answers of N persons to the items of one scale.
    model, groups, se : as in ``calibrate``. Without standard errors nobody looks whether a density is identified.
    densities : beside the normal, which is always there; e.g. ``davidian-2``, ``loglinear-4``.

    Raises
    ------
    CalibrationError : several scales. ModelError : an unknown density or model.

    Criteria: AIC (Akaike 1974), BIC (Schwarz 1978), HQ (Hannan & Quinn 1979); lower is better.

    Examples
    --------
    >>> import talentassess as ta
    >>> answers = ta.simulate(ta.load_bank("service_core"), 300, seed=1).select(["ow_sr_01", "ow_sr_02", "ow_sr_03"])
    >>> ta.compare_densities(answers, densities=["loglinear-1"]).best("bic").latent.shapes
    ()
    """
    if len(responses.scale_names) > 1:
        raise CalibrationError(
            f"Densities are compared one scale at a time; found {', '.join(responses.scale_names[:6])}. Take one: "
            "responses.select(responses.items_of('...'))."
        )
    names = (NORMAL, *(name for name in dict.fromkeys(densities) if name != NORMAL))
    fits = tuple(calibrate(responses, model, groups=groups, se=se, density=name) for name in names)
    return DensityComparison(densities=names, calibrations=fits, provenance=responses.provenance)
