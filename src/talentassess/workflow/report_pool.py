"""The pool report: what an HR analyst can and cannot say about applicants and a role."""

from __future__ import annotations

import numpy as np

from talentassess.matching import Matches
from talentassess.matching.matches import MEETS
from talentassess.render.blocks import Block, Callout, Claim, ClaimBlock, FindingBlock, Paragraph, TableBlock
from talentassess.render.charts import interval_plot, probability_heatmap, rank_intervals, score_distribution
from talentassess.render.doc import ReportDoc, Section, compose_report
from talentassess.render.wording import caveat
from talentassess.workflow.pool import PoolComparison
from talentassess.workflow.report_parts import NUMBERS, formats, norm_sections, rename

SHOWN = 30  # candidates in charts and in tables on a page


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
    meeting = int((m.p_all >= m.drawing.confidence).sum())
    failing = int((m.p_all <= 1 - m.drawing.confidence).sum())
    middle = n - meeting - failing
    required = [r.competency for r in m.profile.requirements if r.standard is not None]
    width = float(np.mean(m.composite.rank_upper - m.composite.rank_lower + 1))
    claims = (
        Claim(
            f"{meeting} of {n} applicants meet all required levels with a probability of at least {level} %; {failing} "
            f"do not with the same certainty; for {middle} the answers do not settle it.",
            "candidate-table",
            caveat("probability_meets"),
        ),
        Claim(
            f"{len(m.leading)} applicants cannot be told apart from the first in rank.",
            "rank-intervals",
            caveat("cannot_be_told_apart"),
        ),
        Claim(
            f"On average {level} % of draws put an applicant within {width:.0f} places of the {n}.",
            "rank-intervals",
            caveat("rank_interval"),
        ),
        Claim(
            f"{len(required)} of {len(m.competencies)} competencies have a required level: {', '.join(required)}.",
            "requirement-table",
            caveat("standard_by_policy", policy=m.profile.policy.source),
        ),
    )
    return (
        ClaimBlock(claims),
        FindingBlock(m.findings, "Read before the numbers"),
        Callout("Not the only ground", caveat("not_sole_ground")),
    )


def _role(m: Matches) -> tuple[Block, ...]:
    tables = m.profile.tables()
    known = [r for r in m.profile.requirements if r.importance is not None]
    half = 1.645
    figure = interval_plot(
        [r.competency for r in known],
        [float(r.importance or 0) for r in known],
        [float(r.importance or 0) - half * float(r.importance_se or 0) for r in known],
        [float(r.importance or 0) + half * float(r.importance_se or 0) for r in known],
        label="Importance for the role (0 to 100, O*NET), 90 % interval",
    )
    requirements, elements = tables["requirements"], tables["elements"]
    return (
        Paragraph(caveat("onet_importance")),
        TableBlock("What the role asks", requirements, formats(requirements, "0.0"), anchor="requirement-table"),
        figure,
        TableBlock("O*NET elements behind each competency", elements, formats(elements, NUMBERS), anchor="elements"),
    )


def _order(m: Matches) -> list[int]:
    return [int(i) for i in np.argsort(m.composite.rank, kind="stable")]


