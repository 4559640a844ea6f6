"""Commands on interviews: guide, form, ratings, raters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from talentassess.cli.console import emit_tables, say, show_findings, show_table
from talentassess.cli.reading import REPORTS, Json, check_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from talentassess.core.tabular import Tabular
    from talentassess.interview import InterviewGuide, InterviewRatings

FORMS, SCORES = (".xlsx", ".pdf"), (".csv", *REPORTS)
DEFAULT_BANK = "service_interview"
Files = Annotated[
    list[Path], typer.Argument(help="Filled forms (.xlsx), or one long table (.csv: person, rater, question, rating).")
]
BankOfQuestions = Annotated[str, typer.Option("--bank", help="Interview bank of the questions in a long table.")]
Simulated = Annotated[bool, typer.Option("--simulated", help="Mark the ratings as SIMULATED.")]


def guide(
    role: Annotated[str, typer.Option("--role", help="O*NET-SOC code or exact title, e.g. 43-4051.00.")],
    out: Annotated[
        Path, typer.Option("--out", help="The guide: .json (for 'interview form'), or .pdf, .html, .xlsx to read.")
    ],
    context: Annotated[str, typer.Option("--context", help="general, corner_store or call_centre.")] = "general",
    minutes: Annotated[float, typer.Option("--minutes", help="Time for the whole interview.")] = 45,
    bank: Annotated[str, typer.Option("--bank", help="Interview bank: a shipped name or a folder.")] = DEFAULT_BANK,
    per_competency: Annotated[
        int, typer.Option("--per-competency", help="At most so many questions on one competency.")
    ] = 2,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Draws among equally good questions, for a second interview.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Plan a structured interview: the questions that cover most of the role's importance in the time."""
    from talentassess.bank.interview_load import load_interview_bank
    from talentassess.matching import load_profile
    from talentassess.workflow.interview_guide import build_guide, save_guide

    check_out(out, REPORTS)
    planned = build_guide(
        load_interview_bank(bank),
        load_profile(role, context=context),
        context=context,
        minutes=minutes,
        questions_per_competency=per_competency,
        seed=seed,
    )
    saved = save_guide(planned, out) if out.suffix.lower() == ".json" else _report(planned, out)
    say(f"{planned!r}\nGuide: {saved}")
    if as_json:
        emit_tables(planned)
        return
    columns = planned.tables()["questions"]
    shown = ("number", "start", "minutes", "competency", "weight", "question", "text")
    show_table(f"{planned.role}, {planned.context}", {name: columns[name] for name in shown})
    _show_left_out(planned)
    show_findings(planned.findings)


def _show_left_out(guide: InterviewGuide) -> None:
    whole = [left for left in guide.left_out if not left.question]
    if whole:
        columns = {"competency": [left.competency for left in whole], "reason": [left.reason for left in whole]}
        show_table("Competencies left out", columns, limit=100)
    further = len(guide.left_out) - len(whole)
    if further:
        print(f"Left out, too: {further} further questions on the competencies asked; --json and the files say why.")


def form(
    guide: Annotated[Path, typer.Option("--guide", help="A guide saved as .json by 'interview guide'.")],
    out: Annotated[Path, typer.Option("--out", help="The form: .xlsx to fill in, .pdf to print.")],
    candidate: Annotated[
        list[str] | None, typer.Option("--candidate", help="A candidate's name or id; repeat it for more.")
    ] = None,
    rater: Annotated[
        list[str] | None, typer.Option("--rater", help="A rater's name; repeat it for more, each gets a file.")
    ] = None,
) -> None:
    """Make the rating form of a guide, a sheet or page per candidate and a file per rater."""
    from talentassess.workflow.interview_forms import rating_form
    from talentassess.workflow.interview_guide import load_guide

    check_out(out, FORMS, guide)
    made = rating_form(load_guide(guide), candidates=candidate or ("",), raters=rater or ("",))
    for path in made.save(out):
        print(f"Form: {path}")


def ratings(
    files: Files,
    out: Annotated[Path, typer.Option("--out", help="Scores: .csv, or a report: .html, .pdf, .xlsx or .json.")],
    bank: BankOfQuestions = DEFAULT_BANK,
    simulated: Simulated = False,
    as_json: Json = False,
) -> None:
    """Read ratings of any number of raters and score them per candidate and competency."""
    from talentassess.interview import score_interview
    from talentassess.workflow.artefacts import save_table

    check_out(out, SCORES, *files)
    read = _read(files, bank, simulated)
    scores = score_interview(read)
    saved = save_table(scores, out) if out.suffix.lower() == ".csv" else _report(scores, out)
    say(f"{read!r}\n{scores!r}\nScores: {saved}")
    if as_json:
        emit_tables(scores)
        return
    show_table(f"Interview scores, {scores.provenance.label}", scores.tables()["scores"], limit=200)
    show_findings(scores.findings)


def raters(
    files: Files,
    out: Annotated[Path | None, typer.Option("--out", help="Report: .html, .pdf, .xlsx or .json.")] = None,
    bank: BankOfQuestions = DEFAULT_BANK,
    simulated: Simulated = False,
    as_json: Json = False,
) -> None:
    """Say how far raters agree, how many are needed, and how severe each one is."""
    from talentassess.interview import review_raters

    if out is not None:
        check_out(out, REPORTS, *files)
    review = review_raters(_read(files, bank, simulated))
    if out is not None:
        say(f"Report: {_report(review, out)}")
    if as_json:
        emit_tables(review)
        return
    tables = review.tables()
    show_table(f"Agreement of the raters, {review.provenance.label}", tables["agreement"], limit=100)
    if "raters" in tables:
        show_table("Severity (logits; positive is severe)", tables["raters"], limit=200)
    show_findings(review.findings)


def _read(files: Sequence[Path], bank: str, simulated: bool) -> InterviewRatings:
    from talentassess.bank.interview_load import load_interview_bank
    from talentassess.interview import read_interview_ratings
    from talentassess.workflow.interview_forms import read_rating_forms

    if len(files) == 1 and files[0].suffix.lower() != ".xlsx":
        return read_interview_ratings(files[0], load_interview_bank(bank).competency_of(), simulated=simulated)
    return read_rating_forms(files, simulated=simulated)


def _report(result: Tabular, out: Path) -> Path:
    from talentassess.workflow.report import report

    return report(result).save(out)  # type: ignore[arg-type]  # both kinds have a report
