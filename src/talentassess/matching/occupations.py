"""The occupation pack: how important each O*NET element is in each occupation, and how certain that figure is."""

from __future__ import annotations

import csv
import difflib
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from talentassess.content import content_dir
from talentassess.core.arrays import BoolArray, FloatArray, IntArray
from talentassess.core.errors import ArtefactError, ProfileError
from talentassess.core.tabular import Columns, Tabular

SCHEMA = "talentassess/occupations/1"
PRIOR_RATERS = 4  # half a panel of eight analysts: enough to lift an SE of 0, too little to overrule a real one
SMALL_WORDS = frozenset({"a", "all", "an", "and", "for", "in", "of", "or", "other", "the", "to"})  # in many titles
ERROR_SOURCES = ("published", "smoothed", "imputed", "unknown")


@dataclass(frozen=True, slots=True)
class Occupation:
    """One rated occupation.

    Attributes
    ----------
    code : O*NET-SOC code, e.g. ``43-4051.00``.
    title : its O*NET title.
    job_zone : 1 (little preparation) to 5 (extensive preparation); None if O*NET gives none.
    rated : when and by whom it was rated.
    """

    code: str
    title: str
    job_zone: int | None
    rated: str

    def __str__(self) -> str:
        return f"{self.code} {self.title}"


@dataclass(frozen=True, slots=True)
class Element:
    """One rated element: a skill or a work style.

    Attributes
    ----------
    id, name, domain : as in the O*NET content model.
    importance_range : lowest and highest value of the importance scale.
    level_range : the same of the level scale; None if the element has no level.
    """

    id: str
    name: str
    domain: str
    importance_range: tuple[float, float]
    level_range: tuple[float, float] | None


@dataclass(frozen=True, eq=False, kw_only=True)
class Occupations(Tabular):
    """All rated occupations of one O*NET release; O occupations, E elements.

    Attributes
    ----------
    version : O*NET release, e.g. ``29.3``.
    attribution : the line that has to stand wherever the figures are shown.
    licence, source_hash : licence of the figures; SHA-256 of the file the pack was made from.
    occupations : (O,) codes, titles, job zones, rating dates.
    elements : (E,) ids, names, domains, scale ends.
    importance : (O, E) mean rating, 1 (not important) to 5 (extremely important).
    importance_se : (O, E) its standard error after smoothing, see ``smooth_errors``.
    error_source : (O, E) position in ``ERROR_SOURCES``: 0 published, 1 smoothed, 2 imputed, 3 unknown.
    level : (O, E) mean rating 0 to 7; NaN where there is no level or O*NET marks it not relevant.
    level_se : (O, E) its standard error after the same smoothing.
    low_precision : (O, E) True where O*NET recommends to suppress the level.
    n : (O, E) number of raters; NaN unknown.
    """

    version: str
    attribution: str
    licence: str
    source_hash: str
    occupations: tuple[Occupation, ...]
    elements: tuple[Element, ...]
    importance: FloatArray
    importance_se: FloatArray
    error_source: IntArray
    level: FloatArray
    level_se: FloatArray
    low_precision: BoolArray
    n: FloatArray

    def __repr__(self) -> str:
        return (
            f"Occupations(O*NET {self.version}, {len(self.occupations)} occupations, {len(self.elements)} elements, "
            f"standard errors: {self.n_smoothed} smoothed, {self.n_imputed} imputed)"
        )

    @property
    def codes(self) -> tuple[str, ...]:
        """(O,) O*NET-SOC codes."""
        return tuple(o.code for o in self.occupations)

    @property
    def titles(self) -> tuple[str, ...]:
        """(O,) occupation titles."""
        return tuple(o.title for o in self.occupations)

    @property
    def n_smoothed(self) -> int:
        """Number of importance figures whose published standard error of 0 was smoothed."""
        return int(np.sum(self.error_source == ERROR_SOURCES.index("smoothed")))

    @property
    def n_imputed(self) -> int:
        """Number of importance figures whose standard error is not published and was imputed."""
        return int(np.sum(self.error_source == ERROR_SOURCES.index("imputed")))

    def importance_percent(self) -> tuple[FloatArray, FloatArray]:
        """Return (O, E) importance on 0-100 and its standard error, by ``to_percent`` with each element's scale."""
        low, high = np.array([e.importance_range for e in self.elements], dtype=np.float64).T
        return to_percent(self.importance, low, high), 100.0 * self.importance_se / (high - low)

    def tables(self) -> dict[str, Columns]:
        """Return ``occupations`` and ``elements`` (with how many standard errors were smoothed and imputed)."""
        counts = {name: (self.error_source == k).sum(axis=0) for k, name in enumerate(ERROR_SOURCES)}
        return {
            "occupations": {
                "code": self.codes,
                "title": self.titles,
                "job_zone": [o.job_zone for o in self.occupations],
                "rated": [o.rated for o in self.occupations],
            },
            "elements": {
                "id": [e.id for e in self.elements],
                "name": [e.name for e in self.elements],
                "domain": [e.domain for e in self.elements],
                **{f"se_{name}": count for name, count in counts.items()},
            },
        }


