"""The pool report: what an HR analyst can and cannot say about applicants and a role."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.special import ndtri

from talentassess.core.tabular import Columns
from talentassess.matching import Matches, Requirement
from talentassess.matching.matches import ALL_REQUIRED, MEETS, count_verdicts
from talentassess.render.blocks import (
    Block,
    Callout,
    Claim,
    ClaimBlock,
    FigureBlock,
    FindingBlock,
    Paragraph,
    TableBlock,
)
from talentassess.render.charts import (
    interval_plot,
    probability_heatmap,
    rank_intervals,
    score_distribution,
    score_strips,
)
from talentassess.render.doc import ReportDoc, Section, compose_report
from talentassess.render.wording import caveat
from talentassess.workflow.pool import PoolComparison
from talentassess.workflow.report_parts import NUMBERS, formats, grouped, norm_sections, plain_name, rename

CHANCE = "chance"  # never 0 % or 100 %
SHOWN = 30  # candidates in charts and in tables on a page
HISTOGRAMS = 6  # competencies that get a histogram each; more of them share one figure
FEW_APPLICANTS = 30  # fewer make a histogram of percentages an accident of its bins: each is drawn as a point
FEW_COMPETENCIES = 10  # fewer points than these are often alike by chance: |r| > .6 in one of twenty unrelated pairs
MANY_LEVELS = 6  # levels from which meeting all of them at once is a different demand than meeting each
METHOD_NOTE = (
    "r with its interval; corrected: r freed of unreliability (Spearman 1904), not given where an alpha is not "
    "positive. Above 1 it says that the alphas are too low in this sample, as they are with few persons or items."
)


def pool_report(pool: PoolComparison, title: str) -> ReportDoc:
    """Return the report of a pool: the answer first, then the role, the candidates, and how firm each statement is."""
    matches = pool.matches
    sections = [
        Section("What can be said", "summary", _summary(matches)),
        Section("The role", "role", _role(matches)),
        Section("The candidates", "candidates", _candidates(matches)),
        Section("Competency by competency", "competencies", _competencies(pool)),
        Section("If the required level moved", "sensitivity", _sensitivity(matches)),
        Section("Is the role special for the candidate?", "role-fit", _fit(matches)),
        *([Section("Two methods, one score?", "methods", _methods(pool))] if pool.agreement else []),
        Section("Standard scores", "standard-scores", _normed(pool)),
        *norm_sections(pool.norms),
        Section("How sure, and of what", "errors", _errors(matches)),
    ]
    return compose_report(
        title,
        sections,
        sources=[pool.scores.provenance, pool.norms.provenance, matches.provenance],
        subtitle=f"{len(matches.person_ids)} applicants against {matches.profile.code} {matches.profile.title}",
        attributions=[matches.profile.attribution],
    )


def _summary(m: Matches) -> tuple[Block, ...]:
    n, level = len(m.person_ids), round(100 * m.drawing.confidence)
    required = [plain_name(r.competency) for r in m.profile.requirements if r.standard is not None]
    width = float(np.mean(m.composite.rank_upper - m.composite.rank_lower + 1))
    claims = (
        Claim(_settled(m, level), "candidate-table", caveat("probability_meets")),
        Claim(
            f"{_applicants(len(m.leading))} cannot be told apart from the first in rank, that one included.",
            "rank-intervals",
            caveat("cannot_be_told_apart"),
        ),
        Claim(
            f"The {level} % interval of an applicant's rank spans {width:.0f} of the {n} places on average.",
            "rank-intervals",
            caveat("rank_interval"),
        ),
        Claim(
            f"{len(required)} of {len(m.competencies)} competencies have a required level: {', '.join(required)}.",
            "requirement-table",
            caveat("standard_by_policy", policy=m.profile.policy.source),
        ),
    )
    many = Callout("All levels at once", caveat("many_levels", n=len(required), p=f"{0.9 ** len(required):.2f}"))
    return (
        FindingBlock(grouped(m.findings), "Read before the numbers"),
        ClaimBlock(claims),
        *([many] if len(required) > MANY_LEVELS else []),
        Callout("Not the only ground", caveat("not_sole_ground")),
    )


def _settled(m: Matches, level: int) -> str:
    """Say how many meet the role's levels, counted by the same rule as the verdicts."""
    if np.isnan(m.p_all).all():
        return "No required level is set, so nothing is said about meeting the role's levels."
    count = count_verdicts(0.0, ALL_REQUIRED, False, m.p_all, m.drawing.confidence)
    assessed = sum(r.standard is not None for r in m.profile.requirements)
    others = len(m.profile.left_out)
    levels = (
        f"all {assessed} levels that were assessed ({others} more are required)" if others else "all required levels"
    )
    return (
        f"{count.meets} of {len(m.person_ids)} applicants meet {levels} with a probability of at least "
        f"{level} %; {count.does_not_meet} do not with the same certainty; for {count.cannot_tell} the answers do not "
        "settle it."
    )


