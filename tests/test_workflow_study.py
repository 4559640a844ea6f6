"""The psychologist's job on 300 real answers, and the reports of its results.

Real data: the first 300 retail hires of analysis/data/siop2021_retail; three self-report scales and the situational.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import openpyxl
import pytest

import talentassess as ta
from talentassess.bank.schema import ItemBank
from talentassess.calibration import calibrate
from talentassess.core.errors import DataError, ReportError
from talentassess.core.responses import Responses
from talentassess.render.doc import FindingBlock, ReportDoc, TableBlock
from talentassess.render.json_file import load_report
from talentassess.scoring import score
from talentassess.workflow.study import rest_mean, second_opinion, take_answers

ROOT = Path(__file__).resolve().parents[1]
RETAIL = ROOT / "analysis" / "data" / "siop2021_retail"
KEPT = ("scale_01", "scale_06", "scale_13", "situational")
N = 300
HIRES = ta.NormGroup("retail hires", "convenience sample of hires", ("2020", "2021"), "Hired people only.")

# Words that promise what no report here can show; "validity" in "no validity evidence" is another word.
FORBIDDEN = re.compile(r"\b(match(ing)? (percentage|score|per cent)|valid|validated|compliant|compliance)\b", re.I)


@pytest.fixture(scope="module")
def bank() -> ItemBank:
    """The retail bank cut to four of its scales, so that the tests stay quick."""
    content = ta.load_bank(RETAIL).model_dump(by_alias=True)
    content["scales"] = [scale for scale in content["scales"] if scale["id"] in KEPT]
    content["self_report"] = [item for item in content["self_report"] if item["scale"] in KEPT]
    return ItemBank.model_validate(content)


@pytest.fixture(scope="module")
def answers(bank) -> ta.RawAnswers:
    return take_answers(ta.read_answers(RETAIL / "answers.csv", bank, person="UNIQUE_ID"), N)


@pytest.fixture(scope="module")
def told() -> list[str]:
    """What the study said while it worked."""
    return []


@pytest.fixture(scope="module")
def study(answers, bank, told) -> ta.Study:
    return ta.run_study(answers, bank, HIRES, say=told.append)


@pytest.fixture(scope="module")
def doc(study) -> ReportDoc:
    return ta.report(study)


@pytest.fixture(scope="module")
def written(doc, tmp_path_factory) -> dict[str, Path]:
    """The study report in three forms (PDF is tested in test_render_files)."""
    place = tmp_path_factory.mktemp("report")
    return {suffix: doc.save(place / f"new/study{suffix}") for suffix in (".html", ".json", ".xlsx")}


def table(doc: ReportDoc, anchor: str) -> TableBlock:
    return next(t for t in doc.tables if t.anchor == anchor)


def rows(block: TableBlock) -> list[dict[str, object]]:
    return [dict(zip(block.columns, row, strict=True)) for row in zip(*block.columns.values(), strict=True)]


# --- the study -------------------------------------------------------------------------------------------------------


def test_the_study_joins_the_steps(study, answers, bank):
    """Each part equals what its own function gives for the same answers."""
    keyed = ta.derive_keys(answers, bank)
    responses = ta.key_responses(answers, keyed)
    np.testing.assert_array_equal(study.responses.x, responses.x)
    assert study.responses.scale_names == KEPT
    assert study.analysis["scale_01"].alpha == ta.analyze_items(responses)["scale_01"].alpha
    # 1e-8: the same sums, perhaps in another order
    np.testing.assert_allclose(study.scores.theta, score(calibrate(responses), responses).theta, atol=1e-8)
    assert study.norms.card.n == N
    assert study.norms.card.population == HIRES.population
    assert study.norms.card.notes == HIRES.notes
    assert not study.provenance.simulated


def test_unkeyed_situational_items_get_a_consensus_key_that_says_so(study, bank):
    assert all(item.key_source is None for item in bank.situational)
    assert all("consensus" in item.key_source for item in study.bank.situational)
    assert [o.item for o in study.options] == [item.id for item in bank.situational]


def test_the_study_tells_what_it_does(study, told):
    assert told[0] == repr(study.responses)
    assert [line for line in told if line.startswith("Calibrating")] == [f"Calibrating {s}" for s in KEPT]
    assert told[-1] == f"Scores and norms of {N} persons"


def test_persons_without_answers_are_kept(study):
    """Nobody is dropped: who left all situational items out has the population's value and a status that says so."""
    column = study.scores.column("situational")
    items = study.responses.items_of("situational")
    silent = np.flatnonzero(~study.responses.select(items).answered.any(axis=1))
    assert len(study.scores.person_ids) == N
    assert {study.scores.status[i][column].name for i in silent} <= {"NO_ANSWERS"}
    others = set(range(N)) - set(silent.tolist())
    assert "NO_ANSWERS" not in {study.scores.status[i][column].name for i in others}


