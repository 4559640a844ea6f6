"""The README is tested: its example runs, its commands exist, its numbers are the ones computed."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

import talentassess as ta

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture
def at_root(tmp_path, monkeypatch):
    """Run from the checkout's root, but let files be written elsewhere."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "analysis").symlink_to(ROOT / "analysis")
    return tmp_path


def test_the_example_has_about_twenty_lines():
    lines = [line for line in PYTHON[0].splitlines() if line.strip() and not line.startswith("#")]
    assert len(lines) <= 24


def test_the_example_runs(at_root, capsys):
    names: dict[str, object] = {}
    exec(compile(PYTHON[0], "README.md", "exec"), names)
    printed = capsys.readouterr().out
    assert "0.842" in printed
    assert "CONVERGED" in printed
    pool = names["pool"]
    assert pool.matches.p_meets.shape == (50, 5)
    page = (at_root / "pool.html").read_text(encoding="utf-8")
    assert "SIMULATED" in page
    # no numpy plumbing and no dict access in what a reader would type
    assert "np." not in PYTHON[0]
    assert "numpy" not in PYTHON[0]


def test_the_engine_example_runs_after_the_first(at_root, capsys):
    names: dict[str, object] = {}
    first = PYTHON[0][: PYTHON[0].index("analysis = ")]
    exec(first + PYTHON[1], names)
    assert "0.944" in capsys.readouterr().out  # the correlation of the two scales
    joint = names["joint"]
    assert joint.cov.shape == (2250, 2, 2)
    assert joint.cov[0, 0, 1] != 0


def test_the_walk_of_one_answer_states_computed_numbers():
    """The numbers in the table 'One answer, from the cell to the sentence' are those of the shipped data."""
    scale = {"scale_01": ["PScale01_Q1", "-PScale01_Q2", "-PScale01_Q3", "PScale01_Q4"]}
    path = ROOT / "analysis/data/siop2021_retail/answers.csv"
    hires = ta.read_responses(path, items=scale, person="UNIQUE_ID", categories=[1, 2, 3, 4])
    calibration = ta.calibrate(hires)
    scores = ta.score(calibration, hires)
    card = ta.norm_card(scores, population="hires", sample="convenience", collected=("2020", "2021"))
    normed = ta.fit_norms(scores, card=card).apply(scores)
    row = hires.person_ids.index("245203329")
    block = calibration.blocks[0]
    theta = scores.theta[row, 0]
    chance = np.exp(block.log_prob(np.array([[theta]])))[0, 0, hires.x[row, 0]]
    walk = README[README.index("## One answer") : README.index("## Honest limits")]
    for words in (
        f"gives code {hires.x[row, 0]}",
        f"theta = {theta:.2f} with standard error {scores.se[row, 0]:.2f}",
        f"{chance:.2f}".lstrip("0") + f" at theta = {theta:.2f}",
        f"slope {block.par[0, 0]:.2f} (SE {np.sqrt(calibration.par_cov[0][0, 0, 0]):.2f})",
        f"T = {normed.t[row, 0]:.0f} (SE {10 * normed.z_se[row, 0]:.1f}), percentile {normed.percentile[row, 0]:.0f}",
        f"90 % interval {normed.percentile_low[row, 0]:.0f} to {normed.percentile_high[row, 0]:.0f}",
        f"alpha {ta.analyze_items(hires).alpha:.2f}".replace("0.", "."),
    ):
        assert words in walk, words


def test_the_content_example_does_what_it_says():
    names: dict[str, object] = {"ta": ta, "print": lambda *_: None}
    exec(PYTHON[2], names)
    assert names["whole"].status is ta.Status.CONVERGED
    assert len(names["whole"].item_ids) == 346
    assert names["guide"].context == "call_centre"
    assert len(names["form"].blocks) == 20


def test_the_interview_and_two_written_methods_end_in_one_profile(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    chain = PYTHON[3]
    assert len([line for line in chain.splitlines() if line.strip() and not line.startswith("#")]) < 15
    names: dict[str, object] = {"ta": ta, "print": lambda *_: None}
    exec(PYTHON[2][PYTHON[2].index("role = ") : PYTHON[2].index("print(guide)")], names)
    exec(chain, names | {"service": ta.load_bank("service")})
    assert {path.name for path in tmp_path.iterdir()} == {"form-r1.xlsx", "form-r2.xlsx", "methods.html"}
    page = (tmp_path / "methods.html").read_text(encoding="utf-8")
    assert "SIMULATED" in page
    assert page.index("How far the methods agree") < page.index("Methods and composite")


def test_the_reading_example_is_valid(tmp_path, monkeypatch):
    """The second example reads what it says it reads."""
    rows = ["id,store,w,q1,q2,q3", "ann,north,1.5,1,5,2", "bo,south,1.0,-9,4,99", "cy,south,0.7,3,2,1"]
    (tmp_path / "pilot.csv").write_text("\n".join(rows))
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"ta": ta}
    exec(PYTHON[4].replace("pilot.xlsx", "pilot.csv"), names)
    answers = names["answers"]
    np.testing.assert_array_equal(answers.x, [[0, 4, 3], [-1, 3, -1], [2, 1, 4]])


def test_the_profile_example_is_valid():
    names: dict[str, object] = {"ta": ta}
    exec(PYTHON[5], names)
    assert names["profile"].requirement("ownership").standard.source == "modified Angoff, 9 SMEs"


def test_linked_files_exist():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target
    for named in ("items/README.md", "items/schemas", "items/service", "analysis/data/LICENSE-siop2021.txt"):
        assert named in README
        assert (ROOT / named).exists()


def test_make_has_the_commands_named():
    targets = subprocess.run(
        ["make", "-qp"], cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"}
    ).stdout
    for target in ("demo", "test", "check"):
        assert re.search(rf"^{target}:", targets, flags=re.MULTILINE)
        assert f"make {target}" in README
