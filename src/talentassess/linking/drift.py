"""Parameter drift: which common items changed between two calibrations, beyond what sampling explains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import chdtrc

from talentassess.core.arrays import FloatArray, IntArray
from talentassess.core.calibration import Calibration
from talentassess.core.errors import CalibrationError
from talentassess.core.likelihood import ItemBlock
from talentassess.core.provenance import Provenance
from talentassess.core.status import Finding, Severity, finding_columns, gravest_first
from talentassess.core.tabular import Columns, Tabular
from talentassess.linking.common import ItemSet, common_items, item_set
from talentassess.linking.estimates import Influence, total_cov
from talentassess.linking.leave_out import Coefficients, links_without_each
from talentassess.linking.link import Link, slopes_are_fixed
from talentassess.linking.metric import change_metric
from talentassess.linking.review import item_agreement

ROUNDS = 10  # of purification; two or three are usual
NO_ERROR, RANK = 1e-12, 1e-8  # variance of a difference that cannot vary; smallest eigenvalue ratio that counts
AREA_NODES, AREA_REACH = 601, 6.0  # grid of the area between curves: mean +- 6 SD of the old reference group


@dataclass(frozen=True, eq=False, slots=True)
class ItemDrift:
    """One common item after linking; P parameters.

    Attributes
    ----------
    item, model, n_cat : id, model and number of categories.
    names : (P,) parameter names.
    difference, se : (P,) old minus moved new parameter, and its standard error; NaN if errors are not known.
    chi2, df, p : Wald test that all differences are zero; df is the number of differences that can vary.
    p_adjusted : p after Benjamini & Hochberg (1995) over all common items.
    flagged : whether p_adjusted lies below the level.
    area : area between the curves, integral of sum_k |P_old - P_new| / 2 over theta, logits; for a dichotomous item
        Raju's (1988) unsigned area.
    score_difference : mean of the old minus the new expected category code in the old reference group; NaN where
        categories are not ordered.
    A, B : the link used for this item.
    """

    item: str
    model: str
    n_cat: int
    names: tuple[str, ...]
    difference: FloatArray
    se: FloatArray
    chi2: float
    df: int
    p: float
    p_adjusted: float
    flagged: bool
    area: float
    score_difference: float
    A: float
    B: float


@dataclass(frozen=True, eq=False, kw_only=True)
class DriftTable(Tabular):
    """Drift of every common item; nothing is left out of the table.

    Attributes
    ----------
    items : one record per common item.
    level : of the adjusted p values.
    purified : items left out of the links of all others in the last round.
    rounds : how often the links were made anew; 0 with a given link.
    findings : read them before the numbers.
    provenance : both calibrations and the settings.
    """

    items: tuple[ItemDrift, ...]
    level: float
    purified: tuple[str, ...]
    rounds: int
    findings: tuple[Finding, ...]
    provenance: Provenance

    def __repr__(self) -> str:
        return (
            f"DriftTable({len(self.items)} common items, {len(self.flagged)} flagged at {self.level:g}, "
            f"{len(self.findings)} finding(s), {self.provenance.label})"
        )

    @property
    def flagged(self) -> tuple[str, ...]:
        """Ids of the items whose parameters differ by more than sampling explains."""
        return tuple(one.item for one in self.items if one.flagged)

    def tables(self) -> dict[str, Columns]:
        """Return ``items`` (a row per item), ``parameters`` (a row per item and parameter) and ``findings``."""
        rows = [(one, k) for one in self.items for k in range(len(one.names))]
        fields = ("item", "model", "chi2", "df", "p", "p_adjusted", "flagged", "area", "score_difference", "A", "B")
        return {
            "items": {name: [getattr(one, name) for one in self.items] for name in fields},
            "parameters": {
                "item": [one.item for one, _ in rows],
                "parameter": [one.names[k] for one, k in rows],
                "difference": [float(one.difference[k]) for one, k in rows],
                "se": [float(one.se[k]) for one, k in rows],
            },
            "findings": finding_columns(self.findings),
        }


def parameter_drift(
    new: Calibration,
    old: Calibration,
    link: Link | None = None,
    *,
    items: Sequence[str] | None = None,
    dimension: str | None = None,
    level: float = 0.05,
) -> DriftTable:
    """Test each common item for a change of its parameters between two calibrations.

    Parameters
    ----------
    new, old : two calibrations of different samples.
    link : a link to use for all items; left out, each item is tested with a link (Haebara's) made from the other
        common items without those flagged, again until the flags no longer change, so that neither the item itself
        nor another drifting one pulls the scale.
    items : the common items to test; left out, all of them.
    dimension : the dimension, named alike in both; left out where a calibration has only one.
    level : of the p values after Benjamini & Hochberg.

    Returns
    -------
    DriftTable with every common item; flagged items stay in the calibrations and in any link made elsewhere.

    Raises
    ------
    CalibrationError : no common items, items of different models, fewer than three items without a link, no errors.

    Equation: chi2 = d' V^-1 d with d = par_old - par_new moved to the old scale and V its covariance, which includes
    that of the link and its correlation with both calibrations (Lord 1980, ch. 14; Candell & Drasgow 1988).

    Examples
    --------
    >>> import talentassess as ta
    >>> bank, names = ta.load_bank("service_core"), ["ow_sr_01", "ow_sr_02", "ow_sr_03", "ow_sr_04"]
    >>> old, new = (ta.calibrate(ta.simulate(bank, 400, seed=s).select(names)) for s in (1, 2))
    >>> ta.parameter_drift(new, old)
    DriftTable(4 common items, 0 flagged at 0.05, 1 finding(s), SIMULATED)
    """
    if not 0 < level < 1:
        raise CalibrationError(f"level must lie between 0 and 1; found {level}.")
    pair = common_items(item_set(new, dimension, "new"), item_set(old, dimension, "old"), items)
    _check_alike(*pair, link)
    if link is not None:
        given = Coefficients(link.A, link.B, link.influences)
        tested = _adjusted([_drift(pair, j, given) for j in range(len(pair[0].items))], level)
        purified, rounds = tuple[str, ...](), 0
    else:
        tested, purified, rounds = _purify(pair, level)
    return DriftTable(
        items=tuple(tested),
        level=level,
        purified=purified,
        rounds=rounds,
        findings=gravest_first(_findings(tested, purified, rounds)),
        provenance=Provenance(
            source=f"{new.provenance.source} -> {old.provenance.source}",
            simulated=new.provenance.simulated or old.provenance.simulated,
            options={
                "link": "given" if link is not None else "haebara, each item by the others, purified",
                "level": f"{level:g}",
                "new": new.parameter_hash,
                "old": old.parameter_hash,
            },
        ),
    )


def _check_alike(new: ItemSet, old: ItemSet, link: Link | None) -> None:
    models = [{side.items[j]: b.model.name for b in side.blocks for j in b.items} for side in (new, old)]
    other = [
        f"item '{item}': {models[0][item]} in the new calibration, {models[1][item]} in the old"
        for item in new.items
        if models[0][item] != models[1][item]
    ]
    if other:
        raise CalibrationError("Parameters can be compared under one model only; calibrate the items alike.", other)
    if link is None and len(new.items) < 3:
        raise CalibrationError(
            f"Testing each item by a link from the others needs at least 3 common items; found {len(new.items)}. Give "
            "link=ta.link_scales(...) made from other items, or more common items."
        )


def _purify(pair: tuple[ItemSet, ItemSet], level: float) -> tuple[list[ItemDrift], tuple[str, ...], int]:
    """Test all items, each by the unflagged others, until the flags no longer change."""
    names, left_out, rounds = pair[0].items, frozenset[str](), 0
    seen: set[frozenset[str]] = set()
    while True:
        rounds += 1
        seen.add(left_out)
        links = links_without_each(*pair, left_out, slopes_are_fixed(*pair))
        tested = _adjusted([_drift(pair, j, link) for j, link in enumerate(links)], level)
        flagged = frozenset(one.item for one in tested if one.flagged)
        # two anchors are the least a link can rest on; with fewer unflagged items the last links stand
        if flagged in seen or len(names) - len(flagged) < 3 or rounds == ROUNDS:
            return tested, tuple(name for name in names if name in left_out), rounds
        left_out = flagged


def _drift(pair: tuple[ItemSet, ItemSet], j: int, link: Coefficients) -> ItemDrift:
    """Return one item's differences and their test; the adjusted p value is filled in later."""
    new, old = pair
    (block_new, rows_new), (block_old, rows_old) = _single(new, j), _single(old, j)
    moved = change_metric(block_new, link.a, link.b)
    difference = block_old.par[0] - moved.par[0]
    size = len(difference)
    by_new, by_old = np.zeros((size, len(new.estimates.matrix))), np.zeros((size, len(old.estimates.matrix)))
    by_new[:, rows_new], by_old[:, rows_old] = -moved.by_par, np.eye(size)
    parts = [new.influence(by_new), old.influence(by_old)]
    parts += [Influence(i.source, -moved.by_link[0] @ i.gradient, i.cov) for i in link.influences]
    cov = total_cov(parts, size)
    chi2, df = _wald(difference, cov)
    kept = [old.items[j]]
    one_new, one_old = new.select(kept), old.select(kept)
    return ItemDrift(
        item=old.items[j],
        model=block_old.variant or block_old.model.name,
        n_cat=block_old.n_cat,
        names=tuple(p.name for p in block_old.model.params(block_old.n_cat, 1)),
        difference=difference,
        se=np.sqrt(np.maximum(np.diag(cov), 0.0)),
        chi2=chi2,
        df=df,
        p=float(chdtrc(df, chi2)) if df else float("nan"),
        p_adjusted=float("nan"),
        flagged=False,
        area=_area(one_new, one_old, link.a, link.b),
        score_difference=item_agreement(one_new, one_old, link.a, link.b)[0].difference,
        A=link.a,
        B=link.b,
    )


def _single(side: ItemSet, j: int) -> tuple[ItemBlock, IntArray]:
    """Return item number ``j`` as a block of its own, and the rows of its parameters."""
    for block, rows in zip(side.blocks, side.rows, strict=True):
        at = np.flatnonzero(block.items == j)
        if len(at):
            return replace(block, items=np.zeros(1, dtype=np.int64), par=block.par[at]), rows[at[0]]
    raise CalibrationError(f"Item '{side.items[j]}' has no parameters.")


def _wald(difference: FloatArray, cov: FloatArray) -> tuple[float, int]:
    """Return d' V^-1 d over the directions in which d can vary, and their number; NaN and 0 without errors."""
    if not np.isfinite(cov).all():
        return float("nan"), 0
    varies = np.diag(cov) > NO_ERROR
    scale = np.sqrt(np.diag(cov)[varies])
    if not len(scale):
        return float("nan"), 0
    values, vectors = np.linalg.eigh(cov[np.ix_(varies, varies)] / np.outer(scale, scale))
    keep = values > RANK * values[-1]
    along = vectors[:, keep].T @ (difference[varies] / scale)
    return float(np.sum(along**2 / values[keep])), int(keep.sum())


def _area(new: ItemSet, old: ItemSet, a: float, b: float) -> float:
    theta = old.mean + old.sd * np.linspace(-AREA_REACH, AREA_REACH, AREA_NODES)
    gap = np.abs(old.probability(theta) - new.probability((theta - b) / a)).sum(axis=0) / 2
    return float(np.trapezoid(gap, theta))


def _adjusted(tested: Sequence[ItemDrift], level: float) -> list[ItemDrift]:
    """Return the items with p values adjusted for the number of tests (Benjamini & Hochberg 1995), and flags."""
    p = np.array([one.p for one in tested])
    adjusted, known = np.full(len(p), np.nan), np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known])]
    ratio = p[order] * len(order) / np.arange(1, len(order) + 1)
    adjusted[order] = np.minimum(np.minimum.accumulate(ratio[::-1])[::-1], 1.0)
    return [replace(one, p_adjusted=float(q), flagged=bool(q < level)) for one, q in zip(tested, adjusted, strict=True)]


