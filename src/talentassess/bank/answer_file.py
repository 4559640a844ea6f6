"""A Parquet file of answers that is too large to hold: read piece by piece, every cell checked as always."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from talentassess.bank.item_choice import Categories, Code, Items
from talentassess.bank.tables import read_responses
from talentassess.core.errors import DataError
from talentassess.core.responses import Responses

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

ROW = "talentassess row"  # stands in for the person column where there is none


@dataclass(frozen=True, slots=True)
class AnswerFile:
    """Answers in a Parquet file, one row per person; iterating yields ``Responses``, some persons at a time.

    Attributes
    ----------
    path : the file; n_persons : its rows.
    items, person, group, weight, categories, missing : as in ``read_responses``.
    persons_at_a_time : rows read at once.
    """

    path: Path
    n_persons: int
    items: Items | None
    person: str | None
    group: str | None
    weight: str | None
    categories: Categories
    missing: Sequence[Code] | Code
    persons_at_a_time: int

    def __repr__(self) -> str:
        return f"AnswerFile({self.path.name}, {self.n_persons} persons, read {self.persons_at_a_time} at a time)"

    def __iter__(self) -> Iterator[Responses]:
        with _parquet(self.path) as file:
            before = 0
            for batch in file.iter_batches(batch_size=self.persons_at_a_time):
                yield self._read(batch, before)
                before += batch.num_rows

    def _read(self, batch: pa.RecordBatch, before: int) -> Responses:
        import pyarrow as pa

        table, person = pa.Table.from_batches([batch]), self.person
        if person is None:
            person = ROW
            rows = pa.array([str(before + 1 + i) for i in range(batch.num_rows)])
            table = table.append_column(ROW, rows)
        try:
            read = read_responses(
                table, items=self.items, person=person, group=self.group, weight=self.weight,
                categories=self.categories, missing=self.missing,
            )  # fmt: skip
        except DataError as error:
            last = before + batch.num_rows
            raise DataError(
                f"{self.path.name}, persons {before + 1} to {last} (rows below count from {before + 1}): {error}"
            ) from error
        return replace(read, provenance=replace(read.provenance, source=self.path.name))


def open_responses(
    path: str | Path,
    *,
    items: Items | None = None,
    person: str | None = None,
    group: str | None = None,
    weight: str | None = None,
    categories: Categories | None = None,
    missing: Sequence[Code] | Code = (),
    persons_at_a_time: int = 50_000,
) -> AnswerFile:
    """Open a Parquet file of answers without reading it, for ``calibrate`` and ``score_stream``.

    Parameters
    ----------
    path : a .parquet file, one row per person.
    items, person, group, weight, missing : as in ``read_responses``.
    categories : all categories from low to high, for all items or by item or scale. Left out: per scale, the whole
        numbers from the smallest to the largest that the file's own statistics name for any of its items.
    persons_at_a_time : rows read at once; more need more memory.

    Raises
    ------
    DataError : there is no such file, or it is not Parquet. Wrong cells are named when they are read; person ids that
        occur in two pieces are not noticed.

    Examples
    --------
    >>> import tempfile, pathlib, pandas as pd
    >>> import talentassess as ta
    >>> folder = tempfile.TemporaryDirectory()
    >>> answers = ta.simulate(ta.load_bank("service_core"), 500, seed=1).select(["ow_sr_01", "ow_sr_02", "ow_sr_03"])
    >>> table = answers.to_frame().drop(columns="person")
    >>> file = pathlib.Path(folder.name) / "answers.parquet"
    >>> table.to_parquet(file)
    >>> source = open_responses(file, categories=[0, 1, 2, 3, 4], persons_at_a_time=200)
    >>> source
    AnswerFile(answers.parquet, 500 persons, read 200 at a time)
    >>> ta.calibrate(source, "graded").n_persons
    500
    >>> folder.cleanup()
    """
    path = Path(path)
    if path.suffix.lower() not in (".parquet", ".pq"):
        raise DataError(f"'{path.name}' is no .parquet file; read it with ta.read_responses, or write it as Parquet.")
    if persons_at_a_time < 1:
        raise DataError(f"persons_at_a_time must be at least 1; found {persons_at_a_time}.")
    with _parquet(path) as file:
        n_persons = int(file.metadata.num_rows)
        if categories is None:
            categories = _categories(file, items, {person, group, weight}, missing)
    return AnswerFile(path, n_persons, items, person, group, weight, categories, missing, persons_at_a_time)


def _categories(
    file: pq.ParquetFile, items: Items | None, roles: set[str | None], missing: Sequence[Code] | Code
) -> dict[str, list[Code]]:
    """Return the categories of each item from the smallest and largest numbers in the file's statistics."""
    if missing != ():
        raise DataError("With values that mean missing, the categories must be declared: categories=[1, 2, 3, 4, 5].")
    names = [name for name in file.schema_arrow.names if name not in roles and name != "SIMULATED"]
    scales = items if isinstance(items, Mapping) else {"scale": names if items is None else items}
    found: dict[str, list[Code]] = {}
    for columns in scales.values():
        columns = [column.removeprefix("-") if column not in names else column for column in columns]
        ends = [_ends(file, column) for column in columns]
        low, high = min(end[0] for end in ends), max(end[1] for end in ends)
        found |= {column: list(range(low, high + 1)) for column in columns}
    return found


def _ends(file: pq.ParquetFile, column: str) -> tuple[int, int]:
    """Return the smallest and largest number of a column."""
    if column not in file.schema_arrow.names:
        raise DataError(f"There is no column '{column}' in the file.")
    place = file.schema_arrow.names.index(column)
    groups = [file.metadata.row_group(g).column(place).statistics for g in range(file.metadata.num_row_groups)]
    known = [s for s in groups if s is not None and s.has_min_max]
    whole = [
        v for s in known for v in (s.min, s.max) if isinstance(v, int) or (isinstance(v, float) and v.is_integer())
    ]
    if len(known) < len(groups) or len(whole) < 2 * len(known) or not whole:
        raise DataError(
            f"Column '{column}': the file does not say which whole numbers it holds. Declare the categories, e.g. "
            "categories=[1, 2, 3]."
        )
    return int(min(whole)), int(max(whole))


def _parquet(path: Path) -> pq.ParquetFile:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise DataError("Parquet files need pyarrow: install talentassess[parquet].") from error
    if not path.exists():
        raise DataError(f"There is no file '{path.name}' in {path.parent}.")
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"'{path.name}' cannot be read as Parquet ({error}). Write the file again.") from error
