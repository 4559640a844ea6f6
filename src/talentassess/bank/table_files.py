"""Tables as they arrive: CSV, XLSX, Parquet and SPSS files, and pandas, polars or Arrow tables in memory."""

from __future__ import annotations

import csv
import io
import os
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias
from xml.etree.ElementTree import ParseError

import numpy as np

from talentassess.bank.cells import TextColumn, row_ranges, suggest, text_column
from talentassess.core.arrays import IntArray
from talentassess.core.errors import DataError

if TYPE_CHECKING:
    import narwhals as nw
    from narwhals.typing import IntoDataFrame, IntoSeries

    TableSource: TypeAlias = str | os.PathLike[str] | IntoDataFrame

Record = Sequence[object]
_NO_NAME = ", without a name)"


@dataclass(frozen=True, eq=False, slots=True)
class Table:
    """A table as it stands, every cell as text.

    Attributes
    ----------
    source : file name without folders, or the kind of table in memory.
    columns : name -> cells, in order.
    rows : (N,) int, row number of every record as messages give it.
    notes : what was done on reading, for the provenance.
    """

    source: str
    columns: Mapping[str, TextColumn]
    rows: IntArray
    notes: Mapping[str, str] = field(default_factory=dict)


def load_table(source: TableSource) -> Table:
    """Read a file or a table in memory, with nothing recoded.

    Rows are numbered as a spreadsheet shows them (header = row 1) for CSV and XLSX, and counted from 1 for Parquet,
    SPSS and tables in memory. Empty lines are left out and noted; they keep their row number.

    Parameters
    ----------
    source : path to .csv, .tsv, .txt, .xlsx, .parquet or .sav; or a pandas, polars or pyarrow table.

    Raises
    ------
    DataError : the file is absent, empty, damaged, of another kind or encoding, or its header is not usable.
    """
    if not isinstance(source, str | os.PathLike):
        return _from_memory(source)
    path = Path(source)
    _check_file(path)
    try:
        return _READERS[path.suffix.lower()](path)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise DataError(
            f"'{path.name}' cannot be opened ({reason}). Close it in other programs and check that you may read it."
        ) from error


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise DataError(f"'{path}' is a folder; give the path of one table file in it.")
    if not path.exists():
        here = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise DataError(f"There is no file '{path}'{suggest(path.name, here)}. Check the name and the folder.")
    if path.suffix.lower() not in _READERS:
        raise DataError(
            f"'{path.name}': files of type '{path.suffix}' cannot be read; allowed: {', '.join(_READERS)}. "
            "Save the table as CSV (UTF-8) or XLSX."
        )
    if path.stat().st_size == 0:
        raise DataError(f"'{path.name}' is empty (0 bytes). Export it again; the first row must hold the column names.")


def _from_memory(source: object, name: str = "") -> Table:
    frame = _narwhals_frame(source)
    source_name = name or f"{frame.implementation.name.lower()} table"
    _check_header(source_name, frame.columns)
    if len(frame) == 0:
        raise DataError(f"{source_name}: the table has columns but no rows. There must be at least one person.")
    rows = np.arange(1, len(frame) + 1)
    columns = {column: _memory_column(frame[column], rows) for column in frame.columns}
    return Table(source_name, columns, rows)


