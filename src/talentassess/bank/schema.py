"""What an item bank may hold: scales, items and their keys, checked as they are read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, StrictBool, StrictInt, model_validator

from talentassess.bank.card import BankCard
from talentassess.bank.evidence import PanelEvidence, without_absent_evidence
from talentassess.bank.records import Code, Context, Identifier, Record, Text, choices, refuse_repeats, repeats
from talentassess.core.errors import ContentError
from talentassess.core.provenance import hash_json
from talentassess.core.tabular import Columns, Tabular

Format = Literal["pick_best", "most_least", "rate_each", "rank"]
ItemStatus = Literal["draft", "reviewed", "piloted", "operational", "retired", "external"]
CustomerNeed = Literal["urgent", "browsing", "speed", "empathy"]
Effectiveness = Annotated[float, Field(ge=1, le=5, strict=True)]

STATUSES = "draft, reviewed, piloted, operational, retired, or external (not ours)."
RELEVANCE_PANEL = "What experts said of its relevance to the competency; null if none were asked."
OPPOSITE_NEED = {"urgent": "browsing", "browsing": "urgent", "speed": "empathy", "empathy": "speed"}


class SelfReportItem(Record):
    """A statement that people answer about themselves on a response scale."""

    id: Identifier = Field(description="Unique in the bank.")
    scale: Identifier = Field(description="Id of its scale.")
    text: Text | None = Field(description="The statement; null only with status external (wording not published).")
    reverse: StrictBool = Field(description="True if agreeing means less of what the scale measures.")
    responses: Identifier = Field(description="Id of its response scale in bank.yaml.")
    indicator: Text | None = Field(default=None, description="The behavioural indicator it shows.")
    desirability: Effectiveness | None = Field(
        default=None, description="How good it looks to agree, as its authors judge: 1 (very bad) to 5 (very good)."
    )
    status: ItemStatus = Field(description=STATUSES)
    version: Annotated[StrictInt, Field(ge=1)] = Field(description="Goes up with every change of wording or key.")
    codes: tuple[Code, ...] | None = Field(
        default=None, description="Codes used in data files, from the low to the high label; 1..K if left out."
    )
    column: Text | None = Field(default=None, description="Column in data files; the id if left out.")
    relevance_panel: PanelEvidence | None = Field(default=None, description=RELEVANCE_PANEL)

    @model_validator(mode="after")
    def _check(self) -> Self:
        _refuse_missing_wording("text", self.text, self.status)
        refuse_repeats("codes", self.codes or ())
        return self

    @property
    def method(self) -> Literal["self_report"]:
        """How the item measures: ``self_report``."""
        return "self_report"

    @property
    def answer_columns(self) -> dict[str, str]:
        """The data column of its one answer: {"answer": column}."""
        return {"answer": self.column or self.id}

    @property
    def seconds_column(self) -> str:
        """The data column of its response time."""
        return f"{self.id}_seconds"


class Option(Record):
    """One thing a person could do in a situational item."""

    id: Annotated[str, Field(pattern=r"^[a-z]$")] = Field(description="a, b, c ...")
    text: Text | None = Field(description="The option; null only with status external (wording not published).")
    effectiveness: Effectiveness | None = Field(description="The key: 1 (harmful) to 5 (best); null if not keyed.")
    effectiveness_se: Annotated[float, Field(ge=0, strict=True)] | None = Field(
        default=None, description="Standard error of the effectiveness over experts, if a panel set the key."
    )
    in_context: Mapping[Context, Effectiveness] = Field(
        default={}, description="The key where it differs in a role context; only in items of the context general."
    )
    indicator: Text | None = Field(default=None, description="The behavioural indicator it shows.")
    rationale: Text | None = Field(default=None, description="Why it is as effective as the key says, in one line.")


class SituationalItem(Record):
    """A scenario with four or five things one could do; the key is the effectiveness of each."""

    id: Identifier = Field(description="Unique in the bank.")
    scale: Identifier = Field(description="Id of its scale.")
    context: Context = Field(description="The role context of the scenario.")
    format: Format = Field(description="How it is answered: pick_best, most_least, rate_each or rank.")
    scenario: Text | None = Field(description="The situation; null only with status external (wording not published).")
    options: tuple[Option, ...] = Field(min_length=4, max_length=5, description="What one could do.")
    customer_need: CustomerNeed | None = Field(
        default=None, description="What this customer needs: urgent or browsing, speed or empathy; only with pair."
    )
    pair: Identifier | None = Field(
        default=None, description="The paired version: the same options for a customer with the opposite need."
    )
    key_source: Text | None = Field(description="Where the key comes from, e.g. rational (authors); null if not keyed.")
    key_panel: PanelEvidence | None = Field(
        default=None, description="The experts whose ratings are the key; null if it comes from elsewhere."
    )
    relevance_panel: PanelEvidence | None = Field(default=None, description=RELEVANCE_PANEL)
    status: ItemStatus = Field(description=STATUSES)
    version: Annotated[StrictInt, Field(ge=1)] = Field(description="Goes up with every change of wording or key.")
    columns: Mapping[str, Text] | None = Field(
        default=None,
        description="Columns in data files: choice (pick_best), most and least (most_least), option ids (rate_each, "
        "rank), seconds. Those left out have their default names.",
    )
    codes: tuple[Code, ...] | None = Field(
        default=None,
        description="How a chosen option is coded in data files, in option order; the option ids if left out.",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        _refuse_missing_wording("scenario", self.scenario, self.status)
        for option in self.options:
            _refuse_missing_wording(f"option '{option.id}', text", option.text, self.status)
        refuse_repeats("options", self.option_ids)
        refuse_repeats("codes", self.codes or ())
        if self.codes is not None and len(self.codes) != len(self.options):
            raise ValueError(
                f"codes: found {len(self.codes)} codes for {len(self.options)} options; give one per option"
            )
        if self.codes is not None and self.format in ("rate_each", "rank"):
            raise ValueError(f"codes: they stand for a chosen option; the format {self.format} has a number per option")
        self._check_columns()
        self._check_key()
        self._check_context()
        return self

    def _check_context(self) -> None:
        fitted = [option for option in self.options if option.in_context]
        if fitted and self.context != "general":
            raise ValueError(
                f"in_context: found at option '{fitted[0].id}' of an item for {self.context}; only an item of the "
                "context general has keys for other contexts"
            )
        for option in fitted:
            if option.effectiveness is None or "general" in option.in_context:
                raise ValueError(
                    f"option '{option.id}', in_context: it changes the key in corner_store or call_centre; the general "
                    "key stands in effectiveness"
                )
        if (self.pair is None) != (self.customer_need is None):
            raise ValueError("pair and customer_need: found one of the two; a paired version needs both")

    def _check_columns(self) -> None:
        allowed = (*self.answer_parts, "seconds")
        unknown = [name for name in self.columns or () if name not in allowed]
        if unknown:
            raise ValueError(f"columns: found '{unknown[0]}'; the format {self.format} has: {', '.join(allowed)}")

    def _check_key(self) -> None:
        given = [option.id for option in self.options if option.effectiveness is not None]
        if given and len(given) < len(self.options):
            without = ", ".join(option.id for option in self.options if option.effectiveness is None)
            found = f"{', '.join(given)} with an effectiveness, {without} without"
            raise ValueError(f"options: found {found}; key all options or none")
        if given and self.key_source is None:
            raise ValueError("key_source: found none, but the options are keyed; say where the key comes from")
        if not given and self.key_source is not None:
            raise ValueError(
                f"key_source: found '{self.key_source}', but no option has an effectiveness; key them or write null"
            )
        if given and len(set(self.effectiveness)) == 1:
            raise ValueError(
                f"options: all have effectiveness {self.effectiveness[0]:g}; at least two levels are needed"
            )

    @property
    def method(self) -> Literal["situational"]:
        """How the item measures: ``situational``."""
        return "situational"

    def for_context(self, context: Context) -> SituationalItem:
        """Return the item with the key that holds in a role context."""
        options = (
            o.model_copy(update={"effectiveness": o.in_context.get(context, o.effectiveness)}) for o in self.options
        )
        return self.model_copy(update={"options": tuple(options)})

    @property
    def keyed(self) -> bool:
        """True if every option has its effectiveness."""
        return self.key_source is not None

    @property
    def option_ids(self) -> tuple[str, ...]:
        """The option ids, in order."""
        return tuple(option.id for option in self.options)

    @property
    def effectiveness(self) -> tuple[float, ...]:
        """The key in option order; empty if the item is not keyed."""
        return tuple(float(o.effectiveness) for o in self.options if o.effectiveness is not None)

    @property
    def answer_parts(self) -> tuple[str, ...]:
        """What is answered: one choice, most and least, or one value per option."""
        parts = {"pick_best": ("choice",), "most_least": ("most", "least")}
        return parts.get(self.format, self.option_ids)

    @property
    def answer_columns(self) -> dict[str, str]:
        """The data column of each part of the answer, in the order of ``answer_parts``."""
        given = self.columns or {}
        default = {part: self.id if part == "choice" else f"{self.id}_{part}" for part in self.answer_parts}
        return {part: given.get(part, name) for part, name in default.items()}

    @property
    def seconds_column(self) -> str:
        """The data column of its response time."""
        return (self.columns or {}).get("seconds", f"{self.id}_seconds")


Item = SelfReportItem | SituationalItem


class SelfReportFile(Record):
    """The file ``self_report.yaml``."""

    schema_id: Literal["talentassess/self_report/1"] = Field(
        alias="schema", description="Kind and version of this file."
    )
    items: tuple[SelfReportItem, ...] = Field(min_length=1, description="The self-report items.")


class SituationalFile(Record):
    """The file ``sjt.yaml``."""

    schema_id: Literal["talentassess/situational/1"] = Field(
        alias="schema", description="Kind and version of this file."
    )
    items: tuple[SituationalItem, ...] = Field(min_length=1, description="The situational items.")


class ItemBank(BankCard, Tabular):
    """A bank of items with their scales, response scales and keys; made by ``load_bank``.

    Raises ``ContentError`` where items, scales and response scales do not fit together.
    """

    self_report: tuple[SelfReportItem, ...] = Field(default=(), description="The self-report items.")
    situational: tuple[SituationalItem, ...] = Field(default=(), description="The situational items.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        found = misfits(self, (*self.self_report, *self.situational))
        if found:
            raise ContentError(f"The parts of the bank '{self.id}' do not fit together.", [str(m) for m in found])
        return self

    def __repr__(self) -> str:
        unkeyed = sum(not item.keyed for item in self.situational)
        note = f", {unkeyed} without a key" if unkeyed else ""
        return (
            f"ItemBank({self.id} {self.version}, {len(self.scales)} scales, {len(self.self_report)} self-report + "
            f"{len(self.situational)} situational items{note})"
        )

    __str__ = __repr__

    @property
    def items(self) -> tuple[Item, ...]:
        """All items by scale (in the order of the scales), self-report first, else as in the files."""
        rank = {scale: position for position, scale in enumerate(self.scale_ids)}
        both: tuple[Item, ...] = (*self.self_report, *self.situational)
        return tuple(sorted(both, key=lambda item: rank[item.scale]))

    @property
    def item_ids(self) -> tuple[str, ...]:
        """The ids of ``items``."""
        return tuple(item.id for item in self.items)

    @property
    def scale_ids(self) -> tuple[str, ...]:
        """The scale ids, in the order of the scores."""
        return tuple(scale.id for scale in self.scales)

    @property
    def content_hash(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 of everything the bank says, keys included."""
        return hash_json(without_absent_evidence(self.model_dump(mode="json", by_alias=True)))

    def item(self, item_id: str) -> Item:
        """Return one item; an unknown id raises ``ContentError`` and names the near ones."""
        for item in self.items:
            if item.id == item_id:
                return item
        raise ContentError(f"The bank '{self.id}' has no item '{item_id}'; {choices(item_id, self.item_ids)}.")

    def for_context(self, context: Context) -> ItemBank:
        """Return the bank for use in one role context.

        Situational items of the other context are left out; general ones stay and take the keys that hold in this
        context (``Option.in_context``). Self-report statements are the same everywhere.

        Examples
        --------
        >>> from talentassess.bank.load import load_bank
        >>> bank = load_bank("service_core").for_context("call_centre")
        >>> sorted({item.context for item in bank.situational})
        ['call_centre', 'general']
        """
        if context not in get_args(Context):
            raise ContentError(f"There is no role context '{context}'; {choices(context, get_args(Context))}.")
        kept = (item.for_context(context) for item in self.situational if item.context in ("general", context))
        return self.model_copy(update={"situational": tuple(kept)})

    def n_cat(self, item_id: str) -> int:
        """Return the number of keyed score categories an item declares.

        An unknown item, or one whose number depends on a key it does not have, raises ``ContentError``.
        """
        item = self.item(item_id)
        if isinstance(item, SelfReportItem):
            return len(self.response_scales[item.responses])
        count = situational_categories(item)
        if count is None:
            raise ContentError(
                f"Item '{item_id}' ({item.format}) has no key, so its number of score categories is not known. "
                "Derive a key with ta.derive_keys(answers, bank), or write an effectiveness for each option."
            )
        return count

    def tables(self) -> dict[str, Columns]:
        """Return ``items`` (a row each), ``options`` (a row per option of a situational item) and ``scales``."""
        return {"items": _item_columns(self), "options": _option_columns(self), "scales": _scale_columns(self)}


