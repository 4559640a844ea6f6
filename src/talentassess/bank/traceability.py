"""Which claim of which source the content covers: ``items/traceability.yaml``, resolved and checked.

A source (an article the content answers to) makes claims: a competency, a context, a question that should be there.
Each claim names what covers it, by kind and id: ``competency:``, ``pillar:``, ``context:``, ``onet:``, ``item:``,
``question:``, ``theme:``, ``need:``, ``fault:``, ``star:`` or ``indicator:<competency>.<positive|negative>.<context>``.
A claim about the method, which no content covers, says what does (``elsewhere``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, ValidationError, model_validator

from talentassess.bank.competency import Competency, CompetencyModel
from talentassess.bank.problems import plain_problems
from talentassess.bank.records import Context, Identifier, Record, Text, choices, repeats
from talentassess.bank.review import note, problem, wording_of
from talentassess.bank.schema import CustomerNeed, ItemBank
from talentassess.bank.yaml_file import read_yaml
from talentassess.content import content_dir
from talentassess.core.errors import ContentError
from talentassess.core.status import Finding, Severity, finding_columns
from talentassess.core.tabular import Columns, Tabular

KINDS = (
    *("competency", "pillar", "indicator", "context", "onet"),
    *("item", "question", "theme", "need", "fault", "star"),
)
Reference = Annotated[str, Field(pattern=r"^[a-z]+:\S+$")]
Known = Mapping[str, Mapping[str, str]]


class ClaimSource(Record):
    """A text that the content answers to."""

    id: Identifier = Field(description="Short name used by the claims.")
    title: Text = Field(description="Title as printed.")


class SourceClaim(Record):
    """Something a source asks for, in our words, and what covers it."""

    id: Identifier = Field(description="Unique in the file.")
    source: Identifier = Field(description="Id of its source.")
    claim: Text = Field(description="What the source asks for, in our words.")
    covered_by: tuple[Reference, ...] = Field(default=(), description="References such as competency:empathy.")
    elsewhere: Text | None = Field(
        default=None, description="What covers it outside the content, e.g. a command; for claims about the method."
    )


class TraceabilityFile(Record):
    """The file ``traceability.yaml``."""

    schema_id: Literal["talentassess/traceability/1"] = Field(
        alias="schema", description="Kind and version of this file."
    )
    sources: tuple[ClaimSource, ...] = Field(min_length=1, description="The texts the content answers to.")
    claims: tuple[SourceClaim, ...] = Field(min_length=1, description="What they ask for.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        known = [source.id for source in self.sources]
        problems = repeats("source", known) + repeats("claim", [claim.id for claim in self.claims])
        problems += [
            f"claim '{claim.id}', source: there is no source '{claim.source}'; {choices(claim.source, known)}"
            for claim in self.claims
            if claim.source not in known
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self


@dataclass(frozen=True, slots=True)
class Cover:
    """One thing that covers a claim.

    Attributes
    ----------
    source, claim, text : id of the source, id of the claim, and what it asks for.
    reference : as written, e.g. ``item:em_sj_05a``; ``elsewhere`` if it is no matter of content; empty if nothing
        covers the claim.
    found : True if the thing exists; None if things of its kind were not given, so that it was not looked up.
    wording : what the thing says; empty if it does not exist.
    """

    source: str
    claim: str
    text: str
    reference: str
    found: bool | None
    wording: str


@dataclass(frozen=True, eq=False, kw_only=True)
class Traceability(Tabular):
    """Result of ``trace_claims``.

    Attributes
    ----------
    sources : the texts the content answers to.
    covers : a row per claim and reference; one row with an empty reference for a claim that nothing covers.
    findings : claims without cover, and references to things that do not exist.
    """

    sources: tuple[ClaimSource, ...]
    covers: tuple[Cover, ...]
    findings: tuple[Finding, ...]

    def __repr__(self) -> str:
        return f"Traceability({self.summary})"

    @property
    def summary(self) -> str:
        """How many claims are covered, in words."""
        claims = {row.claim for row in self.covers}
        covered = {row.claim for row in self.covers if row.found is not False}
        return f"{len(covered)} of {len(claims)} claims of {len(self.sources)} sources are covered"

    @property
    def ok(self) -> bool:
        """True if every claim is covered and every reference that was looked up exists."""
        return not any(finding.severity is Severity.PROBLEM for finding in self.findings)

    def tables(self) -> dict[str, Columns]:
        """Return ``traceability`` (claim x reference), ``sources`` (a row each, with counts) and its findings."""
        claims = Counter(source for source, _ in {(row.source, row.claim) for row in self.covers})
        covered = Counter(source for source, _ in {(r.source, r.claim) for r in self.covers if r.found is not False})
        return {
            "traceability": {name: [getattr(row, name) for row in self.covers] for name in Cover.__slots__},
            "sources": {
                "source": [source.id for source in self.sources],
                "title": [source.title for source in self.sources],
                "claims": [claims[source.id] for source in self.sources],
                "covered": [covered[source.id] for source in self.sources],
            },
            "traceability_findings": finding_columns(self.findings),
        }


def load_claims(path: str | Path | None = None) -> TraceabilityFile:
    """Read the claims of the sources: the shipped ``traceability.yaml``, or another file.

    Raises ``ContentError`` with one line per problem if the file is missing or breaks its schema.
    """
    file = content_dir("items") / "traceability.yaml" if path is None else Path(path)
    content = read_yaml(file)
    try:
        return TraceabilityFile.model_validate(content.data)
    except ValidationError as error:
        lines = plain_problems(error, content, TraceabilityFile)
        raise ContentError(f"The file '{file.name}' cannot be used; mend it and load it again.", lines) from error


def trace_claims(claims: TraceabilityFile, known: Known) -> Traceability:
    """Resolve what covers each claim.

    Parameters
    ----------
    claims : from ``load_claims``.
    known : kind -> id -> wording of everything there is (``known_content``, joined with what an interview bank holds);
        references of a kind that is left out are not looked up, and a note says so.
    """
    covers = tuple(row for claim in claims.claims for row in _resolve(claim, known))
    return Traceability(sources=claims.sources, covers=covers, findings=tuple(_findings(covers, known)))


def known_content(competencies: CompetencyModel, banks: Iterable[ItemBank]) -> dict[str, dict[str, str]]:
    """Return kind -> id -> wording of what the competency model and item banks hold.

    Examples
    --------
    >>> from talentassess.bank.load import load_bank, load_competencies
    >>> known = known_content(load_competencies(), [load_bank("service_core")])
    >>> known["competency"]["follow_up"], sorted(known["context"])
    ('Follow-up', ['call_centre', 'corner_store', 'general'])
    """
    items = [item for bank in banks for item in bank.items if item.status != "retired"]
    needs = {item.customer_need for item in items if item.method == "situational" and item.customer_need is not None}
    return {
        "competency": {c.id: c.name for c in competencies.competencies},
        "pillar": {pillar.id: pillar.name for pillar in competencies.pillars},
        "indicator": {key: text for c in competencies.competencies for key, text in _indicators(c)},
        "context": {context: context.replace("_", " ") for context in get_args(Context)},
        "onet": {link.element_id: link.element for c in competencies.competencies for link in c.onet},
        "item": {item.id: wording_of(item) for item in items},
        "need": {need: _pairs_of(need, items) for need in get_args(CustomerNeed) if need in needs},
    }


def _indicators(competency: Competency) -> Iterator[tuple[str, str]]:
    for side in ("positive", "negative"):
        for context in get_args(Context):
            texts = getattr(getattr(competency, side), context)
            if texts:
                yield f"{competency.id}.{side}.{context}", " ".join(texts)


def _pairs_of(need: str, items: Sequence[object]) -> str:
    ids = [str(getattr(item, "id", "")) for item in items if getattr(item, "customer_need", None) == need]
    return f"paired items for the need {need}: {', '.join(ids)}"


def _resolve(claim: SourceClaim, known: Known) -> Iterator[Cover]:
    for reference in claim.covered_by:
        kind, _, label = reference.partition(":")
        wording = known.get(kind, {}).get(label)
        found = None if kind in KINDS and kind not in known else wording is not None
        yield Cover(claim.source, claim.id, claim.claim, reference, found, wording or "")
    if claim.elsewhere is not None:
        yield Cover(claim.source, claim.id, claim.claim, "elsewhere", True, claim.elsewhere)
    elif not claim.covered_by:
        yield Cover(claim.source, claim.id, claim.claim, "", False, "")


def _findings(covers: Sequence[Cover], known: Known) -> Iterator[Finding]:
    covered = {row.claim for row in covers if row.found is not False}
    for claim, text in dict.fromkeys((row.claim, row.text) for row in covers):
        if claim not in covered:
            found = f"nothing covers this claim: {text}"
            yield problem("claim_not_covered", claim, found, "Name what covers it, or write it first.")
    for row in covers:
        if row.reference and row.found is False:
            kind, _, label = row.reference.partition(":")
            allowed = choices(label, list(known.get(kind, {}))) if kind in KINDS else choices(kind, KINDS)
            found = f"the reference '{row.reference}' leads nowhere; {allowed}"
            yield problem("dangling_reference", row.claim, found, "Correct the id, or write what it should name.")
    silent = Counter(row.reference.partition(":")[0] for row in covers if row.found is None)
    if silent:
        kinds = ", ".join(f"{n} of the kind {kind}" for kind, n in silent.items())
        found = f"some references were not looked up, because nothing of their kind was given: {kinds}"
        yield note("not_looked_up", "traceability.yaml", found, "Trace the claims together with the interview bank.")
