"""Content validity by a panel of experts: CVR, I-CVI, S-CVI and modified kappa."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import comb

import numpy as np

from talentassess.agreement.ratings import Ratings
from talentassess.core.errors import DataError
from talentassess.core.provenance import Provenance
from talentassess.core.status import Finding, Severity, finding_columns
from talentassess.core.tabular import Columns, Tabular

FEW_EXPERTS = 5  # below this not even unanimity is significant at .05, one-tailed


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentRating:
    """One statement, question or task as the panel sees it.

    Attributes
    ----------
    element : label.
    n_experts : who rated it; ``n_agree`` of them at or above the dividing point.
    cvr : content validity ratio, -1..1. cvr_critical : smallest significant one for so many experts, None if there is
        none. p : one-tailed probability of so many by coin tossing.
    i_cvi : share who agree. chance : probability of exactly so many by coin tossing; ``kappa`` the I-CVI beyond it.
    """

    element: str
    n_experts: int
    n_agree: int
    cvr: float | None
    cvr_critical: float | None
    p: float | None
    i_cvi: float | None
    chance: float | None
    kappa: float | None


@dataclass(frozen=True, eq=False, kw_only=True)
class ContentValidity(Tabular):
    """Result of ``content_validity``.

    Attributes
    ----------
    elements : a record per element; ``result["q1"]`` picks one.
    agree : smallest rating that counts as essential or relevant.
    s_cvi_ave : mean of the I-CVI; ``s_cvi_ua`` share of elements all experts agree on. NaN without ratings.
    alpha : level of the critical CVR.
    findings : elements below the critical CVR, panels too small for a test.
    provenance : of the ratings.
    """

    elements: tuple[ContentRating, ...]
    agree: float
    s_cvi_ave: float
    s_cvi_ua: float
    alpha: float
    findings: tuple[Finding, ...]
    provenance: Provenance

    def __repr__(self) -> str:
        return (
            f"ContentValidity({len(self.elements)} elements, S-CVI/Ave {self.s_cvi_ave:.3f}; {len(self.findings)} "
            f"finding(s), {self.provenance.label})"
        )

    def __getitem__(self, element: str) -> ContentRating:
        found = [e for e in self.elements if e.element == element]
        if not found:
            raise DataError(f"There is no element '{element}'; there are: {_some([e.element for e in self.elements])}.")
        return found[0]

    def tables(self) -> dict[str, Columns]:
        """Return ``elements`` (a row per element) and ``findings``."""
        names = ContentRating.__slots__
        return {
            "elements": {name: [getattr(e, name) for e in self.elements] for name in names},
            "findings": finding_columns(self.findings),
        }


def content_validity(
    ratings: Ratings, *, agree: float, item: str | None = None, alpha: float = 0.05
) -> ContentValidity:
    """Compute content validity indices from experts' ratings of statements, questions or tasks.

    Parameters
    ----------
    ratings : the elements stand where persons stand elsewhere: one rating per element and expert.
    agree : smallest rating that counts: e.g. 3 ("essential") of 1..3 for the CVR, 3 of 1..4 for the CVI.
    item : which question about the elements, if there are several.
    alpha : level of the one-tailed test of the CVR.

    Raises
    ------
    DataError : labels, ``agree`` outside the scale or at its lowest point, alpha not between 0 and 1.

    Equations: CVR = (n_e - N/2) / (N/2) (Lawshe 1975), critical where P(X >= n_e) <= alpha, X binomial with p = 1/2
    (Ayre & Scally 2014); I-CVI = A / N, S-CVI/Ave their mean; kappa = (I-CVI - p_c) / (1 - p_c), p_c = C(N, A) / 2^N
    (Polit, Beck & Owen 2007).

    Examples
    --------
    >>> from talentassess.agreement.ratings import from_matrix
    >>> panel = content_validity(from_matrix([[4, 3, 4, 2, 3], [1, 2, 3, 1, 4]], low=1, high=4), agree=3)
    >>> [(e.i_cvi, round(e.kappa, 2)) for e in panel.elements]
    [(0.8, 0.76), (0.4, 0.13)]
    """
    if ratings.labels:
        raise DataError("Content validity needs ratings on a scale, not labels. Give low= and high= when reading.")
    if not ratings.low < agree <= ratings.high:
        raise DataError(f"agree must lie above {ratings.low:g} and be at most {ratings.high:g}; found {agree:g}.")
    if not 0 < alpha < 1:
        raise DataError(f"alpha must lie between 0 and 1; found {alpha:g}.")
    x = ratings.matrix(item)
    elements = tuple(
        _element(label, int(np.sum(~np.isnan(row))), int(np.sum(row >= agree)), alpha)
        for label, row in zip(ratings.person_ids, x, strict=True)
    )
    known = np.array([e.i_cvi for e in elements if e.i_cvi is not None])
    return ContentValidity(
        elements=elements,
        agree=agree,
        s_cvi_ave=float(known.mean()) if len(known) else float("nan"),
        s_cvi_ua=float(np.mean(known == 1.0)) if len(known) else float("nan"),
        alpha=alpha,
        findings=_findings(elements, alpha),
        provenance=ratings.provenance,
    )


def critical_agreement(n: int, alpha: float = 0.05) -> int | None:
    """Return the smallest number of n experts whose agreement is not chance, one-tailed; None if there is none.

    Equation: the smallest c with sum_(a >= c) C(n, a) / 2^n <= alpha (Ayre & Scally 2014, exact binomial).

    Examples
    --------
    >>> [critical_agreement(n) for n in (4, 5, 8, 20)]
    [None, 5, 7, 15]
    """
    return next((c for c, p in enumerate(_tails(n)) if p <= alpha), None)


@lru_cache(maxsize=64)
def _tails(n: int) -> tuple[float, ...]:
    """Return the probabilities P(X >= c) for c = 0..n, X binomial with p = 1/2; exact sums of whole numbers."""
    ways, total = 1, 2**n  # C(n, a) from a = n downwards
    below, tails = 0, list[float]()
    for a in range(n, -1, -1):
        below += ways
        tails.append(below / total)
        ways = ways * a // (n - a + 1)
    return tuple(reversed(tails))


def _element(label: str, n: int, n_agree: int, alpha: float) -> ContentRating:
    if n == 0:
        return ContentRating(
            element=label, n_experts=0, n_agree=0, cvr=None, cvr_critical=None, p=None, i_cvi=None, chance=None,
            kappa=None,
        )  # fmt: skip
    critical, share, chance = critical_agreement(n, alpha), n_agree / n, comb(n, n_agree) / 2**n
    return ContentRating(
        element=label,
        n_experts=n,
        n_agree=n_agree,
        cvr=2 * n_agree / n - 1,
        cvr_critical=None if critical is None else 2 * critical / n - 1,
        p=_tails(n)[n_agree],
        i_cvi=share,
        chance=chance,
        kappa=(share - chance) / (1 - chance) if chance < 1 else None,
    )


def _findings(elements: Sequence[ContentRating], alpha: float) -> tuple[Finding, ...]:
    found = []
    small = [e.element for e in elements if e.cvr_critical is None]
    weak = [e.element for e in elements if e.cvr is not None and e.cvr_critical is not None and e.cvr < e.cvr_critical]
    if small:
        found.append(
            Finding(
                "few_experts", Severity.WARNING, "panel",
                f"On {len(small)} element(s) the panel is too small for any CVR to be significant: {_some(small)}.",
                f"At alpha = .05 it takes {FEW_EXPERTS} experts; read the I-CVI with the number of experts beside it.",
            )
        )  # fmt: skip
    if weak:
        found.append(
            Finding(
                "below_critical_cvr", Severity.WARNING, "elements",
                f"{len(weak)} element(s) do not reach the critical CVR at alpha = {alpha:g}: {_some(weak)}.",
                "Ask the panel why before the element is used: revise it, or leave it out and keep the reason.",
            )
        )  # fmt: skip
    return tuple(found)


def _some(labels: Sequence[str]) -> str:
    return ", ".join(labels[:5]) + (" ..." if len(labels) > 5 else "")
