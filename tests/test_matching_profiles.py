"""Role profiles: importance with its error, declared and studied levels, messages."""

from __future__ import annotations

import numpy as np
import pytest

from matching_cases import CSR, LINKS, LinearNorms, make_scores, profile
from talentassess.core.errors import ProfileError
from talentassess.matching import StandardPolicy, competency_importance, load_occupations, load_profile, match

MIXED = {"listening": [("2.A.1.b", 3.0), ("2.B.1.a", 1.0)], "ownership": [("1.C.5.a", 1.0), ("1.C.1.c", 1.0)]}


def test_shipped_competencies_give_a_profile():
    loaded = load_profile(CSR)
    core = {"active_listening", "service_orientation", "ownership", "dependability", "follow_up"}
    assert core <= set(loaded.competencies)
    assert sum(r.weight for r in loaded.requirements if r.weight is not None) == pytest.approx(1.0)
    assert loaded.title in repr(loaded)


def test_code_and_title_are_the_same_role():
    by_title = load_profile("customer service representatives", links=LINKS)
    assert (by_title.code, by_title.requirements) == (CSR, profile().requirements)


def test_importance_is_the_weighted_mean_with_its_error():
    # CSR: Active Listening 4.00 (SE 0, smoothed), Social Perceptiveness 3.00 (SE 0, smoothed); weights 3 : 1.
    # Dependability 4.76 (SE .1494), Initiative 4.41 (SE .1085).
    loaded = load_profile(CSR, links=MIXED)
    listening, ownership = loaded.requirements
    assert listening.importance == pytest.approx(0.75 * 75 + 0.25 * 50)
    assert [e.error_source for e in listening.elements] == ["smoothed", "smoothed"]
    assert ownership.importance == pytest.approx((94.0 + 85.25) / 2)
    assert ownership.importance_se == pytest.approx(25 * np.hypot(0.1494, 0.1085) / 2)
    assert np.sqrt(np.diag(loaded.importance_cov)) == pytest.approx([r.importance_se for r in loaded.requirements])


def test_competencies_that_share_an_element_have_correlated_errors():
    links = {"a": [("1.C.5.a", 1.0)], "b": [("1.C.5.a", 0.5), ("1.C.1.c", 0.5)]}
    cov = load_profile(CSR, links=links).importance_cov
    assert cov[0, 1] == pytest.approx(0.5 * (25 * 0.1494) ** 2)


def test_importance_is_standardised_over_all_occupations():
    table = competency_importance(load_occupations(), MIXED)
    assert table.z.mean(axis=0) == pytest.approx([0, 0], abs=1e-10)
    assert table.z.std(axis=0) == pytest.approx([1, 1])
    loaded = load_profile(CSR, links=MIXED)
    everybody = table.importance[:, 1]
    own = loaded.requirements[1].importance
    share = 100 * (np.mean(everybody < own - 1e-9) + np.mean(np.abs(everybody - own) <= 1e-9) / 2)
    assert loaded.requirements[1].percentile == pytest.approx(share)
    assert loaded.requirements[1].z == pytest.approx((own - everybody.mean()) / everybody.std())


def test_unlinked_importance_is_not_known():
    loaded = load_profile(CSR, links={"upselling": [], "listening": [("2.A.1.b", 1.0)]})
    upselling = loaded.requirement("upselling")
    assert (upselling.importance, upselling.z, upselling.percentile, upselling.weight) == (None,) * 4
    assert upselling.standard is None
    assert loaded.requirement("listening").weight == 1.0
    row = loaded.to_frame().set_index("competency").loc["upselling"]
    assert row["elements"] == "not linked"


def test_default_policy_asks_where_importance_is_high():
    loaded = profile()
    required = {r.competency for r in loaded.requirements if r.standard}
    assert required == {"listening", "service", "dependability", "initiative", "stress"}  # all but science (0 of 100)
    assert loaded.requirement("listening").standard.percentile == 40
    assert "percentile 40 of the norm group" in loaded.requirement("listening").standard.source
    assert loaded.to_frame()["level_source"].iloc[-1] == "no required level"


@pytest.mark.parametrize(
    ("policy", "required"),
    [
        (StandardPolicy(upper_share=0.0, importance=80), {"dependability", "initiative", "stress"}),
        (StandardPolicy(upper_share=0.10, importance=101), {"service", "dependability", "stress"}),
        (StandardPolicy(upper_share=0.0, importance=101), set()),
    ],
)
def test_policy_rules(policy, required):
    found = {r.competency: r for r in profile().with_policy(policy).requirements}
    by_hand = {
        c
        for c, r in found.items()
        if r.importance >= policy.importance or r.percentile >= 100 - 100 * policy.upper_share
    }
    assert {c for c, r in found.items() if r.standard} == by_hand == required


def test_studied_levels_survive_another_policy():
    studied = profile().with_standard("listening", theta=0.3, se=0.1, source="modified Angoff, 9 SMEs")
    stricter = studied.with_policy(StandardPolicy(percentile=70))
    assert stricter.requirement("listening").standard.theta == 0.3
    assert stricter.requirement("service").standard.percentile == 70
    assert profile().requirement("listening").standard.percentile == 40  # the first profile is as it was


def test_restricted_profile_is_weighted_anew():
    part = profile().restricted_to(["stress", "listening"])
    assert part.competencies == ("stress", "listening")
    assert sum(r.weight for r in part.requirements) == pytest.approx(1.0)
    assert part.reference.shape == (879, 2)
    assert part.reference[part.role] == pytest.approx([r.z for r in part.requirements])


