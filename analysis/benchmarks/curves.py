"""How the time grows with persons, items, nodes, categories and dimensions: a picture of small multiples.

Run: python analysis/benchmarks/curves.py [--quick] [--draw-only]. Writes curves.json, curves.svg and curves.png.
SIMULATED data, one thread; each point is the fastest of the repetitions, in CPU seconds.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import altair as alt
import vl_convert
from cases import Case
from environments import ROOT, CannotRunError
from machine import pin_to_one_core
from simulate import prepare_data
from workers import Plan, Worker

HERE = Path(__file__).resolve().parent
NODES_PER_SD = {61: 1, 121: 2, 241: 4, 481: 8}  # grid of ta.score -> latent SD that asks for it


@dataclass(frozen=True)
class Point:
    """One size to be timed."""

    axis: str
    size: int
    case: Case
    options: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Panel:
    """One picture: the axis, its title, what is held fixed."""

    axis: str
    title: str
    fixed: str


PANELS = (
    Panel("n", "Persons N", "2PL fit, N x 50"),
    Panel("j", "Items J", "2PL fit, 5,000 x J"),
    Panel("k", "Categories K", "GRM fit, 5,000 x 30"),
    Panel("q", "Nodes Q", "EAP scores, 20,000 x 20"),
    Panel("d", "Scales D", "GRM-5 fit, 2,000 x 10 D"),
)


def points(quick: bool) -> Iterator[Point]:
    """Yield the sizes of every panel; ``quick`` leaves out the largest."""
    last = -2 if quick else None
    for n in (500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000)[:last]:
        yield Point("n", n, Case(f"curve-n-{n}", "", "fit", "2pl", n, 50, seed=31))
    for j in (10, 20, 50, 100, 200, 400)[:last]:
        yield Point("j", j, Case(f"curve-j-{j}", "", "fit", "2pl", 5_000, j, seed=32))
    for k in (2, 3, 4, 5, 7, 9)[:last]:
        yield Point("k", k, Case(f"curve-k-{k}", "", "fit", "graded", 5_000, 30, k, seed=33))
    for q, sd in NODES_PER_SD.items():
        yield Point("q", q, Case("curve-q", "", "score", "2pl", 20_000, 20, seed=34), {"latent_sd": sd})
    for d in (1, 2, 3, 5, 8, 13)[:last]:
        yield Point("d", d, Case(f"curve-d-{d}", "", "correlated", "graded", 2_000, 10 * d, 5, seed=35, scales=d))


def time_point(point: Point, plan: Plan) -> dict[str, object]:
    """Return axis, size, seconds and what was fitted. One scale alone has no correlations and is fitted plainly."""
    data = prepare_data(point.case, plan.cache / "data")
    tried = [point.case, replace(point.case, task="fit")] if point.case.task == "correlated" else [point.case]
    for case in tried:
        try:
            with Worker("ours", case, data, plan, **point.options) as worker:
                worker.hear()
                seconds = min(worker.ask("run")["cpu"] for _ in range(plan.repeats))
                passes = worker.ask("result").get("iterations")
        except CannotRunError as reason:
            print(f"  {reason}")
            continue
        return {"axis": point.axis, "size": point.size, "seconds": seconds, "passes": passes, "task": case.task}
    raise SystemExit(f"{point.case.name} could not be timed; see {plan.cache.name}/logs.")


def draw(found: list[dict[str, object]]) -> alt.ConcatChart:
    """Return the small multiples: log-log, with the dashed line of cost in proportion to the size."""
    charts = [_panel(panel, [p for p in found if p["axis"] == panel.axis]) for panel in PANELS]
    title = alt.TitleParams(
        "Time of talentassess by size of the problem (SIMULATED data, one thread)",
        subtitle="CPU seconds, both axes logarithmic; dashed: in proportion to the size, through the largest",
        anchor="start", offset=14,
    )  # fmt: skip
    return alt.concat(*charts, columns=3, title=title, spacing=30).configure_view(strokeOpacity=0)


def _panel(panel: Panel, found: list[dict[str, object]]) -> alt.LayerChart:
    apart = panel.axis == "d" and any(p["task"] == "fit" for p in found)
    largest = max(found, key=lambda p: p["size"])
    line = [{**p, "seconds": largest["seconds"] * p["size"] / largest["size"]} for p in found]
    sizes = sorted({p["size"] for p in found})
    x = alt.X("size:Q", title=panel.title, scale=alt.Scale(type="log", nice=False, padding=8)).axis(
        values=sizes, labelOverlap="greedy", grid=False, format="~s" if panel.axis == "n" else "d"
    )
    times = [p["seconds"] for p in (*found, *line)]
    y = alt.Y("seconds:Q", title="seconds", scale=alt.Scale(type="log", nice=False, padding=8)).axis(
        values=_round_steps(min(times), max(times)), format="~g", gridColor="#e6e6e6"
    )
    base = alt.Chart(alt.Data(values=found)).encode(x=x, y=y)
    reference = alt.Chart(alt.Data(values=line)).mark_line(strokeDash=[4, 4], color="#767676").encode(x=x, y=y)
    drawn = base.mark_line(color="#0b5394", strokeWidth=2) + base.mark_point(color="#0b5394", filled=True, size=45)
    fixed = panel.fixed + (" (one scale alone, then together)" if apart else "")
    return (reference + drawn).properties(
        width=200, height=170, title=alt.TitleParams(fixed, fontWeight="normal", anchor="start")
    )


def _round_steps(low: float, high: float) -> list[float]:
    """Return round times between two times: powers of ten, and the more between them the closer the two are."""
    leading = (1,) if high / low > 30 else (1, 2, 5) if high / low > 5 else (1, 2, 3, 5, 7)
    steps = [float(f"{lead}e{power}") for power in range(-5, 5) for lead in leading]
    return [step for step in steps if low / 1.3 <= step <= high * 1.3]


def main() -> None:
    """Time all sizes, or only draw what curves.json holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one repetition, without the largest sizes")
    parser.add_argument("--draw-only", action="store_true", help="draw curves.json again")
    parser.add_argument("--out", type=Path, default=HERE, help="folder for the results")
    parser.add_argument("--cache", type=Path, default=ROOT / "build" / "benchmarks", help="environments and data")
    options = parser.parse_args()
    path = options.out / "curves.json"
    if not options.draw_only:
        pin_to_one_core()
        plan = Plan(1 if options.quick else 5, 60, 900, options.cache)
        options.out.mkdir(parents=True, exist_ok=True)
        found = []
        for point in points(options.quick):
            found.append(time_point(point, plan))
            print(f"{point.axis} = {point.size}: {found[-1]['seconds']:.4f} s", flush=True)
            path.write_text(json.dumps({"simulated": True, "points": found}, indent=1) + "\n", encoding="utf-8")
    spec = draw(json.loads(path.read_text(encoding="utf-8"))["points"]).to_dict()
    (options.out / "curves.svg").write_text(vl_convert.vegalite_to_svg(spec), encoding="utf-8")
    (options.out / "curves.png").write_bytes(vl_convert.vegalite_to_png(spec, scale=1.5))


if __name__ == "__main__":
    main()
