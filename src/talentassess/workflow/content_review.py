"""Review shipped or own content with everything that belongs to it: the competency model, the ledger, the claims."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from talentassess.bank.check import BankCheck, check_bank
from talentassess.bank.coverage import Questions
from talentassess.bank.history import load_history
from talentassess.bank.interview import InterviewBank
from talentassess.bank.interview_check import InterviewBankCheck, check_interview_bank
from talentassess.bank.interview_load import interview_bank_names, interview_folder, load_interview_bank
from talentassess.bank.load import bank_folder, load_bank, load_competencies, own_bank_names
from talentassess.bank.schema import ItemBank
from talentassess.bank.traceability import Known, Traceability, known_content, load_claims, trace_claims
from talentassess.content import content_dir


def review_bank(name_or_path: str | Path, *, seed: int = 1) -> BankCheck:
    """Check a bank with all that belongs to it.

    The competency model is the ``competencies.yaml`` beside the bank's folder, else the shipped one; the ledger is that
    of the folder, or of the bank it takes its items from. For shipped banks the interview questions join the coverage,
    and the claims of the sources are traced.

    Parameters
    ----------
    name_or_path : name of a shipped bank, or a folder.
    seed : of the draw of the blind read.

    Raises
    ------
    ContentError : the bank, its ledger, the competency model or the claims cannot be read.

    Examples
    --------
    >>> review_bank("service_core").ok
    True
    """
    bank, folder = load_bank(name_or_path), bank_folder(name_or_path)
    beside = folder.parent / "competencies.yaml"
    shipped = folder.parent.resolve() == content_dir("items").resolve()
    interviews = _interviews() if shipped else []
    return check_bank(
        bank,
        load_competencies(beside if beside.exists() else None),
        history=load_history(ledger_folder(name_or_path, bank)),
        questions=_questions(bank.scale_ids, interviews) if shipped else None,
        traceability=_traced(interviews, {folder.name: bank}) if shipped else None,
        seed=seed,
    )


def review_interview_bank(name_or_path: str | Path) -> InterviewBankCheck:
    """Check an interview bank with the competency model beside it (else the shipped one) and its ledger.

    Examples
    --------
    >>> review_interview_bank("service_interview").ok
    True
    """
    bank, folder = load_interview_bank(name_or_path), interview_folder(name_or_path)
    beside = folder.parent / "competencies.yaml"
    model = load_competencies(beside if beside.exists() else None)
    return check_interview_bank(bank, model, history=load_history(folder))


def trace_content() -> Traceability:
    """Return which claims of ``items/traceability.yaml`` the shipped content covers."""
    return _traced(_interviews(), {})


def _traced(interviews: Sequence[InterviewBank], loaded: Mapping[str, ItemBank]) -> Traceability:
    """Trace the claims; banks that are at hand already are not read again."""
    banks = [loaded[name] if name in loaded else load_bank(name) for name in own_bank_names()]
    known = known_content(load_competencies(), banks)
    return trace_claims(load_claims(), {**known, **_interview_content(interviews)})


def ledger_folder(name_or_path: str | Path, bank: ItemBank) -> Path:
    """Return the folder whose ledger knows a bank's items: its own, or that of the bank it takes them from."""
    folder = bank_folder(name_or_path)
    if bank.part_of is None:
        return folder
    beside = folder.parent / bank.part_of
    return beside if (beside / "bank.yaml").exists() else bank_folder(bank.part_of)


def _interviews() -> list[InterviewBank]:
    return [load_interview_bank(name) for name in interview_bank_names()]


def _questions(scales: tuple[str, ...], interviews: Sequence[InterviewBank]) -> Questions:
    """Count the questions written for each scale's competency and context; a general one counts as general."""
    chains = [chain for bank in interviews for chain in bank.chains]
    count = Counter((chain.competency, context) for chain in chains for context in chain.question.contexts)
    return {scale: {c: n for (competency, c), n in count.items() if competency == scale} for scale in scales}


def _interview_content(banks: Sequence[InterviewBank]) -> Known:
    """Return kind of reference -> id -> wording of what the shipped interview banks hold."""
    return {
        "question": {chain.question.id: chain.question.text for bank in banks for chain in bank.chains},
        "theme": {theme.id: theme.name for bank in banks for theme in bank.themes},
        "fault": {fault.id: fault.name for bank in banks for fault in bank.faults},
        "star": {part.part: part.name for bank in banks for part in bank.star},
    }