def test_tables_name_source_and_attribution():
    about = profile().to_frame("about").set_index("field")["value"]
    assert about["attribution"].startswith("This product includes information from O*NET 29.3 Database")
    assert about["rated"] == "skills 08/2022 (analyst ratings); work styles 08/2022 (incumbent ratings)"
    elements = profile().to_frame("elements")
    assert set(elements["error_source"]) <= {"published", "smoothed", "imputed"}


@pytest.mark.parametrize(
    ("role", "message"),
    [
        ("43-4051", "43-4051.00 Customer Service Representatives"),
        ("43-4015.00", "Did you mean one of these"),
        ("Customer Service", "43-4051.00 Customer Service Representatives"),
        ("astrologist of zzz", "Search by title with find_occupations"),
    ],
)
def test_unknown_role_is_named_with_the_nearest(role, message):
    with pytest.raises(ProfileError, match=f"'{role}' is neither the code") as caught:
        load_profile(role, links=LINKS)
    assert message in str(caught.value)


def test_bad_links_are_all_named():
    links = {"a": [("9.Z", 1.0)], "b": [("2.A.1.b", 0.0)], "c": [("2.A.1.b", 1.0), ("2.A.1.b", 1.0)]}
    with pytest.raises(ProfileError) as caught:
        load_profile(CSR, links=links)
    assert caught.value.problems == (
        "competency 'a': O*NET 29.3 has no element '9.Z'",
        "competency 'b', element '2.A.1.b': weight 0.0 is not positive",
        "competency 'c': element '2.A.1.b' is named twice",
    )
    with pytest.raises(ProfileError, match="there is no competency"):
        load_profile(CSR, links={})


def test_bad_policy_names_every_field():
    with pytest.raises(ProfileError) as caught:
        StandardPolicy(percentile=0, upper_share=2, importance=float("nan"))
    assert [p.split()[0] for p in caught.value.problems] == ["percentile", "upper_share", "importance"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "give either percentile= or theta="),
        ({"percentile": 40, "theta": 0.1}, "give either percentile= or theta="),
        ({"percentile": 100}, "percentile 100: must lie between 0 and 100"),
        ({"theta": float("inf")}, "theta inf: must be a number"),
        ({"theta": 0.0, "se": -1}, "se -1: must be 0 or more"),
        ({"theta": 0.0, "source": " "}, "source is empty: say who set the level"),
        ({"theta": 0.0, "sign": 0}, r"sign 0: must be 1 \(a floor\) or -1"),
    ],
)
def test_bad_standard_is_refused(changes, message):
    with pytest.raises(ProfileError, match=message):
        profile().with_standard("listening", **({"se": 0.1, "source": "study"} | changes))


def test_unknown_competency_is_refused():
    with pytest.raises(ProfileError, match=r"no competency 'listning'\. Did you mean 'listening'"):
        profile().with_standard("listning", theta=0, se=0, source="study")
    with pytest.raises(ProfileError, match="Name at least one competency, and each one once"):
        profile().restricted_to(["listening", "listening"])


def test_what_is_left_out_of_a_profile_is_remembered_and_named():
    whole = load_profile(CSR, links=MIXED)
    required = [r.competency for r in whole.requirements if r.standard is not None]
    cut = whole.restricted_to(required[:1])
    assert cut.left_out == tuple(required[1:])
    assert cut.restricted_to(required[:1]).left_out == cut.left_out


def test_emphasis_moves_the_weights_and_nothing_else():
    whole = load_profile(CSR, links=MIXED)
    shifted = whole.with_emphasis({"listening": 2.0, "elsewhere": 3.0}, context="shop (rational)")
    plain, moved = ({r.competency: r for r in p.requirements} for p in (whole, shifted))
    a, b = whole.requirements[0].importance, whole.requirements[1].importance
    assert moved["listening"].weight == pytest.approx(2 * a / (2 * a + b))
    assert sum(r.weight for r in shifted.requirements) == pytest.approx(1)
    assert [(r.importance, r.standard) for r in plain.values()] == [(r.importance, r.standard) for r in moved.values()]
    assert shifted.context == "shop (rational)"


def test_emphasis_reaches_the_composite_and_its_error():
    whole = load_profile(CSR, links=MIXED, policy=StandardPolicy(upper_share=0, importance=101))
    scores = make_scores(np.array([[0.5, 0.1], [-0.2, 0.9]]), 0.1 * np.eye(2), ("listening", "ownership"))
    norms = LinearNorms(("listening", "ownership"))
    shop = whole.with_emphasis({"listening": 3.0}, context="shop")
    plain, shifted = (match(scores, p, norms=norms) for p in (whole, shop))
    importance = np.array([r.importance for r in whole.requirements]) * [3.0, 1.0]
    assert shifted.composite.weight == pytest.approx(importance / importance.sum())
    assert plain.composite.weight[0] < shifted.composite.weight[0]
    gradient = (np.eye(2) - shifted.composite.weight[:, None]) / importance.sum()
    cov = whole.importance_cov * np.outer([3, 1], [3, 1])
    assert shifted.composite.weight_cov == pytest.approx(gradient @ cov @ gradient.T)


def test_a_factor_that_is_not_positive_is_refused():
    with pytest.raises(ProfileError, match="listening: 0"):
        load_profile(CSR, links=MIXED).with_emphasis({"listening": 0.0}, context="shop")
