"""Find the shipped content folders: in the installed package first, then at the root of the checkout."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Literal, get_args

from talentassess.core.errors import ContentError

Kind = Literal["items", "norms", "reports", "data"]

# Where a kind stands in a checkout, seen from its root; the wheel carries all of them beside this file.
_IN_CHECKOUT = {"items": "items", "norms": "norms", "reports": "reports", "data": "analysis/data"}


def content_dir(kind: Kind) -> Path:
    """Return the folder that holds one kind of shipped content.

    Parameters
    ----------
    kind : ``items`` (competencies, banks), ``norms`` (norm tables, occupations), ``reports`` (templates, wording) or
        ``data`` (example answers).

    Raises
    ------
    ContentError : the kind does not exist, or neither the package nor a checkout holds it.

    Examples
    --------
    >>> content_dir("items").name
    'items'
    """
    if kind not in get_args(Kind):
        raise ContentError(f"There is no content of the kind '{kind}'; choose one of: {', '.join(get_args(Kind))}.")
    for place in _places(kind):
        if place.is_dir():
            return place
    raise ContentError(
        f"The content folder '{kind}' was found neither in the installed package (talentassess/content/{kind}) nor at "
        f"the root of a checkout ({_IN_CHECKOUT[kind]}/ beside pyproject.toml). Install talentassess again from its "
        "wheel, or run it from a complete checkout."
    )


def _places(kind: Kind) -> list[Path]:
    """List the folders to look in, in order; the checkout counts only if its pyproject.toml is where it should be."""
    package = Path(str(files("talentassess.content")))
    root = package.parents[2]
    in_checkout = [root / _IN_CHECKOUT[kind]] if (root / "pyproject.toml").is_file() else []
    return [package / kind, *in_checkout]
