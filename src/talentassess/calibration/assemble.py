"""Join the dimensions' results into one calibration."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from talentassess.calibration.inputs import Settings
from talentassess.calibration.problem import Problem
from talentassess.calibration.regression import CovariateGroups
from talentassess.calibration.run import Path
from talentassess.calibration.shaped import ShapedGroups
from talentassess.core.arrays import FloatArray, block_diagonal
from talentassess.core.calibration import Calibration, FreeParameters, Latent
from talentassess.core.covariates import LatentRegression
from talentassess.core.latent_shape import LatentShape
from talentassess.core.likelihood import ItemBlock
from talentassess.core.provenance import Provenance
from talentassess.core.responses import Responses
from talentassess.core.status import Finding, Severity, Status


@dataclass(frozen=True, eq=False, slots=True)
class Fit:
    """One dimension's result: the problem, the optimiser's path, the (F, F) covariance, status and audit."""

    name: str
    problem: Problem
    path: Path
    cov: FloatArray
    status: Status
    audit: list[Finding]


def join_fits(responses: Responses, fits: list[Fit], settings: Settings) -> Calibration:
    """Put the dimensions' results together, positions and names turned back to those of the whole form."""
    anchors = settings.anchors
    place = {item: j for j, item in enumerate(responses.item_ids)}
    blocks: list[ItemBlock] = []
    par_cov: list[FloatArray] = []
    dimensions: list[str] = []
    for fit in fits:
        positions = np.array([place[item] for item in fit.problem.responses.item_ids])
        first = len(dimensions)
        blocks += [
            replace(b, items=positions[b.items], dims=tuple(first + d for d in b.dims)) for b in fit.path.last.blocks
        ]
        par_cov += item_covariances(fit)
        dimensions += [fit.name, *fit.problem.specific]
    return Calibration(
        item_ids=responses.item_ids,
        n_cat=responses.n_cat,
        dimensions=tuple(dimensions),
        blocks=tuple(blocks),
        par_cov=tuple(par_cov),
        latent=_latent(fits),
        free=_free(fits),
        loglik=float(sum(fit.path.last.loglik for fit in fits)),
        n_persons=_n_persons(fits),
        n_steps=sum(fit.path.n_steps for fit in fits),
        status=_worst([fit.status for fit in fits]),
        trace=tuple(fit.path.trace for fit in fits),
        audit=tuple([finding for fit in fits for finding in fit.audit] + _separate(fits)),
        provenance=Provenance(
            source=responses.provenance.source,
            data_hash=responses.provenance.data_hash,
            simulated=responses.provenance.simulated or (anchors is not None and anchors.provenance.simulated),
            options=settings.options(),
        ),
    )


def _n_persons(fits: list[Fit]) -> int:
    """Return how many persons answered anything at all."""
    return int(np.count_nonzero(np.any([fit.problem.survey.answered > 0 for fit in fits], axis=0)))


def _free(fits: list[Fit]) -> FreeParameters:
    """Join the free values; names that do not name an item get their dimension's name if there are several."""
    names: list[str] = []
    effects: list[tuple[str, str, str, float]] = []
    for fit in fits:
        items = set(fit.problem.responses.item_ids)
        clear = [len(fits) == 1 or name.rsplit(".", 1)[0] in items for name in fit.problem.names]
        own = [n if plain else f"{fit.name}: {n}" for n, plain in zip(fit.problem.names, clear, strict=True)]
        effects += _effects(fit, own)
        names += own
    values = np.concatenate([fit.path.last.free for fit in fits])
    return FreeParameters(tuple(names), values, block_diagonal([fit.cov for fit in fits]), tuple(effects))


def _effects(fit: Fit, names: list[str]) -> list[tuple[str, str, str, float]]:
    """Return (name, item, parameter, weight) of each part of the composed parameters."""
    tie, entries = fit.problem.tie, fit.problem.entries
    if not tie.n_effects:
        return []
    from scipy import sparse  # slow to load, and most fits compose nothing

    first = tie.n_free - tie.n_effects
    part = sparse.coo_array(sparse.csr_array(tie.matrix)[:, first:])
    return [
        (names[first + column], entries.items[row], entries.params[row].name, float(weight))
        for row, column, weight in zip(*part.coords, part.data, strict=True)
    ]


