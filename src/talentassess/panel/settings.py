"""What a panel is judged by: declared limits, each with where it comes from."""

from __future__ import annotations

from dataclasses import dataclass

from talentassess.core.errors import DataError

SOURCES = {
    "rwg": "convention; LeBreton & Senter (2008): .71 to .90 strong agreement",
    "rwg_weak": "LeBreton & Senter (2008): up to .50 weak agreement or none",
    "i_cvi": "six or more experts: Lynn (1986); Polit & Beck (2006)",
    "i_cvi_few": "five experts or fewer, all agree: Lynn (1986); Polit & Beck (2006)",
    "i_cvi_weak": "our convention: fewer than half find it relevant",
    "p_best": "our convention",
    "min_experts": "Lynn (1986): at least three",
    "confidence": "of the intervals of means (t)",
    "alpha": "of the critical CVR, one-tailed: Ayre & Scally (2014)",
    "expert_rest": "our convention, as for the item-rest correlation of an item",
    "severity": "our convention, points of the scale 1 to 5",
    "draws": "bootstrap samples of experts",
    "seed": "of the bootstrap",
}
SHARES = ("rwg", "rwg_weak", "i_cvi", "i_cvi_few", "i_cvi_weak", "p_best", "confidence", "alpha")
MANY = 6  # experts from which an I-CVI below 1 is enough


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelSettings:
    """Limits of the verdicts; ``rows()`` names the source of each. They are conventions, not laws.

    Attributes
    ----------
    rwg : agreement on effectiveness from which an item may be accepted; ``rwg_weak`` up to which it is reworked.
    i_cvi : I-CVI needed with six or more experts; ``i_cvi_few`` with fewer; ``i_cvi_weak`` below it: rework.
    p_best : probability needed that the option the panel puts first is the best.
    min_experts : fewer than these decide nothing.
    confidence : of the intervals. alpha : of the critical CVR.
    expert_rest : correlation with the other experts below which an expert is named; ``severity`` mean difference.
    draws, seed : of the bootstrap over experts.

    Raises
    ------
    DataError : a limit outside its range.
    """

    rwg: float = 0.70
    rwg_weak: float = 0.50
    i_cvi: float = 0.78
    i_cvi_few: float = 1.0
    i_cvi_weak: float = 0.50
    p_best: float = 0.90
    min_experts: int = 3
    confidence: float = 0.95
    alpha: float = 0.05
    expert_rest: float = 0.30
    severity: float = 0.75
    draws: int = 2000
    seed: int = 1

    def __post_init__(self) -> None:
        lines = [f"{name} = {getattr(self, name)}; between 0 and 1" for name in SHARES if not self._share(name)]
        if self.min_experts < 1 or self.draws < 1:
            lines.append(f"min_experts = {self.min_experts}, draws = {self.draws}; both at least 1")
        if self.rwg_weak > self.rwg or self.i_cvi_weak > self.i_cvi:
            lines.append("a limit for rework lies above the one for acceptance")
        if lines:
            raise DataError("These settings of a panel review cannot be used.", lines)

    def _share(self, name: str) -> bool:
        value = float(getattr(self, name))
        return 0 < value < 1 or (value in (0, 1) and name not in ("confidence", "alpha"))

    def i_cvi_limit(self, n_experts: int) -> float:
        """Return the I-CVI that so many experts must reach.

        Examples
        --------
        >>> PanelSettings().i_cvi_limit(5), PanelSettings().i_cvi_limit(6)
        (1.0, 0.78)
        """
        return self.i_cvi if n_experts >= MANY else self.i_cvi_few

    def rows(self) -> list[tuple[str, float | int, str]]:
        """Return (setting, value, source) of each limit."""
        return [(name, getattr(self, name), SOURCES[name]) for name in self.__slots__]
