"""Matching: probabilities against independent computations, ranks, sensitivity, findings, messages."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.special import ndtr, ndtri
from scipy.stats import multivariate_normal

from matching_cases import LINKS, LinearNorms, levelled, make_scores, pool, profile
from talentassess.core.errors import ProfileError
from talentassess.core.provenance import Provenance
from talentassess.core.status import Severity, Status
from talentassess.matching import StandardPolicy, load_profile, match, probability_above
from talentassess.norming import NormCard, fit_norms

THREE = ("listening", "service", "dependability")
ALL = tuple(LINKS)


@pytest.fixture(scope="module")
def matches():
    return match(pool(60, ALL), profile(), norms=LinearNorms(ALL, mean=0.2, sd=0.9, se=0.1))


def test_probability_of_meeting_one_level(matches):
    level = 0.2 + 0.9 * ndtri(0.40)
    expected = ndtr((matches.theta - level) / np.hypot(0.4, 0.1))
    required = [r.standard is not None for r in matches.profile.requirements]
    assert matches.p_meets[:, required] == pytest.approx(expected[:, required])
    assert np.isnan(matches.p_meets[:, ~np.array(required)]).all()


def test_joint_probability_against_the_multivariate_normal():
    names, cuts, level_se = THREE, (-0.2, 0.1, 0.3), 0.25
    scores = pool(5, names)
    found = match(scores, levelled(names, cuts, level_se), draws=40_000)
    noise = scores.cov[0] + level_se**2 * np.eye(3)
    exact = [multivariate_normal.cdf(theta - np.array(cuts), np.zeros(3), noise) for theta in scores.theta]
    assert (np.abs(found.p_all - exact) <= 4 * found.p_all_mc).all()  # 4 Monte-Carlo standard errors


def test_a_level_s_error_is_shared_by_all_candidates():
    # Two candidates without score error who stand on the level: with a shared error both meet it or neither does.
    scores = make_scores(np.zeros((2, 1)), np.zeros((1, 1)), ("listening",))
    found = match(scores, levelled(("listening",), (0.0,), 0.3))
    assert found.p_all[0] == found.p_all[1]
    assert found.p_all[0] == pytest.approx(0.5, abs=4 * found.p_all_mc[0])


def test_composite_and_its_error_against_brute_force(matches):
    rng, n = np.random.default_rng(11), 200_000
    requirements = matches.profile.requirements
    importance = np.array([r.importance for r in requirements])
    assert matches.composite.weight == pytest.approx(importance / importance.sum())
    z, z_cov = (matches.theta[0] - 0.2) / 0.9, matches.cov[0] / 0.9**2
    assert matches.composite.value[0] == pytest.approx(matches.composite.weight @ z)
    drawn = importance + rng.standard_normal((n, 6)) * [r.importance_se for r in requirements]
    weight = drawn / drawn.sum(axis=1, keepdims=True)
    composite = np.sum(weight * rng.multivariate_normal(z, z_cov, n), axis=1)
    # 1.5 %: the error of an SD from 200,000 draws is 0.16 %, the rest is the delta method.
    assert matches.composite.se[0] == pytest.approx(composite.std(), rel=0.015)


def test_error_of_the_weights_reaches_the_composite():
    # No score error, and a profile with large differences: what is left is the error of importance alone.
    z = np.array([[3.0, -3.0, 0.0]])
    found = match(make_scores(z, np.zeros((3, 3)), THREE), levelled(THREE, (0, 0, 0)))
    requirements = found.profile.requirements
    importance, se = (np.array([getattr(r, f) for r in requirements]) for f in ("importance", "importance_se"))
    drawn = importance + np.random.default_rng(12).standard_normal((200_000, 3)) * se
    composite = drawn @ z[0] / drawn.sum(axis=1)
    assert found.composite.se[0] == pytest.approx(composite.std(), rel=0.015)
    assert found.composite.se[0] > 0.02


def test_ranks_follow_the_composite(matches):
    c = matches.composite
    assert sorted(c.rank) == list(range(1, 61))
    assert (np.argsort(-c.value) == np.argsort(c.rank)).all()
    assert (c.rank_lower <= c.rank).all()
    assert (c.rank <= c.rank_upper).all()
    assert c.p_best.sum() == pytest.approx(1.0)
    assert np.argmax(c.p_best) in np.flatnonzero(c.rank <= 3)


def test_equal_composites_share_a_rank():
    scores = make_scores(np.array([[0.5], [1.0], [0.5], [0.0]]), np.array([[0.1]]), ("listening",))
    found = match(scores, levelled(("listening",), (0.0,)))
    assert found.composite.rank.tolist() == [2, 1, 2, 4]


def test_leading_is_pairwise_probability_above_the_first(matches):
    first = matches.person_ids[int(np.argmin(matches.composite.rank))]
    above = {p: probability_above(matches, p, first) for p in matches.person_ids if p != first}
    assert set(matches.leading) == {first} | {p for p, value in above.items() if value > 0.05}
    assert matches.leading[0] == first
    assert "above 0.05" in matches.leading_rule
    assert np.isnan(matches.composite.p_above_best[matches.position(first)])


def test_probability_above_and_below_add_up(matches):
    a, b = matches.person_ids[:2]
    assert probability_above(matches, a, b) + probability_above(matches, b, a) == pytest.approx(1.0)
    assert probability_above(matches, a, a) == 0.5


def test_clear_winner_leads_alone():
    theta = np.array([[3.0, 3.0, 3.0], [0.0, 0.0, 0.0], [-1.0, -1.0, -1.0]])
    found = match(make_scores(theta, 0.05 * np.eye(3), THREE), levelled(THREE, (0.0, 0.0, 0.0)))
    assert found.leading == ("p000",)
    table = found.to_frame()
    assert table["verdict"].tolist() == ["meets", "cannot tell", "does not meet"]
    assert table["with_first"].tolist() == ["cannot be told apart", "below", "below"]


def test_one_candidate_is_first():
    found = match(pool(1, THREE), levelled(THREE, (0.0, 0.0, 0.0)))
    assert found.leading == ("p000",)
    assert (found.composite.rank_lower[0], found.composite.rank_upper[0]) == (1, 1)


def test_a_ceiling_counts_the_other_way():
    plain = profile("listening", "service").with_standard("service", theta=0.5, se=0.2, source="study")
    floor = plain.with_standard("listening", theta=0.0, se=0.1, source="study")
    ceiling = plain.with_standard("listening", theta=0.0, se=0.1, source="study", sign=-1)
    scores = pool(20, ("listening", "service"))
    up, down = match(scores, floor), match(scores, ceiling)
    assert down.p_meets[:, 0] == pytest.approx(1 - up.p_meets[:, 0])
    assert down.p_meets[:, 1] == pytest.approx(up.p_meets[:, 1])
    assert down.composite.weight[0] == -up.composite.weight[0]


def test_a_level_as_percentile_of_a_study_carries_its_error():
    studied = profile(*THREE).with_standard("listening", percentile=50, se=5, source="nine supervisors")
    found = match(pool(4, THREE), studied, norms=LinearNorms(THREE, se=0.1))
    slope = (ndtri(0.55) - ndtri(0.45)) / 10  # logits per percentile point, from the norms themselves
    assert found.level[0] == pytest.approx(0.0)
    assert found.level_se[0] == pytest.approx(np.hypot(0.1, 5 * slope))
    assert found.level_se[1] == pytest.approx(0.1)
    assert found.to_frame("competencies")["level_source"].iloc[0] == "nine supervisors"


def test_sensitivity_moves_declared_levels_only():
    studied = profile(*THREE).with_standard("listening", percentile=40, se=0, source="study")
    found = match(pool(200, THREE), studied, norms=LinearNorms(THREE))
    table = found.to_frame("sensitivity").set_index(["competency", "shift_of_percentile"])
    assert table.loc["listening", "meets"].nunique() == 1
    assert not table.loc["listening", "level_moved"].any()
    for competency in ("service", "all required"):
        meets = table.loc[competency, "meets"]
        assert meets[-10] > meets[0] > meets[10]
    assert (table[["meets", "cannot tell", "does not meet"]].sum(axis=1) == 200).all()
    harder = match(pool(200, THREE), studied.with_policy(StandardPolicy(percentile=50)), norms=LinearNorms(THREE))
    unmoved = harder.to_frame("sensitivity").set_index(["competency", "shift_of_percentile"])
    assert unmoved.loc[("service", 0.0), "meets"] == table.loc[("service", 10.0), "meets"]


def test_policy_near_the_end_is_moved_one_way_only():
    found = match(pool(5, THREE), profile(*THREE).with_policy(StandardPolicy(percentile=95)), norms=LinearNorms(THREE))
    assert {row.shift for row in found.sensitivity} == {-10.0, 0.0}
    assert "policy_not_moved" in {f.code for f in found.findings}


def test_role_fit_is_that_of_the_profile_among_all_occupations(matches):
    everything = matches.profile.reference
    assert everything.shape == (879, 6)
    r = np.array([np.corrcoef(matches.z[3], occupation)[0, 1] for occupation in everything])
    own = r[matches.profile.role]
    assert matches.fit.r[3] == pytest.approx(own)
    assert matches.fit.percentile[3] == pytest.approx(100 * (np.mean(r < own - 1e-12) + 0.5 / 879), abs=0.12)


def test_same_seed_same_numbers_and_another_seed_within_error():
    scores, role, norms = pool(30, THREE), profile(*THREE), LinearNorms(THREE, se=0.05)
    first, again, other = (match(scores, role, norms=norms, seed=s) for s in (5, 5, 6))
    assert (first.p_all == again.p_all).all()
    assert (first.composite.rank_upper == again.composite.rank_upper).all()
    assert (first.p_all != other.p_all).any()
    # The two errors add; 5 of them for the largest of 30 differences.
    assert (np.abs(first.p_all - other.p_all) <= 5 * np.hypot(first.p_all_mc, other.p_all_mc)).all()


def test_fitted_norms_do_what_matching_asks():
    sample = pool(400, THREE, seed=8)
    card = NormCard(
        population="test persons",
        sample="drawn",
        n=400,
        collected_from="2026",
        collected_to="2026",
        source_hash="h",
        simulated=False,
        method="EAP",
    )
    norms = fit_norms(sample, card=card)
    found = match(pool(20, THREE), profile(*THREE), norms=norms)
    below = np.mean(sample.theta < found.level, axis=0)
    assert below == pytest.approx([0.4] * 3, abs=0.005)  # two of 400 persons
    assert found.level_se == pytest.approx(np.std(sample.theta) * np.sqrt(0.24 / 400) / 0.386, rel=0.35)
    assert found.z[:, 1] == pytest.approx(norms.standardise("service", found.theta[:, 1]))


def test_order_of_dimensions_does_not_matter():
    scores = pool(10, THREE)
    turned = dataclasses.replace(
        scores, dimensions=THREE[::-1], theta=scores.theta[:, ::-1], cov=scores.cov[:, ::-1, ::-1]
    )
    a, b = (match(s, profile(*THREE), norms=LinearNorms(THREE)) for s in (scores, turned))
    assert (a.p_all == b.p_all).all()
    assert a.competencies == b.competencies == THREE


@pytest.mark.parametrize(("answers", "norms"), [(True, False), (False, True), (True, True)])
def test_simulated_is_carried_on(answers, norms):
    scores = dataclasses.replace(pool(4, THREE), provenance=Provenance("a", "h", simulated=answers))
    table = LinearNorms(THREE, provenance=Provenance("n", "h", simulated=norms))
    found = match(scores, profile(*THREE), norms=table)
    assert found.provenance.simulated
    assert "SIMULATED" in repr(found)
    assert ("simulated_norms" in {f.code for f in found.findings}) == (norms and not answers)


def test_real_answers_stay_real(matches):
    assert matches.provenance.label == "real answers"
    assert matches.provenance.options["seed"] == "1"
    assert "43-4051.00" in matches.provenance.source


def test_every_probability_has_an_interval_or_its_errors_named(matches):
    named = {name for row in matches.to_frame("error_sources")["column"] for name in row.split(", ")}
    for table in ("candidates", "competencies"):
        probabilities = {c for c in matches.to_frame(table) if c.startswith("p_") and not c.endswith("_se")}
        assert probabilities <= named
    assert {"role_fit_lower", "role_fit_upper", "rank_lower", "composite_lower"} <= set(matches.to_frame())
    assert "match" not in " ".join(matches.to_frame().columns)  # no bare match percentage


def test_tables_have_one_length_each(matches):
    for name, columns in matches.tables().items():
        assert len({len(column) for column in columns.values()}) == 1, name
    assert len(matches.to_frame()) == 60
    assert len(matches.to_frame("competencies")) == 360


def test_groups_are_kept():
    scores = dataclasses.replace(pool(3, THREE), group=("a", "b", "a"))
    found = match(scores, profile(*THREE), norms=LinearNorms(THREE))
    assert found.to_frame()["group"].tolist() == ["a", "b", "a"]


def codes(found):
    return {f.code: f for f in found.findings}


def test_findings_of_a_plain_match():
    found = codes(match(pool(4, THREE), profile(*THREE), norms=LinearNorms(THREE)))
    assert set(found) == {"few_competencies", "mixed_raters"}
    assert "a profile of 3 competencies" in found["few_competencies"].message


def test_six_competencies_are_not_few(matches):
    assert set(codes(matches)) == {"mixed_raters"}


def test_scores_without_prior_are_pointed_out():
    scores = dataclasses.replace(pool(4, THREE), method="wle")
    assert "not regressed to the mean" in codes(match(scores, levelled(THREE, (0, 0, 0))))["flat_prior"].message


def test_persons_without_answers_are_named():
    status = ((Status.CONVERGED,) * 3, (Status.NO_ANSWERS,) * 3)
    scores = dataclasses.replace(pool(2, THREE), status=status)
    found = codes(match(scores, levelled(THREE, (0, 0, 0))))["score_status"]
    assert "1 score(s) are not plain estimates (no answers): p001." in found.message
    assert "the population's" in found.remedy


def test_without_norms_z_is_the_score():
    found = match(pool(3, THREE), levelled(THREE, (0, 0, 0)))
    assert (found.z == found.theta).all()
    assert codes(found)["no_norms"].severity is Severity.WARNING
    assert found.provenance.options["norms"] == "none"


def test_unscored_and_unlinked_competencies_are_pointed_out():
    links = LINKS | {"upselling": []}
    role = load_profile("43-4051.00", links={c: links[c] for c in (*THREE, "science", "upselling")})
    role = role.with_standard("upselling", theta=-1.0, se=0.1, source="study")
    names = (*THREE, "upselling")
    found = match(pool(5, names), role, norms=LinearNorms(names))
    assert "science has no required level and was not scored" in codes(found)["not_scored"].message
    assert "upselling is not known" in codes(found)["importance_not_known"].message
    assert found.composite.weight[-1] == 0
    assert np.isfinite(found.p_meets[:, -1]).all()
    assert np.isfinite(found.fit.percentile).all()


def test_nothing_required_is_said_and_not_counted_as_met():
    role = profile(*THREE).with_policy(StandardPolicy(upper_share=0, importance=101))
    found = match(pool(3, THREE), role, norms=LinearNorms(THREE))
    assert np.isnan(found.p_all).all()
    assert np.isnan(found.p_all_mc).all()
    assert found.to_frame()["verdict"].unique().tolist() == ["no required level"]
    assert found.sensitivity == ()
    assert "no_required_level" in codes(found)


def test_required_but_not_scored():
    with pytest.raises(ProfileError, match=r"requires what was not scored. Scored: listening") as caught:
        match(pool(3, ("listening",)), profile(*THREE), norms=LinearNorms(THREE))
    assert "profile.restricted_to(['listening'])" in str(caught.value)
    assert [p.split(":")[0] for p in caught.value.problems] == ["competency 'service'", "competency 'dependability'"]
    assert "declared policy" in caught.value.problems[0]


def test_unnormed_scale():
    with pytest.raises(ProfileError, match="need norms of every scale") as caught:
        match(pool(3, THREE), profile(*THREE), norms=LinearNorms(("listening",)))
    assert "unnormed scale 'service': there are no norms of 'service'" in caught.value.problems


def test_norms_in_another_metric():
    with pytest.raises(ProfileError, match="the scores are in metric 'logit', the norms in metric 'raw'"):
        match(pool(3, THREE), profile(*THREE), norms=LinearNorms(THREE, metric="raw"))


def test_level_that_the_norms_cannot_give():
    with pytest.raises(ProfileError, match="required level of 'service': percentile 40 cannot be read"):
        match(pool(3, THREE), profile(*THREE), norms=LinearNorms(THREE, lowest=45))


def test_shift_that_the_norms_cannot_follow_is_left_out_and_said():
    found = match(pool(3, THREE), profile(*THREE), norms=LinearNorms(THREE, lowest=35))
    assert {row.shift for row in found.sensitivity} == {0.0, 10.0}
    assert "that of the norm sample" in codes(found)["policy_not_moved"].message


def test_percentile_levels_without_norms():
    with pytest.raises(ProfileError, match="set every level as theta") as caught:
        match(pool(3, THREE), profile(*THREE))
    assert "competency 'listening': the level is percentile 40, and no norms were given" in caught.value.problems


def test_nothing_in_common():
    role = profile("listening").with_policy(StandardPolicy(upper_share=0, importance=101))
    with pytest.raises(ProfileError, match="there is nothing to weight"):
        match(pool(3, ("speed",)), role)


def test_scores_that_are_not_finite():
    scores = pool(3, THREE)
    scores.theta[1, 2] = np.inf
    with pytest.raises(ProfileError, match="person 'p001', competency 'dependability': score inf") as caught:
        match(scores, levelled(THREE, (0, 0, 0)))
    assert "method='eap'" in caught.value.message


def test_covariance_that_is_none():
    scores = pool(3, THREE)
    scores.cov[2] = np.eye(3) - 1.0
    scores.cov[2][np.diag_indices(3)] = 0.5
    with pytest.raises(ProfileError, match=r"p002: smallest eigenvalue -1\.5"):
        match(scores, levelled(THREE, (0, 0, 0)))


def test_a_person_who_comes_twice():
    scores = dataclasses.replace(pool(3, THREE), person_ids=("ann", "bo", "ann"))
    with pytest.raises(ProfileError, match="'ann' comes 2 times"):
        match(scores, levelled(THREE, (0, 0, 0)))


def test_no_candidate():
    with pytest.raises(ProfileError, match="There is no candidate"):
        match(pool(0, THREE), levelled(THREE, (0, 0, 0)))


def test_options_out_of_range():
    with pytest.raises(ProfileError) as caught:
        match(pool(3, THREE), profile(*THREE), draws=10, seed=-1, confidence=90)
    assert [p.split()[0] for p in caught.value.problems] == ["draws", "seed", "confidence"]


def test_unknown_candidate(matches):
    with pytest.raises(ProfileError, match=r"no candidate 'p0001' among the 60 matched\. Did you mean"):
        probability_above(matches, "p0001", "p001")
