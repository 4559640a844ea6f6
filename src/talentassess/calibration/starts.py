"""Where to start: rough sums, item-rest correlations, and a rough trait for models whose shares do not tell enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from talentassess.calibration.constraints import Entries, TieMap
from talentassess.core.arrays import BoolArray, CodeArray, FloatArray, IntArray
from talentassess.core.likelihood import ItemBlock
from talentassess.core.logistic import expit
from talentassess.core.model import ItemModel
from talentassess.core.responses import Responses
from talentassess.core.survey import Survey
from talentassess.models import find_model

CLASSES = 15  # of persons by rough trait: fine enough for the curves, with enough answers in each
NORMAL = 1.7  # logistic slope that resembles a normal ogive of slope 1
COARSE = {3: 1.12}  # by number of categories: what cutting into them takes from a correlation, undone
ASYMPTOTES = ("guessing", "upper")  # parameters on the logit scale that squeeze a curve from below and above
CLEAR = 0.5  # share of the largest loading that gives an item a clear side


def starting_values(
    model: ItemModel, survey: Survey, some: Responses, models: Mapping[str, str], items: IntArray, n_dims: int = 1
) -> FloatArray:
    """Return (Jb, P) starting values of the items (Jb,) of one model on a form.

    Parameters
    ----------
    survey : a first look at all answers of the form.
    some : answers of persons that stand for all, for models whose category shares do not tell enough.
    models : item id -> model name, for all items of the form.
    n_dims : number of dimensions D the items measure.
    """
    n_cat = int(some.n_cat[items[0]])
    if model.start_by_trait is not None:
        counts, theta = _by_class(rough_trait(some, models), some.x[:, items], n_cat)
        return model.start_by_trait(counts, theta)
    answers = np.stack([survey.counts_of(int(j)) for j in items])
    par = model.start(answers / np.maximum(answers.sum(axis=1, keepdims=True), 1.0), n_dims)
    names = [declared.name for declared in model.params(n_cat, n_dims)]
    slopes = [p for p, name in enumerate(names) if name.startswith("slope")]
    intercepts = [p for p, name in enumerate(names) if name.startswith("intercept")]
    rest = survey.rest_correlation[items]
    squeezed = [p for p, name in enumerate(names) if name in ASYMPTOTES]
    if model.ordered and n_dims == 1 and len(slopes) == 1 and len(intercepts) + len(squeezed) == len(names) - 1:
        if n_cat == 2:
            ends = {name: expit(par[:, names.index(name)]) for name in ASYMPTOTES if name in names}
            share = answers[:, 1] / np.maximum(answers.sum(axis=1), 1.0)
            latent = np.abs(rest) * _undo_cutting(share, ends.get("guessing", 0.0), ends.get("upper", 1.0))
        else:
            latent = np.abs(rest) * COARSE.get(n_cat, 1.05)
        slope = _rough_slope(latent)
        par[:, slopes] *= slope[:, None]
        par[:, intercepts] *= np.sqrt((1 + (slope / NORMAL) ** 2) / (1 + 1 / NORMAL**2))[:, None]
    par[:, slopes] *= np.where(rest < 0, -1.0, 1.0)[:, None]
    return par


def _undo_cutting(share: FloatArray, low: FloatArray | float, high: FloatArray | float) -> FloatArray:
    """Return (Jb,) what turns correlations with a share (Jb,) of correct answers into biserial ones.

    Equation: sqrt(p (1 - p)) / ((u - g) phi(z)), z the normal quantile of (p - g) / (u - g): the factor from point
    biserial to biserial (Lord & Novick 1968, ch. 15), for curves between asymptotes g and u. The quantile is Tukey's
    4.91 (p^.14 - (1 - p)^.14), within .01 here.
    """
    inside = np.clip((share - low) / (high - low), 0.03, 0.97)
    z = 4.91 * (inside**0.14 - (1 - inside) ** 0.14)
    height = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    factor: FloatArray = np.sqrt(share * (1 - share)) / ((high - low) * height)
    return factor


def _rough_slope(rho: FloatArray) -> FloatArray:
    """Return logistic slopes (Jb,) from item-rest correlations (Jb,), as the normal ogive links the two.

    Equation: a = 1.7 rho / sqrt(1 - rho^2) (Lord & Novick 1968, eq. 16.10.7), with rho the correlation before the
    answers were cut into few categories.
    """
    rho = np.clip(rho, 0.2, 0.83)
    slope: FloatArray = NORMAL * rho / np.sqrt(1 - rho**2)
    return slope


def category_worth(item_ids: Sequence[str], n_cat: IntArray, models: Mapping[str, str]) -> FloatArray:
    """Return (S,) what each category counts in rough sums, 0..1; NaN for items without a direction (unfolding).

    n_cat : (J,) categories of the items.
    """
    parts = []
    for item, k in zip(item_ids, n_cat, strict=True):
        worth = find_model(models[item])[0].worth
        parts.append(np.full(int(k), np.nan) if worth is None else worth(int(k)))
    return np.concatenate(parts)


def _scaled(responses: Responses, models: Mapping[str, str]) -> tuple[FloatArray, FloatArray]:
    """Return answers scaled 0..1 (N, J), unfolding items by their codes, and 1 where there is one, else 0 (N, J)."""
    scaled, counts = np.zeros(responses.x.shape), responses.answered.astype(np.float64)
    for j, (item, k) in enumerate(zip(responses.item_ids, responses.n_cat, strict=True)):
        worth = find_model(models[item])[0].worth
        of_code = np.arange(k) / (k - 1) if worth is None else worth(int(k))
        scaled[:, j] = of_code[np.maximum(responses.x[:, j], 0)]
    return scaled * counts, counts


def rough_trait(responses: Responses, models: Mapping[str, str]) -> FloatArray:
    """Return (N,) normal scores of a principal component of the standardised answers, missing ones at 0.

    Direction: rising items load positively on the whole; if there are none, the first item with a clear loading does.
    Items that unfold on opposite sides correlate negatively, so the first component orders persons and items along the
    trait even though no item rises with it. Where most items lie near the middle it is the second that does (the first
    then says how far out a person is); of the two, the one is taken along which the unfolding items fit better.
    """
    scaled, counts = _scaled(responses, models)
    n = np.maximum(counts.sum(axis=0), 1.0)
    centred = counts * (scaled - scaled.sum(axis=0) / n)
    spread = np.sqrt((centred**2).sum(axis=0) / n)
    z = np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 0)
    together = counts.T @ counts
    correlation = np.divide(z.T @ z, together, out=np.zeros_like(together), where=together > 0)
    rising = rising_items(responses.item_ids, models)
    loadings = np.linalg.eigh(correlation)[1][:, :-3:-1].T
    traits = [_normal_scores(z @ (loading * _side(loading, rising))) for loading in loadings]
    return max(traits, key=lambda trait: _fit(trait, responses, models))


def _normal_scores(values: FloatArray) -> FloatArray:
    from scipy.special import ndtri  # slow to load, as is the next, and only unfolding items need them
    from scipy.stats import rankdata

    normal: FloatArray = ndtri((rankdata(values) - 0.5) / len(values))
    return normal


def _fit(trait: FloatArray, responses: Responses, models: Mapping[str, str]) -> float:
    """Return the log-likelihood of the unfolding items given a rough trait (N,), at their best starting values."""
    total = 0.0
    for j, (item, k) in enumerate(zip(responses.item_ids, responses.n_cat, strict=True)):
        model = find_model(models[item])[0]
        if model.start_by_trait is not None:
            counts, theta = _by_class(trait, responses.x[:, [j]], int(k))
            par = model.start_by_trait(counts, theta)
            total += float(np.sum(counts * model.log_prob(theta[:, None], par, int(k))))
    return total


def _by_class(trait: FloatArray, x: CodeArray, n_cat: int) -> tuple[FloatArray, FloatArray]:
    """Return answers counted by class of rough trait (B, Jb, K), and the class means (B,)."""
    classes, theta = _classes(trait)
    in_class = (classes[:, None] == np.arange(len(theta))).T.astype(np.float64)
    return np.stack([in_class @ (x == k) for k in range(n_cat)], axis=2), theta


def rising_items(item_ids: Sequence[str], models: Mapping[str, str]) -> BoolArray:
    """Return (J,) True for items of models in which some category means more of the trait than another."""
    return np.array([find_model(models[item])[0].worth is not None for item in item_ids])


def _side(loading: FloatArray, rising: BoolArray) -> float:
    if rising.any():
        return -1.0 if loading[rising].sum() < 0 else 1.0
    clear = np.abs(loading) >= CLEAR * np.abs(loading).max()
    return float(np.sign(loading[clear][0]))


def _classes(trait: FloatArray) -> tuple[IntArray, FloatArray]:
    """Cut persons into classes of about equal size: class numbers (N,), class means (B,)."""
    edges = np.unique(np.quantile(trait, np.arange(1, CLASSES) / CLASSES))
    classes = np.searchsorted(edges, trait, side="right").astype(np.int64)
    _, classes = np.unique(classes, return_inverse=True)  # ties may leave a class empty
    mean: FloatArray = np.bincount(classes, trait) / np.bincount(classes)
    return classes.astype(np.int64), mean


def facing_fixed_locations(blocks: Sequence[ItemBlock], entries: Entries, tie: TieMap) -> tuple[ItemBlock, ...]:
    """Return the blocks with starting locations on the side where fixed locations (anchors) want them.

    Locations are the parameters named ``location``; thresholds and discriminations do not change under reflection.
    """
    if tie.plain:
        return tuple(blocks)
    is_location = np.array([p.name == "location" for p in entries.params])
    fixed = is_location & (~tie.is_free)
    stacked = np.concatenate([block.par.ravel() for block in blocks])
    if float(stacked[fixed] @ tie.offset[fixed]) >= 0:
        return tuple(blocks)
    mirrored = entries.split(np.where(is_location, -stacked, stacked))
    return tuple(replace(block, par=par) for block, par in zip(blocks, mirrored, strict=True))