def situational_categories(item: SituationalItem) -> int | None:
    """Return the number K of keyed score categories, None if it depends on a key that is not there.

    pick_best: number of distinct effectiveness levels. most_least: 5 (points -2..2). rate_each: options + 1.
    rank: option pairs not tied in the key + 1.
    """
    if item.format == "most_least":
        return 5
    if item.format == "rate_each":
        return len(item.options) + 1
    if not item.keyed:
        return None
    if item.format == "pick_best":
        return len(set(item.effectiveness))
    n, tied = len(item.options), Counter(item.effectiveness).values()
    return n * (n - 1) // 2 - sum(m * (m - 1) // 2 for m in tied) + 1


@dataclass(frozen=True, slots=True)
class Misfit:
    """One place where the parts of a bank do not fit together.

    Attributes
    ----------
    item : id of the item concerned; empty if it is the bank itself.
    field : the field concerned.
    message : what was found and what is allowed.
    """

    item: str
    field: str
    message: str

    def __str__(self) -> str:
        return f"item '{self.item}', {self.field}: {self.message}" if self.item else f"{self.field}: {self.message}"


def misfits(card: BankCard, items: Sequence[Item]) -> list[Misfit]:
    """List where items do not fit the scales and response scales of their bank, or each other."""
    found = [Misfit("", "scales", line) for line in repeats("scale", [scale.id for scale in card.scales])]
    if not items:
        found.append(Misfit("", "items", "there are none; give self_report.yaml, sjt.yaml or both"))
    counts = Counter(item.id for item in items)
    found += [Misfit(i, "id", f"occurs {n} times; each id may occur once") for i, n in counts.items() if n > 1]
    for item in items:
        found += _scale_misfits(card, item)
    return found + _column_misfits(items)