# --- its parts -------------------------------------------------------------------------------------------------------


def test_take_answers_takes_the_first_and_says_so(bank):
    whole = ta.read_answers(RETAIL / "answers.csv", bank, person="UNIQUE_ID")
    part = take_answers(whole, 7)
    assert part.person_ids == whole.person_ids[:7]
    for item, x in part.self_report.items():
        np.testing.assert_array_equal(x, whole.self_report[item][:7])
    for item, x in part.situational.items():
        np.testing.assert_array_equal(x, whole.situational[item][:7])
    for item, seconds in part.seconds.items():
        np.testing.assert_array_equal(seconds, whole.seconds[item][:7])
    assert part.provenance.source == "answers.csv (first 7 persons)"
    assert part.provenance.data_hash not in ("", whole.provenance.data_hash)
    assert take_answers(whole, whole.n_persons) is whole
    assert "first" not in take_answers(whole, 10**6).provenance.source


def test_take_answers_cuts_group_and_weight():
    raw = ta.RawAnswers(
        person_ids=("a", "b", "c"), self_report={"q": [0, 1, 2]}, group=("x", "y", "x"), weight=[1.0, 2.0, 3.0]
    )
    part = take_answers(raw, 2)
    assert part.group == ("x", "y")
    assert part.weight.tolist() == [1.0, 2.0]


def test_rest_mean_by_hand():
    """Three items of 5, 3 and 2 categories; the rest of the first are the others, each scaled to 0..1."""
    x = np.array([[4, 2, 1], [0, 1, -1], [3, -1, -1], [-1, 0, 1]])
    responses = Responses(x=x, n_cat=[5, 3, 2], item_ids=["a", "b", "c"], person_ids=list("wxyz"))
    # w: (2/2 + 1/1) / 2 = 1; x: 1/2 alone; y: nothing left; z: (0 + 1) / 2
    np.testing.assert_allclose(rest_mean(responses, "a", ["a", "b", "c"]), [1.0, 0.5, np.nan, 0.5], atol=1e-15)
    # w: (4/4 + 2/2) / 2; x: (0 + 1/2) / 2; y: 3/4 alone; z: 0 alone
    np.testing.assert_allclose(rest_mean(responses, "c", ["a", "b", "c"]), [1.0, 0.25, 0.75, 0.0], atol=1e-15)


def test_second_opinion_takes_what_girth_can_take(study):
    """Complete persons, every category used, one number of categories per scale; the rest is left out."""
    able = []
    for scale in KEPT:
        part = study.responses.select(study.responses.items_of(scale))
        x = part.x[(part.x >= 0).all(axis=1)]
        if all(len(set(column)) == k for column, k in zip(x.T, part.n_cat, strict=True)):
            able.append(scale)
    assert list(study.check) == able
    assert "scale_01" in able
    part = study.responses.select(study.responses.items_of("scale_01"))
    complete = part.take(np.flatnonzero((part.x >= 0).all(axis=1)))
    check = study.check["scale_01"]
    # 1e-6: the tolerance of the estimation
    np.testing.assert_allclose(check.native, calibrate(complete).free.values, atol=1e-6)
    # girth integrates on another grid, which moves its latent mean by some hundredths of a logit and with it all
    # intercepts one way: the two agree within the standard error of 300 persons, not digit by digit
    assert np.abs(check.girth - check.native).max() > 0
    assert np.all(np.abs(check.girth - check.native) < check.native_se)