def item_covariances(fit: Fit) -> list[FloatArray]:
    """Return one (Jb, P, P) covariance array per block: the linear map carries the free values' covariance over."""
    tie = fit.problem.tie
    if tie.plain:
        return _diagonal_blocks(fit.cov, fit.problem.entries.sizes)
    matrix = tie.matrix.toarray()
    cov, out, row = fit.cov[: tie.n_free, : tie.n_free], [], 0
    for n_items, n_par in fit.problem.entries.sizes:
        per_item = []
        for _ in range(n_items):
            part = matrix[row : row + n_par]
            used = np.flatnonzero(np.abs(part).sum(axis=0))
            per_item.append(part[:, used] @ cov[np.ix_(used, used)] @ part[:, used].T)
            row += n_par
        out.append(np.stack(per_item))
    return out


def _diagonal_blocks(cov: FloatArray, sizes: tuple[tuple[int, int], ...]) -> list[FloatArray]:
    out, row = [], 0
    for n_items, n_par in sizes:
        places = row + np.arange(n_items * n_par).reshape(n_items, n_par)
        out.append(cov[places[:, :, None], places[:, None, :]])
        row += n_items * n_par
    return out


def _latent(fits: list[Fit]) -> Latent:
    groups = fits[0].problem.structure.groups
    parts = [fit.problem.structure.moments(fit.path.last.latent) for fit in fits]
    mean = np.concatenate([part[0] for part in parts], axis=1)
    cov = np.stack([block_diagonal([part[1][g] for part in parts]) for g in range(len(groups))])
    shapes = tuple(_shape(fit) for fit in fits)
    return Latent(groups, mean, cov, shapes if any(shapes) else (), _regression(fits))


def _shape(fit: Fit) -> LatentShape | None:
    structure = fit.problem.structure
    return structure.shape(fit.path.last.latent) if isinstance(structure, ShapedGroups) else None


def _regression(fits: list[Fit]) -> LatentRegression | None:
    found = [(fit, fit.problem.structure) for fit in fits]
    regressed = [(fit, structure) for fit, structure in found if isinstance(structure, CovariateGroups)]
    if not regressed:
        return None
    latent = [fit.path.last.latent for fit, _ in regressed]
    ends = [structure.mean_sd(values) for (_, structure), values in zip(regressed, latent, strict=True)]
    total = [structure.moments(values)[1][:, 0, 0] for (_, structure), values in zip(regressed, latent, strict=True)]
    n = len(regressed[0][1].covariates)
    sd = np.column_stack([sd for _, sd in ends])
    return LatentRegression(
        names=regressed[0][1].covariates,
        beta=np.stack([structure.beta(values) for (_, structure), values in zip(regressed, latent, strict=True)]),
        se=np.stack([np.sqrt(np.diag(fit.cov)[len(fit.cov) - n :]) for fit, _ in regressed]),
        mean=np.column_stack([mean for mean, _ in ends]),
        sd=sd,
        explained=1 - sd**2 / np.column_stack(total),
    )


def _worst(statuses: list[Status]) -> Status:
    order = (Status.NON_FINITE, Status.NOT_IDENTIFIED, Status.INTERRUPTED, Status.MAX_STEPS, Status.STALLED)
    return next((s for s in (*order, Status.AT_BOUND) if s in statuses), Status.CONVERGED)


def _separate(fits: list[Fit]) -> list[Finding]:
    if len(fits) == 1:
        return []
    named = ", ".join(fit.name for fit in fits[:4]) + (" ..." if len(fits) > 4 else "")
    return [
        Finding(
            "separate_dimensions", Severity.NOTE, named,
            f"The {len(fits)} dimensions were calibrated one by one; their correlations were not estimated.",
            "Read each dimension by itself; errors of different dimensions are treated as independent.",
        )
    ]  # fmt: skip