def _scale_misfits(card: BankCard, item: Item) -> list[Misfit]:
    scales = [scale.id for scale in card.scales]
    found: list[Misfit] = []
    if item.scale not in scales:
        found.append(Misfit(item.id, "scale", f"there is no scale '{item.scale}'; {choices(item.scale, scales)}"))
    if isinstance(item, SelfReportItem):
        labels = card.response_scales.get(item.responses)
        if labels is None:
            allowed = choices(item.responses, list(card.response_scales))
            found.append(Misfit(item.id, "responses", f"there is no response scale '{item.responses}'; {allowed}"))
        elif item.codes is not None and len(item.codes) != len(labels):
            count = f"found {len(item.codes)} codes; the response scale '{item.responses}' has {len(labels)} labels"
            found.append(Misfit(item.id, "codes", f"{count}; give one code per label"))
    return found


def _column_misfits(items: Sequence[Item]) -> list[Misfit]:
    first: dict[str, str] = {}
    found: list[Misfit] = []
    for item in items:
        field = "column" if isinstance(item, SelfReportItem) else "columns"
        for column in (*item.answer_columns.values(), item.seconds_column):
            owner = first.setdefault(column, item.id)
            if owner != item.id:
                found.append(Misfit(item.id, field, f"'{column}' is already read by item '{owner}'"))
        if len(set(item.answer_columns.values())) < len(item.answer_columns):
            found.append(Misfit(item.id, field, "two parts of the answer share a column; each needs its own"))
    return found


