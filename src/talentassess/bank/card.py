"""The card of an item bank: who wrote it, its scales and its response scales."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from talentassess.bank.competency import CompetencyId
from talentassess.bank.records import Identifier, Record, Text, refuse_repeats


class Scale(Record):
    """A scale of a bank: what its items are added up to."""

    id: Identifier = Field(description="Short name used by the items.")
    name: Text = Field(description="Name as printed.")
    competency: CompetencyId | None = Field(
        description="The competency it measures; null outside the competency model."
    )


class Card(Record):
    """What the card of every bank says: what it is, its version, its licence and who wrote it."""

    id: Identifier = Field(description="Short name of the bank, the same as its folder.")
    title: Text = Field(description="Title as printed.")
    description: Text = Field(description="What the bank measures, for whom, and its limits.")
    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")] = Field(description="Version as major.minor.patch.")
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]+)*$")] = Field(
        description="Language tag, e.g. en."
    )
    licence: Text = Field(description="Licence of the wording, as an SPDX identifier where there is one.")
    authors: tuple[Text, ...] = Field(min_length=1, description="Who wrote the items.")


class BankCard(Card):
    """What ``bank.yaml`` says about a bank: who wrote it, its scales and its response scales."""

    schema_id: Literal["talentassess/bank/1"] = Field(alias="schema", description="Kind and version of this file.")
    scales: tuple[Scale, ...] = Field(min_length=1, description="The scales; their order is the order of the scores.")
    response_scales: Mapping[Identifier, Annotated[tuple[Text, ...], Field(min_length=2, max_length=11)]] = Field(
        default={}, description="Response scales of the self-report items: labels from low to high."
    )
    part_of: Identifier | None = Field(
        default=None, description="The bank beside this one that holds the items; null if they are in this folder."
    )
    selection: tuple[Identifier, ...] = Field(
        default=(), description="With part_of: the ids of the items taken from that bank, in their order."
    )

    @model_validator(mode="after")
    def _check_selection(self) -> Self:
        if bool(self.selection) != (self.part_of is not None):
            raise ValueError("part_of and selection: found one of the two; a bank taken from another one needs both")
        refuse_repeats("selection", self.selection)
        return self