def test_second_opinion_leaves_out_a_scale_with_an_unused_category():
    rng = np.random.default_rng(3)
    theta = rng.normal(size=(250, 1))
    x = (theta + rng.normal(size=(250, 4)) > np.array([-0.8, 0.0, 0.4, 0.8])).astype(np.int16)
    full, declared = (Responses(x=x, n_cat=[k] * 4, item_ids=list("abcd"), person_ids=range(250)) for k in (2, 3))
    assert list(second_opinion(calibrate(full, "2pl", se=None), full)) == [full.scale_names[0]]
    assert second_opinion(calibrate(full, "2pl", se=None), declared) == {}


def test_second_opinion_leaves_out_a_scale_of_several_models(study):
    part = study.responses.select(study.responses.items_of("scale_01"))
    models = dict.fromkeys(part.item_ids, "graded") | {part.item_ids[0]: "gpcm"}
    assert second_opinion(calibrate(part, models, se=None), part) == {}


# --- the report ------------------------------------------------------------------------------------------------------


def test_claims_rest_on_what_is_there_and_have_caveats(doc):
    assert len(doc.claims) == 5
    labels = doc.labels()
    for claim in doc.claims:
        assert claim.rests_on in labels
        assert claim.caveat


def test_a_claim_that_rests_on_nothing_is_refused(doc):
    sections = tuple(s for s in doc.sections if s.anchor != "scales")  # drops the table 'reliability'
    with pytest.raises(ReportError, match="rests on 'reliability', which is not here"):
        replace(doc, sections=sections)


def test_the_summary_says_what_the_tables_say(doc):
    alphas = {row["Scale"]: row for row in rows(table(doc, "reliability"))}
    best, worst = max(alphas.values(), key=lambda r: r["Alpha"]), min(alphas.values(), key=lambda r: r["Alpha"])
    reach = sum(row["Alpha"] >= 0.70 for row in alphas.values())
    items = rows(table(doc, "item-statistics"))
    flags = next(b for b in doc.blocks if isinstance(b, FindingBlock) and b.title == "Flags, with their reasons")
    named = " ".join(f"{f.where}: {f.message}" for f in flags.findings)
    flagged = [row["Item"] for row in items if re.search(rf"\b{row['Item']}\b", named)]
    card = {row["field"]: row["value"] for row in rows(table(doc, "norm-card"))}
    sentences = [claim.sentence for claim in doc.claims]
    assert sentences[0] == (
        f"{reach} of {len(alphas)} scales reach an alpha of .70; the highest is {best['Scale']} ({best['Alpha']:.2f}, "
        f"95 % limits {best['Alpha, lower']:.2f} to {best['Alpha, upper']:.2f}), the lowest {worst['Scale']} "
        f"({worst['Alpha']:.2f})."
    )
    assert sentences[1] == f"{len(flagged)} of {len(items)} items are flagged by the item analysis."
    assert 0 < len(flagged) < len(items)
    assert sentences[2] == "The calibration ended with status: converged."
    assert sentences[3] == f"The norms rest on {int(card['n'])} persons: {card['sample']}."
    assert sentences[4].startswith("The situational items are scored with a sample-consensus key")


def test_the_report_shows_the_numbers_of_the_results(doc, study):
    statistics = {item.item: item for item in study.analysis.item_statistics}
    for row in rows(table(doc, "item-statistics")):
        item = statistics[row["Item"]]
        assert (row["N"], row["Mean"], row["Item-rest r"]) == (item.n, item.mean, item.item_rest)
    slopes = {row["Item"]: row["a"] for row in rows(table(doc, "slopes-and-thresholds"))}
    assert slopes == dict(zip(study.calibration.items["item"], study.calibration.items["a"], strict=True))
    shown = {
        row["Person"]: row["Score"] for row in rows(table(doc, "scores-of-the-persons")) if row["Scale"] == "scale_01"
    }
    assert shown == dict(zip(study.scores.person_ids, study.scores.theta[:, 0], strict=True))
    checked = {row["Scale"]: row["Largest difference"] for row in rows(table(doc, "cross-check"))}
    assert checked == {s: np.abs(c.girth - c.native).max() for s, c in study.check.items()}


def test_the_report_says_what_is_missing(doc):
    evidence = table(doc, "no-evidence").columns["Evidence"]
    for name in ("Criterion validity", "Adverse impact", "Differential item functioning"):
        assert name in evidence


