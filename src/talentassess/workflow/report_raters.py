"""A review of interview raters as a report: agreement, how many raters are needed, who is severe."""

from __future__ import annotations

import numpy as np

from talentassess.agreement.facet_records import RaterSeverity
from talentassess.core.tabular import Columns
from talentassess.interview import RaterReview
from talentassess.render.blocks import Block, FindingBlock, Paragraph, TableBlock
from talentassess.render.charts import interval_plot
from talentassess.render.doc import ReportDoc, Section, compose_report
from talentassess.workflow.report_parts import NUMBERS, formats, grouped, plain_name, rename

REACH = 1.96  # 95 % limits of a severity
ICC_NOTE = "ICC(2,1): one rater for another; ICC(2,k): the mean of these raters. Leniency is error; limits: 95 %."
PHI_NOTE = "Phi: dependability of the level of a mean; generalizability (E rho2) of the order of persons only."

PROJECTED = "Projected from these persons and raters; few of either leave it as rough as the limits of the ICC above."


def rater_report(review: RaterReview, title: str) -> ReportDoc:
    """Return the review with its findings first."""
    sections = [
        Section("Read before the numbers", "findings", (FindingBlock(grouped(review.findings)),)),
        Section("Agreement", "agreement", tuple(_agreement(review))),
    ]
    if review.severity is not None and np.isfinite([r.measure for r in review.severity.raters]).all():
        sections.append(Section("Severity", "severity", tuple(_severity(review.severity))))
    return compose_report(title, sections, sources=[review.provenance])


def _agreement(review: RaterReview) -> list[Block]:
    rows = review.competencies
    columns: Columns = {
        "Competency": [plain_name(c.competency) for c in rows],
        "Persons": [c.persons for c in rows],
        "Raters": [c.raters for c in rows],
        "ICC(2,1)": [_with_limits(c.icc_single, c.icc_single_lower, c.icc_single_upper) for c in rows],
        "ICC(2,k)": [_with_limits(c.icc_mean, c.icc_mean_lower, c.icc_mean_upper) for c in rows],
        "Alpha (ordinal)": [_with_limits(c.alpha, c.alpha_lower, c.alpha_upper) for c in rows],
        "E rho2": [c.e_rho2 for c in rows],
        "Phi": [c.phi for c in rows],
        "Raters for phi .80": [
            str(c.raters_needed or ("over 10" if c.competency in review.decisions else "not known")) for c in rows
        ],
    }
    blocks: list[Block] = [
        TableBlock("Agreement of the raters", columns, formats(columns, NUMBERS), (ICC_NOTE, PHI_NOTE), anchor="icc")
    ]
    if review.decisions:
        blocks += [
            _decision_table(review, "phi", "Phi, if so many raters judged", "d-study"),
            _decision_table(
                review, "absolute_sem", "SEM of the level in rating points, if so many judged", "d-study-sem"
            ),
        ]
    return blocks


def _decision_table(review: RaterReview, what: str, caption: str, anchor: str) -> TableBlock:
    """Return one number of the D study: a row per competency, a column per number of raters."""
    numbers = [d.n_raters for d in next(iter(review.decisions.values()))]
    columns: Columns = {
        "Competency": [plain_name(c) for c in review.decisions],
        **{
            str(n): [float(getattr(rows[k], what)) for rows in review.decisions.values()] for k, n in enumerate(numbers)
        },
    }
    return TableBlock(caption, columns, formats(columns, NUMBERS), (PROJECTED,), anchor=anchor)


def _with_limits(value: float, lower: float, upper: float) -> str:
    return f"{value:.2f} ({lower:.2f} to {upper:.2f})" if np.isfinite(value) else "not known"


def _p_words(p: float) -> str:
    return "< .001" if p < 0.001 else f"= {p:.3f}".replace("0.", ".", 1)


def _severity(severity: RaterSeverity) -> list[Block]:
    measure = np.array([r.measure for r in severity.raters])
    reach = REACH * np.array([r.se for r in severity.raters])
    tables = severity.tables()
    raters = rename(
        tables["raters"],
        {
            "label": "Rater",
            "n": "Ratings",
            "mean": "Mean rating",
            "measure": "Severity (logits)",
            "se": "SE",
            "infit": "Infit",
            "outfit": "Outfit",
        },
    )
    persons = rename(
        tables["persons"],
        {
            "person": "Person",
            "n": "Ratings",
            "mean": "Mean rating",
            "fair": "Fair rating",
            "measure": "Measure",
            "se": "SE",
        },
    )
    return [
        Paragraph(
            f"Wald test that all raters are equally severe: chi-square {severity.chi_square:.1f}, df {severity.df}, p "
            f"{_p_words(severity.p)}. The fair rating is what a rater of average severity would be expected to give."
        ),
        interval_plot(
            [r.label for r in severity.raters],
            measure,
            measure - reach,
            measure + reach,
            label="Severity in logits (right: more severe), 95 % interval",
        ),
        TableBlock("Raters", raters, formats(raters, NUMBERS), anchor="rater-table"),
        TableBlock("Persons", persons, formats(persons, NUMBERS), anchor="person-table"),
    ]