def _findings(tested: Sequence[ItemDrift], purified: Sequence[str], rounds: int) -> list[Finding]:
    findings = [
        Finding(
            "drift", Severity.WARNING, one.item,
            f"Its parameters differ: chi2({one.df}) = {one.chi2:.1f}, adjusted p = {one.p_adjusted:.2g}, area between "
            f"curves {one.area:.2f} logits.",
            "Look for changed wording, position, exposure or key; leave it out of the link with items= if it changed.",
        )
        for one in tested
        if one.flagged
    ]  # fmt: skip
    unknown = [one.item for one in tested if not np.isfinite(one.p)]
    if unknown:
        findings.append(
            Finding(
                "not_tested", Severity.WARNING, ", ".join(unknown[:5]),
                f"{len(unknown)} item(s) could not be tested: their parameters have no standard errors on either side.",
                "Calibrate with se='oakes'; items fixed as anchors cannot drift.",
            )
        )  # fmt: skip
    flagged = {one.item for one in tested if one.flagged}
    if rounds and flagged != set(purified):
        findings.append(
            Finding(
                "purification", Severity.WARNING, "links",
                f"The flags did not settle in {rounds} round(s), or too few items were left to link by.",
                "Choose stable items yourself and give link=ta.link_scales(..., items=[...]).",
            )
        )  # fmt: skip
    if len(tested) < 5:
        findings.append(
            Finding(
                "few_common_items", Severity.NOTE, "common items",
                f"Each of the {len(tested)} items is tested by a link from at most {len(tested) - 1} others.",
                "One drifting item can then make the others look as if they had drifted; use more common items.",
            )
        )  # fmt: skip
    return findings
