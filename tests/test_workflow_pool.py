"""The HR analyst's job on SIMULATED applicants, its report, and the agreement of two methods by hand."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import openpyxl
import pytest

import talentassess as ta
from talentassess.calibration import calibrate
from talentassess.core.errors import NormError, ProfileError
from talentassess.core.responses import Responses
from talentassess.core.scores import Scores
from talentassess.render.blocks import Callout, FigureBlock
from talentassess.render.doc import ReportDoc, TableBlock
from talentassess.scoring import score
from talentassess.workflow.pool import MethodAgreement, method_agreement

ROLE = "43-4051.00"
N_PILOT, N_PEOPLE = 200, 24
FORBIDDEN = re.compile(r"\b(match(ing)? (percentage|score|per cent)|valid|validated|compliant|compliance)\b", re.I)

# Columns of the pool report that hold probabilities; the error table has a row for each.
PROBABILITIES = ("P(first)", "P(meets all levels)", "Expected share that meets")


@pytest.fixture(scope="module")
def pilot() -> tuple[ta.Calibration, Scores, ta.PoolComparison]:
    bank = ta.load_bank("service_core")
    answers, people = ta.simulate(bank, N_PILOT, seed=11), ta.simulate(bank, N_PEOPLE, seed=12)
    calibration = calibrate(answers, se=None)
    scores = score(calibration, answers)
    card = ta.norm_card(scores, population="nobody", sample="SIMULATED pilot", collected=("2025", "2025"))
    pool = ta.compare_pool(
        score(calibration, people),
        ta.load_profile(ROLE).restricted_to(bank.scale_ids),
        ta.fit_norms(scores, card=card),
        responses=people,
        bank=bank,
    )
    return calibration, scores, pool


@pytest.fixture(scope="module")
def pool(pilot) -> ta.PoolComparison:
    return pilot[2]


@pytest.fixture(scope="module")
def doc(pool) -> ReportDoc:
    return ta.report(pool)


@pytest.fixture(scope="module")
def written(doc, tmp_path_factory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("pool")
    return {suffix: doc.save(place / f"pool{suffix}") for suffix in (".html", ".json", ".xlsx")}


def table(doc: ReportDoc, anchor: str) -> TableBlock:
    return next(t for t in doc.tables if t.anchor == anchor)


def rows(block: TableBlock) -> list[dict[str, object]]:
    return [dict(zip(block.columns, row, strict=True)) for row in zip(*block.columns.values(), strict=True)]


# --- the comparison --------------------------------------------------------------------------------------------------


def test_the_comparison_joins_the_steps(pilot):
    _, scores, pool = pilot
    alone = ta.match(pool.scores, ta.load_profile(ROLE).restricted_to(pool.scores.dimensions), norms=pool.norms, seed=1)
    np.testing.assert_array_equal(pool.matches.p_meets, alone.p_meets)
    np.testing.assert_array_equal(pool.matches.composite.rank, alone.composite.rank)
    np.testing.assert_array_equal(pool.normed.z, pool.norms.apply(pool.scores).z)
    assert pool.norms.card.n == len(scores.person_ids) == N_PILOT
    assert pool.provenance.simulated


def test_another_seed_moves_only_what_is_drawn(pilot):
    _, _, pool = pilot
    other = ta.compare_pool(pool.scores, pool.matches.profile, pool.norms, seed=2).matches
    np.testing.assert_array_equal(other.p_meets, pool.matches.p_meets)
    np.testing.assert_array_equal(other.composite.value, pool.matches.composite.value)
    assert not np.array_equal(other.composite.p_best, pool.matches.composite.p_best)
    # five standard errors of the difference of two runs, per candidate
    band = 5 * np.hypot(pool.matches.p_all_mc, other.p_all_mc) + 1e-3
    assert np.all(np.abs(other.p_all - pool.matches.p_all) < band)


def test_tables_of_the_pool(pool):
    tables = pool.tables()
    assert {"candidates", "competencies", "sensitivity", "normed", "methods", "error_sources"} <= set(tables)
    assert list(tables["candidates"]["person"]) == list(pool.scores.person_ids)
    assert len(pool.to_frame("methods")) == 5
    assert len(pool.to_frame()) == N_PEOPLE


def test_without_answers_or_bank_methods_are_not_compared(pool):
    plain = ta.compare_pool(pool.scores, pool.matches.profile, pool.norms)
    assert plain.agreement == ()
    assert "Two methods, one score?" not in [section.title for section in ta.report(plain).sections]


def test_a_required_competency_without_scores_is_refused(pilot):
    calibration, _, pool = pilot
    kept = [i for i in calibration.item_ids if calibration.dimension_of(i) != "ownership"]
    answers = ta.simulate(ta.load_bank("service_core"), 30, seed=5).select(kept)
    fewer = score(calibrate(answers, se=None), answers)
    with pytest.raises(ProfileError, match="ownership"):
        ta.compare_pool(fewer, pool.matches.profile, pool.norms)


def test_a_scale_without_norms_is_refused(pilot):
    calibration, _, pool = pilot
    kept = [i for i in calibration.item_ids if calibration.dimension_of(i) == "ownership"]
    answers = ta.simulate(ta.load_bank("service_core"), 60, seed=5).select(kept)
    scores = score(calibrate(answers, se=None), answers)
    card = ta.norm_card(scores, population="nobody", sample="SIMULATED", collected=("2025", "2025"))
    with pytest.raises(NormError, match="dependability"):
        ta.compare_pool(pool.scores, pool.matches.profile, ta.fit_norms(scores, card=card))


# --- agreement of two methods ----------------------------------------------------------------------------------------


def answers(*columns: list[int]) -> Responses:
    """Two self-report and two situational items of ownership, four persons."""
    items = ["ow_sr_01", "ow_sr_02", "ow_sj_01", "ow_sj_02"]
    bank = ta.load_bank("service_core")
    return Responses(
        x=np.array(columns).T,
        n_cat=[bank.n_cat(item) for item in items],
        item_ids=items,
        person_ids=list("abcd"),
        scales=["ownership"] * 4,
    )


def test_method_agreement_by_hand():
    """All sums of squares below are over four persons, each item 5 (deviations -1.5, -.5, .5, 1.5 in some order).

    Self-report: cross product 3, sum score 5 + 5 + 2 * 3 = 16, alpha = 2 (1 - 10 / 16) = 3/4.
    Situational: cross product 4, sum score 5 + 5 + 2 * 4 = 18, alpha = 2 (1 - 10 / 18) = 8/9.
    Sums: deviations (-2, -2, 2, 2) and (-3, 0, 0, 3), cross product 12, r = 12 / sqrt(16 * 18) = 1 / sqrt(2).
    Disattenuated: (1 / sqrt(2)) / sqrt(3/4 * 8/9) = sqrt(3) / 2.
    """
    found = method_agreement(
        answers([0, 1, 2, 3], [1, 0, 3, 2], [0, 2, 1, 3], [0, 1, 2, 3]), ta.load_bank("service_core")
    )
    assert len(found) == 1
    row = found[0]
    assert (row.scale, row.n_self_report, row.n_situational) == ("ownership", 2, 2)
    # 1e-12: rounding of doubles
    assert row.alpha_self_report == pytest.approx(3 / 4, abs=1e-12)
    assert row.alpha_situational == pytest.approx(8 / 9, abs=1e-12)
    assert row.r == pytest.approx(np.sqrt(0.5), abs=1e-12)
    assert row.r_disattenuated == pytest.approx(np.sqrt(3) / 2, abs=1e-12)
    # Fisher's z of four persons: artanh(.7071) -+ 1.96
    assert row.n_persons == 4
    assert (row.r_lower, row.r_upper) == pytest.approx((np.tanh(0.881374 - 1.959964), np.tanh(0.881374 + 1.959964)))


def test_no_correction_with_an_alpha_below_zero():
    """Situational cross product -4: sum score 5 + 5 - 8 = 2, alpha = 2 (1 - 10 / 2) = -8."""
    row = method_agreement(
        answers([0, 1, 2, 3], [1, 0, 3, 2], [0, 2, 1, 3], [3, 2, 1, 0]), ta.load_bank("service_core")
    )[0]
    assert row.alpha_situational == pytest.approx(-8, abs=1e-12)
    # sums of the situational items: (3, 4, 2, 3), deviations (0, 1, -1, 0); cross product -2 - 2 = -4
    assert row.r == pytest.approx(-4 / np.sqrt(16 * 2), abs=1e-12)
    assert row.r_disattenuated is None


def test_a_scale_of_one_method_has_no_agreement():
    bank = ta.load_bank("service_core")
    only = ta.simulate(bank, 20, seed=1).select([item.id for item in bank.self_report])
    assert method_agreement(only, bank) == ()


def test_agreement_of_simulated_answers_is_that_of_one_trait(pool):
    """In SIMULATED answers both methods measure the same theta, so the corrected correlation is 1 within error."""
    assert [row.scale for row in pool.agreement] == list(ta.load_bank("service_core").scale_ids)
    assert all(isinstance(row, MethodAgreement) and 0 < row.r < 1 for row in pool.agreement)
    bank = ta.load_bank("service_core")
    rows = method_agreement(ta.simulate(bank, 4000, seed=1), bank)
    # 0.15: four situational items have an alpha near .4, which the unequal slopes keep below the reliability, so that
    # the correction overshoots by a few hundredths; its sampling error with 4,000 persons is about .015
    assert [row.r_disattenuated for row in rows] == pytest.approx([1.0] * 5, abs=0.15)


# --- the report ------------------------------------------------------------------------------------------------------


def test_claims_rest_on_what_is_there_and_have_caveats(doc):
    assert len(doc.claims) == 4
    labels = doc.labels()
    for claim in doc.claims:
        assert claim.rests_on in labels
        assert claim.caveat


def test_the_summary_says_what_the_tables_say(doc, pool):
    candidates = rows(table(doc, "candidate-table"))
    verdict = [row["Verdict"] for row in candidates]
    level = round(100 * pool.matches.drawing.confidence)
    sentences = [claim.sentence for claim in doc.claims]
    assert len(candidates) == N_PEOPLE
    assert sentences[0] == (
        f"{verdict.count('meets')} of {N_PEOPLE} applicants meet all 5 levels that were assessed (12 more are "
        "required) with a probability of at least "
        f"{level} %; {verdict.count('does not meet')} do not with the same certainty; for "
        f"{verdict.count('cannot tell')} the answers do not settle it."
    )
    together = sum(row["Level with the first"] == "yes" for row in candidates)
    who = f"{together} applicant{'' if together == 1 else 's'}"
    assert sentences[1] == f"{who} cannot be told apart from the first in rank, that one included."
    ends = [tuple(map(int, str(row["Rank, interval"]).split(" to "))) for row in candidates]
    width = np.mean([last - first + 1 for first, last in ends])
    assert sentences[2] == (
        f"The {level} % interval of an applicant's rank spans {width:.0f} of the {N_PEOPLE} places on average."
    )
    requirements = rows(table(doc, "requirement-table"))
    required = [row["Competency"] for row in requirements if row["Required level"] != "none"]
    assert sentences[3] == (
        f"{len(required)} of {len(requirements)} competencies have a required level: {', '.join(required)}."
    )


def test_the_tables_show_the_numbers_of_the_match(doc, pool):
    m = pool.matches
    place = {person: i for i, person in enumerate(m.person_ids)}
    candidates = rows(table(doc, "candidate-table"))
    assert [row["Rank"] for row in candidates] == sorted(row["Rank"] for row in candidates)
    for row in candidates:
        i = place[row["Applicant"]]
        assert row["Rank"] == m.composite.rank[i]
        assert row["Composite (z)"] == m.composite.value[i]
        assert row["SE"] == m.composite.se[i]
        assert row["P(meets all levels)"] == m.p_all[i]
        assert row["P(first)"] == m.composite.p_best[i]
    normed = rows(table(doc, "normed-table"))
    assert [row["T"] for row in normed] == pytest.approx(list((50 + 10 * pool.normed.z).ravel()), abs=1e-9)
    methods = rows(table(doc, "method-table"))
    assert [row["r"] for row in methods] == [row.r for row in pool.agreement]


def test_verdicts_at_the_declared_level_add_up_to_the_pool(doc, pool):
    block = next(t for t in doc.tables if "Expected share that meets" in t.columns)
    for k, row in enumerate(rows(block)):
        assert row["Meet"] + row["Do not meet"] + row["Not settled"] == N_PEOPLE
        assert row["Expected share that meets"] == pytest.approx(pool.matches.p_meets[:, k].mean(), abs=1e-12)
    unmoved = [row for row in rows(table(doc, "sensitivity-table")) if row["Level moved by (percentile points)"] == 0]
    assert unmoved[-1]["Competency"] == "All required"
    candidates = [row["Verdict"] for row in rows(table(doc, "candidate-table"))]
    assert unmoved[-1]["Meet"] == candidates.count("meets")
    assert unmoved[-1]["Do not meet"] == candidates.count("does not meet")


def test_every_probability_names_its_error(doc):
    """Every column of probabilities has a row of the error table that says what their error includes and leaves out."""
    errors = {row["Number"]: row for row in rows(table(doc, "error-table"))}
    held = [name for t in doc.tables for name in t.columns if re.search(r"^P\(|probab|share that", name, re.I)]
    assert sorted(held) == sorted(PROBABILITIES)  # a new column of probabilities must be listed above
    for name in held:
        row = errors[name]
        assert row["Errors included"]
        assert row["Errors not included"]
        assert re.fullmatch(r"none: exact|\d+ draws, seed \d+: standard error at most 0\.\d+", row["Monte Carlo"])
    figures = [f for f in doc.figures if "robability" in f.caption]
    assert figures
    for figure in figures:
        assert "error" in figure.caption


def test_no_rank_without_its_interval(doc):
    ranked = [t for t in doc.tables if "Rank" in t.columns]
    assert ranked
    assert all("Rank, interval" in t.columns for t in ranked)


def test_the_report_says_simulated_on_the_page_on_every_sheet_and_in_the_data(doc, written):
    assert doc.simulated
    assert "SIMULATED" in written[".html"].read_text(encoding="utf-8").split("<script")[0]
    book = openpyxl.load_workbook(written[".xlsx"], read_only=True)
    silent = [
        sheet.title
        for sheet in book
        if not any("SIMULATED" in str(cell) for row in sheet.iter_rows(values_only=True) for cell in row)
    ]
    book.close()
    assert silent == []
    assert json.loads(written[".json"].read_text(encoding="utf-8"))["mark"] == "SIMULATED"


def test_the_report_promises_nothing_it_cannot_show(written):
    for suffix in (".html", ".json"):
        text = written[suffix].read_text(encoding="utf-8")
        assert FORBIDDEN.findall(text.split("<script")[0] if suffix == ".html" else text) == []


def test_the_report_carries_the_attribution(doc, written):
    assert any("USDOL/ETA" in line for line in doc.attributions)
    assert "USDOL/ETA" in written[".html"].read_text(encoding="utf-8")


def test_the_report_names_the_parents(doc):
    text = " ".join(doc.provenance)
    assert "match of simulated persons with 43-4051.00" in text
    assert "seed = 1" in text


def test_twenty_competencies_share_one_figure_and_the_hard_demand_is_explained():
    """SIMULATED answers to the whole bank: a strip per competency instead of twenty histograms of twelve persons."""
    bank = ta.load_bank("service")
    pilot, people = ta.simulate(bank, 200, seed=1), ta.simulate(bank, 12, seed=2)
    calibration = ta.calibrate(pilot, se=None)
    scores = score(calibration, pilot)
    card = ta.norm_card(scores, population="nobody", sample="SIMULATED", collected=("2025", "2025"))
    pool = ta.compare_pool(
        score(calibration, people),
        ta.load_profile("43-4051.00"),
        ta.fit_norms(scores, card=card),
        responses=people,
        bank=bank,
    )
    page = ta.report(pool)
    section = next(s for s in page.sections if s.anchor == "competencies")
    assert [b.anchor for b in section.blocks if isinstance(b, FigureBlock)] == ["strips-scores-logits"]
    callouts = [b for s in page.sections for b in s.blocks if isinstance(b, Callout)]
    assert any("Meeting all 17 levels is a hard demand" in c.text and "0.17" in c.text for c in callouts)
    assert "Few competencies" not in {c.title for c in callouts}
    methods = table(page, "method-table")
    assert set(methods.cells["Persons"]) == {12}
    assert all(" to " in str(cell) for cell in methods.cells["95 % interval"])