@cache
def load_occupations(version: str = "29.3") -> Occupations:
    """Load one release of the occupation pack, with every table checked against its card.

    Parameters
    ----------
    version : O*NET release; the pack stands in ``norms/occupations/onet_<version>``.

    Raises
    ------
    ProfileError : there is no pack of that release.
    ArtefactError : a table is missing or is not the one its card describes.

    Examples
    --------
    >>> load_occupations()
    Occupations(O*NET 29.3, 879 occupations, 51 elements, standard errors: 6913 smoothed, 3456 imputed)
    """
    return read_occupations(_pack_folder(version))


def read_occupations(folder: Path) -> Occupations:
    """Read an occupation pack from any folder that holds ``card.json`` and the tables it names.

    Raises
    ------
    ArtefactError : the card is missing or of another kind; a table is missing, altered, or its rows or columns are not
        the occupations and elements of the pack.
    """
    card = _read_card(folder)
    occupations = tuple(_occupation(row) for row in _read_rows(folder / "occupations.csv"))
    elements = tuple(_element(row) for row in _read_rows(folder / "elements.csv"))
    pack = _Pack(folder, tuple(o.code for o in occupations), elements)
    n = pack.numbers("n")
    importance, level = pack.numbers("importance"), pack.numbers("level")
    importance_se, error_source = smooth_errors(pack.numbers("importance_se"), n, importance)
    flags = pack.text("level_flag")
    level[np.char.find(flags, "N") >= 0] = np.nan
    level_se, _ = smooth_errors(pack.numbers("level_se"), n, level)
    low_precision = np.char.find(flags, "S") >= 0
    for array in (importance, importance_se, error_source, level, level_se, low_precision, n):
        array.setflags(write=False)  # the loaded pack is cached and shared
    return Occupations(
        version=str(card["version"]),
        attribution=str(card["attribution"]),
        licence=str(card["licence"]),
        source_hash=str(card["source_sha256"]),
        occupations=occupations,
        elements=elements,
        importance=importance,
        importance_se=importance_se,
        error_source=error_source,
        level=level,
        level_se=level_se,
        low_precision=low_precision,
        n=n,
    )


def to_percent(value: FloatArray, low: FloatArray | float, high: FloatArray | float) -> FloatArray:
    """Put ratings on 0 to 100: (value - low) / (high - low) * 100 (O*NET's own rule for standardised scores).

    Parameters
    ----------
    value : (...) ratings.
    low, high : ends of the rating scale, scalars or broadcastable.

    Examples
    --------
    >>> float(to_percent(np.array(3.0), 1, 5)), round(float(to_percent(np.array(5.0), 0, 7)))
    (50.0, 71)
    """
    return (value - low) / (high - low) * 100.0


