"""Profile distance, probabilities of meeting a level, and fit among occupations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from talentassess.core.errors import ProfileError
from talentassess.matching import probability_meets, profile_distance, true_score_above, true_score_order
from talentassess.matching.fit import Drawing, role_fit, roots

figures = arrays(np.float64, 6, elements=st.floats(-5, 5).map(lambda v: round(v, 3)))


@settings(deadline=None)  # a busy machine is no failure
@given(figures, figures)
def test_distance_is_the_sum_of_its_parts_and_symmetric(p, j):
    distance, turned = profile_distance(p, j), profile_distance(j, p)
    parts = distance.elevation + distance.scatter + distance.shape
    assert parts == pytest.approx(distance.d2, abs=1e-9)
    assert turned.d2 == pytest.approx(distance.d2)
    assert turned.icc_double_entry == pytest.approx(distance.icc_double_entry, nan_ok=True)


@settings(deadline=None)  # a busy machine is no failure
@given(figures)
def test_a_profile_does_not_differ_from_itself(p):
    distance = profile_distance(p, p)
    assert distance.d2 == 0
    assert distance.shape == pytest.approx(0, abs=1e-9)


def test_elevation_alone_changes_no_shape():
    p = np.array([1.0, 2, 4])
    distance = profile_distance(p, p + 2)
    assert (distance.r, distance.elevation) == (pytest.approx(1), pytest.approx(12))
    assert distance.icc_double_entry < distance.r


def test_flat_profile_has_no_shape():
    distance = profile_distance(np.ones(3), np.array([1.0, 2, 3]))
    assert np.isnan(distance.r)
    assert distance.shape == pytest.approx(0)


@pytest.mark.parametrize(
    ("p", "j", "message"),
    [
        ([1.0, 2], [1.0, 2, 3], r"same elements, at least 2; found shapes \(2,\) and \(3,\)"),
        ([1.0], [1.0], "at least 2"),
        ([1.0, np.nan], [1.0, 2.0], "element 1: nan and 2.0"),
    ],
)
def test_profiles_that_cannot_be_compared(p, j, message):
    with pytest.raises(ProfileError, match=message):
        profile_distance(np.array(p), np.array(j))


@settings(deadline=None)  # a busy machine is no failure
@given(st.floats(-4, 4), st.floats(0.05, 2), st.floats(-3, 3), st.floats(0, 2))
def test_more_error_moves_the_probability_towards_a_half(theta, se, required, required_se):
    sure = probability_meets(np.array(theta), np.array(se), np.array(required))
    unsure = probability_meets(np.array(theta), np.array(se), np.array(required), required_se)
    assert abs(unsure - 0.5) <= abs(sure - 0.5) + 1e-12


def test_without_error_meeting_is_a_comparison():
    p = probability_meets(np.array([0.0, 0.1, -0.1]), np.zeros(3), np.zeros(3))
    assert p.tolist() == [1.0, 1.0, 0.0]


@pytest.mark.parametrize(("sd", "reliability"), [(0, 0.8), (10, 1.0), (10, 0.0), (float("nan"), 0.8)])
def test_impossible_sd_or_reliability(sd, reliability):
    with pytest.raises(ProfileError, match="reliability between 0 and 1"):
        true_score_above(50, 40, mean=50, sd=sd, reliability=reliability)
    with pytest.raises(ProfileError, match="sd must be positive"):
        true_score_order(50, 40, sd=sd, reliability=reliability)


def test_roots_give_the_covariance_back_even_if_singular():
    cov = np.array([[[1.0, 0.5], [0.5, 1.0]], [[1.0, 1.0], [1.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]]])
    root = roots(cov)
    assert np.einsum("nij,nkj->nik", root, root) == pytest.approx(cov)


def test_a_matrix_that_is_no_covariance_is_refused():
    with pytest.raises(ProfileError, match="row 1: smallest eigenvalue -1"):
        roots(np.array([np.eye(2), [[1.0, 2.0], [2.0, 1.0]]]))


def test_role_fit_by_hand():
    rng = np.random.default_rng(3)
    occupations, z = rng.normal(size=(60, 5)), rng.normal(size=(4, 5))
    occupations[9] = occupations[7]  # an occupation of the role's own shape ties with it
    fit = role_fit(z, np.zeros((4, 5, 5)), occupations, 7, Drawing(draws=100, seed=1, confidence=0.9))
    r = np.array([[np.corrcoef(person, occupation)[0, 1] for occupation in occupations] for person in z])
    assert fit.r == pytest.approx(r[:, 7])
    others = np.delete(r, [7, 9], axis=1)
    expected = 100 * ((others < r[:, [7]]).sum(axis=1) + 1) / 60
    assert fit.percentile == pytest.approx(expected)
    # Without error every draw is the profile itself.
    assert fit.lower == pytest.approx(expected)
    assert fit.upper == pytest.approx(expected)


def test_role_fit_looks_at_shape_only():
    rng = np.random.default_rng(4)
    occupations, z = rng.normal(size=(50, 6)), rng.normal(size=(3, 6))
    root = np.broadcast_to(0.3 * np.eye(6), (3, 6, 6))
    drawing = Drawing(draws=100, seed=2, confidence=0.9)
    plain = role_fit(z, root, occupations, 0, drawing)
    raised = role_fit(z + 2.5, root, occupations, 0, drawing)
    assert raised.percentile == pytest.approx(plain.percentile)
    assert raised.lower == pytest.approx(plain.lower)
    assert (plain.lower <= plain.percentile).all()
    assert (plain.percentile <= plain.upper).all()


def test_role_fit_says_nothing_where_there_is_no_shape():
    drawing = Drawing(draws=100, seed=1, confidence=0.9)
    occupations = np.random.default_rng(5).normal(size=(30, 3))
    flat = role_fit(np.array([[1.0, 1, 1], [1, 2, 3]]), np.zeros((2, 3, 3)), occupations, 0, drawing)
    assert np.isnan([flat.r[0], flat.percentile[0], flat.lower[0], flat.upper[0]]).all()
    assert np.isfinite(flat.percentile[1])
    two = role_fit(np.ones((1, 2)), np.zeros((1, 2, 2)), occupations[:, :2], 0, drawing)
    assert np.isnan(two.percentile).all()
