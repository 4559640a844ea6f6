"""A link between two scales: theta_old = A theta_new + B, with its error and what it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from talentassess.core.arrays import FloatArray
from talentassess.core.calibration import Calibration
from talentassess.core.errors import CalibrationError
from talentassess.core.provenance import Provenance, hash_json
from talentassess.core.scores import Scores
from talentassess.core.status import Finding, Severity, Status, finding_columns, gravest_first
from talentassess.core.tabular import Columns, Tabular
from talentassess.linking.apply import calibration_on_scale, scores_on_scale
from talentassess.linking.common import ItemSet, common_items, item_set
from talentassess.linking.criteria import CurveLink, LinkGrid, match_curves, normal_grid
from talentassess.linking.estimates import Influence, pool, total_cov
from talentassess.linking.moments import match_moments
from talentassess.linking.review import ItemAgreement, item_agreement, review_link
from talentassess.models import PLAIN, find_model

METHODS = ("stocking-lord", "haebara", "mean-mean", "mean-sigma")


@dataclass(frozen=True, eq=False, kw_only=True)
class Link(Tabular):
    """How a new scale is turned into an old one: theta_old = A theta_new + B.

    Attributes
    ----------
    A, B : the coefficients; B in logits of the old scale.
    cov : (2, 2) covariance of A and B from the errors of both calibrations; NaN if either has none.
    method : the criterion, or the methods along a chain.
    new_dimension, old_dimension : names of the dimension on either side.
    items : the common items the link rests on.
    agreement : how far each item's curves differ after linking; empty for a chain.
    status : how the search for A and B ended.
    influences : how A and B depend on each calibration's estimates; what later results need to carry the error on.
    new_source, old_source : parameter hashes of the calibrations on either side.
    findings : read them before the numbers.
    provenance : both calibrations and the settings.
    """

    A: float
    B: float
    cov: FloatArray
    method: str
    new_dimension: str
    old_dimension: str
    items: tuple[str, ...]
    agreement: tuple[ItemAgreement, ...]
    status: Status
    influences: tuple[Influence, ...]
    new_source: str
    old_source: str
    findings: tuple[Finding, ...]
    provenance: Provenance

    def __repr__(self) -> str:
        shaky = "" if self.status.ok else f", {self.status.value}"
        return (
            f"Link(A = {self.A:.4f} (SE {self.se[0]:.4f}), B = {self.B:.4f} (SE {self.se[1]:.4f}); {self.method}, "
            f"{len(self.items)} common items{shaky}, {len(self.findings)} finding(s), {self.provenance.label})"
        )

    @property
    def se(self) -> FloatArray:
        """(2,) standard errors of A and B."""
        return np.sqrt(np.diag(self.cov))

    def apply(self, calibration: Calibration, *, uncertainty: bool = True) -> Calibration:
        """Return a calibration of the new scale with everything on the old scale.

        Parameters
        ----------
        calibration : the link's new calibration, or another one on the same scale; its dimension ``new_dimension`` is
            moved and takes the name ``old_dimension``.
        uncertainty : True adds the error of A and B to the covariance of the parameters (and, for the link's own new
            calibration, their correlation with it); False treats A and B as known.

        Raises
        ------
        CalibrationError : the calibration lacks the dimension, or ties parameters in a way the old scale cannot keep.
        ModelError : a model has no parameters on another metric.

        Equation: cov' = (T + H D) C (T + H D)' + H C_AB H', T and H the derivatives of the moved parameters by the
        parameters and by (A, B), D that of (A, B) by this calibration's estimates, C_AB the other calibrations' share.
        """
        return calibration_on_scale(calibration, self, uncertainty=uncertainty)

    def apply_scores(self, scores: Scores, *, uncertainty: bool = True) -> Scores:
        """Return scores of the new scale on the old one: A theta + B, error covariance scaled alike.

        Parameters
        ----------
        scores : in logits of the new scale.
        uncertainty : True adds the link's error, (theta, 1) cov(A, B) (theta, 1)', to each person's error variance. It
            is common to all persons: it matters against a standard or a norm of the old scale, and cancels between
            persons of the new one.

        Raises
        ------
        ScoringError : the scores lack the dimension or are not in logits.
        """
        return scores_on_scale(scores, self, uncertainty=uncertainty)

    def tables(self) -> dict[str, Columns]:
        """Return ``link`` (A and B with errors), ``items`` (agreement of the common items) and ``findings``."""
        return {
            "link": {"coefficient": ["A", "B"], "estimate": [self.A, self.B], "se": self.se},
            "items": {
                "item": [one.item for one in self.agreement],
                "categories": [one.n_cat for one in self.agreement],
                "mean score difference": [one.difference for one in self.agreement],
                "rmsd": [one.rmsd for one in self.agreement],
            },
            "findings": finding_columns(self.findings),
        }


def link_scales(
    new: Calibration,
    old: Calibration,
    method: str = "stocking-lord",
    *,
    items: Sequence[str] | None = None,
    dimension: str | None = None,
    symmetric: bool = True,
    fix_scale: bool | None = None,
    nodes: LinkGrid | None = None,
) -> Link:
    """Find A and B of theta_old = A theta_new + B from the items that two calibrations have in common.

    Parameters
    ----------
    new, old : two calibrations of different samples; the result puts the new one on the old one's scale.
    method : ``stocking-lord`` (expected sum scores of the common items; the default), ``haebara`` (each category's
        probability; also for nominal items), ``mean-mean``, ``mean-sigma`` (moments of slopes and difficulties).
    items : the common items to use; left out, all of them.
    dimension : the dimension to link, named alike in both; left out where a calibration has only one.
    symmetric : True compares the curves on both scales and adds up, False on the old scale only (as Stocking & Lord
        1983 did).
    fix_scale : True keeps A at 1; left out, A is 1 where all common items are of models with fixed slopes (rasch, pcm,
        rsm), whose unit is the slope's.
    nodes : where the curves are compared and with what weight; left out, 61 nodes on mean +- 6 SD of each scale's
        reference group with normal weights (standard normal unless the calibration estimated mean and SD).

    Returns
    -------
    Link; look at ``.status`` and ``.findings`` before the numbers.

    Raises
    ------
    CalibrationError : no common items, other categories, an unknown method, several dimensions and none named.

    Equations: Stocking & Lord (1983), Haebara (1980), Marco (1977), Loyd & Hoover (1980), as in Kolen & Brennan (2014,
    ch. 6); standard errors by the delta method on both calibrations' full covariance (Ogasawara 2000, 2001; Andersson
    2018 for polytomous models). The two samples are taken as independent, the common items as given: the error that
    another choice of common items would bring is not in it.

    Examples
    --------
    >>> import talentassess as ta
    >>> answers = ta.simulate(ta.load_bank("service_core"), 300, seed=1).select(["ow_sr_01", "ow_sr_02", "ow_sr_03"])
    >>> calibration = ta.calibrate(answers)
    >>> ta.link_scales(calibration, calibration)
    Link(A = 1.0000 (SE 0.0000), B = 0.0000 (SE 0.0000); stocking-lord, 3 common items, 2 finding(s), SIMULATED)
    """
    if method not in METHODS:
        raise CalibrationError(f"There is no linking method '{method}'; choose one of: {', '.join(METHODS)}.")
    all_new, all_old = item_set(new, dimension, "new"), item_set(old, dimension, "old")
    set_new, set_old = common_items(all_new, all_old, items)
    fixed = slopes_are_fixed(set_new, set_old) if fix_scale is None else fix_scale
    grid = nodes or normal_grid(set_new, set_old, symmetric)
    solved = _solve(set_new, set_old, method, fix_scale=fixed, nodes=grid)
    influences = pool([set_new.influence(solved.by_new), set_old.influence(solved.by_old)])
    agreement = item_agreement(set_new, set_old, solved.a, solved.b)
    cov = total_cov(influences, 2)
    findings = review_link((new, old), (all_new, all_old), (set_new, set_old), agreement)
    return Link(
        A=solved.a,
        B=solved.b,
        cov=cov,
        method=method,
        new_dimension=dimension or new.dimensions[0],
        old_dimension=dimension or old.dimensions[0],
        items=set_new.items,
        agreement=agreement,
        status=solved.status,
        influences=influences,
        new_source=new.parameter_hash,
        old_source=old.parameter_hash,
        findings=gravest_first([*_solved(solved.status), *findings]),
        provenance=_provenance(new, old, {"method": method, "symmetric": str(symmetric), "fix_scale": str(fixed)}),
    )


def _solve(new: ItemSet, old: ItemSet, method: str, *, fix_scale: bool, nodes: LinkGrid) -> CurveLink:
    """Return A, B and their derivatives (2, T) by either calibration's stacked parameters, by any of the methods."""
    if method in ("mean-mean", "mean-sigma"):
        a, b, by_new, by_old = match_moments(new, old, by_sd=method == "mean-sigma", fix_scale=fix_scale)
        return CurveLink(a, b, float("nan"), by_new, by_old, Status.CONVERGED)
    summed = method == "stocking-lord"
    unordered = [block for block in new.blocks + old.blocks if not block.model.ordered]
    if summed and unordered:
        raise CalibrationError(
            f"The Stocking-Lord method adds up expected scores, which items of the {unordered[0].model.label} do not "
            "have: their categories are not ordered. Use method='haebara', or leave them out with items=[...]."
        )
    return match_curves(new, old, nodes, summed=summed, fix_scale=fix_scale)


def slopes_are_fixed(new: ItemSet, old: ItemSet) -> bool:
    """Return whether every common item's slope was fixed in both calibrations."""
    blocks = new.blocks + old.blocks
    return all((find_model(b.variant)[1] if b.variant else PLAIN).free_variance for b in blocks)


def _solved(status: Status) -> list[Finding]:
    if status.ok:
        return []
    return [
        Finding(
            "link_status", Severity.PROBLEM, "A and B", f"The search for A and B ended: {status.value}.",
            "Do not use the link; look at the common items' curves, or use another method or more common items.",
        )
    ]  # fmt: skip


def _provenance(new: Calibration, old: Calibration, options: dict[str, str]) -> Provenance:
    sources = {"new": new.parameter_hash, "old": old.parameter_hash}
    return Provenance(
        source=f"{new.provenance.source} -> {old.provenance.source}",
        data_hash=hash_json(sources),
        simulated=new.provenance.simulated or old.provenance.simulated,
        options={**options, **sources},
    )
