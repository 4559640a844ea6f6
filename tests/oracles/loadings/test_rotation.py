"""Rotations against base R and GPArotation (see README.md here), and identities that hold for any rotation.

Tolerance 1e-6: both sides stop when the gradient is below 1e-7 or so, and the reference is printed to 1e-8.
"""

from __future__ import annotations

import json
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from talentassess.calibration.rotation import follow, project, rotate
from talentassess.core.errors import ModelError

R = {k: np.array(v) for k, v in json.loads((Path(__file__).parent / "rotations.json").read_text()).items()}
CASES = [("varimax", True), *((m, n) for m in ("quartimax", "oblimin", "geomin") for n in (True, False))]


def reference(method: str, normalize: bool) -> tuple[np.ndarray, np.ndarray]:
    key = method if method == "varimax" else f"{method}_{'kaiser' if normalize else 'plain'}"
    return R[key], R.get(f"{key}_phi", np.eye(4))


def matched(ours: np.ndarray, theirs: np.ndarray) -> tuple[list[int], np.ndarray]:
    """Return the order and signs of our columns that come nearest to theirs."""
    order = min(permutations(range(ours.shape[1])), key=lambda p: -np.abs((ours[:, p] * theirs).sum(axis=0)).sum())
    return list(order), np.sign((ours[:, order] * theirs).sum(axis=0))


@pytest.mark.parametrize(("method", "normalize"), CASES)
def test_rotations_agree_with_r(method, normalize):
    loadings, phi = reference(method, normalize)
    ours = rotate(R["unrotated"], method, normalize=normalize)
    order, signs = matched(ours.loadings, loadings)
    np.testing.assert_allclose(ours.loadings[:, order] * signs, loadings, atol=1e-6)
    np.testing.assert_allclose(ours.correlation[np.ix_(order, order)] * np.outer(signs, signs), phi, atol=1e-6)
    assert ours.settled


@pytest.mark.parametrize(("method", "normalize"), CASES)
def test_rotation_keeps_what_the_loadings_reproduce(method, normalize):
    """L Phi L' is the same before and after, factors have variance one, and the largest comes first, upwards."""
    ours = rotate(R["unrotated"], method, normalize=normalize)
    reproduced = ours.loadings @ ours.correlation @ ours.loadings.T
    np.testing.assert_allclose(reproduced, R["unrotated"] @ R["unrotated"].T, atol=1e-12)
    np.testing.assert_allclose(np.diag(ours.correlation), 1.0, atol=1e-12)
    sizes = (ours.loadings**2).sum(axis=0)
    assert (np.diff(sizes) <= 0).all()
    assert ((ours.loadings**3).sum(axis=0) > 0).all()


@pytest.mark.parametrize("method", ["varimax", "oblimin", "geomin"])
def test_following_a_rotation_equals_rotating_anew(method):
    """The transform's first-order change against a second rotation of slightly moved loadings."""
    base, rng = R["unrotated"], np.random.default_rng(4)
    found = rotate(base, method, normalize=False)
    shift = rng.normal(size=base.shape) * 1e-4
    nearby = follow(base, method, found.transform)
    change = (nearby(base + shift) - nearby(base - shift)) / 2
    anew = (project(base + shift, method, found.transform)[0] - project(base - shift, method, found.transform)[0]) / 2
    np.testing.assert_allclose(change, anew, atol=5e-3 * np.abs(anew).max())


def test_one_factor_and_none_are_left_alone():
    one = R["unrotated"][:, :1]
    np.testing.assert_allclose(np.abs(rotate(one, "oblimin").loadings), np.abs(one))
    np.testing.assert_array_equal(rotate(R["unrotated"], "none").loadings, R["unrotated"])


def test_unknown_rotation_lists_those_there_are():
    with pytest.raises(
        ModelError, match="no rotation 'promax'; choose one of: none, varimax, quartimax, oblimin, geomin"
    ):
        rotate(R["unrotated"], "promax")