def _role(m: Matches) -> tuple[Block, ...]:
    rows = m.profile.requirements
    known = [r for r in rows if r.importance is not None]
    estimate = np.array([float(r.importance or 0) for r in known])
    reach = ndtri(0.5 + m.drawing.confidence / 2) * np.array([float(r.importance_se or 0) for r in known])
    figure = interval_plot(
        [plain_name(r.competency) for r in known],
        estimate,
        estimate - reach,
        estimate + reach,
        label=f"Importance for the role (0 to 100, O*NET), {round(100 * m.drawing.confidence)} % interval",
    )
    table: Columns = {
        "Competency": [plain_name(r.competency) for r in rows],
        "Importance (0-100)": [r.importance for r in rows],
        "SE": [r.importance_se for r in rows],
        "Percentile among occupations": [r.percentile for r in rows],
        **({"Emphasis": [r.emphasis for r in rows]} if m.profile.context != "general" else {}),
        "Weight": [r.weight for r in rows],
        "Required level": [_level_words(r) for r in rows],
    }
    sources = list(dict.fromkeys(r.standard.source for r in rows if r.standard is not None))
    elements = rename(
        m.profile.tables()["elements"],
        {
            "competency": "Competency",
            "element": "O*NET element",
            "element_id": "Id",
            "domain": "Domain",
            "weight": "Weight",
            "importance": "Importance",
            "importance_se": "SE",
        },
    )
    elements = {**elements, "Competency": [plain_name(str(c)) for c in elements["Competency"]]}
    setting = f"Role context: {m.profile.context}; it multiplies the weights by the emphasis shown."
    patterns = {"Importance (0-100)": "0.0", "SE": "0.0", "Percentile among occupations": "0", "Weight": NUMBERS}
    return (
        Paragraph(caveat("onet_importance")),
        *([Paragraph(setting)] if m.profile.context != "general" else []),
        TableBlock(
            "What the role asks",
            table,
            patterns,
            tuple(f"Source of the level: {s}." for s in sources),
            anchor="requirement-table",
        ),
        figure,
        TableBlock("O*NET elements behind each competency", elements, formats(elements, NUMBERS), anchor="elements"),
    )


def _level_words(requirement: Requirement) -> str:
    standard = requirement.standard
    if standard is None:
        return "none"
    bound = "at most " if requirement.sign < 0 else ""
    if standard.percentile is not None:
        return f"{bound}percentile {standard.percentile:g} of the norm group"
    return f"{bound}theta {standard.theta:.2f} (SE {standard.se:.2f})"


def _order(m: Matches) -> list[int]:
    return [int(i) for i in np.argsort(m.composite.rank, kind="stable")]


