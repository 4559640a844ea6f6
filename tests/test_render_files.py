"""The four forms of a report: HTML, workbook, JSON, PDF."""

import io
import itertools
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from render_samples import NASTY, nasty_doc, sample_doc, sample_table
from talentassess.core.errors import ArtefactError, ReportError
from talentassess.render import ReportDoc, Section, TableBlock, load_report
from talentassess.render.blocks import Paragraph
from talentassess.render.drawing import draw
from talentassess.render.html import render_html
from talentassess.render.json_file import render_json
from talentassess.render.pdf import column_groups, render_pdf
from talentassess.render.xlsx import render_xlsx, sheet_name


class Page(HTMLParser):
    """Collects tags with attributes, and text outside scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self._skip = [], [], 0
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._skip += tag in ("script", "style")

    def handle_endtag(self, tag):
        self._skip -= tag in ("script", "style")

    def handle_data(self, data):
        if not self._skip:
            self.texts.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def html():
    return render_html(sample_doc())


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_page_asks_for_nothing_outside_itself(page):
    for tag, attrs in page.tags:
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            target = attrs.get(name) or ""
            assert target.startswith(("#", "data:image/svg+xml;base64,")) or not target, (tag, target)
    assert not page.all("link")
    assert not page.all("iframe")


def test_page_styles_fetch_nothing(html):
    style = re.search(r"<style>(.*?)</style>", html, re.S)[1]
    assert "url(" not in style
    assert "@import" not in style


def test_page_says_simulated_on_screen_and_in_print(html, page):
    assert page.all("div")[0] == {"class": "banner", "role": "note"}
    assert re.search(r"@media print \{.*\.banner \{ position: fixed; top: 0;", html, re.S)
    assert html.count("<title>SIMULATED: Pool report</title>") == 1
    figures = [json.loads(text) for text in re.findall(r'data-chart="[^"]+">(.*?)</script>', html)]
    assert [figure["title"]["text"] for figure in figures] == ["SIMULATED"]


def test_page_of_real_answers_never_says_simulated():
    assert "SIMULATED" not in render_html(sample_doc(simulated=False))


def test_page_is_accessible(page):
    assert page.all("html")[0]["lang"] == "en-GB"
    assert page.all("a")[0] == {"class": "skip", "href": "#content"}
    assert [attrs["id"] for attrs in page.all("main")] == ["content"]
    assert all(attrs.get("alt") for attrs in page.all("img"))
    assert len(page.all("caption")) == len(page.all("table")) == 2
    assert all(attrs.get("scope") in ("col", "row") for attrs in page.all("th"))
    headings = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert headings[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(headings))


def test_every_link_of_the_page_has_its_target(page):
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {attrs["href"][1:] for attrs in page.all("a")} <= set(ids)


def test_numbers_sort_by_value_and_missing_cells_have_none(html):
    assert '<td class="n k" data-v="12000">12,000</td>' in html
    assert '<td class="n k none">\u2013</td>' in html


def test_nasty_text_stays_text_on_the_page():
    text = render_html(nasty_doc())
    body = text[text.index("<body") :]
    assert "<script>alert(1)" not in body
    assert "{{ 7*7 }}" in body
    seen = "".join(Page(text).texts)
    for nasty in NASTY:
        assert nasty in seen


def test_page_shows_the_first_rows_and_says_so_the_workbook_has_all():
    table = TableBlock("Long", {"n": list(range(500))}, limit=20)
    doc = ReportDoc(title="R", simulated=False, sections=(Section("S", "s", (table,)),))
    text = render_html(doc)
    assert text.count("<tr>") == 21
    assert "The first 20 of 500 rows are shown here; the workbook and the JSON file hold all of them." in text
    assert openpyxl.load_workbook(io.BytesIO(render_xlsx(doc)))["T1 Long"].max_row == 502


def test_page_of_thirty_charts_weighs_less_than_six_megabytes():
    from render_samples import sample_figure

    figures = tuple(sample_figure(anchor=f"f{i}") for i in range(30))
    wide = TableBlock(
        "Wide", {"who": [f"p{i}" for i in range(300)], **{f"c{j}": np.arange(300) / 7 for j in range(14)}}
    )
    assert len(render_html(sample_doc(extra=(*figures, wide))).encode()) < 6_000_000


def test_drawing_uses_the_width_asked_for():
    figure = sample_doc().figures[0]
    assert draw(figure, width=500).width == 500
    assert "SIMULATED" in draw(figure, simulated=True).svg
    assert "SIMULATED" not in draw(figure).svg


# Workbook -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def book():
    return openpyxl.load_workbook(io.BytesIO(render_xlsx(sample_doc())))


def test_workbook_has_a_cover_and_a_sheet_per_table(book):
    assert book.sheetnames == ["Report", "T1 Item statistics", "F1 Points"]
    cover = [[cell.value for cell in row] for row in book["Report"].iter_rows()]
    flat = [value for row in cover for value in row if value]
    assert "Pool report" in flat
    assert "Item q2 works against its scale. One sample only." in flat
    assert [row[0] for row in cover if row[0] in ("problem", "warning", "note")] == ["problem", "warning", "note"]


def test_every_sheet_is_marked_on_top_and_on_paper(book):
    for sheet in book:
        assert sheet["A1"].value.startswith("SIMULATED")
        assert "SIMULATED" in sheet.oddHeader.center.text
        assert "SIMULATED" in sheet.oddFooter.left.text


def test_workbook_of_real_answers_is_not_marked():
    book = openpyxl.load_workbook(io.BytesIO(render_xlsx(sample_doc(simulated=False))))
    assert not any("SIMULATED" in str(cell.value) for sheet in book for row in sheet for cell in row)


def test_sheet_keeps_numbers_as_numbers_with_their_formats(book):
    sheet = book["T1 Item statistics"]
    assert [cell.value for cell in sheet[3]] == ["item", "n", "r", "missing", "p", "limit"]
    assert [cell.value for cell in sheet[5]] == ["q2", 299, -0.125, 0.25, 0.032, "\u221e"]
    assert [cell.number_format for cell in sheet[4]][1:5] == [
        "#,##0",
        "+0.00;-0.00;0.00",
        "0%",
        '[<0.001]"< .001";.000',
    ]
    assert sheet["C6"].value is None
    assert sheet.freeze_panes == "B4"
    assert sheet["A8"].value == "Item-rest correlations."


def test_text_is_never_a_formula():
    book = openpyxl.load_workbook(io.BytesIO(render_xlsx(nasty_doc())))
    sheet = book.worksheets[1]
    found = [row[0] for row in sheet.iter_rows(min_row=3, max_row=2 + len(NASTY))]
    assert [cell.value for cell in found] == list(NASTY)
    assert {cell.data_type for cell in found} == {"s"}
    assert [bool(cell.quotePrefix) for cell in found[:6]] == [False, True, True, True, True, False]


@given(st.lists(st.text(max_size=45), max_size=8))
def test_sheet_names_follow_the_rules(wishes):
    used = set()
    for wish in wishes:
        name = sheet_name(wish, used)
        assert 0 < len(name) <= 31
        assert not set(name) & set("[]:*?/\\")
        assert name[0] != "'" != name[-1]
        assert name.casefold() not in used
        assert name.casefold() != "history"
        used.add(name.casefold())


# JSON ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("doc", [sample_doc(), sample_doc(simulated=False), nasty_doc()], ids=["demo", "real", "nasty"])
def test_json_comes_back_as_the_same_report(doc, tmp_path):
    assert load_report(doc.save(tmp_path / "r.json")) == doc


def test_json_is_marked_and_named():
    content = json.loads(render_json(sample_doc()))
    assert content["schema"] == "talentassess/report/1"
    assert content["mark"] == "SIMULATED"
    assert len(content["content_hash"]) == 16


def changed(tmp_path, **fields):
    from talentassess.core.provenance import hash_json

    content = json.loads(render_json(sample_doc())) | fields
    sealed = {key: value for key, value in content.items() if key not in ("schema", "content_hash")}
    path = tmp_path / "r.json"
    path.write_text(json.dumps(content | {"content_hash": hash_json(sealed)}))
    return path


def test_edited_json_is_refused(tmp_path):
    path = sample_doc().save(tmp_path / "r.json")
    path.write_text(path.read_text().replace("works against", "works for"))
    with pytest.raises(ArtefactError, match=r"r.json was changed after it was written"):
        load_report(path)


def test_json_of_another_kind_is_refused(tmp_path):
    with pytest.raises(
        ArtefactError, match=r"has the schema 'talentassess/norms/1'; a report has 'talentassess/report/1'"
    ):
        load_report(changed(tmp_path, schema="talentassess/norms/1"))


def test_incomplete_json_is_refused(tmp_path):
    with pytest.raises(ArtefactError, match=r"r.json is not a complete report: 'sections'"):
        load_report(changed(tmp_path, report={"title": "R", "simulated": False}))


# PDF ----------------------------------------------------------------------------------------------------------------


def pdf_text(doc, tmp_path):
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext is not installed")
    path = doc.save(tmp_path / "r.pdf")
    return subprocess.run(["pdftotext", "-layout", path, "-"], capture_output=True, text=True, check=True).stdout


def test_pdf_is_a_pdf():
    assert render_pdf(sample_doc()).startswith(b"%PDF-")


def test_nasty_text_does_not_break_the_pdf(tmp_path):
    text = re.sub(r"\s+", "", pdf_text(nasty_doc(), tmp_path))
    for nasty in (NASTY[0], NASTY[5], NASTY[6], NASTY[8]):
        assert re.sub(r"\s+", "", nasty).replace("'", "\u2019").replace('"', "\u201d") in text.replace(
            "'", "\u2019"
        ).replace("\u201c", "\u201d").replace('"', "\u201d").replace("\u2018", "\u2019").replace("\u200b", "")


def test_every_page_of_the_pdf_is_marked_and_numbered_and_headings_repeat(tmp_path):
    table = TableBlock("Long", {"person": [f"p{i:03d}" for i in range(120)], "score": list(range(120))})
    pages = pdf_text(sample_doc(extra=(table,)), tmp_path).rstrip("\f\n").split("\f")
    assert len(pages) >= 3
    for number, page in enumerate(pages, 1):
        assert "SIMULATED" in page
        assert f"{number} of {len(pages)}" in page
    rows = [page for page in pages if re.search(r"p\d{3} +\d", page)]
    assert len(rows) >= 2
    assert all("person" in page and "score" in page for page in rows)


def test_a_table_on_its_side_keeps_its_heading_and_leaves_no_empty_page(tmp_path):
    wide = TableBlock("Wide", {f"a long heading number {k:02d} {'x' * 14}": ["word"] for k in range(9)})
    sections = (Section("First", "first", (Paragraph("Text."),)), Section("Second", "second", (wide,)))
    doc = ReportDoc(title="T", sections=sections, simulated=False)
    pages = pdf_text(doc, tmp_path).rstrip("\f\n").split("\f")
    assert len(pages) == 2
    assert "Second" not in pages[0]
    assert "Second" in pages[1]
    assert "Made with talentassess" in pages[1]


def test_pdf_of_real_answers_is_not_marked(tmp_path):
    assert "SIMULATED" not in pdf_text(sample_doc(simulated=False), tmp_path)


def test_pdf_error_says_what_cannot_be_set():
    doc = ReportDoc(title="R", simulated=False, sections=(), language="no_language")
    with pytest.raises(ReportError, match=r"The PDF of 'R' cannot be set: "):
        render_pdf(doc)


@given(st.lists(st.floats(1, 60), min_size=1, max_size=40))
def test_column_groups_hold_every_column_once_beside_the_first(widths):
    named = {f"c{i}": width for i, width in enumerate(widths)}
    groups = list(column_groups(named, 100.0))
    assert [name for group in groups for name in group[1:]] == list(named)[1:]
    assert {group[0] for group in groups} == {"c0"}
    # a single column that is wider than the page must still be printed
    assert all(sum(named[name] for name in group) <= 100 or len(group) <= 2 for group in groups)


def test_sample_table_is_shown_by_all_renderers():
    doc = ReportDoc(title="R", simulated=False, sections=(Section("S", "s", (sample_table(),)),))
    assert render_pdf(doc)[:5] == b"%PDF-"
    assert "vegaEmbed" not in re.sub(r"window\.vegaEmbed", "", render_html(doc))  # no charts, no chart library
