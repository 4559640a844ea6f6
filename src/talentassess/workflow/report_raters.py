"""A review of interview raters as a report: agreement, how many raters are needed, who is severe."""

from __future__ import annotations

import numpy as np

from talentassess.agreement.facet_records import RaterSeverity
from talentassess.core.tabular import Columns
from talentassess.interview import RaterReview
from talentassess.render.blocks import Block, FindingBlock, Paragraph, TableBlock
from talentassess.render.charts import interval_plot
from talentassess.render.doc import ReportDoc, Section, compose_report
from talentassess.workflow.report_parts import NUMBERS, formats, plain_name, rename

REACH = 1.96  # 95 % limits of a severity
ICC_NOTE = (
    "ICC(2,1): one rater stands for another; ICC(2,k): the mean of these raters. Leniency is error. Limits: 95 %."
)
PHI_NOTE = "Phi: dependability of the level of a mean; generalizability (E rho2) of the order of persons only."


def rater_report(review: RaterReview, title: str) -> ReportDoc:
    """Return the review with its findings first."""
    sections = [
        Section("Findings", "findings", (FindingBlock(review.findings),)),
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
            "more than 10, or not known" if c.raters_needed is None else str(c.raters_needed) for c in rows
        ],
    }
    blocks: list[Block] = [
        TableBlock("Agreement of the raters", columns, formats(columns, NUMBERS), (ICC_NOTE, PHI_NOTE), anchor="icc")
    ]
    if review.decisions:
        found = review.tables()["decisions"]
        names = {"competency": "Competency", "n_raters": "Raters", "e_rho2": "E rho2", "phi": "Phi"}
        table = rename(found, {**names, "relative_sem": "SEM, order", "absolute_sem": "SEM, level"})
        table = {**table, "Competency": [plain_name(str(c)) for c in table["Competency"]]}
        blocks.append(
            TableBlock("What other numbers of raters would give", table, formats(table, NUMBERS), anchor="d-study")
        )
    return blocks


def _with_limits(value: float, lower: float, upper: float) -> str:
    return f"{value:.2f} ({lower:.2f} to {upper:.2f})" if np.isfinite(value) else "not known"


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
            f"{severity.p:.3f}. The fair rating is what a rater of average severity would be expected to give."
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
