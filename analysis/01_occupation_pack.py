"""Make the occupation pack under norms/occupations from the O*NET figures.

    python analysis/01_occupation_pack.py FIGURES.parquet [--job-zones ZONES.csv] [--version 29.3] [--released 2025-05]

FIGURES.parquet is the long table of one O*NET release: columns domain, onetsoc, title, element_id, element_name,
scale_id, value, n, se, suppress, not_relevant, date, source. ZONES.csv is the release's own Job Zones table.

Wide CSV tables come out (one row per occupation, one column per element, blank = not published), with a card that
holds licence, attribution, the hash of the input and the hash of every table. Running it twice gives the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
DOMAINS = {"Skills": "skills", "Work Styles": "work_styles"}
SCALES = {"IM": "importance", "LV": "level"}
BOUNDS = {"IM": (1, 5), "LV": (0, 7)}  # O*NET scales reference
ATTRIBUTION = (
    "This product includes information from O*NET {version} Database by the U.S. Department of Labor, Employment and "
    "Training Administration (USDOL/ETA). Used under the CC BY 4.0 license. O*NET is a trademark of USDOL/ETA. "
    "talentassess has modified all or some of this information; USDOL/ETA has not approved, endorsed, or tested these "
    "modifications."
)


def main() -> None:
    args = arguments()
    figures = pd.read_parquet(args.figures)
    figures = figures[figures["domain"].isin(list(DOMAINS)) & figures["scale_id"].isin(list(SCALES))]
    figures = figures.astype(dict.fromkeys(("domain", "onetsoc", "title", "element_id", "element_name"), str))
    folder = args.out / f"onet_{args.version.replace('.', '_')}"
    folder.mkdir(parents=True, exist_ok=True)
    tables = {"occupations": occupations(figures, args.job_zones), "elements": elements(figures)} | matrices(figures)
    hashes = {f"{name}.csv": write(table, folder / f"{name}.csv") for name, table in tables.items()}
    card = make_card(args, figures, hashes)
    (folder / "card.json").write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    size = sum(path.stat().st_size for path in folder.iterdir())
    print(f"{folder.name}: {card['n_occupations']} occupations, {card['n_elements']} elements, {size:,} bytes")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("figures", type=Path, help="long table of the release (Parquet)")
    parser.add_argument("--job-zones", type=Path, help="the release's Job Zones table (CSV)")
    parser.add_argument("--version", default="29.3")
    parser.add_argument("--released", default="2025-05", help="year and month of the release")
    parser.add_argument("--out", type=Path, default=ROOT / "norms" / "occupations")
    return parser.parse_args()


def occupations(figures: pd.DataFrame, job_zones: Path | None) -> pd.DataFrame:
    """One row per occupation: title, job zone, and when and by whom each domain was rated."""
    table = figures.groupby("onetsoc")["title"].first().to_frame()
    table["job_zone"] = pd.read_csv(job_zones, index_col=0)["Job Zone"].astype("Int64") if job_zones else None
    for domain, name in DOMAINS.items():
        rated = figures[figures["domain"] == domain].groupby("onetsoc")[["date", "source"]].first()
        table[f"{name}_date"], table[f"{name}_source"] = rated["date"].astype(str), rated["source"].astype(str)
    return table.rename_axis("code").reset_index()


def elements(figures: pd.DataFrame) -> pd.DataFrame:
    """One row per element: name, domain, ends of its scales (blank: the element has no such scale)."""
    table = figures.groupby("element_id")[["element_name", "domain"]].first()
    for scale, name in SCALES.items():
        has = table.index.isin(figures.loc[figures["scale_id"] == scale, "element_id"].unique())
        for end, bound in zip(("low", "high"), BOUNDS[scale], strict=True):
            table[f"{name}_{end}"] = pd.array([bound if present else None for present in has], dtype="Int64")
    return table.rename_axis("id").rename(columns={"element_name": "name"}).reset_index()


def matrices(figures: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Wide tables by name, e.g. skills_importance, skills_importance_se, skills_n, skills_level_flag."""
    out: dict[str, pd.DataFrame] = {}
    for domain, prefix in DOMAINS.items():
        for scale, quantity in SCALES.items():
            part = figures[(figures["domain"] == domain) & (figures["scale_id"] == scale)]
            if len(part):
                out[f"{prefix}_{quantity}"] = wide(part, "value", 2)
                out[f"{prefix}_{quantity}_se"] = wide(part, "se", 4)
            if quantity == "importance":
                out[f"{prefix}_n"] = wide(part, "n", 0)
            elif len(part):
                out[f"{prefix}_{quantity}_flag"] = flags(part)
    return out


def wide(part: pd.DataFrame, column: str, digits: int) -> pd.DataFrame:
    """Occupation rows, element columns; numbers as published, without the trailing zeros of the float format."""
    table = part.pivot(index="onetsoc", columns="element_id", values=column).sort_index(axis=1)
    text = table.astype("Float64").map(lambda v: "" if pd.isna(v) else f"{float(v):.{digits}f}")
    return text.rename_axis(index="code", columns=None).reset_index()


def flags(part: pd.DataFrame) -> pd.DataFrame:
    """N: not relevant to the occupation; S: O*NET recommends to suppress the figure (low precision); NS: both."""
    marks = part["not_relevant"].eq("Y").map({True: "N", False: ""}).astype(str)
    marks = marks + part["suppress"].eq("Y").map({True: "S", False: ""}).astype(str)
    table = part.assign(mark=marks).pivot(index="onetsoc", columns="element_id", values="mark").sort_index(axis=1)
    return table.rename_axis(index="code", columns=None).reset_index()


def write(table: pd.DataFrame, path: Path) -> str:
    text = table.to_csv(index=False, lineterminator="\n")
    path.write_bytes(text.encode("utf-8"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def make_card(args: argparse.Namespace, figures: pd.DataFrame, hashes: dict[str, str]) -> dict[str, object]:
    return {
        "schema": "talentassess/occupations/1",
        "name": "O*NET occupation profiles",
        "version": args.version,
        "released": args.released,
        "population": "Occupations of the United States rated in both domains (O*NET-SOC 2019)",
        "n_occupations": int(figures["onetsoc"].nunique()),
        "n_elements": int(figures["element_id"].nunique()),
        "simulated": False,
        "source": f"O*NET {args.version} Database, tables Skills and Work Styles, from a public copy of the release",
        "source_file": args.figures.name,
        "source_sha256": hashlib.sha256(args.figures.read_bytes()).hexdigest(),
        "licence": "CC BY 4.0",
        "licence_url": "https://creativecommons.org/licenses/by/4.0/",
        "attribution": ATTRIBUTION.format(version=args.version),
        "changes": "Selected figures in wide tables; element and occupation descriptions left out; no figure altered.",
        "made_by": "analysis/01_occupation_pack.py",
        "notes": [
            "Skills: means of the ratings of analysts; Work Styles: of incumbents, occupational experts or analysts.",
            "Blank cells were not published. A standard error of 0 means that all raters agreed.",
            "Importance runs from 1 to 5, level from 0 to 7.",
            "*_level_flag: N not relevant to the occupation, S low precision (suppression recommended), NS both.",
        ],
        "tables": hashes,
    }


if __name__ == "__main__":
    main()
