"""Review a panel of subject-matter experts: agreement, relevance, and the comparison with the bank's key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from talentassess.agreement.content import ContentRating, ContentValidity, content_validity
from talentassess.agreement.icc import IntraclassCorrelation, intraclass_correlation
from talentassess.agreement.ratings import Ratings, from_matrix
from talentassess.agreement.within_group import WithinGroupAgreement, within_group_agreement
from talentassess.bank.schema import Item, ItemBank, SituationalItem
from talentassess.core.arrays import FloatArray
from talentassess.core.errors import ContentError
from talentassess.core.status import Finding, Severity, gravest_first
from talentassess.panel.concordance import kendall_w, rank_correlation
from talentassess.panel.experts import expert_agreement, expert_findings
from talentassess.panel.options import complete, option_consensus
from talentassess.panel.ratings import EFFECTIVENESS, RELEVANCE, RELEVANT, ExpertRatings
from talentassess.panel.records import ItemConsensus, OptionConsensus, PanelReview
from talentassess.panel.settings import PanelSettings
from talentassess.panel.verdicts import Evidence, verdict_of


def review_panel(ratings: ExpertRatings, bank: ItemBank, *, settings: PanelSettings | None = None) -> PanelReview:
    """Review what subject-matter experts said about a bank's items.

    Per option: mean with its standard error and interval, and the probability that it is the panel's best. Per item:
    rwg, ICC, Kendall's W, I-CVI with modified kappa, CVR, the comparison with the bank's key, and a verdict by declared
    limits. Per expert: correlation with the others, and severity. Experts who agree judge alike; that they are right,
    and that scores predict anything, no panel can show.

    Parameters
    ----------
    ratings : from ``read_expert_ratings``.
    bank : the bank that was rated.
    settings : limits of the verdicts, confidence, seed of the bootstrap.

    Raises
    ------
    ContentError : the ratings belong to another bank or to another version of it.

    Examples
    --------
    >>> from talentassess.bank.load import load_bank
    >>> bank, nan = load_bank("service_core"), np.full((3, 1), np.nan)
    >>> pairs = tuple(("ow_sj_01", o) for o in "abcd")
    >>> given = ExpertRatings(experts=("A", "B", "C"), items=("ow_sj_01",), options=pairs, bank_hash=bank.content_hash,
    ...     effectiveness=np.array([[3, 2, 1, 5], [3, 1, 1, 5], [2, 2, 1, 4.0]]), relevance=nan + 0, essential=nan)
    >>> item = review_panel(given, bank)["ow_sj_01"]
    >>> item.best, item.p_best, round(item.rwg, 2)
    (('d',), 1.0, 0.88)
    """
    check_same_bank(ratings, bank)
    used = settings or PanelSettings()
    rated = [bank.item(item) for item in ratings.items]
    panels = _Panels(ratings, used)
    items, options = list[ItemConsensus](), list[OptionConsensus]()
    for item in rated:
        x = ratings.effectiveness[:, ratings.columns_of(item.id)]
        own = option_consensus(item, x, used) if isinstance(item, SituationalItem) and x.shape[1] else ()
        items.append(_item(item, x, own, panels))
        options += own
    experts = expert_agreement(ratings)
    findings = [*ratings.findings, *_findings(items, ratings, used), *expert_findings(experts, used)]
    icc = _intraclass(ratings.effectiveness)
    one, mean = (None, None) if icc is None else (icc["ICC(2,1)"], icc["ICC(2,k)"])
    findings += _part_of_ratings(icc, ratings.effectiveness)
    known = [row.rwg for row in items if row.rwg is not None]
    cvi = panels.relevance
    return PanelReview(
        items=tuple(items),
        options=tuple(options),
        experts=experts,
        s_cvi_ave=None if cvi is None else cvi.s_cvi_ave,
        s_cvi_ua=None if cvi is None else cvi.s_cvi_ua,
        icc=None if one is None else _known(one.icc),
        icc_lower=None if one is None else _known(one.lower),
        icc_upper=None if one is None else _known(one.upper),
        icc_k=None if mean is None else _known(mean.icc),
        icc_k_lower=None if mean is None else _known(mean.lower),
        icc_k_upper=None if mean is None else _known(mean.upper),
        median_rwg=float(np.median(known)) if known else None,
        findings=gravest_first(findings),
        settings=used,
        ratings=ratings,
        provenance=ratings.provenance,
    )


def check_same_bank(ratings: ExpertRatings, bank: ItemBank) -> None:
    """Raise ``ContentError`` unless the ratings were given to this very bank."""
    if ratings.bank_hash != bank.content_hash:
        raise ContentError(
            f"The ratings belong to the bank {ratings.bank or 'without a name'} (content hash "
            f"{ratings.bank_hash or 'unknown'}); this is {bank.id} {bank.version} ({bank.content_hash}). Load the bank "
            "that was rated."
        )


class _Panels:
    """The statistics of all items at once, by item; None where nothing was rated."""

    def __init__(self, ratings: ExpertRatings, settings: PanelSettings) -> None:
        self.settings = settings
        self.within = _within(ratings)
        self.relevance = _content(ratings.relevance, ratings.items, RELEVANCE, RELEVANT, settings.alpha)
        self.essential = _content(ratings.essential, ratings.items, (0, 1), 1, settings.alpha)


def _within(ratings: ExpertRatings) -> WithinGroupAgreement | None:
    """Return rwg of every situational item: items are the targets, options the questions."""
    situational = tuple(dict.fromkeys(item for item, _ in ratings.options))
    places = {pair: (situational.index(pair[0]), ratings.columns_of(pair[0])) for pair in ratings.options}
    expert, option = np.nonzero(~np.isnan(ratings.effectiveness))
    if not len(expert):
        return None
    pairs = [ratings.options[o] for o in option]
    return within_group_agreement(
        Ratings(
            person=np.array([places[pair][0] for pair in pairs]),
            rater=expert,
            item=np.array([places[pair][1].index(o) for pair, o in zip(pairs, option.tolist(), strict=True)]),
            score=ratings.effectiveness[expert, option],
            low=EFFECTIVENESS[0],
            high=EFFECTIVENESS[-1],
            person_ids=situational,
            rater_ids=ratings.experts,
            item_ids=tuple(f"option {i + 1}" for i in range(max(len(own) for _, own in places.values()))),
            provenance=ratings.provenance,
        )
    )


def _content(
    x: FloatArray, items: tuple[str, ...], scale: Sequence[int], agree: int, alpha: float
) -> ContentValidity | None:
    if np.isnan(x).all():
        return None
    panel = from_matrix(x.T, low=scale[0], high=scale[-1], person_ids=items)
    return content_validity(panel, agree=agree, alpha=alpha)


def _whole(x: FloatArray) -> FloatArray:
    """Return the ratings of x (E, n) without gaps that an ICC can rest on: whole experts, or options all have rated.

    Of the two the one that keeps more ratings: over many items hardly any expert has rated every option.
    """
    experts = complete(x)
    some = x[~np.isnan(x).all(axis=1)]
    options = some[:, ~np.isnan(some).any(axis=0)]
    usable = [part for part in (experts, options) if min(part.shape) > 1]
    return max(usable, key=np.size) if usable else experts


def _intraclass(x: FloatArray) -> IntraclassCorrelation | None:
    """Return the ICC of experts over options from x (E, n); None without two of both, or without any difference."""
    rows = _whole(x)
    if min(rows.shape) < 2 or np.ptp(rows) == 0:
        return None
    return intraclass_correlation(from_matrix(rows.T, low=EFFECTIVENESS[0], high=EFFECTIVENESS[-1]))


def _icc(x: FloatArray) -> tuple[float | None, float | None]:
    """Return ICC(2,1) and ICC(2,k) of experts over options from x (E, n)."""
    found = _intraclass(x)
    return (None, None) if found is None else (_known(found["ICC(2,1)"].icc), _known(found["ICC(2,k)"].icc))


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _part_of_ratings(found: IntraclassCorrelation | None, x: FloatArray) -> Iterator[Finding]:
    """Say what the ICC over all options leaves out."""
    experts, options = (int(np.sum(~np.isnan(x).all(axis=axis))) for axis in (1, 0))
    if found is not None and (found.n_raters, found.n_persons) != (experts, options):
        yield Finding(
            "incomplete_ratings", Severity.WARNING, "icc",
            f"The ICC over all options rests on {found.n_raters} of {experts} experts and {found.n_persons} of "
            f"{options} options: an analysis of variance takes no gaps.",
            "Have the experts fill the gaps; the numbers of the single items rest on all who rated them.",
        )  # fmt: skip


def _item(item: Item, x: FloatArray, options: Sequence[OptionConsensus], panels: _Panels) -> ItemConsensus:
    """Return the record of one item from its ratings x (E, n); n is 0 for a statement."""
    cvi = _element(panels.relevance, item.id)
    cvr = _element(panels.essential, item.id)
    within = panels.within[item.id] if panels.within is not None and options else None
    rwg = None if within is None or within.raw is None else max(within.raw, 0.0)
    one, mean = _icc(x) if options else (None, None)
    order = kendall_w(complete(x)) if options else None
    best, worst = _ends(options, [o.mean for o in options])
    key_best, key_worst = _ends(options, [o.key for o in options])
    p_best = [o.p_best for o in options if o.option in best and o.p_best is not None]
    best_agrees = set(best) <= set(key_best) if best and key_best else None
    n_effectiveness = min((o.n for o in options), default=0)
    n_relevance = 0 if cvi is None else cvi.n_experts
    i_cvi = None if cvi is None else cvi.i_cvi
    evidence = Evidence(
        asked=("effectiveness", "relevance") if options else ("relevance",),
        n_effectiveness=n_effectiveness,
        n_relevance=n_relevance,
        rwg=rwg,
        i_cvi=i_cvi,
        p_best=sum(p_best) if p_best else None,
        best=best,
        best_agrees=best_agrees,
    )
    verdict, reasons = verdict_of(evidence, panels.settings)
    return ItemConsensus(
        item=item.id,
        scale=item.scale,
        method=item.method,
        n_effectiveness=n_effectiveness,
        n_relevance=n_relevance,
        rwg=rwg,
        rwg_j=None if within is None else within.rwg,
        icc=one,
        icc_k=mean,
        w=None if order is None else order.w,
        w_p=None if order is None else order.p,
        i_cvi=i_cvi,
        kappa=None if cvi is None else cvi.kappa,
        cvr=None if cvr is None else cvr.cvr,
        cvr_critical=None if cvr is None else cvr.cvr_critical,
        best=best,
        worst=worst,
        p_best=evidence.p_best,
        key_source=item.key_source if isinstance(item, SituationalItem) else None,
        rank_r=_key_correlation(options),
        best_agrees=best_agrees,
        worst_agrees=set(worst) <= set(key_worst) if worst and key_worst else None,
        off_key=tuple(o.option for o in options if o.excludes_key),
        largest_difference=max((abs(o.difference) for o in options if o.difference is not None), default=None),
        verdict=verdict,
        reasons=reasons,
    )


def _element(panel: ContentValidity | None, item: str) -> ContentRating | None:
    return None if panel is None else panel[item]


def _ends(
    options: Sequence[OptionConsensus], values: Sequence[float | None]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the options with the highest and with the lowest value; none unless every option has one."""
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return (), ()
    high = tuple(o.option for o, value in zip(options, known, strict=True) if value == max(known))
    return high, tuple(o.option for o, value in zip(options, known, strict=True) if value == min(known))