def _narwhals_frame(source: object) -> nw.DataFrame[IntoDataFrame]:
    import narwhals as nw
    import pandas as pd

    if isinstance(source, pd.DataFrame):
        _check_header("pandas table", [str(name) for name in source.columns])
        # A named index is a column in all but place, most often the persons.
        named = [name for name in source.index.names if name is not None and name not in source.columns]
        source = source.reset_index(level=named) if named else source
        source = source.set_axis([str(name) for name in source.columns], axis=1)
    frame = nw.from_native(source, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        return frame
    raise DataError(
        f"A table cannot be read from a {type(source).__name__}. Give a path, or a pandas, polars or pyarrow table "
        "(collect a lazy one first; turn a list, dict or array into a pandas.DataFrame)."
    )


def _memory_column(series: nw.Series[IntoSeries], rows: IntArray) -> TextColumn:
    import narwhals as nw

    label = f"column '{series.name}'"
    if series.dtype.is_nested():
        raise DataError(f"{label} holds {series.dtype} cells; a cell must hold one number or text.")
    plain = series.dtype.is_numeric() or series.dtype == nw.Boolean
    if plain and not series.is_null().any():
        return text_column(label, series.to_numpy(), rows)
    cells = np.empty(len(series), dtype=object)
    cells[:] = series.to_list()
    try:
        return text_column(label, cells, rows)
    except TypeError as error:  # unhashable cells of an object column
        raise DataError(f"{label} holds lists or other nested cells; a cell must hold one number or text.") from error


def _check_header(source: str, names: Sequence[str]) -> None:
    if not names:
        raise DataError(f"{source}: the table has no columns.")
    twice = [
        f"column name '{name}' stands {count} times, in columns "
        f"{', '.join(str(i + 1) for i, other in enumerate(names) if other == name)}"
        for name, count in Counter(names).items()
        if count > 1
    ]
    if twice:
        raise DataError(f"{source}: every column needs a name of its own. Rename or remove the repeats.", twice)


def _read_text(path: Path) -> Table:
    text = _decode_text(path)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(path, text), strict=True)
    records: list[Record] = []
    try:
        records.extend(reader)
    except csv.Error as error:
        raise DataError(
            f"'{path.name}' row {len(records) + 1}: the quotation marks do not pair up ({error}). "
            'A cell that holds a quotation mark must be enclosed in quotation marks, with the inner one doubled ("").'
        ) from error
    return _from_records(path.name, records)


def _decode_text(path: Path) -> str:
    data = path.read_bytes()
    remedy = (
        "Save it as UTF-8 (in Excel: Save As, 'CSV UTF-8'; in SPSS and R: fileEncoding 'UTF-8'), or, if you know the "
        "encoding, read it with pandas.read_csv(path, dtype=str, encoding=...) and pass the table."
    )
    if b"\x00" in data[:4096]:
        raise DataError(f"'{path.name}' is not UTF-8 text: byte 0 at position {data.index(0)} (UTF-16?). {remedy}")
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"'{path.name}' is not UTF-8 text: byte 0x{data[error.start]:02X} at position {error.start} (row {row}). "
            f"{remedy}"
        ) from error


def _delimiter(path: Path, text: str) -> str:
    """Return the delimiter: tab for .tsv; otherwise comma, semicolon or tab, the first that the header holds."""
    if path.suffix.lower() == ".tsv":
        return "\t"
    header = next(iter(text[:100_000].lstrip("\r\n").splitlines()), "")
    return next((mark for mark in (",", ";", "\t") if mark in header), ",")


def _from_records(source: str, records: Sequence[Record], notes: Mapping[str, str] | None = None) -> Table:
    """Return the table of these records, the first non-empty one being the header."""
    head = next((i for i, record in enumerate(records) if _filled(record)), None)
    if head is None:
        raise DataError(f"'{source}' is empty. The first row must hold the column names.")
    names = _header_names(source, records[head])
    if len(names) == 1:  # an empty line may be a person there
        records = [record or ("",) for record in records]
    empty = _empty_lines(records, head + 1, len(names))
    body = [i for i in range(head + 1, len(records)) if i not in empty]
    if not body:
        raise DataError(f"'{source}' has a header but no rows. There must be at least one person.")
    _check_widths(source, records, body, len(names))
    rows = np.array(body, dtype=np.int64) + 1
    inner = [i + 1 for i in sorted(empty) if i < body[-1]]
    noted = {"empty lines left out": row_ranges(inner)} if inner else {}
    columns = _record_columns(names, [records[i] for i in body], rows)
    return Table(source, columns, rows, {**(notes or {}), **noted})


def _filled(record: Record) -> bool:
    return any(cell is not None and str(cell).strip() for cell in record)


def _empty_lines(records: Sequence[Record], start: int, width: int) -> set[int]:
    """Return the lines without even a delimiter; a person without answers still has delimiters, and is kept."""
    return {i for i in range(start, len(records)) if len(records[i]) < min(width, 2) and not _filled(records[i])}


def _header_names(source: str, header: Record) -> list[str]:
    texts = ["" if cell is None else str(cell).strip() for cell in header]
    names = [text or unnamed(i + 1) for i, text in enumerate(texts)]
    _check_header(f"'{source}'", names)
    return names


