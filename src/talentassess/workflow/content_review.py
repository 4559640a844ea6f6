"""Review shipped or own content with everything that belongs to it: the competency model, the ledger, the claims."""

from __future__ import annotations

from pathlib import Path

from talentassess.bank.check import BankCheck, check_bank
from talentassess.bank.coverage import Questions
from talentassess.bank.history import load_history
from talentassess.bank.load import bank_folder, bank_names, load_bank, load_competencies
from talentassess.bank.schema import ItemBank
from talentassess.bank.traceability import Known, Traceability, known_content, load_claims, trace_claims
from talentassess.content import content_dir


def review_bank(
    name_or_path: str | Path, *, questions: Questions | None = None, interview: Known | None = None, seed: int = 1
) -> BankCheck:
    """Check a bank with all that belongs to it.

    Parameters
    ----------
    name_or_path : name of a shipped bank, or a folder. The competency model is the ``competencies.yaml`` beside that
        folder, else the shipped one; the ledger is that of the folder, or of the bank it takes its items from; the
        claims of the sources are traced for shipped banks.
    questions : number of interview questions by competency and context, for the coverage.
    interview : kind -> id -> wording of what an interview bank holds (question, theme, fault, star), for the claims.
    seed : of the draw of the blind read.

    Raises
    ------
    ContentError : the bank, its ledger, the competency model or the claims cannot be read.

    Examples
    --------
    >>> review_bank("service_core").ok
    True
    """
    bank, beside = load_bank(name_or_path), bank_folder(name_or_path).parent / "competencies.yaml"
    shipped = str(name_or_path) in bank_names() and (content_dir("items") / "traceability.yaml").exists()
    return check_bank(
        bank,
        load_competencies(beside if beside.exists() else None),
        history=load_history(ledger_folder(name_or_path, bank)),
        questions=questions,
        traceability=trace_content(interview) if shipped else None,
        seed=seed,
    )


def trace_content(interview: Known | None = None) -> Traceability:
    """Return which claims of ``items/traceability.yaml`` the shipped content covers."""
    known = known_content(load_competencies(), [load_bank(name) for name in bank_names()])
    return trace_claims(load_claims(), {**known, **(interview or {})})


def ledger_folder(name_or_path: str | Path, bank: ItemBank) -> Path:
    """Return the folder whose ledger knows a bank's items: its own, or that of the bank it takes them from."""
    folder = bank_folder(name_or_path)
    if bank.part_of is None:
        return folder
    beside = folder.parent / bank.part_of
    return beside if (beside / "bank.yaml").exists() else bank_folder(bank.part_of)
