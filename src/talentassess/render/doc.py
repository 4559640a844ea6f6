"""The report as data: a title, where the numbers come from, sections of blocks. Renderers turn it into files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from talentassess.core.errors import ReportError
from talentassess.core.provenance import Provenance
from talentassess.core.status import Finding
from talentassess.render.blocks import (
    Block,
    Callout,
    Claim,
    ClaimBlock,
    FigureBlock,
    FindingBlock,
    Paragraph,
    TableBlock,
    slug,
)

__all__ = [
    "Block",
    "Callout",
    "Claim",
    "ClaimBlock",
    "FigureBlock",
    "FindingBlock",
    "Paragraph",
    "ReportDoc",
    "Section",
    "TableBlock",
    "compose_report",
    "provenance_line",
]


@dataclass(frozen=True)
class Section:
    """A titled part of a report.

    Attributes
    ----------
    title : heading.
    anchor : name for links; made from the title if empty.
    blocks : what it holds, in order.
    level : 1 for a section, 2 for a sub-section of the section before it.
    whole : True keeps it on one page of the PDF, if a page holds it.
    """

    title: str
    anchor: str = ""
    blocks: tuple[Block, ...] = ()
    level: Literal[1, 2] = 1
    whole: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "anchor", self.anchor or slug(self.title))
        object.__setattr__(self, "blocks", tuple(self.blocks))


@dataclass(frozen=True, kw_only=True)
class ReportDoc:
    """A whole report.

    Attributes
    ----------
    title, subtitle : plain text.
    simulated : True if any answer behind any number was simulated; every page and sheet then says SIMULATED.
    provenance : one line per source (see ``provenance_line``).
    sections : in reading order.
    attributions : licence and attribution lines that must be printed.
    language : of the text, as a BCP 47 tag.

    Raises
    ------
    ReportError : an anchor used twice, a claim that points nowhere, a source marked SIMULATED in a report that is not.

    Examples
    --------
    >>> table = TableBlock("Item means", {"item": ["q1"], "mean": [2.5]})
    >>> claim = Claim("The mean of q1 is 2.5.", "item-means", "One sample.")
    >>> section = Section("Items", "items", (ClaimBlock((claim,)), table))
    >>> doc = ReportDoc(title="Study", simulated=False, sections=(section,))
    >>> doc.labels()
    {'items': 'Items', 'item-means': 'Table 1'}
    """

    title: str
    simulated: bool
    sections: tuple[Section, ...]
    subtitle: str = ""
    provenance: tuple[str, ...] = ()
    attributions: tuple[str, ...] = ()
    language: str = "en-GB"

    def __post_init__(self) -> None:
        for name in ("sections", "provenance", "attributions"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        problems = [*_anchor_problems(self), *_claim_problems(self), *_mark_problems(self)]
        if problems:
            raise ReportError(f"The report '{self.title}' is not consistent.", problems)

    @property
    def blocks(self) -> tuple[Block, ...]:
        """All blocks of all sections, in order."""
        return tuple(block for section in self.sections for block in section.blocks)

    @property
    def tables(self) -> tuple[TableBlock, ...]:
        """All numbered tables, in order."""
        return tuple(block for block in self.blocks if isinstance(block, TableBlock))

    @property
    def figures(self) -> tuple[FigureBlock, ...]:
        """All figures, in order."""
        return tuple(block for block in self.blocks if isinstance(block, FigureBlock))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, in order."""
        return tuple(found for block in self.blocks if isinstance(block, FindingBlock) for found in block.findings)

    @property
    def claims(self) -> tuple[Claim, ...]:
        """All claims, in order."""
        return tuple(claim for block in self.blocks if isinstance(block, ClaimBlock) for claim in block.claims)

    def labels(self) -> dict[str, str]:
        """Return anchor -> how the text refers to it: ``Table 2``, ``Figure 1``, or the section's title."""
        count: Counter[str] = Counter()
        found: dict[str, str] = {}
        for section in self.sections:
            found[section.anchor] = section.title
            for block in section.blocks:
                if isinstance(block, TableBlock | FigureBlock):
                    kind = "Table" if isinstance(block, TableBlock) else "Figure"
                    count[kind] += 1
                    found[block.anchor] = f"{kind} {count[kind]}"
        return found

    def save(self, path: str | Path) -> Path:
        """Write the report and return its path; the suffix (.html, .pdf, .xlsx, .json) chooses the form.

        The file appears whole or not at all; folders on the way are made.

        Raises
        ------
        ReportError : unknown suffix, a file that cannot be written, a chart that cannot be drawn.
        """
        from talentassess.render.save import save_report

        return save_report(self, Path(path))


