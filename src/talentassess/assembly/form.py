"""A forced-choice form: blocks of statements to be put in order, with the audit of its design."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import combinations
from pathlib import Path

import numpy as np

from talentassess.core.errors import ContentError
from talentassess.core.files import write_whole
from talentassess.core.provenance import hash_json
from talentassess.core.status import Finding, finding_columns
from talentassess.core.tabular import Columns, Tabular

SCHEMA = "talentassess/forced_choice/1"
LOADED = ("bank", "bank_hash", "desirability_source", "optimal", "gap", "options", "created")


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement as it stands in a block: its item id, scale, wording, keyed direction and desirability 1 to 5."""

    item: str
    scale: str
    text: str
    reverse: bool
    desirability: float


@dataclass(frozen=True, slots=True)
class ForcedChoiceBlock:
    """Three statements from three scales; the answer is which is most and which is least like the person.

    Attributes
    ----------
    id : b001, b002 ..., also the start of its two answer columns (``b001_most``, ``b001_least``).
    statements : in the order they are printed.
    """

    id: str
    statements: tuple[Statement, ...]

    @property
    def spread(self) -> float:
        """Range of desirability within the block, in points."""
        values = [s.desirability for s in self.statements]
        return max(values) - min(values)

    @property
    def mixed(self) -> bool:
        """True if the statements are not all keyed in the same direction."""
        return len({s.reverse for s in self.statements}) > 1


@dataclass(frozen=True, eq=False, kw_only=True)
class ForcedChoiceForm(Tabular):
    """A form made by ``build_forced_choice``.

    Attributes
    ----------
    bank : id and version of the bank.
    bank_hash : its content hash.
    scales : ids, in the order of the bank.
    blocks : in the order they are printed.
    desirability_source : whose judgement of desirability the blocks are matched on.
    optimal : True if the solver proved that no form has a smaller mean spread; else ``gap`` says how far it may be.
    gap : relative gap between the form found and the bound proved.
    findings : what to know before the form is used.
    options : the settings it was built with. created : UTC date and time, ISO 8601.
    """

    bank: str
    bank_hash: str
    scales: tuple[str, ...]
    blocks: tuple[ForcedChoiceBlock, ...]
    desirability_source: str
    optimal: bool
    gap: float
    findings: tuple[Finding, ...]
    options: Mapping[str, str] = field(default_factory=dict)
    created: str = ""

    def __repr__(self) -> str:
        spread = np.mean([block.spread for block in self.blocks])
        return (
            f"ForcedChoiceForm({self.bank}: {len(self.blocks)} blocks of 3 from {len(self.scales)} scales, mean "
            f"desirability spread {spread:.2f} points)"
        )

    @property
    def form_hash(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 of the blocks and their wording."""
        return hash_json([asdict(block) for block in self.blocks])

    def tables(self) -> dict[str, Columns]:
        """Return ``statements`` (a row each), ``blocks``, ``scales``, ``pairs`` of scales that meet, ``findings``."""
        rows = [(block, place, s) for block in self.blocks for place, s in enumerate(block.statements, start=1)]
        return {
            "statements": {
                "block": [block.id for block, _, _ in rows],
                "place": [place for _, place, _ in rows],
                "item": [s.item for _, _, s in rows],
                "scale": [s.scale for _, _, s in rows],
                "keyed": ["-" if s.reverse else "+" for _, _, s in rows],
                "desirability": [s.desirability for _, _, s in rows],
                "text": [s.text for _, _, s in rows],
            },
            "blocks": {
                "block": [block.id for block in self.blocks],
                "scales": [", ".join(s.scale for s in block.statements) for block in self.blocks],
                "keyed": ["".join("-" if s.reverse else "+" for s in block.statements) for block in self.blocks],
                "desirability_spread": [block.spread for block in self.blocks],
            },
            "scales": self._scale_columns(),
            "pairs": self._pair_columns(),
            "findings": finding_columns(self.findings),
        }

    def _scale_columns(self) -> Columns:
        shown = [s for block in self.blocks for s in block.statements]
        return {
            "scale": list(self.scales),
            "statements": [sum(s.scale == scale for s in shown) for scale in self.scales],
            "reverse_keyed": [sum(s.scale == scale and s.reverse for s in shown) for scale in self.scales],
        }

    def _pair_columns(self) -> Columns:
        met = Counter(
            frozenset((a.scale, b.scale)) for block in self.blocks for a, b in combinations(block.statements, 2)
        )
        pairs = list(combinations(self.scales, 2))
        return {
            "scale": [a for a, _ in pairs],
            "with": [b for _, b in pairs],
            "blocks": [met[frozenset(pair)] for pair in pairs],
        }

    def save(self, path: str | Path) -> Path:
        """Write the form as JSON with its schema and content hash; return the path."""
        content: dict[str, object] = {"schema": SCHEMA, "form_hash": self.form_hash}
        content |= {name: getattr(self, name) for name in ("bank", "bank_hash", "scales", "desirability_source")}
        content |= {
            "options": dict(self.options),
            "created": self.created,
            "optimal": self.optimal,
            "gap": self.gap,
            "blocks": [asdict(block) for block in self.blocks],
        }
        content["findings"] = [{**asdict(f), "severity": f.severity.name} for f in self.findings]
        return write_whole(Path(path), json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def load_forced_choice(path: str | Path) -> ForcedChoiceForm:
    """Read a form saved by ``ForcedChoiceForm.save``.

    Raises
    ------
    ContentError : the file is not such a form, or its blocks were changed after it was saved.
    """
    from talentassess.core.status import Severity

    file = Path(path)
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content.get("schema") != SCHEMA:
            raise ContentError(f"'{file.name}' is no forced-choice form: its schema is {content.get('schema')!r}.")
        blocks = tuple(
            ForcedChoiceBlock(b["id"], tuple(Statement(**s) for s in b["statements"])) for b in content["blocks"]
        )
        form = ForcedChoiceForm(
            **{name: content[name] for name in LOADED},
            scales=tuple(content["scales"]),
            blocks=blocks,
            findings=tuple(Finding(**{**f, "severity": Severity[f["severity"]]}) for f in content["findings"]),
        )
    except FileNotFoundError:
        raise ContentError(f"There is no file '{file.name}' in '{file.parent.name or '.'}'.") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        remedy = "Give the .json file that was written when the form was built."
        raise ContentError(f"'{file.name}' cannot be read as a forced-choice form ({error}). {remedy}") from error
    if form.form_hash != content.get("form_hash"):
        raise ContentError(f"The blocks of '{file.name}' were changed after it was saved; build and save it again.")
    return form