def _refuse_missing_wording(name: str, text: str | None, status: ItemStatus) -> None:
    if text is None and status != "external":
        raise ValueError(f"{name}: found null with status {status}; null is allowed only with status external")


def _item_columns(bank: ItemBank) -> Columns:
    rows = [
        _statement_row(bank, item) if isinstance(item, SelfReportItem) else _situational_row(item)
        for item in bank.items
    ]
    return {name: [row[name] for row in rows] for name in rows[0]}


def _statement_row(bank: ItemBank, item: SelfReportItem) -> dict[str, object]:
    return {
        "item": item.id,
        "scale": item.scale,
        "method": item.method,
        "context": None,
        "format": item.responses,
        "categories": bank.n_cat(item.id),
        "key": "reversed" if item.reverse else "as given",
        "status": item.status,
        "version": item.version,
        "text": item.text,
    }


def _situational_row(item: SituationalItem) -> dict[str, object]:
    return {
        "item": item.id,
        "scale": item.scale,
        "method": item.method,
        "context": item.context,
        "format": item.format,
        "categories": situational_categories(item),
        "key": item.key_source,
        "status": item.status,
        "version": item.version,
        "text": item.scenario,
    }


def _option_columns(bank: ItemBank) -> Columns:
    pairs = [(item, option) for item in bank.items if isinstance(item, SituationalItem) for option in item.options]
    return {
        "item": [item.id for item, _ in pairs],
        "option": [option.id for _, option in pairs],
        "effectiveness": [option.effectiveness for _, option in pairs],
        "key_source": [item.key_source for item, _ in pairs],
        "text": [option.text for _, option in pairs],
        "indicator": [option.indicator for _, option in pairs],
        "rationale": [option.rationale for _, option in pairs],
    }


def _scale_columns(bank: ItemBank) -> Columns:
    return {
        "scale": list(bank.scale_ids),
        "name": [scale.name for scale in bank.scales],
        "competency": [scale.competency for scale in bank.scales],
        "self_report": [sum(item.scale == scale for item in bank.self_report) for scale in bank.scale_ids],
        "situational": [sum(item.scale == scale for item in bank.situational) for scale in bank.scale_ids],
    }
