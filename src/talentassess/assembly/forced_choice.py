"""Build a forced-choice form: triplets matched on desirability, across scales, by integer programming."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from talentassess.assembly.form import ForcedChoiceBlock, ForcedChoiceForm, Statement
from talentassess.assembly.triplets import Triplets, candidate_triplets
from talentassess.core.arrays import FloatArray
from talentassess.core.errors import ContentError
from talentassess.core.status import Finding, Severity

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from talentassess.bank.schema import ItemBank

SECONDS = 60.0  # the solver stops here with the best form it has, and says how far from the best it may be
GAP = 0.01  # a form within 1 % of the smallest possible spread counts as the best
WIDE = 1.0  # points of desirability from which the better-looking statement can be told


@dataclass(frozen=True, slots=True, kw_only=True)
class ForcedChoiceDesign:
    """What a form must keep to.

    Attributes
    ----------
    tolerance : largest range of desirability within a block, in points of the scale 1 to 5.
    mixed : number of blocks that hold both keyed directions; the others hold one. Blocks keyed alike leave no bad
        statement to avoid; an item response model for comparisons needs some mixed ones (Brown & Maydeu-Olivares 2011).
    meet : largest number of blocks in which the same two scales meet; None lets the size of the form decide.
    """

    tolerance: float = 0.5
    mixed: int = 0
    meet: int | None = None


def build_forced_choice(
    bank: ItemBank,
    blocks: int,
    *,
    design: ForcedChoiceDesign | None = None,
    scales: Sequence[str] | None = None,
    seed: int = 0,
) -> ForcedChoiceForm:
    """Build a form of blocks of three statements that look equally good and come from three scales.

    Minimised is the sum over blocks of the range of desirability; every statement stands at most once, all scales
    equally often (within one), no two scales meet more often than ``design.meet``. Solved by HiGHS over the candidate
    blocks of near desirability (set packing; compare van der Linden 2005, ch. 5).

    Parameters
    ----------
    bank : its self-report statements with a desirability are used, retired ones left out.
    blocks : number of blocks.
    design : what the form must keep to.
    scales : at least three; all scales of the bank if left out.
    seed : of the printed order of blocks and of the statements within them.

    Raises
    ------
    ContentError : a scale is unknown, statements lack a desirability, or no form of that size keeps to the design; the
        message says how many blocks are possible.

    Examples
    --------
    >>> from talentassess.bank.load import load_bank
    >>> form = build_forced_choice(load_bank("service"), 20, seed=1)
    >>> len(form.blocks), max(block.spread for block in form.blocks) <= 0.5, any(block.mixed for block in form.blocks)
    (20, True, False)
    """
    rules = design or ForcedChoiceDesign()
    names = _scales(bank, scales)
    statements = _statements(bank, names)
    _check_size(blocks, rules, len(statements))
    triplets = candidate_triplets(statements, rules.tolerance, mixed=rules.mixed > 0)
    chosen, gap, best = _solve(triplets, _Rows(statements, names, blocks, rules))
    made = _printed(triplets, chosen, statements, seed)
    return ForcedChoiceForm(
        bank=f"{bank.id} {bank.version}",
        bank_hash=bank.content_hash,
        scales=names,
        blocks=made,
        desirability_source="rational (authors)",
        optimal=best,
        gap=gap,
        findings=tuple(_findings(made, names, gap, best)),
        options={
            "blocks": str(blocks),
            "tolerance": f"{rules.tolerance:g}",
            "mixed": str(rules.mixed),
            "meet": str(rules.meet),
            "seed": str(seed),
        },
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _scales(bank: ItemBank, asked: Sequence[str] | None) -> tuple[str, ...]:
    names = tuple(bank.scale_ids if asked is None else dict.fromkeys(asked))
    unknown = [name for name in names if name not in bank.scale_ids]
    if unknown:
        raise ContentError(
            f"The bank '{bank.id}' has no scale {', '.join(unknown)}; it has {', '.join(bank.scale_ids)}."
        )
    if len(names) < 3:
        raise ContentError(f"Blocks of three need statements from at least three scales; found {', '.join(names)}.")
    return names


def _statements(bank: ItemBank, scales: Sequence[str]) -> list[Statement]:
    items = [i for i in bank.self_report if i.scale in scales and i.status != "retired"]
    bare = [f"item '{i.id}': no {'desirability' if i.text else 'wording'}" for i in items if not _usable(i)]
    if bare:
        raise ContentError("Statements can be matched only if each has wording and a desirability.", bare)
    return [Statement(i.id, i.scale, i.text or "", i.reverse, float(i.desirability or 0)) for i in items]


def _usable(item: object) -> bool:
    return bool(getattr(item, "text", None)) and getattr(item, "desirability", None) is not None


def _check_size(blocks: int, rules: ForcedChoiceDesign, statements: int) -> None:
    problems = []
    if not 1 <= blocks <= statements // 3:
        problems.append(f"blocks: found {blocks}; {statements} statements give 1 to {statements // 3} blocks of three")
    if not 0 <= rules.mixed <= blocks:
        problems.append(f"mixed: found {rules.mixed}; 0 to {blocks} of the blocks can be mixed")
    if rules.tolerance < 0 or (rules.meet is not None and rules.meet < 1):
        problems.append(f"tolerance {rules.tolerance:g}, meet {rules.meet}: tolerance is 0 or more, meet 1 or more")
    if problems:
        raise ContentError("No such forced-choice form can be built.", problems)


@dataclass(frozen=True, eq=False, slots=True)
class _Rows:
    """What the rows of the programme need to know."""

    statements: Sequence[Statement]
    scales: tuple[str, ...]
    blocks: int
    rules: ForcedChoiceDesign

    @property
    def meet(self) -> int:
        """The most blocks in which two scales may meet: twice an even share, at least two."""
        pairs = len(self.scales) * (len(self.scales) - 1) / 2
        return self.rules.meet or max(2, int(np.ceil(2 * 3 * self.blocks / pairs)))

    def matrix(self, triplets: Triplets) -> tuple[csr_array, FloatArray, FloatArray]:
        """Return (A, lower, upper) of lower <= A y <= upper for y (T,) in {0, 1}.

        Rows: each statement at most once; each scale equally often; pairs of scales; mixed blocks; number of blocks.
        """
        from scipy.sparse import csr_array, vstack

        t = len(triplets.members)
        columns = np.repeat(np.arange(t), 3)
        scale = np.array([self.scales.index(s.scale) for s in self.statements], dtype=np.int64)
        members = triplets.members.ravel()
        ones = np.ones(3 * t)
        once = csr_array((ones, (members, columns)), shape=(len(self.statements), t))
        often = csr_array((ones, (scale[members], columns)), shape=(len(self.scales), t))
        place = {pair: row for row, pair in enumerate(combinations(range(len(self.scales)), 2))}
        met = [place[_ordered(a, b)] for triplet in scale[triplets.members] for a, b in combinations(triplet, 2)]
        pairs = csr_array((ones, (np.array(met, dtype=np.int64), columns)), shape=(len(place), t))
        sums = csr_array(np.array([triplets.mixed.astype(float), np.ones(t)]))
        share = 3 * self.blocks / len(self.scales)
        sizes = (once.shape[0], often.shape[0], pairs.shape[0])
        lower = np.concatenate([np.repeat([0.0, np.floor(share), 0.0], sizes), [self.rules.mixed, self.blocks]])
        upper = np.concatenate([np.repeat([1.0, np.ceil(share), self.meet], sizes), [self.rules.mixed, self.blocks]])
        return vstack([once, often, pairs, sums], format="csr"), lower, upper


def _ordered(a: int, b: int) -> tuple[int, int]:
    return (int(a), int(b)) if a < b else (int(b), int(a))


def _solve(triplets: Triplets, rows: _Rows) -> tuple[list[int], float, bool]:
    """Return the chosen candidates, the relative gap, and whether they are proved best."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    if not len(triplets.members):
        raise _impossible(rows, 0)
    matrix, lower, upper = rows.matrix(triplets)
    cost = triplets.spread + 0.01  # a spread of zero still costs something, so that the gap has a scale
    options = {"time_limit": SECONDS, "mip_rel_gap": GAP}
    binary = {"integrality": np.ones(len(cost)), "bounds": Bounds(0, 1), "options": options}
    result = milp(cost, constraints=LinearConstraint(matrix, lower, upper), **binary)
    if result.x is None:
        lower[-2:] = 0
        lower[: len(lower) - 2] = 0
        most = milp(-np.ones(len(cost)), constraints=LinearConstraint(matrix, lower, upper), **binary)
        raise _impossible(rows, 0 if most.x is None else round(-most.fun))
    return [int(i) for i in np.flatnonzero(result.x > 0.5)], float(result.mip_gap or 0.0), result.status == 0


