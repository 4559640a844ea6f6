"""The occupation pack: complete, as its card says, with usable standard errors."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from shared_data import ROOT, shared
from talentassess.content import content_dir
from talentassess.core.errors import ArtefactError, ProfileError
from talentassess.matching import find_occupations, load_occupations, read_occupations, smooth_errors

PACK = content_dir("norms") / "occupations" / "onet_29_3"


@pytest.fixture
def copy(tmp_path):
    return shutil.copytree(PACK, tmp_path / "onet_29_3")


def test_every_rated_occupation_and_element_is_there():
    occupations = load_occupations()
    assert occupations.importance.shape == (879, 51)
    assert len(set(occupations.codes)) == len(set(occupations.titles)) == 879
    assert np.isfinite(occupations.importance).all()
    assert np.isfinite(occupations.importance_se).all()
    assert all(o.job_zone in (1, 2, 3, 4, 5) for o in occupations.occupations)
    assert "USDOL/ETA has not approved" in occupations.attribution
    assert "CC BY 4.0" in occupations.licence


def test_a_row_holds_the_published_figures():
    # O*NET 29.3, Customer Service Representatives, Dependability: 4.76, n 26, SE .1494; Writing level 3.00.
    occupations = load_occupations()
    row = occupations.codes.index("43-4051.00")
    column = {e.id: k for k, e in enumerate(occupations.elements)}
    assert occupations.importance[row, column["1.C.5.a"]] == 4.76
    assert occupations.importance_se[row, column["1.C.5.a"]] == 0.1494
    assert occupations.n[row, column["1.C.5.a"]] == 26
    assert occupations.error_source[row, column["1.C.5.a"]] == 0
    assert occupations.occupations[row].rated.startswith("skills 08/2022 (analyst ratings)")


def test_levels_that_do_not_apply_are_not_levels():
    occupations = load_occupations()
    work_styles = [k for k, e in enumerate(occupations.elements) if e.level_range is None]
    skills = [k for k, e in enumerate(occupations.elements) if e.level_range is not None]
    assert np.isnan(occupations.level[:, work_styles]).all()
    assert np.isnan(occupations.level[:, skills]).sum() == 3302  # "not relevant" in the release's table
    assert occupations.low_precision.sum() == 124  # "recommend suppress"
    assert np.isfinite(occupations.level_se[np.isfinite(occupations.level)]).all()


def test_standard_errors_are_smoothed_and_imputed_and_counted():
    occupations = load_occupations()
    assert occupations.n_smoothed == 6911 + 2  # zeros in skills and in work styles
    assert occupations.n_imputed == 3456
    assert (occupations.importance_se > 0).all()
    table = occupations.to_frame("elements")
    assert table["se_smoothed"].sum() == 6913
    assert table["se_imputed"].sum() == 3456
    assert table["se_unknown"].sum() == 0
    assert "6913 smoothed, 3456 imputed" in repr(occupations)


def test_smoothing_rule_by_hand():
    se = np.array([[0.0], [0.25], [np.nan], [np.nan], [np.nan]])
    n = np.array([[8.0], [8.0], [20.0], [np.nan], [8.0]])
    value = np.array([[3.0], [3.0], [3.0], [3.0], [np.nan]])
    smoothed, source = smooth_errors(se, n, value)
    pooled = (0 + 8 * 0.25**2) / 2
    expected = [np.sqrt(4 * pooled / 12 / 8), 0.25, np.sqrt(pooled / 20), np.sqrt(0.25**2 / 2), np.nan]
    assert smoothed.ravel() == pytest.approx(expected, nan_ok=True)
    assert source.ravel().tolist() == [1, 0, 2, 2, 3]


def test_without_any_published_error_the_error_is_unknown():
    smoothed, source = smooth_errors(np.full((2, 1), np.nan), np.full((2, 1), np.nan), np.ones((2, 1)))
    assert np.isnan(smoothed).all()
    assert source.ravel().tolist() == [3, 3]


def test_the_loaded_pack_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        load_occupations().importance[0, 0] = 5.0


def test_pack_is_small_and_holds_no_descriptions():
    assert sum(path.stat().st_size for path in PACK.iterdir()) < 2_000_000
    longest = max(len(cell) for path in PACK.glob("*.csv") for cell in path.read_text("utf-8").split(","))
    assert longest < 160


def test_pack_is_what_the_script_makes(tmp_path):
    pytest.importorskip("pyarrow")
    figures, zones = shared("onet/onet_29_3_figures_long.parquet"), shared("onet/job_zones_29_3.csv")
    script = ROOT / "analysis" / "01_occupation_pack.py"
    subprocess.run(
        [sys.executable, script, figures, "--job-zones", zones, "--out", tmp_path], check=True, capture_output=True
    )
    made = {path.name: path.read_bytes() for path in (tmp_path / "onet_29_3").iterdir()}
    assert made == {path.name: path.read_bytes() for path in PACK.iterdir()}


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("customer service", "43-4051.00"),
        ("custmer servise", "43-4051.00"),
        ("Retail salespersons", "41-2031.00"),
        ("nurses, registered", "29-1141.00"),
    ],
)
def test_find_occupations(words, first):
    assert find_occupations(words)[0].code == first


def test_find_occupations_returns_none_rather_than_anything():
    assert find_occupations("zzzz") == ()
    assert find_occupations("") == ()
    assert len(find_occupations("managers", limit=3)) == 3


def test_unknown_version_is_refused():
    with pytest.raises(ProfileError, match=r"no occupation pack of O\*NET 28\.0; there are: 29\.3"):
        load_occupations("28.0")


def test_another_pack_beside_it_is_read(copy):
    card = json.loads((copy / "card.json").read_text("utf-8"))
    (copy / "card.json").write_text(json.dumps(card | {"version": "29.4"}), encoding="utf-8")
    assert read_occupations(copy).version == "29.4"


def test_altered_table_is_refused(copy):
    table = copy / "skills_importance.csv"
    table.write_text(table.read_text("utf-8").replace("4.12", "4.13", 1), encoding="utf-8")
    (copy / "elements.csv").unlink()
    with pytest.raises(ArtefactError, match=r"elements\.csv is missing") as caught:
        read_occupations(copy)
    assert "skills_importance.csv was altered: its SHA-256 is not the one on the card" in str(caught.value)


def test_pack_without_card_is_refused(copy):
    (copy / "card.json").unlink()
    with pytest.raises(ArtefactError, match="an occupation pack without a card does not load"):
        read_occupations(copy)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"onet_29_3/card\.json, line 1: not JSON"),
        ('{"schema": "other"}', "does not say schema 'talentassess/occupations/1'"),
        ('{"schema": "talentassess/occupations/1", "tables": {"a": ""}}', "field 'attribution' is missing or empty"),
    ],
)
def test_bad_card_is_refused(copy, text, message):
    (copy / "card.json").write_text(text, encoding="utf-8")
    with pytest.raises(ArtefactError, match=message):
        read_occupations(copy)


def test_table_with_other_rows_is_refused(copy):
    table = copy / "skills_n.csv"
    lines = table.read_text("utf-8").splitlines(keepends=True)
    table.write_text("".join([lines[0], lines[2], lines[1], *lines[3:]]), encoding="utf-8")
    card = json.loads((copy / "card.json").read_text("utf-8"))
    del card["tables"]["skills_n.csv"]
    (copy / "card.json").write_text(json.dumps(card), encoding="utf-8")
    with pytest.raises(ArtefactError, match=r"skills_n\.csv: rows or columns are not the codes"):
        read_occupations(copy)
