"""Read the competency model and item banks; every problem of every file is named at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import ValidationError

from talentassess.bank.competency import CompetencyModel
from talentassess.bank.problems import plain_problems
from talentassess.bank.records import Record, choices
from talentassess.bank.schema import (
    BankCard,
    ItemBank,
    Misfit,
    SelfReportFile,
    SelfReportItem,
    SituationalFile,
    SituationalItem,
    misfits,
)
from talentassess.bank.yaml_file import YamlFile, declared_schema, read_yaml
from talentassess.content import content_dir
from talentassess.core.errors import ContentError

ITEM_BANK = "talentassess/bank/1"  # what the bank.yaml of an item bank declares; interview banks declare another
BANK_FILES = ("bank.yaml", "self_report.yaml", "sjt.yaml")

RecordT = TypeVar("RecordT", bound=Record)
ItemT = TypeVar("ItemT", SelfReportItem, SituationalItem)


@dataclass(frozen=True, eq=False, slots=True)
class _Part(Generic[RecordT]):
    """What could be read of one file: the record if the whole file is sound, and the problems."""

    record: RecordT | None = None
    file: YamlFile | None = None
    problems: tuple[str, ...] = ()


def load_bank(name_or_path: str | Path) -> ItemBank:
    """Read and check an item bank.

    Parameters
    ----------
    name_or_path : name of a shipped bank (see ``bank_names``), or a folder with ``bank.yaml`` and ``self_report.yaml``
        or ``sjt.yaml`` or both.

    Raises
    ------
    ContentError : the bank does not exist, or its files break the schema; ``problems`` has one line per problem with
        file, line, item, field, what was found and what is allowed.

    Examples
    --------
    >>> load_bank("service_core").scale_ids
    ('active_listening', 'service_orientation', 'ownership', 'dependability', 'follow_up')
    """
    folder = _bank_folder(name_or_path)
    card = _read(folder / "bank.yaml", BankCard)
    statements = _read_if_there(folder / "self_report.yaml", SelfReportFile)
    situations = _read_if_there(folder / "sjt.yaml", SituationalFile)
    problems = [*_stray_files(folder), *card.problems, *statements.problems, *situations.problems]
    self_report = _sound_items(statements, SelfReportItem)
    situational = _sound_items(situations, SituationalItem)
    if card.record is not None and (self_report or situational or not problems):
        files = (card.file, statements.file, situations.file)
        problems += [_locate(misfit, files) for misfit in misfits(card.record, (*self_report, *situational))]
    if problems or card.record is None:
        raise ContentError(f"The bank '{folder.name}' cannot be used; mend its files and load it again.", problems)
    parts = {"self_report": self_report, "situational": situational}
    return ItemBank.model_validate(card.record.model_dump(by_alias=True) | parts)


def load_competencies(path: str | Path | None = None) -> CompetencyModel:
    """Read and check the competency model: the shipped one, or another ``competencies.yaml``.

    Raises ``ContentError`` as ``load_bank`` does.

    Examples
    --------
    >>> load_competencies().competency("follow_up").name
    'Follow-up'
    """
    part = _read(content_dir("items") / "competencies.yaml" if path is None else Path(path), CompetencyModel)
    if part.record is None:
        raise ContentError("The competency model cannot be used; mend its file and load it again.", part.problems)
    return part.record


def bank_names() -> tuple[str, ...]:
    """Return the names of the shipped item banks (interview banks: ``interview_bank_names``).

    Examples
    --------
    >>> "service_core" in bank_names()
    True
    """
    cards = content_dir("items").glob("*/bank.yaml")
    return tuple(sorted(card.parent.name for card in cards if declared_schema(card) == ITEM_BANK))


def _bank_folder(name_or_path: str | Path) -> Path:
    if str(name_or_path) in bank_names():
        return content_dir("items") / name_or_path
    folder = Path(name_or_path).resolve()
    if folder.is_dir():
        return folder
    if folder.is_file():
        raise ContentError(f"'{folder.name}' is a file; give the folder that holds bank.yaml.")
    raise ContentError(
        f"There is no bank '{name_or_path}' among the shipped ones ({choices(str(name_or_path), bank_names())}), "
        "nor a folder of that name. Give a shipped name, or the folder that holds bank.yaml."
    )


def _stray_files(folder: Path) -> list[str]:
    """Name YAML files that would otherwise be passed over in silence."""
    found = sorted(file.name for file in folder.iterdir() if file.suffix in (".yaml", ".yml"))
    return [f"{name}: not a file of a bank; {choices(name, BANK_FILES)}" for name in found if name not in BANK_FILES]


def _read(path: Path, model: type[RecordT]) -> _Part[RecordT]:
    try:
        file = read_yaml(path)
    except ContentError as error:
        return _Part(problems=error.problems)
    try:
        return _Part(model.model_validate(file.data), file)
    except ValidationError as error:
        return _Part(None, file, tuple(plain_problems(error, file, model)))


def _read_if_there(path: Path, model: type[RecordT]) -> _Part[RecordT]:
    return _read(path, model) if path.exists() else _Part()


def _sound_items(part: _Part[RecordT], model: type[ItemT]) -> tuple[ItemT, ...]:
    """Return the items that are sound by themselves, also from a file that as a whole is not."""
    sound: list[ItemT] = []
    for raw in _raw_items(part.file):
        try:
            sound.append(model.model_validate(raw))
        except ValidationError:
            continue  # named already when the whole file was read
    return tuple(sound)


def _raw_items(file: YamlFile | None) -> list[object]:
    data = file.data if file is not None else None
    items = data.get("items") if isinstance(data, dict) else None
    return items if isinstance(items, list) else []


def _locate(misfit: Misfit, files: Sequence[YamlFile | None]) -> str:
    """Say a misfit with the file and line it stands in; an id given twice is shown where it comes last."""
    for file in reversed([file for file in files if file is not None]):
        ids = [raw.get("id") if isinstance(raw, dict) else None for raw in _raw_items(file)]
        if misfit.item in ids:
            last = len(ids) - 1 - ids[::-1].index(misfit.item)
            return f"{file.place(('items', last, misfit.field))}: {misfit.message}"
    card = files[0]
    return str(misfit) if card is None else f"{card.place((misfit.field,))}: {misfit.message}"
