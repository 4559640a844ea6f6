"""Answers read from files and frames: the same table gives the same Responses, however it arrives.

Expected codes are worked out by hand from tests/fixtures/tables/pilot_wide.csv and pilot_long.csv.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from talentassess.bank.tables import read_responses
from talentassess.core.errors import DataError
from talentassess.core.responses import Responses

TABLES = Path(__file__).parent / "fixtures" / "tables"
ITEMS = {"calm": ["calm1", "-calm2"], "help": ["help1", "help2"]}
CATEGORIES = {"calm": [1, 2, 3, 4], "help1": ["never", "sometimes", "often"], "help2": ["no", "yes"]}
CODES = [[0, 0, 2, 1], [2, -1, 0, 0], [-1, 2, 1, 1], [-1, -1, -1, -1]]


def read_pilot(table: object) -> Responses:
    return read_responses(
        table,
        items=ITEMS,
        person="who",
        group="store",
        weight="w",
        categories=CATEGORIES,
        missing=[-9],
        seconds={"calm1": "t_calm1"},
    )


def wide_frame() -> pd.DataFrame:
    return pd.read_csv(TABLES / "pilot_wide.csv", dtype=str, keep_default_na=False)


def as_xlsx(folder: Path) -> Path:
    path = folder / "pilot.xlsx"
    wide_frame().to_excel(path, index=False)
    return path


def as_parquet(folder: Path) -> Path:
    path = folder / "pilot.parquet"
    wide_frame().to_parquet(path)
    return path


def as_sav(folder: Path) -> Path:
    pyreadstat = pytest.importorskip("pyreadstat")
    path = folder / "pilot.sav"
    pyreadstat.write_sav(wide_frame(), str(path))
    return path


def as_tsv(folder: Path) -> Path:
    path = folder / "pilot.tsv"
    path.write_text((TABLES / "pilot_wide.csv").read_text().replace(",", "\t"))
    return path


def as_semicolons_with_bom(folder: Path) -> Path:
    path = folder / "pilot.csv"
    path.write_bytes(
        (TABLES / "pilot_wide.csv").read_text().replace(",", ";").replace("\n", "\r\n").encode("utf-8-sig")
    )
    return path


def as_quoted(folder: Path) -> Path:
    path = folder / "quoted.csv"
    wide_frame().to_csv(path, index=False, quoting=1)
    return path


SOURCES = {
    "csv": lambda _: TABLES / "pilot_wide.csv",
    "text path": lambda _: str(TABLES / "pilot_wide.csv"),
    "tsv": as_tsv,
    "semicolons, BOM, CRLF": as_semicolons_with_bom,
    "quoted": as_quoted,
    "xlsx": as_xlsx,
    "parquet": as_parquet,
    "sav": as_sav,
    "pandas": lambda _: wide_frame(),
    "pandas categories": lambda _: wide_frame().astype("category"),
    "polars": lambda _: pl.from_pandas(wide_frame()),
    "arrow": lambda _: pa.Table.from_pandas(wide_frame()),
}


@pytest.mark.parametrize("source", SOURCES)
def test_every_kind_of_table_gives_the_same_responses(source: str, tmp_path: Path) -> None:
    r = read_pilot(SOURCES[source](tmp_path))
    assert r.x.tolist() == CODES
    assert r.x.dtype == np.int16
    assert r.n_cat.tolist() == [4, 4, 3, 2]
    assert r.person_ids == ("007", "b 2", "c3", "d4")
    assert r.scales == ("calm", "calm", "help", "help")
    assert r.reversed_items == ("calm2",)
    assert r.group == ("north", "south", "north", "south")
    assert r.weight is not None
    assert r.weight.tolist() == [1.5, 2.0, 0.5, 1.0]
    assert r.seconds is not None
    np.testing.assert_array_equal(r.seconds[:, 0], [12.5, np.nan, 3.0, 40.0])
    assert np.isnan(r.seconds[:, 1:]).all()


def test_provenance_names_the_file_without_folders_and_the_settings() -> None:
    provenance = read_pilot(TABLES / "pilot_wide.csv").provenance
    assert provenance.source == "pilot_wide.csv"
    assert not provenance.simulated
    assert len(provenance.data_hash) == 16
    assert provenance.options["missing"] == "-9"
    assert provenance.options["reverse"] == "calm2"
    assert provenance.options["categories"] == (
        "calm: declared 1, 2, 3, 4; help: declared never, sometimes, often; help2: declared no, yes"
    )
    assert read_pilot(wide_frame()).provenance.source == "pandas table"


def test_numbers_are_matched_by_their_text() -> None:
    table = pd.DataFrame(
        {"q1": ["1", " 1 ", "1.0", "+2", "2."], "q2": [1.0, 2.0, 1.0, 2.0, None], "q3": [2, 1, 1, 2, 1]}
    )
    assert read_responses(table, categories=["1", 2.0]).x.tolist() == [
        [0, 0, 1],
        [0, 1, 0],
        [0, 0, 0],
        [1, 1, 1],
        [1, -1, 0],
    ]


@pytest.mark.parametrize("cells", [[True, False, True], ["TRUE", "FALSE", "TRUE"], ["true", "False", "true"]])
def test_true_and_false_are_one_and_zero(cells: list[object]) -> None:
    assert read_responses(pd.DataFrame({"q1": cells, "q2": [0, 1, 0]})).x[:, 0].tolist() == [1, 0, 1]


def test_true_and_false_stay_words_where_they_are_the_categories() -> None:
    table = pd.DataFrame({"q1": ["TRUE", "FALSE", ""]})
    assert read_responses(table, categories=["TRUE", "FALSE"]).x[:, 0].tolist() == [0, 1, -1]


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame({"q1": [1, None, 2], "q2": [2, 1, 1]}),
        pd.DataFrame({"q1": pd.array([1, None, 2], dtype="Int64"), "q2": [2, 1, 1]}),
        pd.DataFrame({"q1": ["1", "NA", "2"], "q2": [2, 1, 1]}),
        pd.DataFrame({"q1": ["1", "nan", "2"], "q2": [2, 1, 1]}),
        pd.DataFrame({"q1": [1, float("nan"), "2"], "q2": [2, 1, 1]}, dtype=object),
        pl.DataFrame({"q1": [1, None, 2], "q2": [2, 1, 1]}),
        pl.DataFrame({"q1": [1.0, float("nan"), 2.0], "q2": [2, 1, 1]}),
        pa.table({"q1": [1, None, 2], "q2": [2, 1, 1]}),
    ],
)
def test_empty_cells_are_missing_in_every_frame(table: object) -> None:
    assert read_responses(table).x.tolist() == [[0, 1], [-1, 0], [1, 0]]


def test_inferred_categories_span_the_scale_with_its_gaps() -> None:
    table = pd.DataFrame({"a1": [1, 2, 2], "a2": [5, 2, 1], "b1": [0, 1, 1]})
    r = read_responses(table, items={"a": ["a1", "a2"], "b": ["b1"]})
    assert r.n_cat.tolist() == [5, 5, 2]
    assert r.x.tolist() == [[0, 4, 0], [1, 1, 1], [1, 0, 1]]
    assert r.provenance.options["categories"] == "a: inferred 1..5 (never seen: 3, 4); b: inferred 0..1"


def test_declared_and_inferred_categories_may_stand_side_by_side() -> None:
    table = pd.DataFrame({"a1": [1, 2], "a2": [3, 2]})
    r = read_responses(table, categories={"a2": range(1, 6)})
    assert r.n_cat.tolist() == [2, 5]
    assert r.provenance.options["categories"] == "scale: inferred 1..2; a2: declared 1, 2, 3, 4, 5"


def test_missing_codes_are_not_inferred_as_categories() -> None:
    table = pd.DataFrame({"q1": [1, 2, 99], "q2": ["2", "NA?", "1"]})
    r = read_responses(table, missing=[99, "NA?"])
    assert r.x.tolist() == [[0, 1], [1, -1], [-1, 0]]
    assert r.provenance.options["missing"] == "99, NA?"
    assert read_responses(table[["q1"]], missing=99).x.tolist() == [[0], [1], [-1]]


def test_all_columns_but_the_named_ones_are_items(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("g,q1,sec,q2,w,p\na,1,3.5,2,1,x\nb,2,4,1,1,y\n")
    r = read_responses(path, person="p", group="g", weight="w", seconds={"q1": "sec"})
    assert r.item_ids == ("q1", "q2")
    assert read_responses(path, items=["q2", "q1"]).person_ids == ("1", "2")


def test_a_leading_minus_is_a_name_where_a_column_has_it() -> None:
    table = pd.DataFrame({"-q1": [1, 2, 3], "q1": [1, 2, 3], "q2": [1, 2, 3]})
    r = read_responses(table, items=["-q1", "-q2"])
    assert r.item_ids == ("-q1", "q2")
    assert r.reversed_items == ("q2",)
    assert r.x.tolist() == [[0, 2], [1, 1], [2, 0]]


def test_rows_without_any_answer_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("q1,q2\n1,2\n,\n2,1\n")
    assert read_responses(path).x.tolist() == [[0, 1], [-1, -1], [1, 0]]


def test_empty_lines_are_left_out_and_noted_and_rows_keep_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("\nq1,q2\n1,2\n\n2,1\n\n\n")
    r = read_responses(path)
    assert r.n_persons == 2
    assert r.provenance.options["empty lines left out"] == "4"
    path.write_text("q1,q2\n1,2\n\n2,7\n")
    with pytest.raises(DataError, match="row 4, column 'q2': '7'"):
        read_responses(path, categories=[1, 2])


def test_an_empty_line_of_a_one_column_table_is_a_person(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("q1\n1\n\n2\n")
    assert read_responses(path).x.tolist() == [[0], [-1], [1]]


def test_the_first_sheet_is_read_and_named_if_there_are_more(tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    with pd.ExcelWriter(path) as book:
        pd.DataFrame({"q1": [1, 2.0, None], "q2": [True, False, True]}).to_excel(
            book, sheet_name="Answers", index=False
        )
        pd.DataFrame({"note": ["x"]}).to_excel(book, sheet_name="Notes", index=False)
    r = read_responses(path, categories={"q1": [1, 2], "q2": [0, 1]})
    assert r.x.tolist() == [[0, 1], [1, 0], [-1, 1]]
    assert r.provenance.options["sheet"] == "'Answers', the first of 2"


def test_spss_user_missing_values_are_missing(tmp_path: Path) -> None:
    pyreadstat = pytest.importorskip("pyreadstat")
    path = tmp_path / "t.sav"
    frame = pd.DataFrame({"q1": [1.0, 9.0, 2.0], "q2": [2.0, 1.0, None]})
    pyreadstat.write_sav(frame, str(path), missing_ranges={"q1": [9]})
    assert read_responses(path).x.tolist() == [[0, 1], [-1, 0], [1, -1]]


def test_a_named_index_is_a_column() -> None:
    table = pd.DataFrame({"p": ["x", "y"], "q1": [1, 2]}).set_index("p")
    assert read_responses(table, person="p").person_ids == ("x", "y")
    assert read_responses(table.assign(p=["u", "v"]), person="p").person_ids == ("u", "v")


def test_a_long_table_is_laid_out_by_person() -> None:
    r = read_responses(TABLES / "pilot_long.csv", group="store", missing=[-9], categories=[1, 2, 3, 4], seconds="rt")
    assert r.item_ids == ("calm1", "calm2")
    assert r.person_ids == ("007", "b 2", "c3", "d4")
    assert r.x.tolist() == [[0, 3], [2, -1], [-1, 1], [-1, -1]]
    assert r.group == ("north", "south", "north", "south")
    assert r.seconds is not None
    np.testing.assert_array_equal(r.seconds, [[12.5, 8], [np.nan, np.nan], [3, 5], [np.nan, np.nan]])
    assert r.provenance.options["layout"] == "long"


def test_a_long_table_takes_items_scales_and_reverse_marks() -> None:
    table = pd.DataFrame({"person": ["a", "b", "a", "b"], "item": ["q1", "q2", "q2", "q1"], "resp": [1, 2, 3, 3]})
    r = read_responses(table, items={"s": ["-q2", "q1"]}, categories=[1, 2, 3])
    assert r.item_ids == ("q2", "q1")
    assert r.x.tolist() == [[0, 0], [1, 2]]


def test_a_wide_table_with_long_names_is_wide_when_its_columns_are_asked_for() -> None:
    table = pd.DataFrame({"id": ["a", "b"], "item": [1, 2], "resp": [2, 1]})
    assert read_responses(table, items=["item", "resp"], person="id").x.tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize(("mark", "simulated"), [(["yes", "yes"], True), (["", "x"], True), (["", None], False)])
def test_the_simulated_column_marks_the_answers_and_is_no_item(mark: list[object], simulated: bool) -> None:
    r = read_responses(pd.DataFrame({"q1": [1, 2], "SIMULATED": mark}))
    assert r.item_ids == ("q1",)
    assert r.provenance.simulated is simulated
    assert r.provenance.label == ("SIMULATED" if simulated else "real answers")


def test_the_simulated_mark_holds_in_long_tables() -> None:
    table = pd.DataFrame({"id": [1, 2], "item": ["q", "q"], "resp": [0, 1], "SIMULATED": ["1", "1"]})
    assert read_responses(table).provenance.simulated


def test_a_missing_code_counts_among_seconds_where_it_is_no_time() -> None:
    table = pd.DataFrame({"q1": [1, 2, 2], "t": [-9, 9, 0]})
    r = read_responses(table, missing=[-9, 9], seconds={"q1": "t"})
    assert r.seconds is not None
    np.testing.assert_array_equal(r.seconds[:, 0], [np.nan, 9, 0])


def test_a_column_without_name_and_values_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("q1,q2,\n1,2,\n2,1,\n")
    assert read_responses(path).item_ids == ("q1", "q2")


def test_a_quoted_cell_may_hold_the_delimiter_and_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('who,q1\n"a, with\nbreak",1\nb,2\n')
    assert read_responses(path, person="who").person_ids == ("a, with\nbreak", "b")
