"""Read interview banks; every problem of every file is named at once, with file, line, id and field."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args

from talentassess.bank.competency import CompetencyId
from talentassess.bank.interview import CompetencyInterview, InterviewBank, InterviewCard, interview_misfits
from talentassess.bank.load import folder_of, read_record
from talentassess.bank.schema import Misfit
from talentassess.bank.yaml_file import YamlFile, declared_schema
from talentassess.content import content_dir
from talentassess.core.errors import ContentError

INTERVIEW_BANK = "talentassess/interview_bank/1"
FOLDER = "interview"


def load_interview_bank(name_or_path: str | Path) -> InterviewBank:
    """Read and check an interview bank.

    Parameters
    ----------
    name_or_path : name of a shipped interview bank (see ``interview_bank_names``), or a folder with ``bank.yaml`` and
        ``interview/<competency>.yaml``.

    Raises
    ------
    ContentError : the bank does not exist, or its files break the schema; ``problems`` has one line per problem with
        file, line, id, field, what was found and what is allowed.

    Examples
    --------
    >>> load_interview_bank("service_interview").interview("empathy").chains[0].question.id
    'em_iq_01'
    """
    folder = interview_folder(name_or_path)
    card = read_record(folder / "bank.yaml", "bank.yaml", InterviewCard)
    paths = sorted((folder / FOLDER).glob("*.yaml"))
    parts = [read_record(path, f"{FOLDER}/{path.name}", CompetencyInterview) for path in paths]
    problems = [*_stray_files(folder), *card.problems, *(line for part in parts for line in part.problems)]
    sound = [part for part in parts if part.record is not None]
    interviews = [part.record for part in sound if part.record is not None]
    if card.record is not None and (interviews or not parts):
        files = [part.file for part in sound]
        found = interview_misfits(card.record, interviews)
        problems += [_locate(misfit, card.file if at < 0 else files[at]) for at, misfit in found]
    if problems or card.record is None:
        raise ContentError(
            f"The interview bank '{folder.name}' cannot be used; mend its files and load it again.", problems
        )
    order = get_args(CompetencyId)
    interviews.sort(key=lambda interview: order.index(interview.competency))
    return InterviewBank.model_validate(card.record.model_dump(by_alias=True) | {"interviews": interviews})


def interview_bank_names() -> tuple[str, ...]:
    """Return the names of the shipped interview banks.

    Examples
    --------
    >>> interview_bank_names()
    ('service_interview',)
    """
    cards = content_dir("items").glob("*/bank.yaml")
    return tuple(sorted(card.parent.name for card in cards if declared_schema(card) == INTERVIEW_BANK))


def is_interview_bank(name_or_path: str | Path) -> bool:
    """Return True if a name or folder is an interview bank, by the schema its ``bank.yaml`` declares."""
    shipped = content_dir("items") / str(name_or_path) / "bank.yaml"
    card = Path(name_or_path) / "bank.yaml"
    return declared_schema(card if card.is_file() else shipped) == INTERVIEW_BANK


def interview_folder(name_or_path: str | Path) -> Path:
    """Return the folder of a shipped interview bank by its name, or a folder given by its path."""
    return folder_of(name_or_path, interview_bank_names(), "interview bank")


def _stray_files(folder: Path) -> Iterator[str]:
    """Name YAML files that would otherwise be passed over in silence."""
    for path in sorted([*folder.glob("*"), *(folder / FOLDER).glob("*")]):
        if path.parent == folder and path.suffix in (".yaml", ".yml") and path.name != "bank.yaml":
            yield f"{path.name}: not a file of an interview bank; there are bank.yaml and {FOLDER}/<competency>.yaml"
        if path.parent != folder and path.suffix == ".yml":
            yield f"{FOLDER}/{path.name}: the ending must be .yaml, or the file is not read"


def _locate(misfit: Misfit, file: YamlFile | None) -> str:
    """Say a misfit with the file and line of the entry that carries its id; of the card if it has none."""
    if file is None:
        return str(misfit)
    path = next(_paths(file.data, misfit.item), ()) if misfit.item else ()
    return f"{file.place((*path, misfit.field))}: {misfit.message}"


def _paths(node: object, label: str, path: Sequence[int | str] = ()) -> Iterator[tuple[int | str, ...]]:
    if isinstance(node, dict):
        if node.get("id") == label:
            yield tuple(path)
        for key, child in node.items():
            yield from _paths(child, label, (*path, str(key)))
    elif isinstance(node, list):
        for index, child in enumerate(node):
            yield from _paths(child, label, (*path, index))
