"""Draw the pictures of reports/gallery from the two demonstration jobs. Run: python analysis/02_gallery.py."""

from __future__ import annotations

from pathlib import Path

import vl_convert

import talentassess as ta
from talentassess.render.drawing import fixed_width, marked
from talentassess.workflow.demo import retail_study, service_pool

GALLERY = Path(__file__).resolve().parents[1] / "reports" / "gallery"
WANTED = {
    "pool": {"rank_intervals": "Rank of each candidate"},
    "study": {
        "category_curves": "Category characteristic curves",
        "wright_map": "Wright map",
        "test_information": "Test information",
        "reliability": "Reliability of the scales",
        "option_trace_lines": "Option trace lines",
    },
}


def save(doc: ta.ReportDoc, wanted: dict[str, str]) -> None:
    """Save the first figure whose caption begins with each of the wanted words."""
    for name, words in wanted.items():
        figure = next(f for f in doc.figures if f.caption.startswith(words))
        spec = marked(fixed_width(dict(figure.spec), 680), doc.simulated)
        path = GALLERY / f"{name}.png"
        path.write_bytes(vl_convert.vegalite_to_png(spec, scale=1.25))
        print(path.name, path.stat().st_size)


def main() -> None:
    """Run both jobs and save their pictures."""
    GALLERY.mkdir(parents=True, exist_ok=True)
    save(ta.report(service_pool(1000, 300, print)), WANTED["pool"])
    save(ta.report(retail_study(10_000, print, second_estimator=False)), WANTED["study"])


if __name__ == "__main__":
    main()
