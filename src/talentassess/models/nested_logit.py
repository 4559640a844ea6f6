"""Nested logit model: a 2PL for the keyed option, and among the wrong options a nominal model.

The KEYED (correct, best) option has the highest code, K - 1; the distractors have the codes 0..K-2 in any order. Codes
of a multiple-choice or pick-best item must be arranged so before fitting. Only the key is known to mean more of the
trait, so the model is not ``ordered``: a sum of codes would mean nothing (a sum of keyed answers would). Which wrong
option is chosen adds information about theta where the distractor slopes differ; where they do not, scores equal those
of the 2PL on keyed answers.

Distractor 0 is the reference (slope and intercept 0), as in the nominal model here. R mirt (``2PLNRM``) takes the key
from an argument instead of from the code and has the same lambda, zeta up to which distractor is the reference; Suh &
Bolt let them sum to zero over distractors: subtract the mean over distractors (reference included) to get theirs.
"""

from __future__ import annotations

import numpy as np

from talentassess.core.arrays import FloatArray
from talentassess.core.logistic import expit, log_expit
from talentassess.core.model import ItemModel, Param
from talentassess.models._logistic import INTERCEPT_RANGE, SCALING, difficulty, logit_share, predictor, slopes
from talentassess.models._multinomial import by_utilities, log_softmax, marginal_utilities


def params(n_cat: int, n_dims: int) -> tuple[Param, ...]:
    """Return slope(s) a and intercept d of the key; slopes lambda and intercepts zeta of distractors 1..K-2."""
    marks = [f"{k}" if n_dims == 1 else f"{k}.{d + 1}" for d in range(n_dims) for k in range(1, n_cat - 1)]
    return (
        *slopes(n_dims),
        Param("intercept", "d", -50.0, 50.0, INTERCEPT_RANGE),
        *(Param(f"distractor_slope{mark}", f"lambda{mark}", -25.0, 25.0, (-0.8, 0.8)) for mark in marks),
        *(Param(f"distractor_intercept{k}", f"zeta{k}", -50.0, 50.0, (-1.0, 1.0)) for k in range(1, n_cat - 1)),
    )


def _distractors(theta: FloatArray, par: FloatArray, n_cat: int) -> tuple[FloatArray, FloatArray]:
    """Return log P(x = k | wrong) (Q, J, K - 1) and the distractors' slopes (J, K - 1, D), reference included."""
    n_dims, free = theta.shape[1], n_cat - 2
    first = n_dims + 1
    slope = par[:, first : first + n_dims * free].reshape(len(par), n_dims, free).transpose(0, 2, 1)
    slope = np.concatenate([np.zeros((len(par), 1, n_dims)), slope], axis=1)
    intercept = np.column_stack([np.zeros(len(par)), par[:, first + n_dims * free :]])
    utilities: FloatArray = np.einsum("qd,jkd->qjk", theta, slope) + intercept
    return log_softmax(utilities), slope


def log_prob(theta: FloatArray, par: FloatArray, n_cat: int) -> FloatArray:
    """Return (Q, J, K) with P(K - 1) = F = 1 / (1 + exp(-(a . theta + d))) for the key and P(k) = (1 - F) S_k else.

    S_k = exp(lambda_k . theta + zeta_k) / sum_m exp(lambda_m . theta + zeta_m) over the distractors m = 0..K-2.
    """
    z = predictor(theta, par)[..., None]
    given_wrong, _ = _distractors(theta, par, n_cat)
    return np.concatenate([log_expit(-z) + given_wrong, log_expit(z)], axis=2)


def d_par(theta: FloatArray, par: FloatArray, n_cat: int) -> FloatArray:
    """Return (Q, J, K, (D + 1)(K - 1)) derivatives by a, d, lambda (dimension by dimension), zeta."""
    by_z = _by_key(theta, par, n_cat)[..., None]
    given_wrong, _ = _distractors(theta, par, n_cat)
    by_utility = np.zeros((*by_z.shape[:3], n_cat - 2))  # a keyed answer says nothing about the distractors
    by_utility[:, :, :-1] = by_utilities(given_wrong)[..., 1:]
    by_line = [by_z * theta[:, None, None, :], by_z]
    by_lambda = [by_utility * t[:, None, None, None] for t in theta.T]
    return np.concatenate([*by_line, *by_lambda, by_utility], axis=3)


def d_theta(theta: FloatArray, par: FloatArray, n_cat: int) -> FloatArray:
    """Return (Q, J, K, D) derivatives by theta: those of the 2PL, plus lambda_k less its mean for the distractors."""
    given_wrong, slope = _distractors(theta, par, n_cat)
    out: FloatArray = _by_key(theta, par, n_cat)[..., None] * par[None, :, None, : theta.shape[1]]
    expected = np.einsum("qjk,jkd->qjd", np.exp(given_wrong), slope)
    out[:, :, :-1] += slope - expected[:, :, None, :]
    return out


def _by_key(theta: FloatArray, par: FloatArray, n_cat: int) -> FloatArray:
    """Return (Q, J, K) derivative by the key's predictor: [k is the key] - P(key)."""
    by_z: FloatArray = worth(n_cat) - expit(predictor(theta, par))[..., None]
    return by_z


def start(share: FloatArray, n_dims: int) -> FloatArray:
    """Return (J, (D + 1)(K - 1)): slope 1 for the key, 0 for distractors; intercepts from the shares (J, K)."""
    n_items, n_cat = share.shape
    key = [np.ones((n_items, n_dims)), SCALING * logit_share(share[:, -1])]
    return np.column_stack([*key, np.zeros((n_items, n_dims * (n_cat - 2))), marginal_utilities(share[:, :-1])])


def worth(n_cat: int) -> FloatArray:
    """Return (K,) what a category counts in a rough sum: 1 for the key, 0 for every distractor."""
    keyed: FloatArray = (np.arange(n_cat) == n_cat - 1).astype(np.float64)
    return keyed


def display(par: FloatArray, n_cat: int, n_dims: int) -> dict[str, FloatArray]:
    """Return the difficulty b (J,) = -d / a of the keyed option."""
    return {"b": difficulty(par, n_dims)}


MODEL = ItemModel(
    name="nested-logit",
    label="nested logit model (2PL and nominal distractors)",
    params=params,
    log_prob=log_prob,
    d_par=d_par,
    d_theta=d_theta,
    start=start,
    display=display,
    categories=(3, None),
    ordered=False,
    citation="Suh & Bolt (2010), Psychometrika 75, 454-473",
    worth=worth,
)
