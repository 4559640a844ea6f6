"""Shared caveat sentences, kept as content in reports/wording.json so that all reports say them in the same words."""

from __future__ import annotations

import json
from functools import cache
from string import Formatter

from talentassess.content import content_dir
from talentassess.core.errors import ReportError


@cache
def _sentences() -> dict[str, str]:
    path = content_dir("reports") / "wording.json"
    found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))["caveats"]
    return found


def caveat_names() -> tuple[str, ...]:
    """Return the names of all shared caveats."""
    return tuple(_sentences())


def caveat(name: str, **values: str | int | float) -> str:
    """Return a shared caveat sentence with its gaps filled.

    Parameters
    ----------
    name : one of ``caveat_names()``.
    **values : text or number for each gap of the sentence, ready to print.

    Raises
    ------
    ReportError : unknown name, or a gap without a value.

    Examples
    --------
    >>> caveat("convenience_norms", population="retail hires", n="2,250")[:46]
    'The norms describe 2,250 persons (retail hires'
    """
    sentences = _sentences()
    if name not in sentences:
        raise ReportError(f"There is no caveat '{name}'. Choose one of: {', '.join(sentences)}.")
    gaps = {gap for _, gap, _, _ in Formatter().parse(sentences[name]) if gap}
    wrong = sorted(gaps ^ set(values))
    if wrong:
        needs = ", ".join(sorted(gaps)) or "no values"
        raise ReportError(f"The caveat '{name}' needs {needs}; given: {', '.join(sorted(values)) or 'none'}.")
    return sentences[name].format(**values)
