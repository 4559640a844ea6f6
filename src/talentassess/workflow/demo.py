"""The demonstration: the psychologist's job on real answers, the HR analyst's job on SIMULATED applicants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from talentassess.bank.load import load_bank
from talentassess.bank.tables import read_answers
from talentassess.calibration import calibrate
from talentassess.content import content_dir
from talentassess.matching import load_profile
from talentassess.norming import fit_norms, norm_card, save_norms
from talentassess.render.doc import ReportDoc
from talentassess.scoring import score
from talentassess.workflow.artefacts import save
from talentassess.workflow.pool import PoolComparison, compare_pool
from talentassess.workflow.report import report
from talentassess.workflow.simulate import simulate
from talentassess.workflow.study import NormGroup, Study, run_study, take_answers

RETAIL_HIRES = NormGroup(
    population="retail employees hired in the United States, 2020-21",
    sample="convenience sample of hires (SIOP 2020-21 machine learning competition, development part)",
    collected=("2020", "2021"),
    notes=(
        "Hired people only: ranges are restricted, so reliabilities and spreads are lower than among applicants. "
        "Wording, scale names and keys are not published; reverse keys are inferred, situational keys are consensus."
    ),
)
CREDIT = (
    "Answers: Koenig, N., & Thompson, I. (2021). The 2020-2021 SIOP Machine Learning Competition. "
    "Licensed CC BY-SA 4.0 (https://creativecommons.org/licenses/by-sa/4.0/)."
)
QUICK, FULL = (500, 400, 60), (10_000_000, 1000, 300)  # persons: real answers at the most, SIMULATED pilot, applicants
QUICK_FORMS, FULL_FORMS = (".html", ".json"), (".html", ".xlsx", ".json", ".pdf")
ROLE = "43-4051.00"


def run_demo(folder: Path, say: Callable[[str], None], *, quick: bool = False) -> list[Path]:
    """Run both jobs, write their reports and artefacts below ``folder``, and return the paths of the reports."""
    people, pilot, applicants = QUICK if quick else FULL
    forms = QUICK_FORMS if quick else FULL_FORMS
    study = retail_study(people, say, second_estimator=not quick)
    save(study.calibration, folder / "study" / "calibration.json")
    save(study.scores, folder / "study" / "scores.json")
    save_norms(study.norms, folder / "study" / "norms")
    written = _write(_credited(report(study)), folder / "study" / "study_report", forms, say)
    pool = service_pool(pilot, applicants, say)
    save(pool.scores, folder / "pool" / "scores.json")
    save_norms(pool.norms, folder / "pool" / "norms")
    return written + _write(report(pool), folder / "pool" / "pool_report", forms, say)


def retail_study(people: int, say: Callable[[str], None], *, second_estimator: bool) -> Study:
    """Run the study on the shipped answers of retail hires (the first ``people`` of them)."""
    folder = content_dir("data") / "siop2021_retail"
    bank = load_bank(folder)
    say(f"Reading {folder.name}/answers.csv (real answers, CC BY-SA 4.0)")
    answers = take_answers(read_answers(folder / "answers.csv", bank, person="UNIQUE_ID"), people)
    return run_study(answers, bank, RETAIL_HIRES, second_estimator=second_estimator, say=say)


def service_pool(pilot: int, applicants: int, say: Callable[[str], None]) -> PoolComparison:
    """Calibrate and norm the service bank on a SIMULATED pilot, then compare SIMULATED applicants with a real role."""
    bank = load_bank("service_core")
    say(f"Simulating a pilot of {pilot} and {applicants} applicants (SIMULATED)")
    pilot_answers = simulate(bank, pilot, seed=20, name="SIMULATED pilot")
    calibration = calibrate(pilot_answers, "graded", se=None)
    pilot_scores = score(calibration, pilot_answers)
    card = norm_card(
        pilot_scores,
        population="no real population: a SIMULATED pilot",
        sample="SIMULATED persons, standard normal competencies correlated .4",
        collected=("2026", "2026"),
    )
    norms = fit_norms(pilot_scores, card=card)
    people = simulate(bank, applicants, seed=21, name="SIMULATED applicants")
    say(f"Comparing the applicants with {ROLE}")
    profile = load_profile(ROLE).restricted_to(bank.scale_ids)
    return compare_pool(score(calibration, people), profile, norms, responses=people, bank=bank)


def _credited(doc: ReportDoc) -> ReportDoc:
    return replace(doc, attributions=(CREDIT, *doc.attributions))


def _write(doc: ReportDoc, stem: Path, forms: tuple[str, ...], say: Callable[[str], None]) -> list[Path]:
    stem.parent.mkdir(parents=True, exist_ok=True)
    written = []
    for suffix in forms:
        say(f"Writing {stem.name}{suffix}")
        written.append(doc.save(stem.with_suffix(suffix)))
    return written
