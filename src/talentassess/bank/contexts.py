"""Role contexts: which competencies count for more, or for less, where the same occupation is practised."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from talentassess.bank.competency import CompetencyId
from talentassess.bank.records import Context, Record, Text, choices, refuse_repeats
from talentassess.core.errors import ContentError


class Emphasis(Record):
    """How much more, or less, a competency counts in a context than in the occupation at large."""

    competency: CompetencyId = Field(description="Its id.")
    factor: Annotated[float, Field(ge=0.2, le=5)] = Field(
        description="The competency's weight in the role is multiplied by this; 1 leaves it as O*NET has it."
    )
    rationale: Text = Field(description="One sentence: why it counts for more or less here.")


class RoleContext(Record):
    """A setting in which customers are served."""

    id: Context = Field(description="general, corner_store or call_centre.")
    name: Text = Field(description="Name as printed.")
    description: Text = Field(description="What work there is like, in a sentence or two.")
    emphasis: tuple[Emphasis, ...] = Field(default=(), description="The competencies whose weight changes.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        refuse_repeats("emphasis", (entry.competency for entry in self.emphasis))
        return self

    @property
    def factors(self) -> dict[str, float]:
        """Competency -> factor on its weight."""
        return {entry.competency: entry.factor for entry in self.emphasis}


class RoleContexts(Record):
    """The file ``contexts.yaml``."""

    schema_id: Literal["talentassess/contexts/1"] = Field(alias="schema", description="Kind and version of this file.")
    source: Text = Field(description="Whose judgement the factors are, e.g. rational (authors).")
    contexts: tuple[RoleContext, ...] = Field(min_length=1, description="The role contexts.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        refuse_repeats("contexts", (context.id for context in self.contexts))
        return self

    def context(self, context_id: str) -> RoleContext:
        """Return one context; an unknown id raises ``ContentError`` with the near ones."""
        for context in self.contexts:
            if context.id == context_id:
                return context
        known = [context.id for context in self.contexts]
        raise ContentError(f"There is no role context '{context_id}'; {choices(context_id, known)}.")