def test_the_report_names_its_sources(doc, study):
    assert any("first 300 persons" in line and "real answers" in line for line in doc.provenance)
    assert study.bank.content_hash in str(table(doc, "data-table").columns["Value"])


def text_of_workbook(path: Path) -> dict[str, str]:
    book = openpyxl.load_workbook(path, read_only=True)
    text = {s.title: " ".join(str(c) for row in s.iter_rows(values_only=True) for c in row if c) for s in book}
    book.close()
    return text


def test_a_report_of_real_answers_never_says_simulated(doc, written):
    assert not doc.simulated
    assert "SIMULATED" not in written[".html"].read_text(encoding="utf-8").split("<script")[0]
    assert "SIMULATED" not in written[".json"].read_text(encoding="utf-8")
    assert not [name for name, text in text_of_workbook(written[".xlsx"]).items() if "SIMULATED" in text]
    assert json.loads(written[".json"].read_text(encoding="utf-8"))["mark"] == "real answers"


def test_the_report_comes_back_from_json(doc, written):
    again = load_report(written[".json"])
    assert again.claims == doc.claims
    assert again.labels() == doc.labels()
    assert [t.columns for t in again.tables] == [t.columns for t in doc.tables]


def test_the_report_promises_nothing_it_cannot_show(written):
    for text in (
        written[".html"].read_text(encoding="utf-8").split("<script")[0],
        written[".json"].read_text(encoding="utf-8"),
    ):
        assert FORBIDDEN.findall(text) == []


def test_the_words_that_are_looked_for_would_be_found():
    for text in ("a match percentage of 87", "the scale is valid", "a compliant test", "Validated scores"):
        assert FORBIDDEN.search(text)
    assert not FORBIDDEN.search("Criterion validity: no evidence yet. Invalid JSON.")


def test_a_title_can_be_given(study):
    assert ta.report(study.norms, title="Norms of 2021").title == "Norms of 2021"


def test_there_is_no_report_of_other_things(study):
    with pytest.raises(ReportError, match=r"There is no report for a Responses; there is one for: .*Calibration"):
        ta.report(study.responses)


# --- reports of single results, real and SIMULATED -------------------------------------------------------------------


@pytest.fixture(scope="module")
def simulated() -> dict[str, object]:
    """One result of every kind from SIMULATED answers to five statements."""
    bank = ta.load_bank("service_core")
    answers = ta.simulate(bank, 150, seed=4).select([i.id for i in bank.self_report if i.scale == "ownership"][:5])
    calibration = calibrate(answers)
    scores = score(calibration, answers)
    card = ta.norm_card(scores, population="nobody", sample="SIMULATED", collected=("2025", "2025"))
    return {
        "item analysis": ta.analyze_items(answers),
        "calibration": calibration,
        "scores": scores,
        "norms": ta.fit_norms(scores, card=card),
    }


KINDS = ("item analysis", "calibration", "scores", "norms")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_result_has_a_report_that_says_simulated(simulated, kind, tmp_path):
    doc = ta.report(simulated[kind])
    assert doc.simulated
    page = doc.save(tmp_path / "r.html").read_text(encoding="utf-8").split("<script")[0]
    assert "SIMULATED" in page
    assert "real answers" not in page
    content = json.loads(doc.save(tmp_path / "r.json").read_text(encoding="utf-8"))
    assert content["mark"] == "SIMULATED"
    sheets = text_of_workbook(doc.save(tmp_path / "r.xlsx"))
    assert [name for name, text in sheets.items() if "SIMULATED" not in text] == []
    assert FORBIDDEN.findall(page) == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_reports_of_real_answers_do_not(study, kind):
    results = {
        "item analysis": study.analysis,
        "calibration": study.calibration,
        "scores": study.scores,
        "norms": study.norms,
    }
    doc = ta.report(results[kind])
    assert not doc.simulated
    assert "SIMULATED" not in " ".join(doc.provenance)


def test_simulated_is_carried_from_any_parent(study, simulated):
    """Real answers scored with a calibration of SIMULATED ones give results that are marked."""
    items = study.responses.items_of("scale_01")
    real = study.responses.select(items)
    truth = calibrate(ta.simulate(calibrate(real, se=None), 200, seed=1), se=None)
    assert truth.provenance.simulated
    scores = score(truth, real)
    assert scores.provenance.simulated
    assert ta.report(scores).simulated


