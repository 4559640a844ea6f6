"""Calibrations made from known parameters, and the parameter sets of Kolen's programs, for the linking tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from talentassess.core.calibration import Calibration, FreeParameters, Latent
from talentassess.core.likelihood import ItemBlock
from talentassess.core.provenance import Provenance
from talentassess.core.status import Status
from talentassess.linking.metric import change_metric
from talentassess.models import find_model

Part = tuple[str, int, np.ndarray]


def known(
    parts: Sequence[Part],
    *,
    cov: np.ndarray | float | None = 0.01,
    mean: float = 0.0,
    sd: float = 1.0,
    prefix: str = "i",
    name: str = "made up",
) -> Calibration:
    """Return a calibration with these parameters: (model, categories, par (Jb, P)) per block, free covariance (F, F).

    A number is the variance of every parameter; None leaves standard errors out.
    """
    blocks, first = [], 0
    for variant, n_cat, par in parts:
        model, _ = find_model(variant)
        block = ItemBlock(model, n_cat, np.arange(first, first + len(par)), np.asarray(par, float), (0,), variant)
        blocks.append(block)
        first += len(par)
    items = tuple(f"{prefix}{j + 1}" for j in range(first))
    names = tuple(f"{items[j]}.{p.name}" for b in blocks for j in b.items for p in b.model.params(b.n_cat, 1))
    values = np.concatenate([b.par.ravel() for b in blocks])
    full = np.full((len(names),) * 2, np.nan) if cov is None else cov * np.eye(len(names)) if np.ndim(cov) == 0 else cov
    return Calibration(
        item_ids=items,
        n_cat=np.concatenate([np.full(len(b.items), b.n_cat) for b in blocks]),
        dimensions=("trait",),
        blocks=tuple(blocks),
        par_cov=_item_cov(blocks, np.asarray(full)),
        latent=Latent(("all",), np.full((1, 1), mean), np.full((1, 1, 1), sd**2)),
        free=FreeParameters(names, values, np.asarray(full)),
        loglik=-1.0,
        n_persons=1000,
        n_steps=1,
        status=Status.CONVERGED,
        trace=((-1.0,),),
        audit=(),
        provenance=Provenance(name, simulated=True),
    )


def _item_cov(blocks: Sequence[ItemBlock], full: np.ndarray) -> tuple[np.ndarray, ...]:
    out, row = [], 0
    for block in blocks:
        size = block.par.shape[1]
        parts = [
            full[row + j * size : row + (j + 1) * size, row + j * size : row + (j + 1) * size]
            for j in range(len(block.items))
        ]
        out.append(np.array(parts))
        row += block.par.size
    return tuple(out)


def drawn(parts: Sequence[tuple[str, int, int]], seed: int = 0, **options: object) -> Calibration:
    """Return a calibration with parameters drawn from the typical ranges: (model, categories, items) per block."""
    rng = np.random.default_rng(seed)
    pars = []
    for name, n_cat, n_items in parts:
        model, variant = find_model(name)
        par = np.array([[rng.uniform(*p.typical) for p in model.params(n_cat, 1)] for _ in range(n_items)])
        if "slope" in variant.fixed:
            par[:, 0] = variant.fixed["slope"]
        pars.append((name, n_cat, par))
    return known(pars, **options)  # type: ignore[arg-type]


def re_expressed(calibration: Calibration, a: float, b: float) -> Calibration:
    """Return the same curves on the scale theta' = (theta - b) / a, so that a link back has A = a and B = b."""
    blocks = [replace(block, par=change_metric(block, 1 / a, -b / a).par) for block in calibration.blocks]
    return known(
        [(block.model.name if a != 1 else block.variant, block.n_cat, block.par) for block in blocks],
        cov=calibration.free.cov,
        mean=float((calibration.latent.mean[0, 0] - b) / a),
        sd=float(np.sqrt(calibration.latent.cov[0, 0, 0]) / a),
    )


def logistic3(abc: Sequence[tuple[float, float, float]], metric: float) -> np.ndarray:
    """Return (J, 3) slope, intercept, logit guessing of P = c + (1 - c) / (1 + exp(-metric a (t - b)))."""
    a, b, c = np.array(abc).T
    return np.column_stack([metric * a, -metric * a * b, np.log(c / (1 - c))])


