"""Report documents: what they check, how cells are printed, where they can be saved."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from render_samples import FINDINGS, SPEC, sample_doc, sample_figure, sample_table
from talentassess.core.errors import ReportError
from talentassess.core.provenance import Provenance
from talentassess.core.status import Severity, Status
from talentassess.render import (
    Claim,
    ClaimBlock,
    FigureBlock,
    FindingBlock,
    ReportDoc,
    Section,
    TableBlock,
    caveat,
    compose_report,
    provenance_line,
)
from talentassess.render.cells import format_cell
from talentassess.render.wording import caveat_names


@pytest.mark.parametrize(
    ("cell", "pattern", "text"),
    [
        (None, "0.00", "\u2013"),
        (-1.5, "0.00", "\u22121.50"),
        (-0.001, "0.00", "0.00"),  # no minus sign in front of a rounded zero
        (0.125, "+0.00", "+0.12"),
        (0.0, "+0.00", "0.00"),
        (0.2574, "0.0 %", "25.7 %"),
        (12500, "0,000", "12,500"),
        (3, "", "3"),
        (3.14159, "", "3.14"),
        (0.0004, "p", "< .001"),
        (0.0321, "p", ".032"),
        (0.9999, "p", "> .999"),
        (float("inf"), "0.0", "\u221e"),
        (float("-inf"), "0.0", "\u2212\u221e"),
        (True, "0", "yes"),
        ("text", "0.00", "text"),
    ],
)
def test_cells_are_printed_as_the_format_says(cell, pattern, text):
    assert format_cell(cell, pattern) == text


@given(st.floats(-1e6, 1e6), st.integers(0, 5))
def test_printed_numbers_read_back_within_half_a_unit_of_the_last_digit(value, digits):
    pattern = "0." + "0" * digits if digits else "0"
    read = float(format_cell(value, pattern).replace("\u2212", "-"))
    # half a unit, plus the spacing of floats near 1e6
    assert abs(read - value) <= 0.5 * 10.0**-digits + 1e-9


def test_table_cells_become_plain_values():
    table = TableBlock(
        "t", {"a": np.array([1, 2]), "b": [np.float64("nan"), 0.5], "c": [Status.AT_BOUND, date(2025, 3, 1)]}
    )
    assert table.columns == {"a": (1, 2), "b": (None, 0.5), "c": (Status.AT_BOUND.value, "2025-03-01")}
    assert [table.numeric(name) for name in "abc"] == [True, True, False]


def test_table_problems_are_named_together():
    with pytest.raises(ReportError) as caught:
        TableBlock("T", {"a": [1], "b": [1, [2]]}, {"c": "0", "a": "%.2f"}, limit=0)
    text = str(caught.value)
    assert "The table 'T' cannot be shown." in text
    assert "column 'b', row 2: a list cannot be shown in a table cell" in text
    assert "differ in length: a 1, b 2" in text
    assert "'c' has a format or width but is not a column; the columns are: a, b" in text
    assert "column 'a': '%.2f' is not a number format; use one of: 0, 0.0" in text
    assert "limit is 0; it must be at least 1" in text


def test_table_without_columns_is_refused():
    with pytest.raises(ReportError, match=r"it has no columns"):
        TableBlock("T", {})


def test_figure_without_alternative_text_is_refused():
    with pytest.raises(ReportError, match=r"'Curves' has no alternative text. Say in alt_text"):
        FigureBlock("Curves", "  ", SPEC)


@pytest.mark.parametrize("bad", [{"width": float("nan")}, {"width": {1, 2}}])
def test_figure_that_is_not_plain_json_is_refused(bad):
    with pytest.raises(ReportError, match=r"'Curves': the specification is not plain JSON"):
        FigureBlock("Curves", "alt", SPEC | bad)


def test_figure_that_fetches_its_data_is_refused():
    layered = {"layer": [{"mark": "point", "data": {"url": "scores.csv"}}]}
    with pytest.raises(ReportError, match=r"'Curves' fetches data from an address. Put the values in"):
        FigureBlock("Curves", "alt", layered)


def test_findings_come_gravest_first():
    severities = [f.severity for f in FindingBlock(FINDINGS).findings]
    assert severities == [Severity.PROBLEM, Severity.WARNING, Severity.NOTE]


def test_labels_number_tables_and_figures_apart():
    assert sample_doc().labels() == {
        "summary": "Summary",
        "items": "Items",
        "item-statistics": "Table 1",
        "two-points": "Figure 1",
        "options": "Options",
        "methods": "Methods",
    }


def doc_with(*blocks, **fields):
    return ReportDoc(**{"title": "R", "simulated": False, "sections": (Section("S", "s", blocks),)} | fields)


def test_duplicate_anchors_are_refused_with_their_users():
    with pytest.raises(ReportError) as caught:
        doc_with(sample_table(), sample_table())
    assert "'item-statistics' is used 2 times (table 'Item statistics'; table 'Item statistics')" in str(caught.value)
    assert "give each its own anchor=" in str(caught.value)


def test_anchor_that_cannot_be_linked_is_refused():
    with pytest.raises(ReportError, match=r"the anchor 'My Table' may hold small letters.*only, as 'my-table'"):
        doc_with(sample_table(anchor="My Table"))


def test_claim_that_rests_on_nothing_is_refused():
    claim = Claim("All is well.", "evidence", "None.")
    with pytest.raises(ReportError, match=r"'All is well.' rests on 'evidence', which is not here; anchors: s, it"):
        doc_with(ClaimBlock((claim,)), sample_table())


def test_claim_without_caveat_is_refused():
    with pytest.raises(ReportError, match=r"'All is well.' has no caveat; say what it does not show"):
        doc_with(ClaimBlock((Claim("All is well.", "s", ""),)))


def test_simulated_source_in_a_report_that_is_not_is_refused():
    with pytest.raises(ReportError, match=r"marked SIMULATED, the report is not; set simulated=True"):
        doc_with(provenance=("pool.csv: SIMULATED",))


def test_a_report_is_simulated_if_any_source_is():
    real = Provenance("onet", created="2025-01-01T10:20:30+00:00", version="0.1.0")
    made = Provenance("pool", simulated=True)
    assert compose_report("R", [], sources=[real, made]).simulated
    assert not compose_report("R", [], sources=[real]).simulated
    assert provenance_line(real) == "onet: real answers; talentassess 0.1.0, 2025-01-01 10:20:30 UTC"


def test_unknown_suffix_names_what_is_possible(tmp_path):
    with pytest.raises(ReportError, match=r"'r.docx': '.docx' is not a known suffix. Use one of: .html, .pdf, .xlsx"):
        sample_doc().save(tmp_path / "r.docx")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_says_so_and_leaves_nothing(tmp_path):
    (tmp_path / "r.json").mkdir()
    with pytest.raises(ReportError, match=r"'r.json' cannot be written in .*Close the file if it is open elsewhere"):
        sample_doc().save(tmp_path / "r.json")
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]


def test_a_failed_save_keeps_the_earlier_file(tmp_path):
    path = sample_doc().save(tmp_path / "r.html")
    before = path.read_bytes()
    broken = FigureBlock("Broken", "alt", {"mark": "no-such-mark", "data": {"values": []}})
    with pytest.raises(ReportError, match=r"The figure 'Broken' cannot be drawn: "):
        sample_doc(extra=(broken,)).save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_folders_are_made_and_suffixes_may_be_capital(tmp_path):
    assert sample_doc().save(tmp_path / "out" / "R.JSON").is_file()


def test_every_caveat_is_a_full_sentence_that_fills_its_gaps():
    for name in caveat_names():
        gaps = {
            "percent": 90,
            "n": 5,
            "p": "0.59",
            "population": "x",
            "origin": "x",
            "status": "x",
            "policy": "x",
            "elements": "x",
        }
        needed = {gap: value for gap, value in gaps.items() if f"{{{gap}}}" in _raw(name)}
        sentence = caveat(name, **needed)
        assert sentence.endswith(".")
        assert "{" not in sentence


def _raw(name):
    import json

    from talentassess.content import content_dir

    return json.loads((content_dir("reports") / "wording.json").read_text(encoding="utf-8"))["caveats"][name]


def test_unknown_caveat_lists_the_names():
    with pytest.raises(ReportError, match=r"There is no caveat 'luck'. Choose one of: simulated, "):
        caveat("luck")


def test_caveat_gaps_must_be_filled_exactly():
    with pytest.raises(ReportError, match=r"'few_competencies' needs n; given: none"):
        caveat("few_competencies")
    with pytest.raises(ReportError, match=r"'simulated' needs no values; given: n"):
        caveat("simulated", n=3)


def test_figure_keeps_its_data_table():
    assert sample_figure().data_table.n_rows == 2
