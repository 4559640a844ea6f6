"""Calibrate answers that are too many to hold: read once, packed, passed over like any others."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from talentassess.calibration.inputs import name_dimensions, name_models
from talentassess.calibration.starts import category_worth
from talentassess.core.errors import CalibrationError, DataError, ModelError
from talentassess.core.packed import Gathered, gather_stream
from talentassess.core.responses import Responses


def gather(
    source: object,
    model: str | Mapping[str, str],
    dimensions: Mapping[str, Sequence[str]] | None,
    groups: bool | Sequence[str],
    refused: Mapping[str, bool],
) -> Gathered:
    """Read a stream of answers to its end, packed for the likelihood.

    Parameters
    ----------
    source : an iterable of ``Responses``, e.g. from ``open_responses``, or the path of a Parquet file.
    model, dimensions, groups : as in ``calibrate``; groups can only be True or False.
    refused : option -> whether it was asked for, of those that need all answers at once.

    Raises
    ------
    DataError : the source is no stream of responses, or an empty one.
    CalibrationError, ModelError : groups that are no column of the stream, options that streams do not have.
    """
    if isinstance(source, str | Path):
        from talentassess.bank.answer_file import (
            open_responses,  # brings the table reader, which most calls do not need
        )

        source = open_responses(source)
    if not isinstance(source, Iterable):
        raise DataError(
            "calibrate takes Responses, ta.open_responses('file.parquet', ...) or chunks of Responses; "
            f"found {source!r}."
        )
    named = [name for name, asked in refused.items() if asked]
    if named:
        raise ModelError(f"{', '.join(named)} need(s) all answers at once; read them with ta.read_responses.")
    chunks = iter(source)
    head = next(chunks, None)
    if not isinstance(head, Responses):
        raise DataError(f"A stream of answers must hold Responses; found {head!r} at its beginning.")
    if not isinstance(groups, bool):
        raise CalibrationError(
            "Groups of a stream must be a column of it: open_responses(..., group=...), groups=True."
        )
    if groups and head.group is None:
        raise CalibrationError("groups=True needs group labels: name the column in ta.open_responses(..., group=...).")
    models, parts = name_models(head, model), name_dimensions(head, dimensions)
    return gather_stream(
        itertools.chain([head], chunks),
        parts.values(),
        lambda items, n_cat: category_worth(items, n_cat, models),
        grouped=groups,
    )
