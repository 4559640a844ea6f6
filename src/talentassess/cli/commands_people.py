"""Commands on people and roles: demo, norms, profile, match, pool."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from talentassess.cli.console import emit_json, emit_tables, say, show_findings, show_table
from talentassess.cli.reading import REPORTS, Json, check_folder, check_out

if TYPE_CHECKING:
    from talentassess.core.scores import Scores as Scored
    from talentassess.matching import JobProfile

Scores = Annotated[Path, typer.Argument(help="Scores saved by 'talentassess score' (.json).")]
Role = Annotated[str, typer.Argument(help="O*NET-SOC code or exact title, e.g. 43-4051.00.")]
Setting = Annotated[
    str, typer.Option("--context", help="Role context: general, corner_store or call_centre; shifts the weights.")
]
ScoredOnly = Annotated[
    bool,
    typer.Option("--scored-only", help="Leave out, and name, what the role requires but these scores do not hold."),
]
Norms = Annotated[
    str, typer.Option("--norms", help="Norms: a shipped name or the folder written by 'talentassess norms'.")
]
Confidence = Annotated[float, typer.Option("--confidence", help="Of intervals and verdicts, between 0.5 and 1.")]

ALL = 10_000  # more than there are occupations
REQUIREMENTS = {
    "competency": "competency",
    "importance": "importance (0-100)",
    "importance_se": "se",
    "percentile_over_occupations": "percentile among occupations",
    "emphasis": "emphasis",
    "weight": "weight",
    "required_percentile": "required percentile of the norm group",
}


def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder for reports and saved results.")] = Path("out/demo"),
    quick: Annotated[bool, typer.Option("--quick", help="Fewer persons and fewer files: a look in seconds.")] = False,
) -> None:
    """Run both jobs: a study of real retail hires, and SIMULATED applicants against a real O*NET role."""
    from talentassess.workflow.demo import run_demo

    started = time.perf_counter()
    written = run_demo(out, lambda message: say(f"{time.perf_counter() - started:6.1f} s  {message}"), quick=quick)
    print(f"\nDone in {time.perf_counter() - started:.0f} seconds. Reports:")
    for path in written:
        print(f"  {path}")


def norms(
    scores: Scores,
    population: Annotated[str, typer.Option("--population", help="The people the norms speak for.")],
    sample: Annotated[str, typer.Option("--sample", help="How they were got, e.g. 'convenience sample of hires'.")],
    collected_from: Annotated[str, typer.Option("--from", help="First date of collection, ISO 8601.")],
    collected_to: Annotated[str, typer.Option("--to", help="Last date of collection, ISO 8601.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for card and table.")],
    notes: Annotated[str, typer.Option("--notes", help="Limits a reader should know.")] = "",
    as_json: Json = False,
) -> None:
    """Make a norm table with its card from the scores of a norm sample."""
    from talentassess.norming import fit_norms, norm_card, save_norms
    from talentassess.workflow.artefacts import load_scores

    check_folder(out)
    loaded = load_scores(scores)
    collected = (collected_from, collected_to)
    card = norm_card(loaded, population=population, sample=sample, collected=collected, notes=notes)
    table = fit_norms(loaded, card=card)
    say(f"{table!r}\nSaved: {save_norms(table, out)}")
    if as_json:
        emit_tables(table)
        return
    show_table(f"Norm group, {table.provenance.label}", table.tables()["scales"])
    show_findings(table.findings)


def profile(
    role: Annotated[str, typer.Argument(help="O*NET-SOC code, exact title, or words to search for with --search.")],
    search: Annotated[
        bool, typer.Option("--search", help="List the occupations whose titles hold these words.")
    ] = False,
    context: Setting = "general",
    as_json: Json = False,
) -> None:
    """Show what a role asks for in terms of the competencies, with importance, errors and required levels."""
    from talentassess.matching import find_occupations, load_profile

    if search:
        found = find_occupations(role, limit=ALL)
        rows = {"code": [o.code for o in found], "title": [o.title for o in found]}
        if as_json:
            emit_json({"occupations": rows})
        elif found:
            show_table("Occupations", rows)
        else:
            say(f"No title holds '{role}'. Try another word for the job, or a part of a word.")
        return
    loaded = load_profile(role, context=context)
    if as_json:
        emit_tables(loaded)
        return
    columns = loaded.tables()["requirements"]
    plain = loaded.context == "general"
    shown = {heading: columns[name] for name, heading in REQUIREMENTS.items() if not (plain and name == "emphasis")}
    setting = "" if plain else f"; {loaded.context}"
    show_table(f"{loaded.code} {loaded.title} (O*NET {loaded.version}{setting})", shown)
    if not plain:
        print(f"Role context: {loaded.context}. It multiplies the weights by the emphasis; importance stays as rated.")
    print(f"Required levels: {loaded.policy.source}\n{loaded.attribution}")


def match(
    scores: Scores,
    role: Role,
    norms: Norms,
    confidence: Confidence = 0.90,
    context: Setting = "general",
    scored_only: ScoredOnly = False,
    as_json: Json = False,
) -> None:
    """Match candidates with a role: P(true >= required), ranks with intervals, and who cannot be told apart."""
    from talentassess.matching import match as run
    from talentassess.norming import load_norms
    from talentassess.workflow.artefacts import load_scores

    loaded = load_scores(scores)
    profile = _profile_for(loaded, role, context, scored_only)
    found = run(loaded, profile, norms=load_norms(norms), confidence=confidence)
    if as_json:
        emit_tables(found)
        return
    columns = found.tables()["candidates"]
    names = (
        "rank",
        "rank_lower",
        "rank_upper",
        "person",
        "composite",
        "composite_se",
        "p_meets_all",
        "verdict",
        "with_first",
    )
    order = sorted(range(len(columns["person"])), key=lambda i: int(str(columns["rank"][i])))
    setting = "" if profile.context == "general" else f", {profile.context}"
    title = f"Candidates against {profile.code} {profile.title}{setting}, {found.provenance.label}"
    show_table(title, {n: [columns[n][i] for i in order] for n in names})
    print(f"{len(found.leading)} candidate(s) {found.leading_rule}.")
    show_findings(found.findings)


def pool(
    scores: Scores,
    role: Role,
    norms: Norms,
    out: Annotated[Path, typer.Option("--out", help="Report: .html, .pdf, .xlsx or .json.")],
    confidence: Confidence = 0.90,
    context: Setting = "general",
    scored_only: ScoredOnly = False,
    as_json: Json = False,
) -> None:
    """Compare a pool of applicants with a role and write the report."""
    from talentassess.norming import load_norms
    from talentassess.workflow.artefacts import load_scores
    from talentassess.workflow.pool import compare_pool
    from talentassess.workflow.report import report

    check_out(out, REPORTS, scores, Path(norms) / "card.json")
    loaded = load_scores(scores)
    profile = _profile_for(loaded, role, context, scored_only)
    compared = compare_pool(loaded, profile, load_norms(norms), confidence=confidence)
    told = f"{compared!r}\nReport: {report(compared).save(out)}"
    if as_json:
        say(told)
        emit_tables(compared)
        return
    print(told)


def _profile_for(scores: Scored, role: str, context: str, scored_only: bool) -> JobProfile:
    """Load a role's profile, cut to the scored competencies if asked."""
    from talentassess.matching import load_profile

    profile = load_profile(role, context=context)
    if not scored_only:
        return profile
    return profile.restricted_to([c for c in profile.competencies if c in scores.dimensions])