def _impossible(rows: _Rows, most: int) -> ContentError:
    rules = rows.rules
    return ContentError(
        f"No form of {rows.blocks} blocks keeps to a desirability range of {rules.tolerance:g} with {rules.mixed} "
        f"mixed block(s), all scales equally often and two scales meeting in at most {rows.meet} blocks; without equal "
        f"use of the scales, {most} blocks were found. Ask for fewer, widen tolerance or meet, or write statements."
    )


def _printed(
    triplets: Triplets, chosen: Sequence[int], statements: Sequence[Statement], seed: int
) -> tuple[ForcedChoiceBlock, ...]:
    """Put blocks, and statements within them, in a random order."""
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(triplets.members[chosen[position]]) for position in rng.permutation(len(chosen))]
    return tuple(
        ForcedChoiceBlock(f"b{number:03d}", tuple(statements[int(i)] for i in order))
        for number, order in enumerate(orders, start=1)
    )


def _findings(blocks: Sequence[ForcedChoiceBlock], scales: Sequence[str], gap: float, best: bool) -> Iterator[Finding]:
    yield Finding(
        "desirability_judged",
        Severity.WARNING,
        "form",
        "The statements were matched on desirability as their authors judge it, not as applicants rate it.",
        "Have the statements rated for desirability before the form counts in decisions.",
    )
    yield Finding(
        "ipsative",
        Severity.WARNING,
        "form",
        "Counted scores of this form are ipsative: they order scales within a person and cannot compare persons.",
        "Use them for feedback; to compare persons, fit a Thurstonian item response model.",
    )
    if not best:
        found = f"The solver stopped at its time limit; the total spread may be {100 * gap:.0f} % above the smallest."
        yield Finding("not_optimal", Severity.NOTE, "form", found, "Accept it, or ask for fewer blocks or scales.")
    wide = [block.id for block in blocks if block.spread > WIDE]
    if wide:
        found = f"In {', '.join(wide)} desirability spreads over more than {WIDE:g} point."
        yield Finding("uneven_block", Severity.WARNING, "form", found, "Lower the tolerance.")
    ways = Counter((s.scale, s.reverse) for block in blocks for s in block.statements)
    oneway = [s for s in scales if not (ways[s, True] and ways[s, False])]
    if oneway:
        found = f"Statements of {', '.join(oneway)} are keyed in one direction only."
        yield Finding("one_direction", Severity.NOTE, "form", found, "Ask for more blocks, or for mixed ones.")
