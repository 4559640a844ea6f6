"""Commands on panels of subject-matter experts: bank panel export, bank panel import."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from talentassess.cli.console import emit_tables, say, show_findings, show_table
from talentassess.cli.reading import REPORTS, Json, check_folder, check_out
from talentassess.core.errors import DataError, TalentAssessError

if TYPE_CHECKING:
    from talentassess.bank.schema import ItemBank
    from talentassess.panel import PanelReview

BankName = Annotated[str, typer.Option("--bank", help="Item bank that was rated: a shipped name or a folder.")]
panel = typer.Typer(help="Have a bank rated by subject-matter experts, and read their ratings.", no_args_is_help=True)

ALL = 500  # items of a panel on the screen
LEGEND = (
    "rwg, icc_k, w: agreement on effectiveness (within-group; intraclass correlation of the mean; Kendall's W).\n"
    "i_cvi, cvr: share of experts who call the item relevant; content validity ratio.\n"
    "best, p_best: the panel's best option, and how sure that is; best_agrees: the key says the same."
)
SHOWN = ("item", "verdict", "reasons", "rwg", "icc_k", "w", "i_cvi", "cvr", "best", "p_best", "best_agrees")


@panel.command("export")
def export(
    bank: Annotated[str, typer.Argument(help="Item bank: a shipped name or a folder.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the workbooks.")],
    experts: Annotated[str, typer.Option("--experts", help="Names of the experts, e.g. 'Ann Lee,Bo Ruiz'.")],
    items: Annotated[
        str | None, typer.Option("--items", help="Ids of the items to be rated; all in use if left out.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Decides the order of the options.")] = 1,
) -> None:
    """Write a rating workbook for each expert. No workbook shows the key; one that exists is never overwritten."""
    from talentassess.bank.load import load_bank
    from talentassess.workflow.rating_book import rating_workbook

    check_folder(out)
    loaded = load_bank(bank)
    names = _names(experts)
    files = {name: out / f"{loaded.id}_{_file_name(name)}.xlsx" for name in names}
    _refuse_overwriting(files)
    chosen = None if items is None else [part.strip() for part in items.split(",") if part.strip()]
    for name, path in files.items():
        print(rating_workbook(loaded, path, expert=name, items=chosen, seed=seed))


def _names(experts: str) -> list[str]:
    names = [" ".join(part.split()) for part in experts.split(",") if part.strip()]
    if not names:
        raise DataError("--experts names nobody; give names with commas between them, e.g. 'Ann Lee,Bo Ruiz'.")
    return names


def _file_name(name: str) -> str:
    return re.sub(r"\W+", "_", name.casefold()).strip("_") or "expert"


def _refuse_overwriting(files: dict[str, Path]) -> None:
    if len(set(files.values())) < len(files):
        raise DataError("Two of the names in --experts give the same file name; tell them apart by a letter or number.")
    there = [path.name for path in files.values() if path.exists()]
    if there:
        raise TalentAssessError(
            f"There are workbooks already that would be lost, perhaps with ratings in them: {', '.join(there)}. Choose "
            "another folder with --out, or move them."
        )


@panel.command("import")
def import_ratings(
    files: Annotated[list[Path], typer.Argument(help="Workbooks filled in by the experts, or one long table.")],
    bank: BankName,
    out: Annotated[Path | None, typer.Option("--out", help="Report to write: .html, .pdf, .xlsx or .json.")] = None,
    save_bank: Annotated[
        Path | None, typer.Option("--save-bank", help="Folder for the bank with the panel's key; must not exist.")
    ] = None,
    statistic: Annotated[
        str, typer.Option("--statistic", help="What the key is of the ratings: mean, median or mode.")
    ] = "mean",
    accept: Annotated[
        str, typer.Option("--accept", help="Verdicts whose items take the panel's key, e.g. 'accept,discuss'.")
    ] = "accept",
    as_json: Json = False,
) -> None:
    """Read experts' ratings and review them: agreement, relevance, the key; save the bank with the panel's key."""
    from talentassess.bank.load import load_bank
    from talentassess.panel import review_panel
    from talentassess.workflow.rating_book_reader import read_expert_ratings
    from talentassess.workflow.report import report

    check_out(out, REPORTS, *files)
    _check_save(save_bank)
    loaded = load_bank(bank)
    review = review_panel(read_expert_ratings(files, loaded), loaded)
    if save_bank is not None:  # before the report: a choice that gives no key must not cost the time of a report
        verdicts = [part.strip() for part in accept.split(",") if part.strip()]
        _save_keyed(review, loaded, bank, save_bank, statistic=statistic, accept=verdicts)
    if out is not None:
        say(f"Report: {report(review).save(out)}")
    if as_json:
        emit_tables(review)
        return
    tables = review.tables()
    show_table(repr(review), {name: tables["items"][name] for name in SHOWN}, limit=ALL)
    print(LEGEND)
    show_table("Experts", tables["experts"])
    show_findings(review.findings)


def _check_save(folder: Path | None) -> None:
    """Refuse a folder that cannot take the bank before the work begins."""
    if folder is None:
        return
    check_folder(folder)
    if folder.exists():
        raise TalentAssessError(f"The folder '{folder.name}' exists already. Choose another name for --save-bank.")


def _save_keyed(
    review: PanelReview, loaded: ItemBank, bank: str, folder: Path, *, statistic: str, accept: list[str]
) -> None:
    """Save the bank with the panel's key and the ledger of the bank that was rated; say what remains to be done."""
    from talentassess.bank.save import save_bank as save
    from talentassess.panel import consensus_key
    from talentassess.workflow.content_review import ledger_folder

    keyed = consensus_key(review, loaded, statistic=statistic, accept=accept)  # type: ignore[arg-type]
    say(f"Bank: {save(keyed, folder, ledger=ledger_folder(bank, loaded))}")
    say(f"Its new keys are drafts. Record them: talentassess bank record {folder} --author NAME --reason TEXT")
