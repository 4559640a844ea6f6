"""The items two calibrations have in common, laid side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from talentassess.core.arrays import FloatArray, IntArray
from talentassess.core.calibration import Calibration
from talentassess.core.errors import CalibrationError
from talentassess.core.likelihood import ItemBlock, block_rows, offsets, stack_log_prob
from talentassess.linking.estimates import Estimates, Influence, find_dimension, one_dimensional, read_estimates

STEP = 1e-4  # logits, of the central difference along theta of analytic derivatives; error about 1e-9


@dataclass(frozen=True, eq=False, slots=True)
class ItemSet:
    """Some items of one dimension of a calibration, and how their curves depend on theta and on the estimates.

    Attributes
    ----------
    items : (J,) ids, in order.
    n_cat : (J,) categories.
    blocks : the items by model, positions counted within ``items``, on one dimension.
    rows : per block, (Jb, P) rows of its parameters among the calibration's stacked ones.
    estimates : of the whole calibration.
    mean, sd : latent distribution of the calibration's reference group on the dimension, logits.
    """

    items: tuple[str, ...]
    n_cat: IntArray
    blocks: tuple[ItemBlock, ...]
    rows: tuple[IntArray, ...]
    estimates: Estimates
    mean: float
    sd: float

    @property
    def starts(self) -> IntArray:
        """(J + 1,) offsets of the items on the stacked category axis of length S."""
        return offsets(self.n_cat)

    @property
    def codes(self) -> FloatArray:
        """(S,) category codes 0..K-1 on the stacked category axis."""
        return np.concatenate([np.arange(k, dtype=np.float64) for k in self.n_cat])

    def probability(self, theta: FloatArray) -> FloatArray:
        """Return (S, Q) category probabilities at theta (Q,)."""
        out: FloatArray = np.exp(stack_log_prob(self.blocks, theta[:, None], self.starts))
        return out

    def slope(self, theta: FloatArray) -> FloatArray:
        """Return (S, Q) derivatives of the category probabilities by theta (Q,)."""
        out = np.empty((int(self.starts[-1]), len(theta)))
        for block in self.blocks:
            p = np.exp(block.log_prob(theta[:, None]))
            out[block_rows(block, self.starts)] = (p * block.d_theta(theta[:, None])[..., 0]).transpose(1, 2, 0)
        return out

    def by_par(self, theta: FloatArray, weight: FloatArray) -> FloatArray:
        """Return (M, T) derivative of sum_sq weight (M, S, Q) P_s(theta_q) by the calibration's stacked parameters."""
        out = np.zeros((len(weight), len(self.estimates.matrix)))
        for block, rows in zip(self.blocks, self.rows, strict=True):
            p = np.exp(block.log_prob(theta[:, None]))
            by_par = p[..., None] * block.model.d_par(theta[:, None], block.par, block.n_cat)
            picked = weight[:, block_rows(block, self.starts)]
            out[:, rows] = np.einsum("mjkq,qjkp->mjp", picked, by_par, optimize=True)
        return out

    def slope_by_par(self, theta: FloatArray, weight: FloatArray) -> FloatArray:
        """Return (M, T) derivative of sum_sq weight (M, S, Q) P'_s(theta_q) by the stacked parameters."""
        return (self.by_par(theta + STEP, weight) - self.by_par(theta - STEP, weight)) / (2 * STEP)

    def curvature(self, theta: FloatArray) -> FloatArray:
        """Return (S, Q) second derivatives of the category probabilities by theta (Q,)."""
        return (self.slope(theta + STEP) - self.slope(theta - STEP)) / (2 * STEP)

    def score(self, theta: FloatArray) -> FloatArray:
        """Return (J, Q) expected category code of each item at theta (Q,)."""
        weighted = self.codes[:, None] * self.probability(theta)
        out: FloatArray = np.add.reduceat(weighted, self.starts[:-1], axis=0)
        return out

    def score_by_par(self, theta: FloatArray) -> FloatArray:
        """Return (Q, T) derivatives of the expected sum score at theta (Q,) by the calibration's stacked parameters."""
        out = np.zeros((len(theta), len(self.estimates.matrix)))
        for block, rows in zip(self.blocks, self.rows, strict=True):
            p = np.exp(block.log_prob(theta[:, None])) * np.arange(block.n_cat)
            by_par = block.model.d_par(theta[:, None], block.par, block.n_cat)
            out[:, rows] = np.einsum("qjk,qjkp->qjp", p, by_par)
        return out

    def influence(self, by_par: FloatArray) -> Influence:
        """Turn derivatives (M, T) by the stacked parameters into derivatives by what was estimated."""
        return self.estimates.influence(by_par)

    def select(self, keep: Sequence[str]) -> ItemSet:
        """Return the same with some of the items, in the order given."""
        place = {item: j for j, item in enumerate(keep)}
        blocks, rows = [], []
        for block, own in zip(self.blocks, self.rows, strict=True):
            kept = np.flatnonzero([self.items[j] in place for j in block.items])
            if len(kept):
                position = np.array([place[self.items[j]] for j in block.items[kept]], dtype=np.int64)
                blocks.append(replace(block, items=position, par=block.par[kept]))
                rows.append(own[kept])
        n_cat = np.array([self.n_cat[self.items.index(item)] for item in keep], dtype=np.int64)
        return replace(self, items=tuple(keep), n_cat=n_cat, blocks=tuple(blocks), rows=tuple(rows))


def item_set(calibration: Calibration, dimension: str | None, role: str) -> ItemSet:
    """Return all items of one dimension of a calibration; errors speak of the ``role`` (new, old) calibration."""
    d = find_dimension(calibration, dimension, role)
    estimates, numbers = read_estimates(calibration), one_dimensional(calibration, d)
    own = [calibration.blocks[k] for k in numbers]
    positions = np.sort(np.concatenate([block.items for block in own]))
    return ItemSet(
        items=tuple(calibration.item_ids[j] for j in positions),
        n_cat=calibration.n_cat[positions],
        blocks=tuple(replace(b, items=np.searchsorted(positions, b.items), dims=(0,)) for b in own),
        rows=tuple(
            estimates.starts[k] + np.arange(block.par.size).reshape(block.par.shape)
            for k, block in zip(numbers, own, strict=True)
        ),
        estimates=estimates,
        mean=float(calibration.latent.mean[0, d]),
        sd=float(np.sqrt(calibration.latent.cov[0, d, d])),
    )


def common_items(new: ItemSet, old: ItemSet, items: Sequence[str] | None) -> tuple[ItemSet, ItemSet]:
    """Return the common items of two sets, or those asked for, in the old set's order.

    None in common, an unknown one, or another number of categories raises ``CalibrationError``.
    """
    if isinstance(items, str):
        raise CalibrationError(f"items takes a list of item ids; found the single text '{items}'.")
    shared = [item for item in old.items if item in new.items]
    wanted = shared if items is None else list(dict.fromkeys(items))
    absent = [f"item '{item}' is not in both calibrations" for item in wanted if item not in shared]
    if absent or not wanted:
        raise CalibrationError(
            f"A link needs items that both calibrations have; they share {len(shared)}: "
            f"{', '.join(shared[:8]) or 'none'}. Name them alike in both, or choose among them with items=[...].",
            absent,
        )
    new, old = new.select(wanted), old.select(wanted)
    other = [
        f"item '{item}' has {k_new} categories in the new calibration and {k_old} in the old"
        for item, k_new, k_old in zip(wanted, new.n_cat, old.n_cat, strict=True)
        if k_new != k_old
    ]
    if other:
        raise CalibrationError("Common items must have the same categories in both calibrations.", other)
    return new, old
