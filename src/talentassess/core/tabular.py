"""The one border between records and data frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from talentassess.core.errors import TalentAssessError

if TYPE_CHECKING:
    import pandas as pd

Column = NDArray[np.generic] | Sequence[object]
Columns = Mapping[str, Column]


class Tabular:
    """Mix-in for results that can be read as tables: a record lists its ``tables()``, the border does the rest."""

    def tables(self) -> Mapping[str, Columns]:
        """Return the record's tables by name, the main one first; every column has the table's length."""
        raise TypeError(f"{type(self).__name__} does not list its tables")

    def to_frame(self, table: str | None = None) -> pd.DataFrame:
        """Return one of the record's tables as a pandas DataFrame.

        Parameters
        ----------
        table : name of the table; the main one if left out, which carries a column SIMULATED if it rests on simulated
            answers, so that the mark survives a trip through a file. A wrong name raises ``TalentAssessError``.
        """
        import pandas as pd

        tables = self.tables()
        name = next(iter(tables)) if table is None else table
        if name not in tables:
            raise TalentAssessError(f"There is no table '{name}' here; choose one of: {', '.join(tables)}.")
        frame = pd.DataFrame({key: list(column) for key, column in tables[name].items()})
        provenance = getattr(self, "provenance", None)
        if name == next(iter(tables)) and provenance is not None and provenance.simulated:
            frame["SIMULATED"] = "SIMULATED"
        return frame
