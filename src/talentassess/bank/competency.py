"""The competency model: definitions, behavioural indicators, and links to O*NET elements."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from talentassess.bank.records import Identifier, Method, Record, Text, choices, refuse_repeats, repeats
from talentassess.core.errors import ContentError
from talentassess.core.tabular import Columns, Tabular

CompetencyId = Literal[
    "active_listening",
    "speaking",
    "reading_comprehension",
    "critical_thinking",
    "service_orientation",
    "empathy",
    "composure",
    "positive_attitude",
    "professionalism",
    "ownership",
    "dependability",
    "follow_up",
    "time_management",
    "problem_solving",
    "adaptability",
    "product_knowledge",
    "teamwork",
    "personalization",
    "procedure_adherence",
    "consultative_selling",
]

WEIGHT_TOLERANCE = 1e-6  # weights are written with two decimals; this only forgives binary fractions


class Pillar(Record):
    """A pillar of good service: a higher-order view of several competencies."""

    id: Identifier = Field(description="Short name used in the other entries.")
    name: Text = Field(description="Name as printed.")
    description: Text = Field(description="What the pillar means, in a sentence or two.")


class OnetLink(Record):
    """A link from a competency to one O*NET element."""

    element_id: Annotated[str, Field(pattern=r"^\d(\.[A-Za-z0-9]+)+$")] = Field(
        description="O*NET element id, e.g. 1.C.5.a."
    )
    element: Text = Field(description="O*NET element name.")
    weight: Annotated[float, Field(gt=0, le=1, strict=True)] = Field(
        description="Share of the element in the competency; the weights of a competency add up to 1."
    )
    rationale: Text = Field(description="One sentence: why this element stands for the competency.")


class Indicators(Record):
    """Behaviour that shows a competency (or its lack), in general and per context."""

    general: tuple[Text, ...] = Field(min_length=1, description="Behaviour in any service role.")
    corner_store: tuple[Text, ...] = Field(default=(), description="Behaviour in a small corner store.")
    call_centre: tuple[Text, ...] = Field(default=(), description="Behaviour in a busy call centre.")


class Competency(Record):
    """A competency: definition, behavioural indicators, and how it is measured and mapped."""

    id: CompetencyId = Field(description="One of the fixed competency ids.")
    name: Text = Field(description="Name as printed.")
    definition: Text = Field(description="What the competency is.")
    positive: Indicators = Field(description="Behaviour that shows the competency.")
    negative: Indicators = Field(description="Behaviour that shows its lack.")
    pillars: tuple[Identifier, ...] = Field(description="Ids of the pillars the competency serves.")
    methods: tuple[Method, ...] = Field(min_length=1, description="Methods that measure it.")
    onet: tuple[OnetLink, ...] = Field(description="O*NET elements that stand for it; empty if there is none.")
    onet_note: Text | None = Field(default=None, description="How openly the mapping departs from O*NET, if it does.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        total = sum(link.weight for link in self.onet)
        if self.onet and abs(total - 1) > WEIGHT_TOLERANCE:
            raise ValueError(f"onet: the weights add up to {total:.4g}; they must add up to 1")
        refuse_repeats("onet", (link.element_id for link in self.onet))
        refuse_repeats("methods", self.methods)
        return self


class CompetencyModel(Record, Tabular):
    """The competencies and the pillars they serve (``items/competencies.yaml``)."""

    schema_id: Literal["talentassess/competencies/1"] = Field(
        alias="schema", description="Kind and version of this file."
    )
    pillars: tuple[Pillar, ...] = Field(min_length=1, description="Pillars of good service.")
    competencies: tuple[Competency, ...] = Field(min_length=1, description="Competencies, in the order they are shown.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        known = [pillar.id for pillar in self.pillars]
        problems = repeats("pillar", known) + repeats("competency", [c.id for c in self.competencies])
        problems += [
            f"competency '{c.id}', pillars: there is no pillar '{pillar}'; {choices(pillar, known)}"
            for c in self.competencies
            for pillar in c.pillars
            if pillar not in known
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def __repr__(self) -> str:
        return f"CompetencyModel({len(self.competencies)} competencies, {len(self.pillars)} pillars)"

    __str__ = __repr__

    @property
    def ids(self) -> tuple[str, ...]:
        """The competency ids, in order."""
        return tuple(competency.id for competency in self.competencies)

    def competency(self, competency_id: str) -> Competency:
        """Return one competency; an unknown id raises ``ContentError`` and names the near ones."""
        for competency in self.competencies:
            if competency.id == competency_id:
                return competency
        raise ContentError(f"There is no competency '{competency_id}'; {choices(competency_id, self.ids)}.")

    def onet_weights(self) -> dict[str, tuple[tuple[str, float], ...]]:
        """Return competency id -> its O*NET links as (element id, weight)."""
        return {c.id: tuple((link.element_id, link.weight) for link in c.onet) for c in self.competencies}

    def tables(self) -> dict[str, Columns]:
        """Return ``competencies`` (a row each) and ``onet`` (a row per link)."""
        links = [(c.id, link) for c in self.competencies for link in c.onet]
        return {
            "competencies": {
                "competency": list(self.ids),
                "name": [c.name for c in self.competencies],
                "definition": [c.definition for c in self.competencies],
                "pillars": [", ".join(c.pillars) for c in self.competencies],
                "methods": [", ".join(c.methods) for c in self.competencies],
            },
            "onet": {
                "competency": [competency for competency, _ in links],
                "element_id": [link.element_id for _, link in links],
                "element": [link.element for _, link in links],
                "weight": [link.weight for _, link in links],
                "rationale": [link.rationale for _, link in links],
            },
        }
