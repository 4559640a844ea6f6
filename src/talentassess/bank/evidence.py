"""What a panel of subject-matter experts said about an item: kept on the item, beside its key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictInt

from talentassess.bank.records import Record

KeyStatistic = Literal["mean", "median", "mode"]
Share = Annotated[float, Field(ge=0, le=1, strict=True)]

EVIDENCE_FIELDS = ("key_panel", "relevance_panel", "effectiveness_se")


class PanelEvidence(Record):
    """One panel's judgement of an item: how many experts, and how far they agree."""

    experts: Annotated[StrictInt, Field(ge=1)] = Field(description="Experts whose ratings it rests on.")
    statistic: KeyStatistic | None = Field(
        default=None, description="What the key is of the ratings: mean, median or mode; null for relevance."
    )
    rwg: Share | None = Field(
        default=None, description="Within-group agreement on effectiveness, mean of the options, uniform null; 0 to 1."
    )
    icc: Annotated[float, Field(le=1, strict=True)] | None = Field(
        default=None, description="ICC(2,k): reliability of the panel's mean over the options."
    )
    cvi: Share | None = Field(default=None, description="I-CVI: share of experts who find the item relevant.")
    cvr: Annotated[float, Field(ge=-1, le=1, strict=True)] | None = Field(
        default=None, description="CVR: content validity ratio of the experts who find it essential, -1 to 1."
    )
    collected: Annotated[str, Field(pattern=r"^\d{4}(-\d{2}){0,2}$")] | None = Field(
        default=None, description="When the ratings were given: YYYY, YYYY-MM or YYYY-MM-DD."
    )
    ratings: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")] | None = Field(
        default=None, description="Hash of the ratings, to find them again."
    )
    simulated: StrictBool = Field(default=False, description="True if the experts were SIMULATED: no evidence then.")


def without_absent_evidence(content: object) -> object:
    """Return a dumped bank without evidence fields that are null.

    A bank that no panel has seen keeps the content hash it had before there were such fields: results and workbooks
    that name the hash stay tied to it.

    Examples
    --------
    >>> without_absent_evidence({"items": [{"id": "q1", "key_panel": None, "text": None}]})
    {'items': [{'id': 'q1', 'text': None}]}
    """
    if isinstance(content, Mapping):
        return {
            name: without_absent_evidence(value)
            for name, value in content.items()
            if value is not None or name not in EVIDENCE_FIELDS
        }
    return [without_absent_evidence(value) for value in content] if isinstance(content, list) else content