def _key_correlation(options: Sequence[OptionConsensus]) -> float | None:
    pairs = [(o.mean, o.key) for o in options if o.mean is not None and o.key is not None]
    if len(pairs) < 2:
        return None
    means, keys = np.array(pairs, dtype=np.float64).T
    return rank_correlation(means, keys)


def _findings(items: Sequence[ItemConsensus], ratings: ExpertRatings, settings: PanelSettings) -> Iterator[Finding]:
    n = len(ratings.experts)
    if n < settings.min_experts:
        yield Finding(
            "small_panel", Severity.WARNING, "panel", f"{n} expert(s); at least {settings.min_experts} are needed.",
            "Ask more experts; one opinion decides too much here.",
        )  # fmt: skip
    apart = [row.item for row in items if row.best_agrees is False]
    if apart:
        yield Finding(
            "best_option_differs", Severity.WARNING, "key",
            f"On {len(apart)} item(s) the panel's best option is not the key's: {_some(apart)}.",
            "Talk them over with the experts: either the key is wrong, or the wording says something else than meant.",
        )  # fmt: skip
    rework = [row.item for row in items if row.verdict == "rework"]
    if rework:
        yield Finding(
            "rework", Severity.WARNING, "items",
            f"{len(rework)} item(s) miss the limits by far: {_some(rework)}.",
            "Read the experts' comments, rewrite the items and have them rated again.",
        )  # fmt: skip


def _some(labels: Sequence[str]) -> str:
    return ", ".join(labels[:8]) + (" ..." if len(labels) > 8 else "")
