"""Write an item bank as the YAML files that ``load_bank`` reads back to the same bank."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from talentassess.bank.card import BankCard
from talentassess.bank.history import LEDGER, ledger_text, load_history
from talentassess.bank.load import BANK_FILES, ITEM_FOLDERS, load_bank
from talentassess.bank.schema import Item, ItemBank
from talentassess.bank.yaml_text import yaml_text
from talentassess.core.errors import ContentError
from talentassess.core.files import write_whole

SCHEMAS = {"self_report": "talentassess/self_report/1", "sjt": "talentassess/situational/1"}


def save_bank(bank: ItemBank, folder: str | Path, *, replace: bool = False, ledger: str | Path | None = None) -> Path:
    """Write a bank as YAML files; what was written is read back and compared before it takes its place.

    ``bank.yaml`` holds the card. Items of several scales go to ``self_report/<scale>.yaml`` and ``sjt/<scale>.yaml``,
    with a number before the name where the scales' order is not the alphabet's; items of one scale, or scales in turns,
    to ``self_report.yaml`` and ``sjt.yaml``. A bank that takes its items from another one (``part_of``) stays so: only
    its card is written.

    Parameters
    ----------
    bank : the bank.
    folder : where to write it; folders above are made.
    replace : write over an existing bank. Its files are replaced as a whole; its ledger (history.csv) stays.
    ledger : the bank this one comes from, a shipped name or a folder: what its ledger says of these items goes along.
        Without it a bank in a new folder has no ledger, and items beyond draft have no past.

    Raises
    ------
    ContentError : the folder exists and ``replace`` is False, or holds other files than a bank's; or the files cannot
        be read back as this bank, e.g. because the bank it is part of is not beside it.

    Examples
    --------
    >>> import tempfile
    >>> bank = load_bank("service_core")
    >>> with tempfile.TemporaryDirectory() as place:
    ...     load_bank(save_bank(bank, Path(place) / "service_core")).content_hash == bank.content_hash
    True
    """
    target = Path(folder)
    _check_target(target, replace)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{secrets.token_hex(6)}")
    try:
        for name, text in bank_files(bank).items():
            write_whole(draft / name, text)
        if ledger is not None and bank.part_of is None:  # else the ledger stays with the items
            _write_ledger(draft, bank, ledger)
        _check_draft(draft, bank)
        _put_in_place(draft, target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)  # only there if it was not moved
    return target


def bank_files(bank: ItemBank) -> dict[str, str]:
    """Return the files of a bank: name within its folder -> YAML text.

    Examples
    --------
    >>> list(bank_files(load_bank("service_core")))  # its items stay in the bank it is a part of
    ['bank.yaml']
    """
    card = BankCard.model_validate({name: value for name, value in _dump(bank).items() if name not in _ITEMS})
    files = {"bank.yaml": yaml_text(_dump(card))}
    if bank.part_of is None:
        files |= _item_files("self_report", bank.self_report) | _item_files("sjt", bank.situational)
    return files


_ITEMS = ("self_report", "situational")


def _dump(record: BankCard | Item) -> dict[str, object]:
    return record.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def _item_files(kind: str, items: Sequence[Item]) -> dict[str, str]:
    blocks = [(scale, list(group)) for scale, group in groupby(items, key=lambda item: item.scale)]
    scales = [scale for scale, _ in blocks]
    if len(set(scales)) < len(scales) or len(scales) < 2:
        return {f"{kind}.yaml": _items_text(kind, items)} if items else {}
    digits = len(str(len(scales)))
    names = scales if scales == sorted(scales) else [f"{i:0{digits}}_{scale}" for i, scale in enumerate(scales, 1)]
    return {f"{kind}/{name}.yaml": _items_text(kind, group) for name, (_, group) in zip(names, blocks, strict=True)}


def _items_text(kind: str, items: Sequence[Item]) -> str:
    return yaml_text({"schema": SCHEMAS[kind], "items": [_dump(item) for item in items]})


def _check_target(target: Path, replace: bool) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise ContentError(f"'{target.name}' is a file; give the name of a folder for the bank.")
    if not replace:
        raise ContentError(
            f"The folder '{target.name}' exists already; nothing was written. Choose another name, or say replace=True "
            "to write over the bank in it."
        )
    other = [path.name for path in sorted(target.iterdir()) if path.name not in (*BANK_FILES, *ITEM_FOLDERS, LEDGER)]
    if other:
        raise ContentError(
            f"The folder '{target.name}' holds something else than a bank's files, and it would be lost: "
            f"{', '.join(other[:8])}. Choose another folder."
        )


def _write_ledger(draft: Path, bank: ItemBank, source: str | Path) -> None:
    kept = [entry for entry in load_history(source).entries if entry.item in set(bank.item_ids)]
    if kept:
        write_whole(draft / LEDGER, ledger_text(kept))


def _check_draft(draft: Path, bank: ItemBank) -> None:
    try:
        found = load_bank(draft)
    except ContentError as error:
        raise ContentError(
            f"The bank '{bank.id}' was not saved: its files could not be read back. {error.message}", error.problems
        ) from error
    if found.content_hash != bank.content_hash:
        source = f" It is part of the bank '{bank.part_of}', whose items differ." if bank.part_of else ""
        raise ContentError(
            f"The bank '{bank.id}' was not saved: read back, it is not the same bank ({found.content_hash} instead of "
            f"{bank.content_hash}).{source}"
        )


def _put_in_place(draft: Path, target: Path) -> None:
    old = target.with_name(f".{target.name}.{secrets.token_hex(6)}.old")
    if (target / LEDGER).exists():
        shutil.copy2(target / LEDGER, draft / LEDGER)
    if target.exists():
        target.rename(old)
    draft.rename(target)
    shutil.rmtree(old, ignore_errors=True)
