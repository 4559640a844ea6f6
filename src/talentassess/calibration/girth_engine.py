"""girth as the independent second estimator, its limits guarded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from talentassess.calibration.inputs import Settings, name_dimensions, name_models
from talentassess.calibration.problem import check_estimable
from talentassess.core.arrays import FloatArray, IntArray
from talentassess.core.calibration import Calibration, FreeParameters, Latent
from talentassess.core.errors import CalibrationError, ModelError
from talentassess.core.likelihood import ItemBlock
from talentassess.core.provenance import Provenance
from talentassess.core.responses import Responses
from talentassess.core.status import Finding, Severity, Status
from talentassess.core.survey import survey_responses
from talentassess.models import find_model

# What girth 0.8.0 estimates reliably. Its threepl_mml, multidimensional_* and polychoric functions fail with numpy 2.
TAKES = ("rasch", "2pl", "graded", "gpcm")
OPTIONS = {"quadrature_n": 61, "quadrature_bounds": (-6, 6), "max_iteration": 200}


def calibrate_with_girth(
    responses: Responses, model: str | Mapping[str, str], dimensions: Mapping[str, Sequence[str]] | None
) -> Calibration:
    """Calibrate with girth 0.8.0: same result record, but no standard errors and no convergence report.

    Guards: one model for the whole form, complete answers, every declared category observed (girth drops an unused
    category and shifts the thresholds), no weights. Its Rasch model fixes the latent variance at 1 as well as the
    slopes. Breaking a guard raises ``CalibrationError`` or ``ModelError``.
    """
    names = set(name_models(responses, model).values())
    name = names.pop()
    if names or name not in TAKES:
        raise ModelError(f"engine='girth' takes one model for all items, one of: {', '.join(TAKES)}.")
    _check_guards(responses, name)
    blocks: list[ItemBlock] = []
    parts = name_dimensions(responses, dimensions)
    for d, items in enumerate(parts.values()):
        part = responses.select(items)
        positions = np.array([responses.item_ids.index(item) for item in items])
        blocks += _blocks(part, name, positions, d)
    sizes = sum(block.par.size for block in blocks)
    return Calibration(
        item_ids=responses.item_ids,
        n_cat=responses.n_cat,
        dimensions=tuple(parts),
        blocks=tuple(blocks),
        par_cov=tuple(np.full((*b.par.shape, b.par.shape[1]), np.nan) for b in blocks),
        latent=Latent(("all",), np.zeros((1, len(parts))), np.eye(len(parts))[None]),
        free=_free(blocks, responses.item_ids, sizes),
        loglik=float("nan"),
        n_persons=responses.n_persons,
        n_steps=0,
        status=Status.NOT_CHECKED,
        trace=(),
        audit=(_limits(name),),
        provenance=Provenance(
            responses.provenance.source,
            responses.provenance.data_hash,
            responses.provenance.simulated,
            options={"model": name, "engine": "girth 0.8"},
        ),
    )


def refuse_settings(settings: Settings) -> None:
    """Refuse what girth does not know instead of ignoring it; raises ``ModelError`` naming the arguments."""
    given = {
        "groups": settings.labels is not None,
        "anchors": settings.anchors is not None,
        "constraints": bool(settings.constraints),
        "priors": bool(settings.priors),
        "se": settings.se not in ("oakes", None),
        "tol": settings.tol != Settings.tol,
        "max_steps": settings.max_steps != Settings.max_steps,
        "correlated": settings.correlated,
        "density": settings.density != Settings.density,
        "covariates": settings.covariates is not None,
        "testlets": bool(settings.testlets),
    }
    named = [name for name, is_given in given.items() if is_given]
    if named:
        raise ModelError(f"engine='girth' does not know {', '.join(named)}; leave that out or use engine='native'.")


def _check_guards(responses: Responses, model: str) -> None:
    check_estimable(responses.item_ids, survey_responses(responses))
    problems = girth_refusals(responses, model)
    if problems:
        raise CalibrationError("engine='girth' cannot calibrate these answers; use engine='native'.", problems)


def girth_refusals(responses: Responses, model: str) -> list[str]:
    """List why girth cannot calibrate these answers with this model; empty if it can."""
    problems = []
    if model not in TAKES:
        problems.append(f"girth has no model '{model}' here; it takes: {', '.join(TAKES)}")
    if not responses.answered.all():
        problems.append(f"{int((~responses.answered).sum())} answers are missing; girth takes complete answers here")
    if responses.weight is not None:
        problems.append("the answers carry weights; girth has none")
    for j, item in enumerate(responses.item_ids):
        unused = sorted(set(range(int(responses.n_cat[j]))) - set(responses.x[:, j].tolist()))
        if unused:
            problems.append(f"item '{item}': nobody chose category {unused[0]}; girth would shift the thresholds")
    for scale in responses.scale_names:
        counts = {int(k) for k, s in zip(responses.n_cat, responses.scales, strict=True) if s == scale}
        if len(counts) > 1:
            problems.append(f"scale '{scale}': girth takes items of one number of categories per scale")
    return problems


def _blocks(part: Responses, name: str, positions: IntArray, dim: int) -> list[ItemBlock]:
    model, _ = find_model(name)
    blocks = []
    for n_cat in sorted(set(part.n_cat.tolist())):
        items = np.flatnonzero(part.n_cat == n_cat)
        if len(items) < len(part.n_cat):
            raise ModelError("engine='girth' takes items of one number of categories per dimension.")
        blocks.append(ItemBlock(model, n_cat, positions[items], _estimate(part.x.T.astype(int), name), (dim,), name))
    return blocks


def _estimate(x: IntArray, name: str) -> FloatArray:
    """Return (J, P) slope/intercept parameters from girth's discrimination and difficulty; x is (J, N)."""
    import girth

    with np.errstate(all="ignore"):  # girth's line search probes impossible parameters and recovers by itself
        if name == "rasch":
            result = girth.rasch_mml(x, 1, options=OPTIONS)
        else:
            estimators = {"2pl": girth.twopl_mml, "graded": girth.grm_mml, "gpcm": girth.pcm_mml}
            # girth's graded and partial credit models count categories from 1
            result = estimators[name](x + (name != "2pl"), options=OPTIONS)
    difficulty = np.asarray(result["Difficulty"], dtype=np.float64).reshape(len(x), -1)
    slope = np.broadcast_to(np.asarray(result["Discrimination"], dtype=np.float64), (len(x),))
    intercepts = -slope[:, None] * difficulty
    return np.column_stack([slope, np.cumsum(intercepts, axis=1) if name == "gpcm" else intercepts])


def _free(blocks: Sequence[ItemBlock], item_ids: Sequence[str], size: int) -> FreeParameters:
    names = [f"{item_ids[j]}.{p.name}" for b in blocks for j in b.items for p in b.model.params(b.n_cat, len(b.dims))]
    values = np.concatenate([block.par.ravel() for block in blocks])
    return FreeParameters(tuple(names), values, np.full((size, size), np.nan))


def _limits(name: str) -> Finding:
    note = " Its Rasch model also fixes the latent variance at 1." if name == "rasch" else ""
    return Finding(
        "girth_engine", Severity.WARNING, "engine='girth'",
        f"girth reports neither convergence, nor log-likelihood, nor standard errors.{note}",
        "Use it to cross-check, with ta.cross_check(calibration, responses); report engine='native'.",
    )  # fmt: skip