def _candidates(m: Matches) -> tuple[Block, ...]:
    c, order = m.composite, _order(m)
    columns = m.tables()["candidates"]
    table: Columns = {
        "Applicant": [m.person_ids[i] for i in order],
        "Rank": [int(c.rank[i]) for i in order],
        "Rank, interval": [f"{c.rank_lower[i]} to {c.rank_upper[i]}" for i in order],
        "Composite (z)": [float(c.value[i]) for i in order],
        "SE": [float(c.se[i]) for i in order],
        "P(first)": [float(c.p_best[i]) for i in order],
        "Level with the first": ["yes" if c.leading[i] else "" for i in order],
        "P(meets all levels)": [float(m.p_all[i]) for i in order],
        "Verdict": [columns["verdict"][i] for i in order],
    }
    level = round(100 * m.drawing.confidence)
    notes = (
        f"Rank, interval: {level} %. Composite: importance-weighted mean of norm z. Level with the first: "
        f"{m.leading_rule}. Verdict: given when the probability reaches {level} % either way.",
    )
    ids = [m.person_ids[i] for i in order]
    figure = rank_intervals(
        ids,
        c.rank[order],
        c.rank_lower[order],
        c.rank_upper[order],
        level=m.drawing.confidence,
        tied=[bool(c.leading[i]) for i in order],
    )
    patterns = {"Composite (z)": "+0.00", "SE": NUMBERS, "P(first)": CHANCE, "P(meets all levels)": CHANCE}
    return (
        TableBlock("Applicants by rank", table, patterns, notes, limit=SHOWN, anchor="candidate-table"),
        replace(figure, anchor="rank-intervals"),
        *_heat(m, ids, order),
    )


def _heat(m: Matches, ids: list[str], order: list[int]) -> list[Block]:
    """Return the heat map of P(true >= required), or nothing where no level is required."""
    required = np.flatnonzero(np.isfinite(m.level))
    names = [plain_name(m.competencies[k]) for k in required]
    shown = m.p_meets[order][:, required]
    return [probability_heatmap(ids, names, shown, confidence=m.drawing.confidence)] if names else []


def _competencies(pool: PoolComparison) -> tuple[Block, ...]:
    m = pool.matches
    required = [c for c, r in enumerate(m.profile.requirements) if r.standard is not None]
    counts = [
        count_verdicts(0.0, plain_name(m.competencies[c]), False, m.p_meets[:, c], m.drawing.confidence)
        for c in required
    ]
    table: Columns = {
        "Competency": [count.competency for count in counts],
        "Meet": [count.meets for count in counts],
        "Do not meet": [count.does_not_meet for count in counts],
        "Not settled": [count.cannot_tell for count in counts],
        "Expected share that meets": [float(m.p_meets[:, c].mean()) for c in required],
    }
    figures = [
        score_distribution(
            m.theta[:, c],
            label=f"{plain_name(name)} (logits)",
            cut=float(m.level[c]) if np.isfinite(m.level[c]) else None,
            cut_se=float(m.level_se[c]) if np.isfinite(m.level[c]) else None,
        )
        for c, name in enumerate(m.competencies)
    ]
    note = "Expected share that meets: mean of the applicants' probabilities of reaching the level (see the heat map)."
    if len(m.competencies) > HISTOGRAMS or len(m.person_ids) < FEW_APPLICANTS:
        figures = [_strips(m)]
    return (
        TableBlock("Applicants per required level", table, {"Expected share that meets": CHANCE}, (note,)),
        *figures,
    )


def _strips(m: Matches) -> FigureBlock:
    names = [plain_name(name) for name in m.competencies]
    return score_strips(names, m.theta, label="Scores (logits)", level=m.level, level_se=m.level_se)


def _sensitivity(m: Matches) -> tuple[Block, ...]:
    names = {
        "competency": "Competency",
        "shift_of_percentile": "Level moved by (percentile points)",
        MEETS: "Meet",
        "cannot tell": "Not settled",
        "does not meet": "Do not meet",
    }
    table = rename(m.tables()["sensitivity"], names)
    table = {**table, "Competency": [plain_name(str(name)) for name in table["Competency"]]}
    text = (
        "The required level is a policy. This table shows how many verdicts would change if it stood ten percentile "
        "points lower or higher."
    )
    return (
        Paragraph(text),
        TableBlock(
            "Verdicts when the policy moves",
            table,
            {"Level moved by (percentile points)": "+0"},
            anchor="sensitivity-table",
        ),
    )