def smooth_errors(se: FloatArray, n: FloatArray, value: FloatArray) -> tuple[FloatArray, IntArray]:
    """Give every published mean a usable standard error.

    Eight analysts who agree have a published standard error of 0, which would claim that a ninth could not have said
    anything else; and ratings by occupational experts are published without one. Per element, with s^2 = n SE^2 the
    variance between raters and s_pool^2 its mean over the occupations weighted by n - 1 (zeros included):

    - SE > 0: kept as published.
    - SE = 0: sqrt((n s^2 + k s_pool^2) / (n + k) / n) with s = 0 and k = 4 prior raters.
    - SE missing: sqrt(s_pool^2 / n); where n is unknown too, the root mean square of the element's published errors.

    Parameters
    ----------
    se, n, value : (O, E) standard errors, numbers of raters and means as published; NaN missing.

    Returns
    -------
    se : (O, E) float; NaN where there is no value, or where the element has no published error at all.
    source : (O, E) int, position in ``ERROR_SOURCES``.

    Examples
    --------
    >>> se, source = smooth_errors(np.array([[0.0], [0.2], [np.nan]]), np.full((3, 1), 8.0), np.ones((3, 1)))
    >>> se.round(4).ravel().tolist(), source.ravel().tolist()
    ([0.0816, 0.2, 0.1414], [1, 0, 2])
    """
    known = np.isfinite(se) & np.isfinite(n)
    freedom = np.where(known, n - 1.0, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        pooled = np.sum(np.where(known, freedom * n * se**2, 0.0), axis=0) / freedom.sum(axis=0)
        published = np.isfinite(se)
        mean_square = np.sum(np.where(published, se**2, 0.0), axis=0) / published.sum(axis=0)
        smoothed = np.sqrt(PRIOR_RATERS * pooled / (n + PRIOR_RATERS) / n)
        imputed = np.sqrt(np.where(np.isfinite(n), pooled / n, mean_square))
    has_value = np.isfinite(value)
    out = np.where(se > 0, se, np.where(se == 0, smoothed, imputed))
    out = np.where(has_value, out, np.nan)
    source = np.where(se > 0, 0, np.where(se == 0, 1, 2))
    return out, np.where(np.isfinite(out), source, 3).astype(np.int64)


def find_occupations(words: str, *, limit: int = 10, version: str = "29.3") -> tuple[Occupation, ...]:
    """Find occupations by words of the title, the nearest first.

    A word counts as found where a word of the title begins with it or looks like it (slips of the pen). The titles
    that hold the most of the words are returned, shorter ones first; none if no word is found.

    Parameters
    ----------
    words : e.g. ``customer service``.
    limit : the most that is returned.
    version : O*NET release.

    Examples
    --------
    >>> print(find_occupations("customer service")[0])
    43-4051.00 Customer Service Representatives
    """
    occupations = load_occupations(version).occupations
    wanted = [word for word in _words(words) if word not in SMALL_WORDS]
    found = [sum(_holds(o.title, word) for word in wanted) for o in occupations]
    most = max(found)
    nearest = [o for o, count in zip(occupations, found, strict=True) if most and count == most]
    return tuple(sorted(nearest, key=lambda o: (len(o.title), o.code))[:limit])


def position_of(role: str, occupations: Occupations) -> int:
    """Return the position of an occupation given by its code or its exact title (upper or lower case).

    Raises
    ------
    ProfileError : there is no such occupation; the message lists the nearest codes and titles.
    """
    asked = role.strip().casefold()
    for position, occupation in enumerate(occupations.occupations):
        if asked in (occupation.code.casefold(), occupation.title.casefold()):
            return position
    near = difflib.get_close_matches(asked, occupations.codes, n=3, cutoff=0.75)
    by_code = [o for code in near for o in occupations.occupations if o.code == code]
    suggestions = dict.fromkeys([*by_code, *find_occupations(role, limit=5, version=occupations.version)])
    hint = "Did you mean one of these?" if suggestions else "Search by title with find_occupations('customer')."
    raise ProfileError(
        f"'{role}' is neither the code (such as 43-4051.00) nor the title of one of the {len(occupations.codes)} "
        f"occupations rated in O*NET {occupations.version}. {hint}",
        [str(o) for o in suggestions],
    )


def _words(text: str) -> list[str]:
    return "".join(c if c.isalnum() else " " for c in text.casefold()).split()


def _holds(title: str, word: str) -> bool:
    return any(
        part.startswith(word) or (len(word) > 3 and difflib.SequenceMatcher(None, part, word).ratio() > 0.85)
        for part in _words(title)
    )


def _pack_folder(version: str) -> Path:
    root = content_dir("norms") / "occupations"
    folder = root / f"onet_{version.replace('.', '_')}"
    if not (folder / "card.json").is_file():
        there = sorted(p.parent.name.removeprefix("onet_").replace("_", ".") for p in root.glob("onet_*/card.json"))
        raise ProfileError(
            f"There is no occupation pack of O*NET {version}; there are: {', '.join(there) or 'none'}. Make one with "
            "analysis/01_occupation_pack.py."
        )
    return folder


def _read_card(folder: Path) -> dict[str, object]:
    path = folder / "card.json"
    if not path.is_file():
        raise ArtefactError(f"{folder.name}: there is no card.json; an occupation pack without a card does not load.")
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ArtefactError(f"{folder.name}/card.json, line {error.lineno}: not JSON ({error.msg}).") from error
    if not isinstance(card, dict) or card.get("schema") != SCHEMA:
        raise ArtefactError(f"{folder.name}/card.json does not say schema '{SCHEMA}': it is not an occupation pack.")
    required = ("version", "attribution", "licence", "source_sha256", "tables")
    problems = [f"field '{name}' is missing or empty" for name in required if not card.get(name)]
    problems = problems or _altered_tables(folder, card["tables"])
    if problems:
        raise ArtefactError(f"{folder.name}: the pack is not what its card says. Make it again from O*NET.", problems)
    return card


def _altered_tables(folder: Path, hashes: object) -> list[str]:
    if not isinstance(hashes, dict) or not {"occupations.csv", "elements.csv"} <= set(hashes):
        return ["field 'tables' must give the SHA-256 of occupations.csv, elements.csv and every further table"]
    problems = []
    for name, expected in hashes.items():
        path = folder / name
        if not path.is_file():
            problems.append(f"{name} is missing")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != expected:
            problems.append(f"{name} was altered: its SHA-256 is not the one on the card")
    return problems


def _read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _occupation(row: dict[str, str]) -> Occupation:
    rated = "; ".join(
        f"{domain.replace('_', ' ')} {row[f'{domain}_date']} ({row[f'{domain}_source'].lower()} ratings)"
        for domain in ("skills", "work_styles")
    )
    return Occupation(row["code"], row["title"], int(row["job_zone"]) if row["job_zone"] else None, rated)


def _element(row: dict[str, str]) -> Element:
    level = (float(row["level_low"]), float(row["level_high"])) if row["level_low"] else None
    importance = (float(row["importance_low"]), float(row["importance_high"]))
    return Element(row["id"], row["name"], row["domain"], importance, level)


@dataclass(frozen=True)
class _Pack:
    """Where the wide tables stand, and the order their rows and columns are brought into."""

    folder: Path
    codes: tuple[str, ...]
    elements: tuple[Element, ...]

    def text(self, quantity: str) -> np.ndarray[tuple[int, int], np.dtype[np.str_]]:
        """Return (O, E) cells of one quantity over all domains; blank where a domain has no such table."""
        cells = np.full((len(self.codes), len(self.elements)), "", dtype="<U12")
        column = {element.id: e for e, element in enumerate(self.elements)}
        for domain in dict.fromkeys(element.domain for element in self.elements):
            path = self.folder / f"{domain.lower().replace(' ', '_')}_{quantity}.csv"
            if path.is_file():
                header, rows = _read_matrix(path, self.codes, column)
                cells[:, [column[name] for name in header]] = rows
        return cells

    def numbers(self, quantity: str) -> FloatArray:
        """Return the cells (O, E) as floats, NaN where blank."""
        cells = self.text(quantity)
        return np.where(cells == "", "nan", cells).astype(np.float64)


def _read_matrix(path: Path, codes: Sequence[str], known: dict[str, int]) -> tuple[list[str], list[list[str]]]:
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    if tuple(row[0] for row in rows) != tuple(codes) or not set(header[1:]) <= set(known):
        raise ArtefactError(
            f"{path.parent.name}/{path.name}: rows or columns are not the codes of occupations.csv (in its order) and "
            "the ids of elements.csv. Make the pack again with analysis/01_occupation_pack.py."
        )
    return header[1:], [row[1:] for row in rows]
