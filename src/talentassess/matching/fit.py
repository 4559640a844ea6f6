"""What "fits" means, in numbers: profile distance, probability of meeting a level, fit among all occupations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr
from threadpoolctl import threadpool_limits

from talentassess.core.arrays import BoolArray, FloatArray
from talentassess.core.errors import ProfileError

BLOCK = 500_000  # floats held at once while drawing: 4 MB stay in the processor's cache


@dataclass(frozen=True, slots=True)
class ProfileDistance:
    """How two profiles of K elements differ, taken apart (Cronbach & Gleser 1953).

    Attributes
    ----------
    d2 : squared Euclidean distance = elevation + scatter + shape.
    elevation : K (mean_p - mean_j)^2.
    scatter : K (sd_p - sd_j)^2, standard deviations with divisor K.
    shape : 2 K sd_p sd_j (1 - r).
    r : Pearson correlation, the likeness of shape alone; NaN if a profile is flat.
    icc_double_entry : double-entry intraclass correlation, likeness of elevation, scatter and shape; NaN if all
        figures are equal.
    phi : Tucker's congruence; NaN if a profile is all zero.
    means, sds : (p, j) elevation and scatter of each profile, in the units of the figures.
    """

    d2: float
    elevation: float
    scatter: float
    shape: float
    r: float
    icc_double_entry: float
    phi: float
    means: tuple[float, float]
    sds: tuple[float, float]


def profile_distance(p: FloatArray, j: FloatArray) -> ProfileDistance:
    """Take the squared distance of two profiles apart into elevation, scatter and shape.

    D^2 = K (mean_p - mean_j)^2 + K (sd_p - sd_j)^2 + 2 K sd_p sd_j (1 - r) (Cronbach & Gleser 1953, Psychological
    Bulletin 50, 456-473). Two random occupations' raw skill profiles correlate about .6, so r of raw profiles says
    little: standardise each element over occupations first.

    Parameters
    ----------
    p, j : (K,) figures of a person and a job, or of two jobs, in the same units; K >= 2.

    Raises
    ------
    ProfileError : the profiles differ in length, are shorter than 2, or hold a missing or infinite figure.

    Examples
    --------
    >>> d = profile_distance(np.array([4., 2, 5, 3, 1]), np.array([5., 3, 4, 3, 2]))
    >>> round(d.d2, 3), round(d.elevation, 3), round(d.scatter, 3), round(d.shape, 3), round(d.r, 3)
    (4.0, 0.8, 0.778, 2.422, 0.832)
    """
    p, j = np.asarray(p, dtype=np.float64), np.asarray(j, dtype=np.float64)
    _check_profiles(p, j)
    k, means, sds = len(p), (float(p.mean()), float(j.mean())), (float(p.std()), float(j.std()))
    covariance = float(np.mean((p - means[0]) * (j - means[1])))
    return ProfileDistance(
        d2=float(np.sum((p - j) ** 2)),
        elevation=k * (means[0] - means[1]) ** 2,
        scatter=k * (sds[0] - sds[1]) ** 2,
        shape=2 * k * (sds[0] * sds[1] - covariance),
        r=_ratio(covariance, sds[0] * sds[1]),
        icc_double_entry=_double_entry(p, j),
        phi=_ratio(float(p @ j), float(np.sqrt((p @ p) * (j @ j)))),
        means=means,
        sds=sds,
    )


def probability_meets(
    theta: FloatArray, se: FloatArray, required: FloatArray, required_se: FloatArray | float = 0.0
) -> FloatArray:
    """Return P(true >= required) = Phi((theta - r) / sqrt(se^2 + se_r^2)).

    Parameters
    ----------
    theta, se : any shape; posterior mean and standard deviation of the true score, in one metric.
    required, required_se : same shape or scalar; required level and its standard error, same metric.

    Examples
    --------
    >>> p = probability_meets(np.array([.3, -.1, .8]), np.array([.3, .35, .4]), np.array([0, -.5, .5]))
    >>> p.round(4).tolist(), round(float(p.prod()), 4)
    ([0.8413, 0.8735, 0.7734], 0.5683)
    """
    gap = np.asarray(theta, dtype=np.float64) - required
    spread = np.hypot(se, required_se)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = ndtr(gap / spread)
    # Without any error "meets" is a plain comparison, and equal is enough.
    exact: FloatArray = np.where(spread > 0, p, (gap >= 0).astype(np.float64))
    return exact


def true_score_above(observed: float, cut: float, *, mean: float, sd: float, reliability: float) -> float:
    """Return P(true score >= cut) of one observed classical score, by Kelley's regression.

    T = M + rho (X - M), standard error of estimation SD sqrt(rho (1 - rho)) (Kelley 1947). The observed score with its
    standard error of measurement would overstate everybody above the mean.

    Parameters
    ----------
    observed, cut : scores in the units of the test.
    mean, sd, reliability : of the group the person belongs to.

    Raises
    ------
    ProfileError : sd is not positive or reliability not between 0 and 1.

    Examples
    --------
    >>> round(true_score_above(58, 55, mean=50, sd=10, reliability=.85), 7)
    0.6929047
    """
    error = _error_of_estimation(sd, reliability)
    estimate = mean + reliability * (observed - mean)
    return float(ndtr((estimate - cut) / error))


def true_score_order(a: float, b: float, *, sd: float, reliability: float) -> float:
    """Return P(true score of A > true score of B) for two observed classical scores of one group.

    Phi(rho (X_A - X_B) / (sqrt(2) SD sqrt(rho (1 - rho)))): both scores regressed to the same mean, which cancels.

    Parameters
    ----------
    a, b : observed scores.
    sd, reliability : of the group.

    Raises
    ------
    ProfileError : sd is not positive or reliability not between 0 and 1.

    Examples
    --------
    >>> round(true_score_order(60, 57, sd=10, reliability=.85), 7)
    0.6932119
    """
    return float(ndtr(reliability * (a - b) / (np.sqrt(2.0) * _error_of_estimation(sd, reliability))))


@dataclass(frozen=True, eq=False, slots=True)
class RoleFit:
    """How a person's profile shape fits one occupation, seen against its fit to all of them.

    Attributes
    ----------
    r : (N,) correlation of the person's norm z profile with the role's standardised importance profile.
    percentile : (N,) share of occupations the person fits less well than the role, in percent (ties count half).
    lower, upper : (N,) interval of the percentile from draws of the person's true profile.
    """

    r: FloatArray
    percentile: FloatArray
    lower: FloatArray
    upper: FloatArray


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawing:
    """How draws are made: their number, the seed, and the confidence of the intervals taken from them."""

    draws: int
    seed: int
    confidence: float


def role_fit(z: FloatArray, root: FloatArray, occupations: FloatArray, role: int, drawing: Drawing) -> RoleFit:
    """Fit each person's profile shape to all occupations and find where the role stands among them.

    The person's z over competencies (norm group) is correlated with every occupation's z over the same competencies
    (all occupations). Pearson's r is used because the two sides are standardised in different populations, so that
    only the shape can be compared; whether the person is high enough is a matter of the required levels. The null
    distribution is the person's own: "is this role a better fit than an occupation taken at random?"

    Parameters
    ----------
    z : (N, C) norm z scores.
    root : (N, C, C) matrix R with R R' = error covariance of z.
    occupations : (O, C) importance standardised over occupations; rows with NaN are left out.
    role : row of the role.
    drawing : draws for the interval.

    Returns
    -------
    RoleFit : NaN where a profile is flat or C < 3 (two points always correlate +1 or -1).
    """
    n, c = z.shape
    nothing = np.full(n, np.nan)
    shapes = _unit(occupations)
    compared: BoolArray = np.asarray(np.isfinite(shapes).all(axis=1))
    if c < 3 or not compared[role]:
        return RoleFit(nothing, nothing, nothing, nothing)
    own = int(np.sum(compared[:role]))
    r = _unit(z) @ shapes[compared].T
    # The products are long but only C deep: on a busy machine threads would wait for each other longer than they work.
    with threadpool_limits(limits=1, user_api="blas"):
        draws = _drawn_percentiles(z, root, shapes[compared], own, drawing)
    tail = (1 - drawing.confidence) / 2
    lower, upper = np.quantile(draws, [tail, 1 - tail], axis=0)
    flat = np.isnan(r[:, own])
    return RoleFit(r[:, own], _percentile(r, own), np.where(flat, np.nan, lower), np.where(flat, np.nan, upper))


def roots(cov: FloatArray, persons: Sequence[str] = ()) -> FloatArray:
    """Return (N, C, C) matrices R with R R' = cov; singular covariance matrices are allowed.

    Parameters
    ----------
    cov : (N, C, C) covariance matrices.
    persons : (N,) whose they are, for the message; row numbers if left out.

    Raises
    ------
    ProfileError : a matrix has an eigenvalue that is clearly negative; the message names the person.
    """
    values, vectors = np.linalg.eigh(cov)
    floor = -1e-8 * np.maximum(np.abs(values).max(axis=-1, initial=0.0), 1e-300)
    bad = np.flatnonzero((values < floor[:, None]).any(axis=1))
    if len(bad):
        raise ProfileError(
            "An error covariance matrix is not one: it has a negative eigenvalue. Score the answers again.",
            [f"{persons[int(i)] if persons else f'row {i}'}: smallest eigenvalue {values[i].min():.3g}" for i in bad],
        )
    rooted: FloatArray = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
    return rooted


def _check_profiles(p: FloatArray, j: FloatArray) -> None:
    if p.ndim != 1 or p.shape != j.shape or len(p) < 2:
        raise ProfileError(
            f"Two profiles must list the same elements, at least 2; found shapes {p.shape} and {j.shape}. Bring both "
            "into the same order and leave out what only one of them has."
        )
    bad = np.flatnonzero(~np.isfinite(p) | ~np.isfinite(j))
    if len(bad):
        raise ProfileError(
            f"{len(bad)} element(s) have no finite figure. Leave them out of both profiles.",
            [f"element {i}: {p[i]} and {j[i]}" for i in bad],
        )


def _ratio(above: float, below: float) -> float:
    return above / below if below > 0 else float("nan")


def _double_entry(p: FloatArray, j: FloatArray) -> float:
    both, turned = np.concatenate([p, j]), np.concatenate([j, p])
    grand = both.mean()
    return _ratio(float(np.mean((both - grand) * (turned - grand))), float(np.var(both)))


def _error_of_estimation(sd: float, reliability: float) -> float:
    if not (sd > 0 and 0 < reliability < 1):
        raise ProfileError(
            f"sd must be positive and reliability between 0 and 1; found sd {sd} and reliability {reliability}."
        )
    return float(sd * np.sqrt(reliability * (1 - reliability)))


def _unit(profiles: FloatArray) -> FloatArray:
    """Return rows centred and scaled to length 1, so that products of rows are correlations; NaN where flat."""
    centred = profiles - profiles.mean(axis=1, keepdims=True)
    length = np.sqrt(np.sum(centred**2, axis=1, keepdims=True))
    flat = length <= 1e-12 * np.abs(profiles).max(axis=1, keepdims=True, initial=1.0)
    unit: FloatArray = centred / np.where(flat, np.nan, length)
    return unit


def _percentile(r: FloatArray, own: int) -> FloatArray:
    role = r[:, own, None]
    share: FloatArray = 100.0 * (np.mean(r < role, axis=1) + 0.5 * np.mean(r == role, axis=1))
    return np.where(np.isnan(r[:, own]), np.nan, share)


def _drawn_percentiles(z: FloatArray, root: FloatArray, shapes: FloatArray, own: int, drawing: Drawing) -> FloatArray:
    """Return (draws, N) percentiles of the role in draws of the persons' true profiles."""
    # The person's own centre and length do not change which occupations correlate less than the role, so both are left
    # out; occupations of exactly the role's shape (itself among them) tie in every draw.
    beyond = shapes - shapes[own]
    ties = int(np.sum(~beyond.any(axis=1)))
    rng = np.random.default_rng(drawing.seed)
    out = np.empty((drawing.draws, len(z)))
    persons = max(1, BLOCK // len(shapes))
    for draw in range(drawing.draws):
        true = z + np.einsum("ncd,nd->nc", root, rng.standard_normal(z.shape))
        for start in range(0, len(z), persons):
            part = slice(start, start + persons)
            out[draw, part] = np.count_nonzero(true[part] @ beyond.T < 0, axis=1)
    return 100.0 * (out + 0.5 * ties) / len(shapes)