def partial_credit(slope: Sequence[float], steps: Sequence[Sequence[float]], metric: float) -> np.ndarray:
    """Return (J, K) slope and cumulative intercepts from slopes and step difficulties (theta where steps cross)."""
    a = metric * np.array(slope)[:, None]
    return np.column_stack([a, -np.cumsum(a * np.array(steps), axis=1)])


def graded(slope: Sequence[float], thresholds: Sequence[Sequence[float]], metric: float) -> np.ndarray:
    """Return (J, K) slope and intercepts from slopes and thresholds."""
    a = metric * np.array(slope)[:, None]
    return np.column_stack([a, -a * np.array(thresholds)])


# Kolen & Brennan's mathematics example (Table 6.5): 3PL, metric 1.7, forms X (new) and Y (old) of 36 items; the twelve
# items 3, 6, ... 36 are common. Six-decimal estimates as printed with POLYEQUATE's example input.
KB_X = """
0.467344 -2.616539 0.175056 0.670924 -1.068342 0.116490 0.386976 -1.339358 0.208748 1.228024 0.064115 0.282599
0.828161 -0.701780 0.262510 0.496452 -1.511753 0.203834 0.731571 0.030429 0.322391 0.973113 -0.657195 0.220907
0.641447 -0.479277 0.159961 0.779740 0.688159 0.364807 0.815589 0.344648 0.239862 0.563967 -0.444704 0.123961
1.047915 -0.014127 0.253470 0.892128 0.422782 0.156932 0.908926 0.626040 0.298628 0.781655 0.213016 0.252099
0.759750 0.098919 0.227257 0.822383 -0.274926 0.053538 0.557961 -0.051057 0.120098 0.897580 0.610857 0.203621
0.295784 2.173474 0.148927 0.716916 0.742542 0.233231 0.947343 0.180908 0.064409 1.239634 0.700229 0.245270
0.436801 1.117559 0.142681 0.781728 0.763879 0.087920 1.599493 1.149537 0.199245 1.279241 1.270811 0.164220
0.821706 1.311960 0.143102 0.596854 2.130355 0.085290 1.075705 1.701967 0.244298 0.728471 1.511532 0.086474
1.197162 1.325326 0.078897 0.493857 3.580113 0.139884 0.787070 3.165387 0.108961 1.104752 2.034859 0.107530"""
KB_Y = """
0.870350 -1.450715 0.157647 0.462772 -0.406996 0.109378 0.441595 -1.334933 0.155883 0.544796 -0.901734 0.138071
0.619973 -1.486483 0.211368 0.572995 -1.321004 0.191298 1.175228 0.069050 0.294746 0.445023 0.232402 0.272323
0.598719 -0.709831 0.117663 0.847924 -0.425342 0.144462 1.031996 -0.818383 0.093584 0.604125 -0.353942 0.081759
0.829722 -0.019137 0.128310 0.725171 -0.315511 0.085425 0.990164 0.531956 0.302443 0.774935 0.539442 0.217930
0.594230 0.898656 0.229885 0.808079 -0.115649 0.064791 0.964044 -0.194763 0.163258 0.783557 0.350592 0.129939
0.413973 2.553812 0.240967 0.761758 -0.158110 0.113708 1.195895 0.505649 0.239728 1.355437 0.581109 0.224322
1.186899 0.622889 0.257697 1.029556 0.389830 0.185611 1.041731 0.939158 0.165121 1.205473 1.135046 0.232287
0.969740 0.697642 0.107035 0.633562 1.896027 0.079396 1.082216 1.386423 0.185511 1.019458 0.919670 0.102719
1.134661 1.079013 0.063009 1.194845 1.841148 0.099913 1.196146 2.029683 0.083187 0.925521 2.133706 0.125873"""


def kb_form(text: str) -> np.ndarray:
    """Return (36, 3) parameters of a form, slope-intercept."""
    return logistic3([tuple(row) for row in np.array(text.split(), float).reshape(-1, 3)], 1.7)
