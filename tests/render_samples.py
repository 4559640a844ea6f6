"""Documents and a calibration built by hand for the tests of the renderers; all numbers are SIMULATED."""

import numpy as np

from talentassess.core.calibration import Calibration, FreeParameters, Latent
from talentassess.core.likelihood import ItemBlock
from talentassess.core.provenance import Provenance
from talentassess.core.status import Finding, Severity, Status
from talentassess.models.graded import MODEL as GRADED
from talentassess.models.nominal import MODEL as NOMINAL
from talentassess.models.two_parameter import MODEL as TWO_PARAMETER
from talentassess.render import (
    Callout,
    Claim,
    ClaimBlock,
    FigureBlock,
    FindingBlock,
    Paragraph,
    ReportDoc,
    Section,
    TableBlock,
)

NASTY = (
    "<script>alert(1)</script>",
    "=1+1",
    "+cmd",
    "-2",
    "@SUM(A1)",
    "#strong[x] *bold* _it_ $x$ `raw` // no",
    "]] \\ \" ' & {{ 7*7 }} {% raw %}",
    "Zoë Łukasz 王伟",
    "a" * 120,
)
SPEC = {
    "data": {"values": [{"x": 1, "y": 2}, {"x": 2, "y": 3}]},
    "mark": "point",
    "encoding": {"x": {"field": "x", "type": "quantitative"}, "y": {"field": "y", "type": "quantitative"}},
    "width": "container",
    "height": 80,
}
FINDINGS = (
    Finding("few", Severity.NOTE, "scale F", "Six items only.", "Write more."),
    Finding("negative_item_rest", Severity.PROBLEM, "item q4", "Item-rest correlation -.12.", "Check the key."),
    Finding("unused", Severity.WARNING, "item q7", "Category 0 was never chosen.", "Keep it declared."),
)


def sample_table(**options):
    columns = {"item": ["q1", "q2", "q3"], "n": [300, 299, 12000], "r": np.array([0.5, -0.125, np.nan])}
    columns |= {"missing": [0.0, 0.25, 1.0], "p": [0.0004, 0.032, None], "limit": [1.0, float("inf"), -2.5]}
    formats = {"n": "0,000", "r": "+0.00", "missing": "0 %", "p": "p"}
    return TableBlock("Item statistics", columns, formats, notes=("Item-rest correlations.",), **options)


def sample_figure(**options):
    behind = TableBlock("Points", {"x": [1, 2], "y": [2, 3]})
    return FigureBlock("Two points", "A scatter of two points.", SPEC, data_table=behind, **options)


def sample_doc(simulated=True, extra=()):
    claim = Claim("Item q2 works against its scale.", "item-statistics", "One sample only.")
    source = "pool.csv: SIMULATED; data 0f0d" if simulated else "pool.csv: real answers; data 0f0d"
    first = (Paragraph("A paragraph."), ClaimBlock((claim,)), FindingBlock(FINDINGS))
    callout = Callout("Mind this.", "A remark.", Severity.WARNING)
    return ReportDoc(
        title="Pool report",
        subtitle="For the tests",
        simulated=simulated,
        provenance=(source,),
        sections=(
            Section("Summary", "summary", (*first, callout)),
            Section("Items", "items", (sample_table(), sample_figure(), *extra)),
            Section("Options", "options", level=2),
            Section("Methods", "methods"),
        ),
        attributions=("Uses figures under CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/).",),
    )


def nasty_doc():
    table = TableBlock("Nasty <b>caption</b> #text", {"who": NASTY, "=head": list(range(len(NASTY)))})
    finding = Finding("x", Severity.NOTE, NASTY[0], NASTY[5], NASTY[6])
    blocks = (table, FindingBlock((finding,), title=NASTY[6]), Callout(NASTY[5], NASTY[0]), Paragraph(NASTY[6]))
    return ReportDoc(
        title=NASTY[5], subtitle=NASTY[0], simulated=False, sections=(Section(NASTY[6], "s", blocks),), provenance=NASTY
    )


SLOPES, INTERCEPTS = np.array([1.2, 0.8, 2.0]), np.array([[2.0, 0.5, -1.0], [1.0, 0.0, -1.5], [3.0, -0.4, -2.2]])


def sample_calibration(*, simulated=True, status=Status.CONVERGED, par_cov=None):
    """Three graded items q1..q3 and one 2PL item q4 (a = 1.5, d = -0.75) on 'Service', a nominal item q5 on 'Other'."""
    graded = ItemBlock(GRADED, 4, np.arange(3), np.column_stack([SLOPES, INTERCEPTS]))
    binary = ItemBlock(TWO_PARAMETER, 2, np.array([3]), np.array([[1.5, -0.75]]))
    nominal = ItemBlock(NOMINAL, 3, np.array([4]), np.array([[0.5, 1.0, 0.2, -0.3]]), dims=(1,))
    cov = (np.tile(0.02 * np.eye(4), (3, 1, 1)), np.diag([0.04, 0.01])[None], 0.01 * np.eye(4)[None])
    return Calibration(
        item_ids=("q1", "q2", "q3", "q4", "q5"),
        n_cat=np.array([4, 4, 4, 2, 3]),
        dimensions=("Service", "Other"),
        blocks=(graded, binary, nominal),
        par_cov=cov if par_cov is None else par_cov,
        latent=Latent(("all",), np.zeros((1, 2)), np.eye(2)[None]),
        free=FreeParameters(("q1.slope",), np.ones(1), np.eye(1)),
        loglik=-100.0,
        n_persons=300,
        n_steps=10,
        status=status,
        trace=(-100.0,),
        audit=(),
        provenance=Provenance("by hand", simulated=simulated),
    )