def _fit(m: Matches) -> tuple[Block, ...]:
    order = _order(m)
    ids = [m.person_ids[i] for i in order]
    n, count = len(m.profile.reference), len(m.competencies)
    figure = interval_plot(
        ids,
        m.fit.percentile[order],
        m.fit.lower[order],
        m.fit.upper[order],
        label=f"Percentile of this role among the candidate's fit with {n} occupations",
        reference=50.0,
    )
    return (
        Paragraph(caveat("null_distribution", n=n)),
        *([Callout("Few competencies", caveat("few_competencies", n=count))] if count < FEW_COMPETENCIES else []),
        figure,
    )


def _methods(pool: PoolComparison) -> tuple[Block, ...]:
    rows = pool.agreement
    table: Columns = {
        "Competency": [plain_name(r.scale) for r in rows],
        "Items, self-report": [r.n_self_report for r in rows],
        "Items, situational": [r.n_situational for r in rows],
        "Alpha, self-report": [r.alpha_self_report for r in rows],
        "Alpha, situational": [r.alpha_situational for r in rows],
        "Persons": [r.n_persons for r in rows],
        "r": [r.r for r in rows],
        "95 % interval": [f"{r.r_lower:.2f} to {r.r_upper:.2f}" if r.r_lower < 1 else "not known" for r in rows],
        "r, corrected": [r.r_disattenuated for r in rows],
    }
    return (
        Paragraph(caveat("two_methods")),
        TableBlock(
            "Agreement of the two methods", table, formats(table, NUMBERS), (METHOD_NOTE,), anchor="method-table"
        ),
    )


def _normed(pool: PoolComparison) -> tuple[Block, ...]:
    normed = pool.normed
    cells = [(i, d) for i in range(len(normed.person_ids)) for d in range(len(normed.scales))]
    level = round(100 * normed.settings.confidence)
    table: Columns = {
        "Applicant": [normed.person_ids[i] for i, _ in cells],
        "Competency": [plain_name(normed.scales[d]) for _, d in cells],
        "T": [float(normed.t[i, d]) for i, d in cells],
        "SE(T)": [10 * float(normed.z_se[i, d]) for i, d in cells],
        "Percentile": [float(normed.percentile[i, d]) for i, d in cells],
        f"{level} % interval": [
            f"{normed.percentile_low[i, d]:.0f} to {normed.percentile_high[i, d]:.0f}" for i, d in cells
        ],
        "Stanine": [float(normed.stanine[i, d]) for i, d in cells],
        "Remark": [normed.flags[i][d] for i, d in cells],
    }
    patterns = {"T": "0.0", "SE(T)": "0.0", "Percentile": "0", "Stanine": "0"}
    return (
        Paragraph(normed.note),
        FindingBlock(grouped(normed.findings), "What to know before using them"),
        TableBlock("Standard scores", table, patterns, limit=SHOWN, anchor="normed-table"),
    )


def _errors(m: Matches) -> tuple[Block, ...]:
    rows = m.tables()["error_sources"]
    printed = {
        "p_meets": "Expected share that meets",
        "p_meets_all": "P(meets all levels)",
        "composite": "Composite (z)",
        "p_above_first": "Level with the first",
        "p_best": "P(first)",
        "rank_lower, rank_upper": "Rank, interval",
        "role_fit_percentile": "Percentile of this role",
    }
    table: Columns = {
        "Number": [printed[str(name)] for name in rows["column"]],
        "Errors included": rows["errors_included"],
        "Errors not included": rows["errors_not_included"],
        "Monte Carlo": rows["monte_carlo"],
    }
    return (
        Paragraph(caveat("no_validity")),
        TableBlock("What each number's error includes", table, anchor="error-table"),
    )


def _applicants(n: int) -> str:
    return f"{n} applicant{'' if n == 1 else 's'}"
