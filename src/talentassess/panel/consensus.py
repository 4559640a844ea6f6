"""The consensus key: the panel's ratings as the effectiveness of the options, with their standard errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar, get_args

import numpy as np

from talentassess.bank.evidence import KeyStatistic, PanelEvidence
from talentassess.bank.records import choices
from talentassess.bank.schema import ItemBank, SelfReportItem, SituationalItem
from talentassess.core.arrays import FloatArray
from talentassess.core.errors import ContentError
from talentassess.panel.ratings import EFFECTIVENESS, ExpertRatings
from talentassess.panel.records import VERDICTS, ItemConsensus, PanelReview, Verdict
from talentassess.panel.review import check_same_bank, review_panel

EXPERTS = "subject-matter experts"  # how the key_source of such an item begins
DIGITS = 4  # of effectiveness in the bank: far below its standard error, and readable
ItemT = TypeVar("ItemT", SelfReportItem, SituationalItem)


def consensus_key(
    review: PanelReview | ExpertRatings,
    bank: ItemBank,
    *,
    statistic: KeyStatistic = "mean",
    accept: Sequence[Verdict] = ("accept",),
) -> ItemBank:
    """Give the situational items the key a panel of experts agrees on.

    Each option's effectiveness becomes the mean (median, mode) of the experts' ratings, with its standard error; the
    item says so in ``key_source`` and ``key_panel``, its version goes up by 1 (the bank's by a minor one), its status
    falls back to draft, as the life cycle asks of new content. Items of other verdicts keep key, version and status.
    What the experts said of relevance is kept on every item they rated, whatever its verdict. Keys for other role
    contexts (``in_context``) stay, because nobody rated them, and ``key_source`` says so. A bank taken from another one
    (``part_of``) becomes a bank of its own.

    Parameters
    ----------
    review : from ``review_panel``; or the ratings, which are then reviewed with the usual limits.
    bank : the bank that was rated.
    statistic : mean (default); median; mode, of several the one nearest to the mean.
    accept : verdicts whose items take the panel's key, e.g. ("accept", "discuss").

    Raises
    ------
    ContentError : another bank or version; an unknown statistic or verdict; no item with such a verdict; an item
        whose options all come out alike.

    Equations: standard error of the mean sd / sqrt(n); of median and mode the standard deviation over bootstrap samples
    of experts.

    Examples
    --------
    >>> from talentassess.bank.load import load_bank
    >>> bank, pairs = load_bank("service_core"), tuple(("ow_sj_01", o) for o in "abcd")
    >>> given = ExpertRatings(experts=("A", "B", "C"), items=("ow_sj_01",), options=pairs, bank_hash=bank.content_hash,
    ...     effectiveness=np.array([[3, 2, 1, 5], [3, 1, 1, 5], [2, 2, 1, 4.0]]), relevance=np.full((3, 1), 4.0),
    ...     essential=np.ones((3, 1)), collected="2026-11-20")
    >>> item = consensus_key(given, bank).item("ow_sj_01")
    >>> item.key_source, item.version, item.effectiveness
    ('subject-matter experts (n = 3, mean, rwg .88, 2026-11)', 2, (2.6667, 1.6667, 1.0, 4.6667))
    """
    found = review if isinstance(review, PanelReview) else review_panel(review, bank)
    check_same_bank(found.ratings, bank)
    _check_choices(statistic, accept)
    taken = [row for row in found.items if row.verdict in accept and row.method == "situational" and row.best]
    if not taken:
        counts = ", ".join(f"{found.count(verdict)} {verdict}" for verdict in VERDICTS)
        raise ContentError(
            f"No situational item takes the panel's key: the verdict must be {' or '.join(accept)}, and every option "
            f"rated. Of all items rated: {counts}. Talk over the others, or name more verdicts in accept."
        )
    keyed = {row.item: _keyed(_situational(bank, row.item), row, found, statistic) for row in taken}
    self_report = tuple(_with_relevance(item, found) for item in bank.self_report)
    situational = tuple(_with_relevance(keyed.get(item.id, item), found) for item in bank.situational)
    fields = {name: getattr(bank, name) for name in ItemBank.model_fields if name != "schema_id"}
    changed = {"self_report": self_report, "situational": situational, "version": _next_version(bank.version)}
    return ItemBank.model_validate(
        fields | changed | {"schema": bank.schema_id, "part_of": None, "selection": ()},
    )


def _check_choices(statistic: str, accept: Sequence[str]) -> None:
    if statistic not in get_args(KeyStatistic):
        raise ContentError(f"There is no statistic '{statistic}'; {choices(statistic, get_args(KeyStatistic))}.")
    unknown = [verdict for verdict in accept if verdict not in VERDICTS]
    if unknown or not accept or isinstance(accept, str):
        raise ContentError(f"accept must be a list of verdicts out of {', '.join(VERDICTS)}; found {accept!r}.")


def _situational(bank: ItemBank, item: str) -> SituationalItem:
    return next(row for row in bank.situational if row.id == item)


def _keyed(item: SituationalItem, row: ItemConsensus, review: PanelReview, statistic: KeyStatistic) -> SituationalItem:
    """Return the item with the panel's key."""
    x = review.ratings.effectiveness[:, review.ratings.columns_of(item.id)]
    columns = [column[~np.isnan(column)] for column in x.T]
    values = [round(_STATISTICS[statistic](column), DIGITS) for column in columns]
    if len(set(values)) == 1:
        raise ContentError(
            f"Item '{item.id}': the {statistic} of the experts' ratings is {values[0]:g} for every option, which is no "
            "key. Take the mean, or leave out the item's verdict in accept."
        )
    errors = [standard_error(column, statistic, review) for column in columns]
    options = [
        option.model_copy(update={"effectiveness": value, "effectiveness_se": error})
        for option, value, error in zip(item.options, values, errors, strict=True)
    ]
    evidence = PanelEvidence(
        experts=row.n_effectiveness,
        statistic=statistic,
        rwg=_rounded(row.rwg),
        icc=_rounded(row.icc_k),
        collected=review.ratings.collected or None,
        ratings=review.provenance.data_hash,
        simulated=review.provenance.simulated,
    )
    changed = {
        "options": tuple(options),
        "key_source": _source(item, evidence),
        "key_panel": evidence,
        "version": item.version + 1,
        "status": "external" if item.status == "external" else "draft",
    }
    return item.model_copy(update=changed)


def standard_error(x: FloatArray, statistic: KeyStatistic, review: PanelReview) -> float | None:
    """Return the standard error of a statistic of ratings x (n,); None with fewer than two experts."""
    if len(x) < 2:
        return None
    if statistic == "mean":
        return round(float(x.std(ddof=1)) / float(np.sqrt(len(x))), DIGITS)
    rng = np.random.default_rng(review.settings.seed)
    draws = x[rng.integers(len(x), size=(review.settings.draws, len(x)))]
    return round(float(np.std([_STATISTICS[statistic](draw) for draw in draws], ddof=1)), DIGITS)


def _source(item: SituationalItem, evidence: PanelEvidence) -> str:
    parts = [f"n = {evidence.experts}", str(evidence.statistic)]
    parts += [] if evidence.rwg is None else [f"rwg {evidence.rwg:.2f}".replace(" 0.", " .")]
    parts += [] if evidence.collected is None else [evidence.collected[:7]]
    parts += ["SIMULATED"] if evidence.simulated else []
    fitted = any(option.in_context for option in item.options)
    return f"{EXPERTS} ({', '.join(parts)})" + (f"; in_context: {item.key_source}" if fitted else "")


def _with_relevance(item: ItemT, review: PanelReview) -> ItemT:
    row = next((row for row in review.items if row.item == item.id and row.n_relevance), None)
    if row is None:
        return item
    evidence = PanelEvidence(
        experts=row.n_relevance,
        cvi=_rounded(row.i_cvi),
        cvr=_rounded(row.cvr),
        collected=review.ratings.collected or None,
        ratings=review.provenance.data_hash,
        simulated=review.provenance.simulated,
    )
    return item.model_copy(update={"relevance_panel": evidence})


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)


def _next_version(version: str) -> str:
    major, minor, _ = version.split(".")
    return f"{major}.{int(minor) + 1}.0"


def _mean(x: FloatArray) -> float:
    return float(x.mean())


def _median(x: FloatArray) -> float:
    return float(np.median(x))


def _mode(x: FloatArray) -> float:
    counts = [int(np.sum(x == value)) for value in EFFECTIVENESS]
    tied = [value for value, n in zip(EFFECTIVENESS, counts, strict=True) if n == max(counts)]
    return float(min(tied, key=lambda value: abs(value - float(x.mean()))))


_STATISTICS: Mapping[str, Callable[[FloatArray], float]] = {"mean": _mean, "median": _median, "mode": _mode}
