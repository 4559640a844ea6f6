"""Accept, discuss or rework: what the declared limits say of an item. Never that it is valid."""

from __future__ import annotations

from dataclasses import dataclass

from talentassess.panel.records import Verdict
from talentassess.panel.settings import PanelSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a verdict rests on. ``asked``: "effectiveness", "relevance" or both."""

    asked: tuple[str, ...]
    n_effectiveness: int
    n_relevance: int
    rwg: float | None
    i_cvi: float | None
    p_best: float | None
    best: tuple[str, ...]
    best_agrees: bool | None


def verdict_of(evidence: Evidence, settings: PanelSettings) -> tuple[Verdict, tuple[str, ...]]:
    """Return the verdict on an item and its reasons, none if it is accepted.

    ``rework`` where experts do not agree on effectiveness or most find the item irrelevant; ``discuss`` where a limit
    is missed by less, the panel is too small, the best option is not settled or is another than the key's.
    """
    rework = _weak(evidence, settings)
    discuss = [*_small(evidence, settings), *_missed(evidence, settings), *_best(evidence, settings)]
    return ("rework" if rework else "discuss" if discuss else "accept"), (*rework, *discuss)


def _weak(e: Evidence, s: PanelSettings) -> list[str]:
    lines = []
    if e.n_effectiveness >= s.min_experts and e.rwg is not None and e.rwg <= s.rwg_weak:
        lines.append(f"rwg {e.rwg:.2f}, at most {s.rwg_weak:.2f}")
    if e.n_relevance >= s.min_experts and e.i_cvi is not None and e.i_cvi < s.i_cvi_weak:
        lines.append(f"I-CVI {e.i_cvi:.2f}, below {s.i_cvi_weak:.2f}")
    return lines


def _small(e: Evidence, s: PanelSettings) -> list[str]:
    counts = {"effectiveness": e.n_effectiveness, "relevance": e.n_relevance}
    return [
        f"{counts[part]} expert(s) on {part}, fewer than {s.min_experts}"
        for part in e.asked
        if counts[part] < s.min_experts
    ]


def _missed(e: Evidence, s: PanelSettings) -> list[str]:
    lines = []
    if e.rwg is not None and s.rwg_weak < e.rwg < s.rwg:
        lines.append(f"rwg {e.rwg:.2f}, below {s.rwg:.2f}")
    limit = s.i_cvi_limit(e.n_relevance)
    # a share such as 7 / 9 = .778 reaches .78 as it is printed and as the limit is meant
    if e.i_cvi is not None and s.i_cvi_weak <= e.i_cvi and round(e.i_cvi, 2) < limit:
        lines.append(f"I-CVI {e.i_cvi:.2f}, below {limit:.2f}")
    return lines


def _best(e: Evidence, s: PanelSettings) -> list[str]:
    lines = []
    if e.p_best is not None and len(e.best) > 1:
        lines.append(f"options {', '.join(e.best)} tie for best")
    elif e.p_best is not None and e.p_best < s.p_best:
        lines.append(f"option {e.best[0]} is best with a probability of {e.p_best:.2f} only")
    if e.best_agrees is False:
        lines.append(f"best option {', '.join(e.best)} differs from the key's")
    return lines
