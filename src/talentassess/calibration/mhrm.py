"""Metropolis-Hastings Robbins-Monro: maximum likelihood for items that measure several dimensions at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu
from threadpoolctl import threadpool_limits

from talentassess.calibration.complete_data import expected_information, total_score
from talentassess.calibration.loadings import LoadingProblem
from talentassess.calibration.look import Look, look_at
from talentassess.calibration.run import Progress
from talentassess.core.arrays import BoolArray, FloatArray
from talentassess.core.errors import CalibrationError, ModelError
from talentassess.core.posterior import Modes, find_modes, log_likelihood
from talentassess.core.status import Status

LONGEST_STEP = 0.5  # logits per parameter and cycle: keeps single noisy cycles from throwing items away
LONGEST_MOVE = 1.0  # logits per parameter of a Newton step from the averaged estimate
SMALLEST_EIGENVALUE = 1e-3  # of the latent correlation matrix: below it two dimensions are one
REFRESH = 10  # cycles between renewals of the preconditioner once it has settled
WINDOW, WINDOWS = 10, 3  # cycles per window, and quiet windows in a row before the estimate is looked at
QUIET = 0.05  # complete-data standard errors the running average may move within a window
GAIN_POWER = 0.7  # gains k^-0.7: slow enough that averaging the path makes up for the preconditioner
ACCEPT = (0.2, 0.4)  # acceptance rate sought by the sampler (Cai 2010)
NEWTON = 3  # Newton steps between two runs of the chain
WORSE = 4.0  # Monte-Carlo standard errors of a fall in log-likelihood that noise does not explain
FLAT = 4  # looks without a proper peak, each from twice the draws, after which the run gives up
MOST = 8  # times as many draws where the closing check is noisy
LATEST = 0.5  # share of a run that the average rests on


def _silent(progress: Progress) -> None:
    """Report nothing."""


@dataclass(frozen=True, slots=True)
class RobbinsMonro:
    """How a stochastic calibration runs; the defaults suit most forms.

    Attributes
    ----------
    burn_in : cycles with gain 1 before anything is kept.
    max_cycles : cycles in all, at the most.
    draws : Metropolis-Hastings draws per person and cycle.
    samples : importance draws per person for the log-likelihood, the closing check and the standard errors; where the
        check is too noisy for ``tol``, up to eight times as many are taken.
    tol : largest distance from the maximum at convergence, in standard errors (root mean square over the parameters;
        the Monte-Carlo noise of that distance counts in).
    progress : called after each window of cycles; its ``change`` is in complete-data standard errors and its
        ``loglik`` is that of the last closing check, NaN before the first.

    Examples
    --------
    >>> RobbinsMonro(max_cycles=500).draws
    5
    """

    burn_in: int = 40
    max_cycles: int = 2000
    draws: int = 5
    samples: int = 500
    tol: float = 0.2
    progress: Callable[[Progress], None] = field(default=_silent, compare=False)

    def __post_init__(self) -> None:
        for name, least in (("burn_in", 1), ("max_cycles", 1), ("draws", 1), ("samples", 40)):
            if getattr(self, name) < least:
                raise ModelError(f"RobbinsMonro({name}=...) must be at least {least}; found {getattr(self, name)}.")
        if not 0 < self.tol <= 0.5:
            raise ModelError(f"RobbinsMonro(tol=...) must lie above 0 and be at most 0.5; found {self.tol:g}.")

    def options(self) -> dict[str, str]:
        """Return the settings that change the numbers, as text for the provenance."""
        names = ("burn_in", "max_cycles", "draws", "samples", "tol")
        return {"engine": "mhrm", **{name: f"{getattr(self, name):g}" for name in names}}


@dataclass(frozen=True, eq=False, slots=True)
class StochasticPath:
    """How a run ended.

    Attributes
    ----------
    problem : what was estimated.
    look : the closing check, taken at the estimates; None if the run was stopped before there was one.
    free : (F,) the estimates.
    status : how it ended.
    n_cycles : cycles of the chain; acceptance : its rate of accepted draws in the last run.
    trace : log-likelihood at each closing check.
    at_bound : (F,) True where a value sits at its bound.
    """

    problem: LoadingProblem
    look: Look | None
    free: FloatArray
    status: Status
    n_cycles: int
    acceptance: float
    trace: tuple[float, ...]
    at_bound: BoolArray


@dataclass(slots=True)
class _Chain:
    """Mutable state of one run; it never leaves this module."""

    problem: LoadingProblem
    options: RobbinsMonro
    rng: np.random.Generator
    free: FloatArray
    theta: FloatArray
    modes: Modes
    scale: float
    samples: int
    information: sparse.csc_array | None = None
    solve: Callable[[FloatArray], FloatArray] | None = None
    cycles: int = 0
    accepted: float = float("nan")
    looks: list[Look] = field(default_factory=list)


def run_chain(
    problem: LoadingProblem, options: RobbinsMonro, seed: int, start: FloatArray | None = None
) -> StochasticPath:
    """Estimate the free values (F,) of a problem; the same seed gives the same numbers.

    Stages I and II draw theta and take full steps (stochastic EM); stage III takes Robbins-Monro steps with falling
    gains (Cai 2010a, eq. 10-14). Departures from the paper: the estimate is the average of the path (Polyak & Juditsky
    1992), because the complete-data information preconditions directions with much missing information badly; and when
    the path has settled, the observed-data score and information are computed by importance sampling, Newton steps are
    taken with them, and the run counts as converged only if the remaining step is small against the standard errors.

    Raises ``CalibrationError`` if the starting values are not admissible. Ctrl-C ends the run with INTERRUPTED.
    """
    chain = _start(problem, options, seed, problem.start() if start is None else start)
    try:
        with threadpool_limits(limits=1, user_api="blas"):  # its threads cost more than they save on small products
            status = _run(chain)
    except KeyboardInterrupt:
        status = Status.INTERRUPTED
    lower, upper = problem.bounds
    stuck: BoolArray = (chain.free <= lower) | (chain.free >= upper) | _collapsed(problem, chain.free)
    look = next((one for one in reversed(chain.looks) if np.array_equal(one.free, chain.free)), None)
    if status is Status.CONVERGED and stuck.any():
        status = Status.AT_BOUND
    if status is Status.CONVERGED and (look is None or look.cov is None):
        status = Status.NOT_IDENTIFIED
    trace = tuple(one.loglik for one in chain.looks)
    return StochasticPath(problem, look, chain.free, status, chain.cycles, chain.accepted, trace, stuck)


def _start(problem: LoadingProblem, options: RobbinsMonro, seed: int, free: FloatArray) -> _Chain:
    lower, upper = problem.bounds
    free = np.clip(free, lower, upper)
    bad = _inadmissible(problem, free)
    if bad:
        raise CalibrationError(
            f"The starting values of {', '.join(bad[:5])} give no finite likelihood. If parameters are fixed or tied, "
            "they put others out of order (a graded item's intercepts must fall): fix or tie all of an item, or none."
        )
    blocks, latent = problem.unpack(free)
    modes = find_modes(blocks, problem.x, latent)
    scale = 2.4 / np.sqrt(problem.n_dims)  # optimal for a normal target (Roberts, Gelman & Gilks 1997)
    return _Chain(problem, options, np.random.default_rng(seed), free, modes.theta, modes, scale, options.samples)


def _run(chain: _Chain) -> Status:
    options = chain.options
    _stochastic_em(chain, options.burn_in)
    _renew_modes(chain)
    settled = False
    while chain.cycles < options.max_cycles:
        settled = _robbins_monro(chain)
        if not np.isfinite(chain.free).all():
            return Status.NON_FINITE
        if settled and _polish(chain):
            return Status.CONVERGED
        if sum(look.cov is None for look in chain.looks) >= FLAT:
            return Status.NOT_IDENTIFIED
    if not settled:
        _look(chain)
    return Status.MAX_STEPS


def _stochastic_em(chain: _Chain, cycles: int) -> None:
    for _ in range(min(cycles, chain.options.max_cycles)):
        _draw(chain)
        chain.free = _moved(chain.problem, chain.free, _proposed(chain, 1.0), LONGEST_STEP)


def _robbins_monro(chain: _Chain) -> bool:
    """Take steps of falling gain until the average of the path rests; False if the cycles ran out before."""
    path: list[FloatArray] = []
    quiet, before, first = 0, chain.free, chain.cycles
    while chain.cycles < chain.options.max_cycles:
        _draw(chain)
        gain = (chain.cycles - first) ** -GAIN_POWER
        chain.free = _moved(chain.problem, chain.free, gain * _proposed(chain, gain), LONGEST_STEP)
        path.append(chain.free)
        if len(path) % WINDOW == 0:
            average = np.mean(path[int(len(path) * (1 - LATEST)) :], axis=0)
            change = float(np.max(np.abs(average - before) * np.sqrt(_diagonal(chain)), initial=0.0))
            before = average
            quiet = quiet + 1 if change < QUIET * np.sqrt(2 * np.log(len(average) + 1)) else 0
            loglik = chain.looks[-1].loglik if chain.looks else float("nan")
            chain.options.progress(Progress("+".join(chain.problem.dimensions), chain.cycles, loglik, change))
            if quiet >= WINDOWS:
                break
    if path:
        chain.free = _moved(chain.problem, chain.free, before - chain.free, np.inf)
    return quiet >= WINDOWS


def _polish(chain: _Chain) -> bool:
    """Look at the likelihood where the chain came to rest and go on by Newton steps; True at the maximum.

    One step is always taken: it costs little and leaves only its own noise.
    """
    before: Look | None = None
    for step in range(NEWTON + 1):
        look = _look(chain)
        if before is not None and look.value < before.value - WORSE * np.hypot(look.loglik_se, before.loglik_se):
            chain.free = before.free  # the step overshot: let the chain find a better place to step from
            return False
        if look.noise > chain.options.tol / 2:  # infinite where noise may have hidden the peak
            chain.samples = min(2 * chain.samples, MOST * chain.options.samples)
        if look.cov is None:
            return False
        before = look
        if step and look.distance <= chain.options.tol:
            return True
        if step < NEWTON:
            chain.free = _moved(chain.problem, chain.free, look.newton, LONGEST_MOVE)
    return False


def _look(chain: _Chain) -> Look:
    _renew_modes(chain)
    look = look_at(chain.problem, chain.free, chain.modes, chain.samples, chain.rng)
    chain.looks.append(look)
    return look


def _renew_modes(chain: _Chain) -> None:
    blocks, latent = chain.problem.unpack(chain.free)
    chain.modes = find_modes(blocks, chain.problem.x, latent, chain.modes.theta)


def _draw(chain: _Chain) -> None:
    """Move everybody's theta by random-walk Metropolis steps shaped like each person's posterior; tune the length."""
    blocks, latent = chain.problem.unpack(chain.free)
    x, theta = chain.problem.x, chain.theta
    root = np.linalg.cholesky(chain.modes.cov) * chain.scale
    height = log_likelihood(blocks, x, theta) + latent.log_density(theta)
    accepted = 0.0
    for _ in range(chain.options.draws):
        new = theta + (root @ chain.rng.standard_normal(theta.shape)[..., None])[..., 0]
        reached = log_likelihood(blocks, x, new) + latent.log_density(new)
        taken = np.log(chain.rng.random(len(theta))) < reached - height
        theta, height = np.where(taken[:, None], new, theta), np.where(taken, reached, height)
        accepted += float(taken.mean()) / chain.options.draws
    chain.theta, chain.accepted = theta, accepted
    chain.scale *= 1.05 if accepted > ACCEPT[1] else 0.95 if accepted < ACCEPT[0] else 1.0
    chain.cycles += 1


def _proposed(chain: _Chain, gain: float) -> FloatArray:
    """Return the full step (F,): complete-data score, preconditioned by the running complete-data information."""
    blocks, latent = chain.problem.unpack(chain.free)
    if chain.information is None or chain.cycles <= REFRESH or chain.cycles % REFRESH == 0:
        fresh = expected_information(chain.problem, blocks, latent, chain.theta, chain.free)
        old = fresh if chain.information is None else chain.information
        chain.information = sparse.csc_array(old + max(gain, 0.2) * (fresh - old))
        chain.solve = _solver(chain.information)
    score = total_score(chain.problem, blocks, latent, chain.theta, chain.free)
    return chain.solve(score) if chain.solve is not None else score


def _solver(information: sparse.csc_array) -> Callable[[FloatArray], FloatArray]:
    ridge = 1e-8 * max(float(information.diagonal().max(initial=0.0)), 1e-8)
    factor = splu(sparse.csc_array(information + ridge * sparse.eye_array(information.shape[0])))
    return lambda v: np.asarray(factor.solve(v), dtype=np.float64)


def _diagonal(chain: _Chain) -> FloatArray:
    if chain.information is None:
        return np.zeros(len(chain.free))
    return np.asarray(chain.information.diagonal(), dtype=np.float64)


def _moved(problem: LoadingProblem, free: FloatArray, step: FloatArray, longest: float) -> FloatArray:
    """Take a step (F,), cut to ``longest`` per value, halved for items and correlations it would put out of order."""
    if not np.isfinite(step).all():
        return np.full_like(free, np.nan)
    lower, upper = problem.bounds
    step = np.clip(step, -longest, longest)
    for _ in range(30):
        new = np.clip(free + step, lower, upper)
        bad = _inadmissible(problem, new)
        collapsed = _collapsed(problem, new)
        if not bad and not collapsed.any():
            return new
        for item in bad:
            step[problem.columns_of(item)] *= 0.5
        step[collapsed] *= 0.5
    return free


def _inadmissible(problem: LoadingProblem, free: FloatArray) -> list[str]:
    """Return the items whose parameters do not give probabilities."""
    blocks, _ = problem.unpack(free)
    origin, found = np.zeros((1, problem.n_dims)), []
    for block in blocks:
        good = np.isfinite(block.log_prob(origin)).all(axis=(0, 2))
        found += [problem.responses.item_ids[j] for j in block.items[~good]]
    return found


def _collapsed(problem: LoadingProblem, free: FloatArray) -> BoolArray:
    """Return (F,) True for correlations if they leave no proper correlation matrix."""
    _, latent = problem.unpack(free)
    out = np.zeros(len(free), dtype=bool)
    if problem.pairs and np.linalg.eigvalsh(latent.cov)[0] < SMALLEST_EIGENVALUE:
        out[problem.tie.n_free :] = True
    return out