def _candidates(m: Matches) -> tuple[Block, ...]:
    names = {
        "person": "Applicant",
        "rank": "Rank",
        "rank_lower": "from",
        "rank_upper": "to",
        "composite": "Composite (z)",
        "composite_se": "SE",
        "p_best": "P(first)",
        "with_first": "Against the first",
        "p_meets_all": "P(meets all levels)",
        "verdict": "Verdict",
    }
    columns = m.tables()["candidates"]
    order = _order(m)
    table = {heading: [columns[name][i] for i in order] for name, heading in names.items()}
    top = order[:SHOWN]
    level = round(100 * m.drawing.confidence)
    note = (
        f"Rank from ... to: {level} % interval. Composite: importance-weighted mean of norm z. Verdict: meets or does not "
        f"meet when the probability reaches {level} %, else the answers do not settle it."
    )
    ids = [m.person_ids[i] for i in top]
    figure = rank_intervals(
        ids,
        m.composite.rank[top],
        m.composite.rank_lower[top],
        m.composite.rank_upper[top],
        level=m.drawing.confidence,
        tied=[bool(m.composite.leading[i]) for i in top],
    )
    required = [c for c in range(len(m.competencies)) if np.isfinite(m.level[c])]
    heat = probability_heatmap(ids, [m.competencies[c] for c in required], m.p_meets[np.ix_(top, required)])
    patterns = {"Composite (z)": "+0.00", "SE": NUMBERS, "P(first)": "0 %", "P(meets all levels)": "0 %"}
    return (
        TableBlock("Applicants by rank", table, patterns, (note,), limit=SHOWN, anchor="candidate-table"),
        _anchored(figure, "rank-intervals"),
        heat,
    )


def _anchored(block: Block, anchor: str) -> Block:
    from dataclasses import replace

    return replace(block, anchor=anchor)  # type: ignore[type-var, call-arg]


def _competencies(pool: PoolComparison) -> tuple[Block, ...]:
    m = pool.matches
    rows = []
    for c, requirement in enumerate(m.profile.requirements):
        if requirement.standard is None:
            continue
        p = m.p_meets[:, c]
        sure = m.drawing.confidence
        rows.append((requirement.competency, int((p >= sure).sum()), int((p <= 1 - sure).sum()), float(p.mean())))
    table = {
        "Competency": [row[0] for row in rows],
        "Meet": [row[1] for row in rows],
        "Do not meet": [row[2] for row in rows],
        "Not settled": [len(m.person_ids) - row[1] - row[2] for row in rows],
        "Expected share that meets": [row[3] for row in rows],
    }
    figures = [
        score_distribution(
            m.theta[:, c],
            label=f"{name} (logits)",
            cut=float(m.level[c]) if np.isfinite(m.level[c]) else None,
            cut_se=float(m.level_se[c]) if np.isfinite(m.level[c]) else None,
        )
        for c, name in enumerate(m.competencies)
    ]
    return (TableBlock("Applicants per required level", table, {"Expected share that meets": "0 %"}), *figures)


def _sensitivity(m: Matches) -> tuple[Block, ...]:
    names = {
        "competency": "Competency",
        "shift_of_percentile": "Level moved by (percentile points)",
        MEETS: "Meet",
        "cannot tell": "Not settled",
        "does not meet": "Do not meet",
    }
    table = rename(m.tables()["sensitivity"], names)
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
    order = _order(m)[:SHOWN]
    ids = [m.person_ids[i] for i in order]
    n = len(m.profile.reference)
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
        Callout("Few competencies", caveat("few_competencies", n=len(m.competencies))),
        figure,
    )


def _methods(pool: PoolComparison) -> tuple[Block, ...]:
    rows = pool.agreement
    table = {
        "Competency": [r.scale for r in rows],
        "Self-report items": [r.n_self_report for r in rows],
        "Situational items": [r.n_situational for r in rows],
        "Alpha, self-report": [r.alpha_self_report for r in rows],
        "Alpha, situational": [r.alpha_situational for r in rows],
        "r": [r.r for r in rows],
        "r, corrected for unreliability": [r.r_disattenuated for r in rows],
    }
    return (
        Paragraph(caveat("two_methods")),
        TableBlock("Agreement of the two methods", table, formats(table, NUMBERS), anchor="method-table"),
    )


def _normed(pool: PoolComparison) -> tuple[Block, ...]:
    columns = pool.normed.tables()["normed"]
    return (
        Paragraph(pool.normed.note),
        TableBlock("Standard scores", columns, formats(columns, "0.0"), limit=SHOWN, anchor="normed-table"),
    )


def _errors(m: Matches) -> tuple[Block, ...]:
    return (
        Paragraph(caveat("no_validity")),
        TableBlock("What each number's error includes", m.tables()["error_sources"], anchor="error-table"),
    )