def unnamed(position: int) -> str:
    """Return the stand-in for the name of a column without one."""
    return f"(column {position}{_NO_NAME}"


def is_unnamed(name: str) -> bool:
    """Tell whether a name is a stand-in made by ``unnamed``."""
    return name.endswith(_NO_NAME)


def _check_widths(source: str, records: Sequence[Record], body: Sequence[int], width: int) -> None:
    lines = [
        f"row {i + 1}: {len(records[i])} cells, the header has {width} columns"
        for i in body
        if len(records[i]) != width
    ]
    if lines:
        raise DataError(
            f"'{source}': {len(lines)} row(s) do not have as many cells as the header has columns. "
            "A cell that holds the delimiter must be enclosed in quotation marks.",
            lines,
        )


def _record_columns(names: Sequence[str], body: Sequence[Record], rows: IntArray) -> dict[str, TextColumn]:
    columns = {}
    for name, values in zip(names, zip(*body, strict=True), strict=True):
        cells = np.empty(len(values), dtype=object)
        cells[:] = values
        columns[name] = text_column(f"column '{name}'", cells, rows)
    return columns


def _read_xlsx(path: Path) -> Table:
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        with warnings.catch_warnings():
            # openpyxl warns of formats and validations it does not keep; only values are read here.
            warnings.filterwarnings("ignore", module="openpyxl")
            book = load_workbook(path, read_only=True, data_only=True)
            sheet = book.worksheets[0]
            sheet.reset_dimensions()
            records = [tuple(row) for row in sheet.iter_rows(values_only=True)]
            title, others = sheet.title, len(book.worksheets) - 1
            book.close()
    except (zipfile.BadZipFile, InvalidFileException, ParseError, KeyError, ValueError, IndexError) as error:
        raise DataError(
            f"'{path.name}' cannot be read as an Excel workbook ({type(error).__name__}: {error}). It may be damaged, "
            "protected by a password, or another format renamed. Open it in Excel and save it as .xlsx or CSV UTF-8."
        ) from error
    notes = {"sheet": f"'{title}', the first of {others + 1}"} if others else {}
    return _from_records(path.name, _padded(records), notes)


def _padded(records: Sequence[Record]) -> list[Record]:
    """Return spreadsheet rows down to the last filled one, all as wide as the widest filled row."""
    filled = [[i for i, cell in enumerate(record) if cell is not None] for record in records]
    width = max((columns[-1] + 1 for columns in filled if columns), default=0)
    height = max((i + 1 for i, columns in enumerate(filled) if columns), default=0)
    return [(*record[:width], *[None] * (width - len(record))) for record in records[:height]]


def _read_parquet(path: Path) -> Table:
    import pandas as pd

    try:
        frame = pd.read_parquet(path)
    except ImportError as error:
        raise DataError(_extra(path, "Parquet", "pyarrow", "parquet")) from error
    except (ValueError, OSError) as error:
        raise DataError(f"'{path.name}' cannot be read as Parquet ({error}). Write the file again.") from error
    return _from_memory(frame, path.name)


def _read_sav(path: Path) -> Table:
    try:
        import pyreadstat
    except ImportError as error:
        raise DataError(_extra(path, "SPSS", "pyreadstat", "spss")) from error
    try:
        frame, _ = pyreadstat.read_sav(str(path))
    except (pyreadstat.ReadstatError, pyreadstat.PyreadstatError, ValueError) as error:
        raise DataError(f"'{path.name}' cannot be read as an SPSS file ({error}). Save it again from SPSS.") from error
    return _from_memory(frame, path.name)


def _extra(path: Path, kind: str, package: str, extra: str) -> str:
    return (
        f"'{path.name}': reading {kind} files needs the package {package}, which is not installed. "
        f"Install it with: pip install 'talentassess[{extra}]', or save the table as CSV (UTF-8)."
    )


_READERS: Mapping[str, Callable[[Path], Table]] = {
    ".csv": _read_text,
    ".tsv": _read_text,
    ".txt": _read_text,
    ".xlsx": _read_xlsx,
    ".parquet": _read_parquet,
    ".sav": _read_sav,
}
