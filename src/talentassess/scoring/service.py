"""Score one person at a time from a frozen calibration: tables are built once, each call looks them up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from talentassess.core.arrays import CodeArray, FloatArray, IntArray
from talentassess.core.calibration import Calibration
from talentassess.core.errors import ScoringError
from talentassess.core.likelihood import stack_log_prob
from talentassess.core.responses import MISSING
from talentassess.core.status import Status
from talentassess.scoring.form import Form, dimension_form
from talentassess.scoring.inputs import refuse_correlated
from talentassess.scoring.modes import ModeSolver

METHODS = ("eap", "map", "ml", "wle")

Codes = Sequence[int | None] | Mapping[str, int | None] | CodeArray | IntArray
# codes of one dimension (Jd,), group number -> theta, error variance
OneDimension = Callable[[IntArray, int], tuple[float, float]]


@dataclass(frozen=True, slots=True)
class PersonScore:
    """One person's scores, plain numbers for a service to send on.

    Attributes
    ----------
    dimensions : (D,) names.
    theta, se : (D,) logits.
    status : (D,) one Status per score.
    n_answered : (D,) answers each score rests on.
    """

    dimensions: tuple[str, ...]
    theta: tuple[float, ...]
    se: tuple[float, ...]
    status: tuple[Status, ...]
    n_answered: tuple[int, ...]


class Scorer:
    """Scores one person per call; made by ``prepare_scorer``.

    Attributes
    ----------
    item_ids : the items, in the order in which codes are given; n_cat (J,) their categories.
    dimensions, groups : names.
    method : eap, map, ml or wle.
    calibration_hash : of the parameters the scores rest on.
    """

    def __init__(self, calibration: Calibration, method: str) -> None:
        self.item_ids, self.n_cat = calibration.item_ids, calibration.n_cat
        self.dimensions, self.groups = calibration.dimensions, calibration.latent.groups
        self.method, self.calibration_hash = method, calibration.parameter_hash
        self._calibrated = calibration.status
        self._place = {item: j for j, item in enumerate(self.item_ids)}
        forms = [dimension_form(calibration, d) for d in range(len(self.dimensions))]
        prepare = _prepare_eap if method == "eap" else _prepare_modes(method)
        self._parts = [(form.positions, prepare(form)) for form in forms]

    def __call__(self, codes: Codes, group: str | None = None) -> PersonScore:
        """Score one person.

        Parameters
        ----------
        codes : (J,) answers in the order of ``item_ids``, or item -> answer (items left out are missing); 0..K-1, -1 or
            None where missing.
        group : label; needed if the calibration has several groups.

        Raises
        ------
        ScoringError : naming the item whose code is not one of its categories, an unknown item, or an unknown group.
        """
        x, g = self._codes(codes), self._group(group)
        theta, se, status, counts = [], [], [], []
        for positions, one in self._parts:
            own = x[positions]
            n = int(np.count_nonzero(own >= 0))
            value, variance = one(own, g)
            theta.append(value)
            se.append(float(np.sqrt(variance)))
            status.append(self._status(value, n))
            counts.append(n)
        return PersonScore(self.dimensions, tuple(theta), tuple(se), tuple(status), tuple(counts))

    def _status(self, value: float, n_answered: int) -> Status:
        if n_answered == 0:
            return Status.NO_ANSWERS
        return self._calibrated if np.isfinite(value) else Status.EXTREME_PATTERN

    def _group(self, group: str | None) -> int:
        if len(self.groups) == 1 and group is None:
            return 0
        if group not in self.groups:
            raise ScoringError(f"Name the person's group: {', '.join(self.groups)} (found: {group}).")
        return self.groups.index(group)

    def _codes(self, codes: Codes) -> IntArray:
        """Return (J,) checked codes, -1 missing."""
        if isinstance(codes, Mapping):
            unknown = [f"item '{item}' is not in the calibration" for item in codes if item not in self._place]
            if unknown:
                raise ScoringError("The answers do not fit the calibration.", unknown)
            codes = [codes.get(item) for item in self.item_ids]
        listed = codes if isinstance(codes, np.ndarray) else [MISSING if code is None else code for code in codes]
        x = np.asarray(listed)
        if x.shape != (len(self.item_ids),):
            raise ScoringError(f"One code per item is needed, {len(self.item_ids)} in all; found shape {x.shape}.")
        whole = x.dtype.kind in "iu"
        bad = np.flatnonzero((x < MISSING) | (x >= self.n_cat)) if whole else np.arange(0)
        if not whole or len(bad):
            lines = [f"item '{self.item_ids[j]}': {x[j]} is not one of 0..{self.n_cat[j] - 1}" for j in bad]
            raise ScoringError("Codes must be whole numbers from 0, or -1 or None where the answer is missing.", lines)
        return x.astype(np.int64)


def prepare_scorer(calibration: Calibration, method: str = "eap") -> Scorer:
    """Build an object that scores one person per call, from tables computed now: for a service.

    It gives the numbers of ``score`` without building records of many persons.

    Parameters
    ----------
    calibration : frozen; the scorer does not notice later changes to it.
    method : ``eap`` (tens of microseconds per call), ``map``, ``ml`` or ``wle`` (below a millisecond; tables of a
        region of theta are built when the first person falls into it).

    Returns
    -------
    Scorer; call it with one person's codes.

    Raises
    ------
    ScoringError : unknown method, correlated dimensions.

    Examples
    --------
    >>> import talentassess as ta
    >>> answers = ta.simulate(ta.load_bank("service_core"), 300, seed=1).select(["ow_sr_01", "ow_sr_02", "ow_sr_03"])
    >>> scorer = ta.prepare_scorer(ta.calibrate(answers))
    >>> one = scorer({"ow_sr_01": 4, "ow_sr_02": 3})
    >>> one.status[0].value, one.n_answered
    ('converged', (2,))
    """
    if method not in METHODS:
        raise ScoringError(f"There is no one-person scoring by '{method}'; choose one of: {', '.join(METHODS)}.")
    refuse_correlated(calibration, "prepare_scorer")
    if method == "map" and any(calibration.latent.shapes):
        raise ScoringError("method='map' needs a normal latent distribution: this one may have several modes. Use eap.")
    return Scorer(calibration, method)


def _prepare_eap(form: Form) -> OneDimension:
    nodes = form.nodes()
    log_prob = stack_log_prob(form.blocks, nodes[:, None], form.starts)
    prior = form.log_prior(nodes)
    # a row of zeros at the end stands for a missing answer
    table = np.vstack([log_prob, np.zeros(len(nodes))])
    first, missing = form.starts[:-1], len(log_prob)
    powers: FloatArray = np.stack([np.ones_like(nodes), nodes, nodes**2], axis=1)

    def one(codes: IntArray, group: int) -> tuple[float, float]:
        joint = prior[group] + table[np.where(codes >= 0, first + codes, missing)].sum(axis=0)
        total, once, twice = np.exp(joint - joint.max()) @ powers
        mean = once / total
        return float(mean), float(twice / total - mean**2)

    return one


def _prepare_modes(method: str) -> Callable[[Form], OneDimension]:
    def prepare(form: Form) -> OneDimension:
        solver = ModeSolver(form, method)
        solver.table(-1)

        def one(codes: IntArray, group: int) -> tuple[float, float]:
            theta, variance = solver.solve(codes.astype(np.int16)[None], np.array([group]))
            return float(theta[0]), float(variance[0])

        return one

    return prepare