# --- simulate --------------------------------------------------------------------------------------------------------


def test_simulate_repeats_itself_and_follows_theta():
    bank = ta.load_bank("service_core")
    first, again, other = (ta.simulate(bank, 40, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.x, again.x)
    assert not np.array_equal(first.x, other.x)
    assert first.provenance.label == "SIMULATED"
    low, high = (ta.simulate(bank, 40, seed=1, theta=np.full((40, 5), t)) for t in (-2.0, 2.0))
    assert high.x.mean() > low.x.mean() + 1


@pytest.mark.parametrize(
    ("options", "words"),
    [({"n": 0}, "at least one person; found n = 0"), ({"n": 3, "theta": np.zeros((3, 2))}, r"it must be \(3, 5\)")],
)
def test_simulate_refuses(options, words):
    with pytest.raises(ta.TalentAssessError, match=words):
        ta.simulate(ta.load_bank("service_core"), seed=1, **options)


# --- the package -----------------------------------------------------------------------------------------------------


def test_verbs_stay_verbs_whatever_is_imported_first():
    """``ta.score`` and ``ta.calibrate`` are functions before and after a study has imported everything."""
    code = "import talentassess as ta; ta.run_study; print(callable(ta.score), callable(ta.calibrate))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"]


def test_the_bank_of_other_answers_is_refused(study):
    with pytest.raises(DataError, match=r"The bank 'service_core' has no item\(s\) PScale01_Q1"):
        ta.compare_pool(
            study.scores,
            ta.load_profile("43-4051.00"),
            study.norms,
            responses=study.responses,
            bank=ta.load_bank("service_core"),
        )


def test_names_of_scales_may_be_any_text(tmp_path):
    """Capitals, accents, spaces, and two names that differ in punctuation only."""
    answers = ta.simulate(ta.load_bank("service_core"), 120, seed=4)
    chosen = answers.select(answers.item_ids[:12])
    renamed = replace(chosen, scales=("Care",) * 3 + ("Größe X",) * 3 + ("a_b",) * 3 + ("a-b",) * 3)
    calibration = ta.calibrate(renamed, se=None)
    for result in (calibration, ta.analyze_items(renamed), ta.score(calibration, renamed)):
        assert ta.report(result).save(tmp_path / "x.html").stat().st_size > 1000


def test_scores_of_a_calibration_that_did_not_converge_say_so():
    answers = ta.simulate(ta.load_bank("service_core"), 120, seed=4).select(["ow_sr_01", "ow_sr_02", "ow_sr_03"])
    unfinished = ta.calibrate(answers, max_steps=2, se=None)
    assert {status for row in ta.score(unfinished, answers).status for status in row} == {ta.Status.MAX_STEPS}


def test_the_simulated_mark_survives_anchors_frames_and_tables(tmp_path):
    simulated = ta.simulate(ta.load_bank("service_core"), 300, seed=4).select(["ow_sr_01", "ow_sr_02", "ow_sr_03"])
    anchors = ta.calibrate(simulated, se=None)
    real = replace(simulated, provenance=replace(simulated.provenance, simulated=False, data_hash=""))
    assert ta.calibrate(real, se=None).provenance.simulated is False
    assert ta.calibrate(real, anchors=anchors, se=None).provenance.simulated is True
    path = tmp_path / "answers.csv"
    simulated.to_frame().to_csv(path, index=False)
    assert ta.read_responses(path, person="person").provenance.simulated is True
    assert ta.sum_score_table(anchors).provenance.simulated is True


def test_a_model_that_girth_does_not_know_is_left_out_of_the_second_opinion():
    answers = ta.simulate(ta.load_bank("service_core"), 200, seed=4).select(["ow_sr_01", "ow_sr_02", "ow_sr_03"])
    assert second_opinion(ta.calibrate(answers, "pcm", se=None), answers) == {}
    weighted = replace(answers, weight=np.ones(200))
    assert second_opinion(ta.calibrate(weighted, se=None), weighted) == {}


def test_a_report_without_any_alpha_says_so():
    answers = ta.simulate(ta.load_bank("service_core"), 60, seed=4).select(["ow_sr_01"])
    assert "reliability" in ta.report(ta.analyze_items(answers)).labels()
