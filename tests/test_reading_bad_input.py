"""What a user sees when a table is not right: each message names the place, the value and the remedy."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import polars as pl
import pytest

from talentassess.bank.tables import read_responses
from talentassess.core.errors import DataError


def message(table: object, **options: object) -> str:
    with pytest.raises(DataError) as caught:
        read_responses(table, **options)
    return str(caught.value)


def problems(table: object, **options: object) -> tuple[str, ...]:
    with pytest.raises(DataError) as caught:
        read_responses(table, **options)
    return caught.value.problems


def written(folder: Path, content: str | bytes, name: str = "pilot.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def has(text: str, *parts: str) -> None:
    for part in parts:
        assert part in text


# files


def test_file_not_found_suggests_a_near_name(tmp_path: Path) -> None:
    written(tmp_path, "q1\n1\n")
    has(message(tmp_path / "pilto.csv"), "no file", "pilto.csv", "did you mean 'pilot.csv'", "Check the name")


def test_a_folder_is_not_a_table(tmp_path: Path) -> None:
    has(message(tmp_path), "is a folder", "give the path of one table file")


def test_unsupported_extension_lists_the_supported_ones(tmp_path: Path) -> None:
    has(
        message(written(tmp_path, "x", "pilot.xls")),
        "'.xls' cannot be read",
        ".csv, .tsv, .txt, .xlsx",
        "Save the table",
    )


def test_empty_file(tmp_path: Path) -> None:
    has(message(written(tmp_path, "")), "pilot.csv' is empty (0 bytes)", "column names")


def test_file_of_blank_lines(tmp_path: Path) -> None:
    has(message(written(tmp_path, "\n \n\n")), "pilot.csv' is empty", "column names")


def test_header_without_rows(tmp_path: Path) -> None:
    has(message(written(tmp_path, "q1,q2\n")), "has a header but no rows", "at least one person")
    has(message(pd.DataFrame({"q1": []})), "pandas table", "no rows")


def test_wrong_encoding_names_byte_and_position(tmp_path: Path) -> None:
    content = "who,q1\nann,1\nJosé,2\n".encode("latin-1")
    text = message(written(tmp_path, content), person="who")
    has(text, "not UTF-8", "byte 0xE9", f"position {content.index(0xE9)}", "row 3", "CSV UTF-8", "encoding=")


def test_wrong_encoding_counts_from_the_start_of_the_file(tmp_path: Path) -> None:
    content = b"\xef\xbb\xbfq1\n1\n\xfc\n"  # a byte order mark, then a byte of another encoding
    has(message(written(tmp_path, content)), "byte 0xFC", f"position {content.index(0xFC)}", "row 3")


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    has(message(written(tmp_path, "q1\n1\n")), "'pilot.csv' cannot be opened (Permission denied)", "Close it")


def test_utf16_is_named(tmp_path: Path) -> None:
    has(message(written(tmp_path, "q1\n1\n".encode("utf-16"))), "not UTF-8", "UTF-16", "CSV UTF-8")


def test_duplicate_column_names_in_a_csv_header(tmp_path: Path) -> None:
    text = message(written(tmp_path, ",q1,q2, q1\na,1,2,3\n"))
    has(text, "column name 'q1' stands 2 times", "columns 2, 4", "Rename")


def test_duplicate_column_names_in_memory() -> None:
    has(message(pd.DataFrame([[1, 2]], columns=["q1", "q1"])), "column name 'q1' stands 2 times", "Rename")


def test_rows_of_another_width_are_all_named(tmp_path: Path) -> None:
    text = message(written(tmp_path, "who,q1,q2\na,1,2\nb,1\nc,2,1,1\n"))
    has(text, "row 3: 2 cells, the header has 3 columns", "row 4: 4 cells", "quotation marks")


def test_unpaired_quotation_mark(tmp_path: Path) -> None:
    has(message(written(tmp_path, 'who,q1\na,1\n"b,2\n')), "row 3", "quotation marks do not pair up", "doubled")


def test_column_with_values_but_no_name(tmp_path: Path) -> None:
    path = written(tmp_path, '"","q1"\n"1",2\n"2",1\n')
    has(message(path), "column 1, without a name", "row.names = FALSE")
    assert read_responses(path, items=["q1"]).item_ids == ("q1",)


def test_unreadable_xlsx(tmp_path: Path) -> None:
    has(
        message(written(tmp_path, b"not a workbook", "pilot.xlsx")),
        "pilot.xlsx",
        "Excel workbook",
        "password",
        "save it",
    )


def test_excel_error_value_is_a_bad_cell(tmp_path: Path) -> None:
    path = tmp_path / "pilot.xlsx"
    pd.DataFrame({"q1": [1, 2], "q2": ["#DIV/0!", 1]}).to_excel(path, index=False)
    has(message(path, categories=[1, 2]), "row 2, column 'q2': '#DIV/0!'", "allowed: 1, 2")


def test_unreadable_parquet(tmp_path: Path) -> None:
    has(message(written(tmp_path, b"PAR1 no", "pilot.parquet")), "pilot.parquet", "cannot be read as Parquet")


def test_unreadable_sav(tmp_path: Path) -> None:
    pytest.importorskip("pyreadstat")
    has(message(written(tmp_path, b"nothing", "pilot.sav")), "pilot.sav", "cannot be read as an SPSS file")


def test_spss_without_its_package_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyreadstat", None)
    has(message(written(tmp_path, b"$FL2", "pilot.sav")), "needs the package pyreadstat", "talentassess[spss]", "CSV")


def test_object_that_is_no_table() -> None:
    has(message([[1, 2]]), "cannot be read from a list", "pandas.DataFrame")
    has(message(pl.LazyFrame({"q1": [1]})), "cannot be read from a LazyFrame", "collect")


def test_cells_that_hold_lists() -> None:
    has(message(pd.DataFrame({"q1": [[1], [2]]})), "column 'q1'", "nested", "one number or text")
    has(message(pl.DataFrame({"q1": [[1], [2]]})), "column 'q1'", "one number or text")


# columns


def test_missing_columns_are_all_named_with_the_nearest_name(tmp_path: Path) -> None:
    path = written(tmp_path, "who,calm_1,calm_2\na,1,2\n")
    has(message(path, items=["calm1", "-calm_3"]), "'calm1', asked for as an item (did you mean 'calm_1'?)", "'calm_3'")
    text = message(path, person="person", group="grp")
    has(
        text, "no column 'person', asked for as person", "no column 'grp', asked for as group", "There are: who, calm_1"
    )


def test_one_column_in_two_roles() -> None:
    table = pd.DataFrame({"p": ["a", "b"], "q1": [1, 2]})
    has(message(table, person="p", group="p"), "column 'p' is asked for more than once: person, group")
    has(message(table, person="p", items=["p", "q1"]), "column 'p' is already used as person")
    has(message(table, items=["q1", "SIMULATED"]), "'SIMULATED' marks simulated answers")


def test_item_listed_twice_or_in_two_scales() -> None:
    table = pd.DataFrame({"q1": [1, 2], "q2": [1, 2]})
    has(message(table, items=["q1", "-q1"]), "item 'q1' is listed 2 times", "once")
    has(message(table, items={"a": ["q1"], "b": ["q1", "q2"]}), "item 'q1' is listed in 2 scales (a, b)")


def test_no_items_left() -> None:
    has(message(pd.DataFrame({"p": ["a"]}), person="p"), "there is no item column")


def test_seconds_of_an_unknown_item_or_column() -> None:
    table = pd.DataFrame({"q1": [1, 2], "t": [3, 4]})
    has(
        message(table, items=["q1"], seconds={"qq1": "t"}), "seconds names 'qq1', which is no item", "did you mean 'q1'"
    )
    has(message(table, items=["q1"], seconds={"q1": "time"}), "no column 'time', asked for as seconds of item 'q1'")


# cells


def test_codes_out_of_the_declared_categories_are_all_named(tmp_path: Path) -> None:
    path = written(tmp_path, "who,q1,q2\na,1,2\nb,9,2\nc,2,2.5\nd,x,1\n")
    lines = problems(path, person="who", categories=[1, 2, 3], missing=[-1])
    assert lines == (
        "row 3, column 'q1': '9'; allowed: 1, 2, 3, or -1 or empty for missing",
        "row 4, column 'q2': '2.5'; allowed: 1, 2, 3, or -1 or empty for missing",
        "row 5, column 'q1': 'x'; allowed: 1, 2, 3, or -1 or empty for missing",
    )
    has(
        message(path, person="who", categories=[1, 2, 3]),
        "pilot.csv: 3 problem(s)",
        "missing=[...]",
        "categories=[...]",
    )


def test_rows_of_tables_in_memory_count_from_one() -> None:
    assert problems(pd.DataFrame({"q1": [1, 8]}, index=[10, 20]), categories=[1, 2]) == (
        "row 2, column 'q1': '8'; allowed: 1, 2",
    )


def test_a_category_in_other_capitals_is_suggested() -> None:
    text = message(pd.DataFrame({"q1": ["never", "Often"]}), categories=["never", "often"])
    has(text, "row 2, column 'q1': 'Often' (did you mean 'often'?)", "allowed: never, often")


def test_decimal_value_without_declared_categories() -> None:
    text = message(pd.DataFrame({"q1": [1, 2, 2.5]}))
    has(text, "row 3, column 'q1': '2.5'; allowed: 1, 2 (whole numbers seen; declare others with categories=[...])")


def test_words_without_declared_categories() -> None:
    text = message(pd.DataFrame({"q1": ["never", "often"]}))
    has(
        text,
        "no whole number was seen",
        "row 1, column 'q1': 'never'",
        "declare other categories with categories=[...]",
    )


def test_one_value_only_cannot_tell_the_categories() -> None:
    has(message(pd.DataFrame({"q1": [3, 3]})), "scale 'scale'", "only 3 was seen", "categories=[...]")


@pytest.mark.parametrize("code", [-9, 99, 9])
def test_an_undeclared_missing_code_is_not_taken_for_a_category(code: int) -> None:
    text = message(pd.DataFrame({"q1": [0, 1, 1], "q2": [1, 0, code]}))
    has(text, str(code), "column 'q2'", "missing=[...]", "categories=[...]")


def test_an_id_column_is_not_taken_for_an_item() -> None:
    table = pd.DataFrame({"number": range(1, 31), "q1": [1, 2] * 15})
    has(message(table), "from 1 (column 'number') to 30 (column 'number')", "items=[...]")


def test_a_value_wrong_in_many_rows_takes_one_line_with_its_rows() -> None:
    assert problems(pd.DataFrame({"q1": [7] * 30 + [1, 7]}), categories=[1, 2]) == (
        "rows 1-30, 32 (31 cells), column 'q1': '7'; allowed: 1, 2",
    )


def test_a_column_of_something_else_takes_one_line() -> None:
    (line,) = problems(pd.DataFrame({"q1": [f"text {i}" for i in range(80)]}), categories=[1, 2])
    has(line, "rows 1-80 (80 cells), column 'q1': 80 different values such as 'text 0', 'text 1'", "allowed: 1, 2")


def test_mixed_booleans_and_numbers() -> None:
    has(message(pd.DataFrame({"q1": ["TRUE", "0", "1"]})), "row 1, column 'q1': 'TRUE'", "allowed: 0, 1")


# people


def test_duplicate_persons_are_all_named(tmp_path: Path) -> None:
    path = written(tmp_path, "who,q1\na,1\nb,2\na ,2\n")
    has(message(path, person="who"), "rows 2, 4, column 'who': 'a' occurs 2 times", "every person may occur once")


def test_empty_person_id(tmp_path: Path) -> None:
    path = written(tmp_path, "who,q1\na,1\n ,2\nNA,2\n")
    text = message(path, person="who")
    has(text, "row 3, column 'who': empty; every person needs an id", "row 4, column 'who': 'NA' (missing)")


def test_weights_must_be_positive_numbers() -> None:
    table = pd.DataFrame({"q1": [1, 2, 1, 2], "w": ["1.5", "0", "heavy", ""]})
    text = message(table, weight="w")
    has(
        text,
        "row 2, column 'w': '0'; allowed: positive numbers",
        "row 3, column 'w': 'heavy'",
        "row 4, column 'w': empty",
    )


def test_a_decimal_comma_is_not_a_number() -> None:
    has(message(pd.DataFrame({"q1": [1, 2], "w": ["1,5", "1"]}), weight="w"), "'1,5'", "with a decimal point")


def test_empty_group() -> None:
    has(message(pd.DataFrame({"q1": [1, 2], "g": ["a", None]}), group="g"), "row 2, column 'g': empty", "'not stated'")


def test_seconds_of_a_wide_table_are_a_mapping() -> None:
    table = pd.DataFrame({"q1": [1, 2], "t": [3, 4]})
    has(message(table, items=["q1"], seconds="t"), "wide table", "mapping item -> column", "{'q1': 't'}")


def test_negative_or_wordy_seconds() -> None:
    text = message(pd.DataFrame({"q1": [1, 2], "t": [-3, "soon"]}), seconds={"q1": "t"})
    has(text, "row 1, column 't': '-3'; allowed: seconds, 0 or more", "row 2, column 't': 'soon'")


def test_problems_of_all_kinds_come_in_one_error_by_row(tmp_path: Path) -> None:
    path = written(tmp_path, "who,g,w,q1,t\na,x,1,7,1\na,,0,1,-1\n")
    lines = problems(path, person="who", group="g", weight="w", items=["q1"], categories=[1, 2], seconds={"q1": "t"})
    assert [line.split(",")[0] for line in lines] == ["rows 2-3", "row 2", "row 3", "row 3", "row 3"]


# declarations


def test_category_declared_twice() -> None:
    has(message(pd.DataFrame({"q1": [1, 2]}), categories=[1, 2, "1.0"]), "'1' is declared 2 times")


def test_missing_code_that_is_a_category() -> None:
    has(message(pd.DataFrame({"q1": [1, 2]}), categories=[1, 2, 9], missing=["9"]), "'9' is named in missing=")
    has(message(pd.DataFrame({"q1": [1, 2]}), categories=["yes", "NA"]), "'NA' always means missing")


def test_one_category_or_a_text_of_categories() -> None:
    has(message(pd.DataFrame({"q1": [1, 2]}), categories=[1]), "found 1", "at least two categories")
    has(message(pd.DataFrame({"q1": [1, 2]}), categories=range(5000)), "found 5000", "at most 1000")
    has(message(pd.DataFrame({"q1": [1, 2]}), categories="12"), "found the text '12'", "give a list")


def test_categories_of_an_unknown_item_or_scale() -> None:
    text = message(pd.DataFrame({"calm1": [1, 2]}), categories={"calm2": [1, 2]})
    has(text, "'calm2' is neither (did you mean 'calm1'?)", "items or scales")


# long tables


def long(**changes: list[object]) -> pd.DataFrame:
    columns = {"id": ["a", "a", "b", "b"], "item": ["q1", "q2", "q1", "q2"], "resp": [1, 2, 2, 1], "g": ["x"] * 4}
    return pd.DataFrame(columns | changes)


def test_long_answers_given_twice() -> None:
    text = message(long(item=["q1", "q1", "q1", "q2"]))
    has(text, "rows 1-2: person 'a' answers item 'q1' 2 times", "Keep one row per person and item")


def test_long_answers_of_nobody_or_no_item() -> None:
    text = message(long(id=["a", None, "b", "b"], item=["q1", "q2", "q1", ""]))
    has(text, "row 2, column 'id': empty; every answer needs its person", "row 4, column 'item': empty")


def test_long_bad_cells_name_row_and_item() -> None:
    has(message(long(resp=[1, 2, 7, 1]), categories=[1, 2]), "row 3, column 'resp' (item 'q1'): '7'; allowed: 1, 2")


def test_long_group_must_not_change_within_a_person() -> None:
    text = message(long(g=["x", "y", "x", "x"]), group="g")
    has(text, "row 2, column 'g': 'y'; the person's first row (1) has 'x'", "one value per person")


def test_long_unknown_items() -> None:
    has(message(long(), items=["q1", "qq2"]), "no row has 'qq2' in column 'item'", "did you mean 'q2'")


def test_long_seconds_are_one_column() -> None:
    has(message(long(t=[1, 2, 3, 4]), seconds={"q1": "t"}), "long table", "name of its one column")
