"""What a command loads: a file of text is read and calibrated without packages that are slow to load."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SLOW = ("pandas", "narwhals", "scipy.linalg", "scipy.optimize", "scipy.stats", "girth")
NEEDLESS = (
    *SLOW,
    "scipy",
    "numpy.f2py",
    "numpy.testing",
    *(f"talentassess.calibration.{name}" for name in ("bifactor", "correlated", "joined", "mhrm", "streaming", "ties")),
    *(f"talentassess.{name}" for name in ("core.ep", "core.kernel_bifactor", "matching", "norming", "render")),
)
LOADED = "print([name for name in {names!r} if name in sys.modules])"
CALIBRATE = f"""
import sys
import talentassess as ta
r = ta.read_responses(sys.argv[1])
for model in ("2pl", "graded"):
    assert ta.calibrate(r, model).free.cov is not None
{LOADED.format(names=(*NEEDLESS, "pydantic", "rich", "typer"))}
"""
ANALYZE = f"""
import sys
import talentassess as ta
ta.analyze_items(ta.read_responses(sys.argv[1]))
{LOADED.format(names=SLOW)}
"""
COMMAND = f"""
import sys
from talentassess.cli import main
sys.argv = ["talentassess", "calibrate", sys.argv[1], "--model", "2pl", "--out", sys.argv[1] + ".json"]
try:
    main()
except SystemExit as end:
    assert not end.code
{LOADED.format(names=NEEDLESS)}
"""


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    rows = [f"{i % 2},{i // 2 % 2},{i // 3 % 2},{i // 5 % 2}" for i in range(60)]
    rows[7] = "1,,0,1"  # a missing answer asks whether the form hangs together
    table = tmp_path / "answers.csv"
    table.write_text("\n".join(["q1,q2,q3,q4", *rows]))
    return table


@pytest.mark.parametrize("script", [CALIBRATE, ANALYZE, COMMAND], ids=["calibrate", "analyze", "command"])
def test_text_is_read_and_calibrated_without_slow_packages(script: str, answers: Path) -> None:
    done = subprocess.run([sys.executable, "-c", script, str(answers)], capture_output=True, text=True, check=False)
    assert (done.stdout.strip().splitlines()[-1:], done.returncode) == (["[]"], 0), done.stderr
