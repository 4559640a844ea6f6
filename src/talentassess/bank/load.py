"""Read the competency model and item banks; every problem of every file is named at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import ValidationError

from talentassess.bank.card import BankCard
from talentassess.bank.competency import CompetencyModel
from talentassess.bank.contexts import RoleContexts
from talentassess.bank.problems import plain_problems
from talentassess.bank.records import Record, choices
from talentassess.bank.schema import (
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
ITEM_FOLDERS = ("self_report", "sjt")

RecordT = TypeVar("RecordT", bound=Record)
ItemT = TypeVar("ItemT", SelfReportItem, SituationalItem)


@dataclass(frozen=True, eq=False, slots=True)
class ContentPart(Generic[RecordT]):
    """What could be read of one file: the record if the whole file is sound, and the problems."""

    record: RecordT | None = None
    file: YamlFile | None = None
    problems: tuple[str, ...] = ()


def load_bank(name_or_path: str | Path) -> ItemBank:
    """Read and check an item bank.

    Parameters
    ----------
    name_or_path : name of a shipped bank (see ``bank_names``), or a folder with ``bank.yaml`` and its items:
        ``self_report.yaml`` and ``sjt.yaml``, or folders ``self_report`` and ``sjt`` with several such files, or none
        if the card takes them from another bank (``part_of``, ``selection``).

    Raises
    ------
    ContentError : the bank does not exist, or its files break the schema; ``problems`` has one line per problem with
        file, line, item, field, what was found and what is allowed.

    Examples
    --------
    >>> load_bank("service_core").scale_ids
    ('active_listening', 'service_orientation', 'ownership', 'dependability', 'follow_up')
    """
    folder = bank_folder(name_or_path)
    card = read_record(folder / "bank.yaml", "bank.yaml", BankCard)
    statements = [read_record(*source, SelfReportFile) for source in _sources(folder, "self_report")]
    situations = [read_record(*source, SituationalFile) for source in _sources(folder, "sjt")]
    problems = [*_stray_files(folder), *card.problems]
    problems += [problem for part in statements for problem in part.problems]
    problems += [problem for part in situations for problem in part.problems]
    self_report = tuple(item for part in statements for item in _sound_items(part, SelfReportItem))
    situational = tuple(item for part in situations for item in _sound_items(part, SituationalItem))
    if card.record is not None and card.record.part_of is not None and not problems:
        problems += _own_items(card.record, [*self_report, *situational])
        self_report, situational, missing = _selected(folder, card.record)
        problems += missing
    if card.record is not None and (self_report or situational or not problems):
        files = [card.file, *(part.file for part in statements), *(part.file for part in situations)]
        problems += [_locate(misfit, files) for misfit in misfits(card.record, (*self_report, *situational))]
    if problems or card.record is None:
        raise ContentError(f"The bank '{folder.name}' cannot be used; mend its files and load it again.", problems)
    items = {"self_report": self_report, "situational": situational}
    return ItemBank.model_validate(card.record.model_dump(by_alias=True) | items)


def load_competencies(path: str | Path | None = None) -> CompetencyModel:
    """Read and check the competency model: the shipped one, or another ``competencies.yaml``.

    Raises ``ContentError`` as ``load_bank`` does.

    Examples
    --------
    >>> load_competencies().competency("follow_up").name
    'Follow-up'
    """
    file = content_dir("items") / "competencies.yaml" if path is None else Path(path)
    part = read_record(file, file.name, CompetencyModel)
    if part.record is None:
        raise ContentError("The competency model cannot be used; mend its file and load it again.", part.problems)
    return part.record


def load_contexts(path: str | Path | None = None) -> RoleContexts:
    """Read and check the role contexts: the shipped ones, or another ``contexts.yaml``.

    Raises ``ContentError`` as ``load_bank`` does.

    Examples
    --------
    >>> load_contexts().context("call_centre").name
    'Busy call centre'
    """
    file = content_dir("items") / "contexts.yaml" if path is None else Path(path)
    part = read_record(file, file.name, RoleContexts)
    if part.record is None:
        raise ContentError("The role contexts cannot be used; mend their file and load it again.", part.problems)
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


def own_bank_names() -> tuple[str, ...]:
    """Return the names of the shipped item banks that hold items of their own: every shipped item stands in one.

    Examples
    --------
    >>> own_bank_names()
    ('service',)
    """
    cards = {name: read_record(content_dir("items") / name / "bank.yaml", name, BankCard) for name in bank_names()}
    return tuple(name for name, card in cards.items() if card.record is None or card.record.part_of is None)


def bank_folder(name_or_path: str | Path) -> Path:
    """Return the folder of a shipped bank by its name, or a folder given by its path; else ``ContentError``."""
    return folder_of(name_or_path, bank_names(), "bank")


def folder_of(name_or_path: str | Path, names: Sequence[str], kind: str) -> Path:
    """Return the folder of shipped content by its name, or a folder given by its path; else ``ContentError``."""
    if str(name_or_path) in names:
        return content_dir("items") / name_or_path
    folder = Path(name_or_path).resolve()
    if folder.is_dir():
        return folder
    if folder.is_file():
        raise ContentError(f"'{folder.name}' is a file; give the folder that holds bank.yaml.")
    if (content_dir("items") / name_or_path / "bank.yaml").is_file():
        raise ContentError(
            f"'{name_or_path}' is a shipped interview bank, and an item bank is needed here; there are: "
            f"{', '.join(bank_names())}."
        )
    raise ContentError(
        f"There is no {kind} '{name_or_path}' among the shipped ones ({choices(str(name_or_path), names)}), "
        "nor a folder of that name. Give a shipped name, or the folder that holds bank.yaml."
    )


def _sources(folder: Path, kind: str) -> list[tuple[Path, str]]:
    """Return the files of one kind of item with the name messages give them: one file, or a folder of files."""
    single, several = folder / f"{kind}.yaml", folder / kind
    found = [(single, single.name)] if single.exists() else []
    if several.is_dir():
        found += [(file, f"{kind}/{file.name}") for file in sorted(several.glob("*.yaml")) if _ours(file)]
    return found


def _stray_files(folder: Path) -> list[str]:
    """Name YAML files that would otherwise be passed over in silence."""
    found = sorted(file.name for file in folder.iterdir() if file.suffix in (".yaml", ".yml") and _ours(file))
    stray = [f"{name}: not a file of a bank; {choices(name, BANK_FILES)}" for name in found if name not in BANK_FILES]
    return stray + [
        f"{inner.name}/{file.name}: not read; a file of items ends in .yaml"
        for inner in (folder / kind for kind in ITEM_FOLDERS)
        if inner.is_dir()
        for file in sorted(inner.iterdir())
        if file.suffix != ".yaml" and _ours(file)
    ]


def _ours(file: Path) -> bool:
    """Tell a file of a person from what systems and editors leave beside it (.DS_Store, ~$lock, Thumbs.db)."""
    return not file.name.startswith((".", "~")) and file.name.casefold() not in ("thumbs.db", "desktop.ini")


def _own_items(card: BankCard, items: Sequence[SelfReportItem | SituationalItem]) -> list[str]:
    found = f"bank.yaml: part_of takes the items from '{card.part_of}', but this folder has items of its own"
    return [f"{found}; keep one of the two"] if items else []


def _selected(
    folder: Path, card: BankCard
) -> tuple[tuple[SelfReportItem, ...], tuple[SituationalItem, ...], list[str]]:
    """Return the items a bank takes from the one beside it, and the ids that are not there."""
    beside = folder.parent / str(card.part_of)
    source = beside if (beside / "bank.yaml").exists() else bank_folder(str(card.part_of))
    its_card = read_record(source / "bank.yaml", "bank.yaml", BankCard).record
    if its_card is not None and its_card.part_of is not None:
        found = f"bank.yaml, part_of: the bank '{card.part_of}' takes its own items from '{its_card.part_of}'"
        return (), (), [f"{found}; name the bank that holds them"]
    whole = load_bank(source)
    known = {item.id: item for item in whole.items}
    taken = [known[name] for name in card.selection if name in known]
    missing = [
        f"bank.yaml, selection: the bank '{whole.id}' has no item '{name}'; {choices(name, whole.item_ids)}"
        for name in card.selection
        if name not in known
    ]
    statements = tuple(item for item in taken if isinstance(item, SelfReportItem))
    return statements, tuple(item for item in taken if isinstance(item, SituationalItem)), missing


def read_record(path: Path, name: str, model: type[RecordT]) -> ContentPart[RecordT]:
    """Read one file as a record; what is wrong with it comes back as problems that call the file ``name``."""
    try:
        file = read_yaml(path, name)
    except ContentError as error:
        return ContentPart(problems=error.problems)
    try:
        return ContentPart(model.model_validate(file.data), file)
    except ValidationError as error:
        return ContentPart(None, file, tuple(plain_problems(error, file, model)))


def _sound_items(part: ContentPart[RecordT], model: type[ItemT]) -> tuple[ItemT, ...]:
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
    places = [
        (file, number)
        for file in files
        if file is not None
        for number, raw in enumerate(_raw_items(file))
        if isinstance(raw, dict) and raw.get("id") == misfit.item
    ]
    if places:
        *others, (file, number) = places
        other = sorted({before.name for before, _ in others} - {file.name})
        also = f" (also in {', '.join(other)})" if other else ""
        return f"{file.place(('items', number, misfit.field))}: {misfit.message}{also}"
    card = files[0]
    return str(misfit) if card is None else f"{card.place((misfit.field,))}: {misfit.message}"
