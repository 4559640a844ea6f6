"""Plausible values: draws from each person's posterior, for what is true of groups rather than of persons."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from talentassess.core.arrays import BoolArray, CodeArray, FloatArray, IntArray, StatusArray
from talentassess.core.calibration import Calibration
from talentassess.core.errors import ScoringError
from talentassess.core.parameter_map import map_parameters, moved, require_covariance
from talentassess.core.provenance import Provenance
from talentassess.core.responses import Responses
from talentassess.core.tabular import Columns, Tabular
from talentassess.scoring.form import Form, dimension_form
from talentassess.scoring.inputs import Aligned, align, count_answers, refuse_correlated, score_statuses
from talentassess.scoring.pooling import STATISTICS, Pooled, Statistic, pool_estimates
from talentassess.scoring.posterior import posterior_weights

# nodes per usual node: the spacing is then at most 0.31 of the narrowest posterior standard deviation, and an
# exponential between two nodes follows a normal density to 1 %, its mean and variance to 1e-6
FINER = 4
TINY = 1e-300  # stands for a weight that has underflowed, so that its logarithm exists
TRIES = 200  # parameter draws that a model may refuse (disordered thresholds) before it is called hopeless


@dataclass(frozen=True, eq=False, kw_only=True)
class PlausibleValues(Tabular):
    """Draws from the posterior distributions of N persons on D dimensions.

    A single draw is no score of a person: it is for estimates about groups, one estimate per draw, pooled by
    ``combine``. Draws of different dimensions are independent given the person's answers, because the dimensions were
    calibrated one by one; correlations between dimensions come out too small.

    Attributes
    ----------
    person_ids : (N,) labels.
    dimensions : (D,) names.
    values : (N, n, D) draws in logits.
    status : (N, D) one Status per person and dimension; persons without answers have draws of the population's
        distribution.
    group : (N,) label per person, or None.
    weight : (N,) sampling weights of the answers; ones if there were none.
    provenance : of the answers, with the calibration's hash, the seed and the number of draws.
    """

    person_ids: tuple[str, ...]
    dimensions: tuple[str, ...]
    values: FloatArray
    status: StatusArray
    group: tuple[str, ...] | None
    weight: FloatArray
    provenance: Provenance

    def __repr__(self) -> str:
        n, draws, _ = self.values.shape
        return f"PlausibleValues({n} persons, {draws} draws, {', '.join(self.dimensions)}; {self.provenance.label})"

    def combine(
        self, statistic: str | Statistic = "mean", dimension: str | None = None, persons: BoolArray | None = None
    ) -> Pooled:
        """Estimate something about a group from each draw and pool the results by Rubin's rules.

        Parameters
        ----------
        statistic : ``mean``, ``variance``, or a function (values (n,), weights (n,)) -> (estimate, sampling variance).
        dimension : its name; may be left out if there is only one.
        persons : (N,) True for the persons meant; all if left out.

        Raises
        ------
        ScoringError : unknown statistic or dimension, fewer than two persons or draws, a mask of another length.
        """
        use = self._persons(persons)
        column = self._column(dimension)
        if isinstance(statistic, str) and statistic not in STATISTICS:
            raise ScoringError(f"There is no statistic '{statistic}'; choose {', '.join(STATISTICS)}, or a function.")
        compute = STATISTICS[statistic] if isinstance(statistic, str) else statistic
        results = [compute(draw[use], self.weight[use]) for draw in self.values[:, :, column].T]
        return pool_estimates([estimate for estimate, _ in results], [variance for _, variance in results])

    def _persons(self, persons: BoolArray | None) -> BoolArray:
        use = np.ones(len(self.person_ids), dtype=np.bool_) if persons is None else np.asarray(persons)
        if use.dtype != np.bool_ or use.shape != (len(self.person_ids),) or use.sum() < 2:
            raise ScoringError(
                f"persons must say True or False for each of the {len(self.person_ids)} persons, True for two or more; "
                f"found {use.dtype} of shape {use.shape} with {int(np.count_nonzero(use))} chosen."
            )
        return use

    def _column(self, dimension: str | None) -> int:
        name = self.dimensions[0] if dimension is None and len(self.dimensions) == 1 else dimension
        if name not in self.dimensions:
            raise ScoringError(f"Name one dimension: {', '.join(self.dimensions)} (found: {dimension}).")
        return self.dimensions.index(name)

    def tables(self) -> dict[str, Columns]:
        """Return ``draws`` (a row per person and draw) and ``moments`` (per group and dimension, with errors)."""
        n, draws, _ = self.values.shape
        table: dict[str, object] = {"person": np.repeat(self.person_ids, draws)}
        if self.group is not None:
            table["group"] = np.repeat(self.group, draws)
        table["draw"] = np.tile(np.arange(1, draws + 1), n)
        for d, name in enumerate(self.dimensions):
            table[name] = self.values[:, :, d].ravel()
        return {"draws": table, "moments": self._moments()}  # type: ignore[dict-item]

    def _moments(self) -> Columns:
        labels = ["all"] if self.group is None else ["all", *dict.fromkeys(self.group)]
        masks = [np.ones(len(self.person_ids), dtype=np.bool_)]
        masks += [np.array(self.group) == label for label in labels[1:]]
        cells = [
            (label, name, mask)
            for label, mask in zip(labels, masks, strict=True)
            for name in self.dimensions
            if mask.sum() > 1
        ]
        means = [self.combine("mean", name, mask) for _, name, mask in cells]
        variances = [self.combine("variance", name, mask) for _, name, mask in cells]
        return {
            "group": [label for label, _, _ in cells],
            "dimension": [name for _, name, _ in cells],
            "persons": [int(mask.sum()) for _, _, mask in cells],
            "mean": [pooled.estimate for pooled in means],
            "se(mean)": [pooled.se for pooled in means],
            "variance": [pooled.estimate for pooled in variances],
            "se(variance)": [pooled.se for pooled in variances],
        }


def plausible_values(
    calibration: Calibration,
    responses: Responses,
    n: int = 10,
    *,
    seed: int,
    partial: bool = False,
    item_uncertainty: bool = False,
) -> PlausibleValues:
    """Draw plausible values from every person's posterior distribution.

    Parameters
    ----------
    calibration : from ``calibrate``.
    responses : answers to the calibrated items.
    n : draws per person, two or more.
    seed : of the random numbers.
    partial : True if items of the calibration may be absent from the answers.
    item_uncertainty : True draws the item parameters anew for every draw, from the normal distribution of the estimates
        with their joint covariance (Yang, Hansen & Cai 2012); draws that a model does not admit are drawn again.

    Returns
    -------
    PlausibleValues.

    Raises
    ------
    ScoringError : fewer than two draws, answers that do not fit the calibration, correlated dimensions.
    CalibrationError : item_uncertainty with a calibration that has no standard errors.

    The posterior is evaluated on a fine grid; between two nodes its logarithm is a straight line, whose distribution
    function is inverted exactly, so draws are continuous (Mislevy 1991; Wu 2005 for what they are good for).

    Examples
    --------
    >>> import talentassess as ta
    >>> answers = ta.simulate(ta.load_bank("service_core"), 300, seed=1).select(["ow_sr_01", "ow_sr_02", "ow_sr_03"])
    >>> values = ta.plausible_values(ta.calibrate(answers), answers, 5, seed=1)
    >>> values
    PlausibleValues(300 persons, 5 draws, ownership; SIMULATED)
    >>> abs(values.combine("variance").estimate - 1) < 0.2  # the variance of EAP scores would be too small
    True
    """
    if n < 2:
        raise ScoringError(f"Plausible values need two draws or more, to tell their variation; found n = {n}.")
    refuse_correlated(calibration, "plausible_values")
    aligned = align(calibration, responses, partial)
    rng = np.random.default_rng(seed)
    # one block of random numbers, so that the draws do not depend on how persons are cut into chunks
    uniform = rng.random((len(calibration.dimensions), n, responses.n_persons))
    values = np.empty((responses.n_persons, n, len(calibration.dimensions)))
    n_answered = np.empty((responses.n_persons, len(calibration.dimensions)), dtype=np.int64)
    complete = not aligned.any_missing()
    for d in range(len(calibration.dimensions)):
        n_answered[:, d] = count_answers(aligned.columns(dimension_form(calibration, d).positions), complete)
    if item_uncertainty:
        for m, drawn in enumerate(_drawn_calibrations(calibration, n, rng)):
            values[:, m : m + 1] = _draw(drawn, aligned, uniform[:, m : m + 1])
    else:
        values[:] = _draw(calibration, aligned, uniform)
    return PlausibleValues(
        person_ids=responses.person_ids,
        dimensions=calibration.dimensions,
        values=values,
        status=score_statuses(values[:, 0], n_answered, calibration.status),
        group=responses.group,
        weight=np.ones(responses.n_persons) if responses.weight is None else responses.weight,
        provenance=_provenance(calibration, responses, n, seed, item_uncertainty),
    )


def _draw(calibration: Calibration, aligned: Aligned, uniform: FloatArray) -> FloatArray:
    """Return (N, n, D) draws for uniform numbers (D, n, N)."""
    out = np.empty(uniform.shape[::-1])
    for d, numbers in enumerate(uniform):
        form = dimension_form(calibration, d)
        out[:, :, d] = draw_posterior(form, aligned.columns(form.positions), aligned.group, numbers.T)
    return out


def draw_posterior(form: Form, x: CodeArray, group: IntArray, uniform: FloatArray) -> FloatArray:
    """Return (N, n) posterior quantiles at probabilities ``uniform`` (N, n), for codes x (N, Jd) and groups (N,)."""
    usual = form.nodes()
    nodes = np.linspace(usual[0], usual[-1], FINER * (len(usual) - 1) + 1)
    out = np.empty(uniform.shape)
    for rows, weights in posterior_weights(form, x, group, nodes):
        out[rows] = invert(weights, nodes, uniform[rows])
    return out


def invert(weights: FloatArray, nodes: FloatArray, probability: FloatArray) -> FloatArray:
    """Return (n, M) quantiles of densities known at nodes up to a constant, log-linear between them.

    Parameters
    ----------
    weights : (n, Q) density at the nodes; nodes (Q,) equally spaced.
    probability : (n, M) in [0, 1).

    Equation: in a cell whose density runs from a to b, log(b / a) = s, the mass is (b - a) / s and the share r of it is
    reached at t = log(1 + r (e^s - 1)) / s of the cell's width.
    """
    log_w = np.log(np.maximum(weights, TINY))
    rise = np.diff(log_w, axis=1)
    flat = np.abs(rise) < 1e-9
    safe = np.where(flat, 1.0, rise)
    mass = np.where(flat, weights[:, :-1], np.diff(weights, axis=1) / safe)
    reached = np.cumsum(mass, axis=1)
    target = np.minimum(probability * reached[:, -1:], np.nextafter(reached[:, -1:], 0.0))
    person, out = np.arange(len(weights)), np.empty(probability.shape)
    for m in range(probability.shape[1]):
        cell = np.minimum((reached <= target[:, m, None]).sum(axis=1), mass.shape[1] - 1)
        inside, slope = mass[person, cell], safe[person, cell]
        share = np.clip((target[:, m] - reached[person, cell] + inside) / inside, 0.0, 1.0 - 1e-16)
        bent = np.log1p(share * np.expm1(slope)) / slope
        at = np.where(flat[person, cell], share, bent)
        out[:, m] = nodes[cell] + at * (nodes[1] - nodes[0])
    inside_grid: FloatArray = np.minimum(out, nodes[-1])  # the last cell may end a rounding error beyond its node
    return inside_grid


def _drawn_calibrations(calibration: Calibration, n: int, rng: np.random.Generator) -> Iterator[Calibration]:
    """Yield n calibrations with estimates drawn from their normal distribution; inadmissible draws are drawn again."""
    cov, layout = require_covariance(calibration), map_parameters(calibration)
    values, vectors = np.linalg.eigh(cov)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    for _ in range(n):
        drawn = (moved(calibration, layout, root @ rng.standard_normal(len(cov))) for _ in range(TRIES))
        found = next((c for c in drawn if _admissible(c)), None)
        if found is None:
            raise ScoringError(
                f"None of {TRIES} draws of the item parameters is admissible: their standard errors are too large for "
                "a normal approximation. Collect more answers, or draw without item_uncertainty."
            )
        yield found


def _admissible(calibration: Calibration) -> bool:
    probe = np.linspace(-6.0, 6.0, 7)[:, None]
    with np.errstate(over="ignore"):  # wild draws are what is looked for here
        logs = [block.model.log_prob(probe, block.par, block.n_cat) for block in calibration.blocks]
    return all(bool(np.isfinite(part).all()) for part in logs)


def _provenance(
    calibration: Calibration, responses: Responses, n: int, seed: int, item_uncertainty: bool
) -> Provenance:
    return Provenance(
        source=responses.provenance.source,
        data_hash=responses.provenance.data_hash,
        simulated=responses.provenance.simulated or calibration.provenance.simulated,
        options={
            "method": "plausible values",
            "draws": str(n),
            "seed": str(seed),
            "calibration": calibration.parameter_hash,
            "calibrated on": calibration.provenance.source,
            **({"item uncertainty": "parameters drawn anew for each draw"} if item_uncertainty else {}),
        },
    )