def _anchors(doc: ReportDoc) -> Iterator[tuple[str, str]]:
    for section in doc.sections:
        yield section.anchor, f"section '{section.title}'"
        for block in section.blocks:
            if isinstance(block, TableBlock | FigureBlock):
                kind = "table" if isinstance(block, TableBlock) else "figure"
                yield block.anchor, f"{kind} '{block.caption}'"


def _anchor_problems(doc: ReportDoc) -> Iterator[str]:
    users: dict[str, list[str]] = {}
    for anchor, user in _anchors(doc):
        users.setdefault(anchor, []).append(user)
        if not anchor or slug(anchor) != anchor:
            example = slug(anchor) or "items"
            yield f"{user}: the anchor '{anchor}' may hold small letters, digits and hyphens only, as '{example}'"
    for anchor, names in users.items():
        if len(names) > 1:
            yield f"the anchor '{anchor}' is used {len(names)} times ({'; '.join(names)}); give each its own anchor="


def _claim_problems(doc: ReportDoc) -> Iterator[str]:
    known = [anchor for anchor, _ in _anchors(doc)]
    choice = ", ".join(known)
    for claim in doc.claims:
        if claim.rests_on not in known:
            yield f"the claim '{claim.sentence}' rests on '{claim.rests_on}', which is not here; anchors: {choice}"
        if not claim.caveat.strip():
            yield f"the claim '{claim.sentence}' has no caveat; say what it does not show"


def _mark_problems(doc: ReportDoc) -> Iterator[str]:
    for line in doc.provenance:
        if "SIMULATED" in line and not doc.simulated:
            yield f"the source '{line}' is marked SIMULATED, the report is not; set simulated=True"


def compose_report(
    title: str,
    sections: Sequence[Section],
    *,
    sources: Sequence[Provenance],
    subtitle: str = "",
    attributions: Sequence[str] = (),
) -> ReportDoc:
    """Return a report whose SIMULATED mark and provenance lines follow from its sources.

    Parameters
    ----------
    title, subtitle : plain text.
    sections : in reading order.
    sources : provenance of every result that is shown; the report is simulated if any of them is.
    attributions : licence and attribution lines that must be printed.

    Examples
    --------
    >>> doc = compose_report("Pool", [Section("Scores")], sources=[Provenance("applicants.csv", simulated=True)])
    >>> doc.simulated
    True
    """
    return ReportDoc(
        title=title,
        subtitle=subtitle,
        simulated=any(source.simulated for source in sources),
        provenance=tuple(dict.fromkeys(provenance_line(source) for source in sources)),
        sections=tuple(sections),
        attributions=tuple(attributions),
    )


def provenance_line(source: Provenance) -> str:
    """Return a source in one line: what, real or SIMULATED, hash, version, date, options.

    Examples
    --------
    >>> provenance_line(Provenance("a.csv", "0f0d82dc", version="0.1.0", created="2025-01-01", options={"se": "oakes"}))
    'a.csv: real answers; data 0f0d82dc; talentassess 0.1.0, 2025-01-01; se = oakes'
    """
    parts = [
        f"{source.source}: {source.label}",
        f"data {source.data_hash}" if source.data_hash else "",
        f"talentassess {source.version}, {source.created.replace('T', ' ').replace('+00:00', ' UTC')}",
        ", ".join(f"{name} = {value}" for name, value in source.options.items()),
    ]
    return "; ".join(part for part in parts if part)
