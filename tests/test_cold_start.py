"""What a command loads: a file of text is read and calibrated without packages that are slow to load."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SLOW = ("pandas", "narwhals", "scipy.linalg", "scipy.optimize", "scipy.stats", "girth")
SCRIPT = f"""
import sys
import talentassess as ta
r = ta.read_responses(sys.argv[1])
ta.calibrate(r, "2pl")
ta.analyze_items(r)
print([name for name in {SLOW!r} if name in sys.modules])
"""


def test_reading_and_calibrating_text_loads_no_slow_package(tmp_path: Path) -> None:
    rows = [f"{i % 2},{i // 2 % 2},{i // 3 % 2},{i // 5 % 2}" for i in range(60)]
    table = tmp_path / "answers.csv"
    table.write_text("\n".join(["q1,q2,q3,q4", *rows]))
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(table)], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr
