"""The wheel stands on its own: build it, install it into a clean environment, run the demonstration there."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Build the wheel from a copy of the tracked files, so that nothing untracked can slip in."""
    source = tmp_path_factory.mktemp("source")
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT).split("\0")
    for name in filter(None, listed):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", source / "dist", cwd=source)
    return next((source / "dist").glob("*.whl"))


def test_the_wheel_carries_its_content(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in (
        "talentassess/content/items/competencies.yaml",
        "talentassess/content/items/service_core/bank.yaml",
        "talentassess/content/items/service/sjt/empathy.yaml",
        "talentassess/content/items/service_interview/interview/empathy.yaml",
        "talentassess/content/items/traceability.yaml",
        "talentassess/content/norms/occupations/onet_29_3/card.json",
        "talentassess/content/reports/wording.json",
        "talentassess/content/data/siop2021_retail/answers.csv",
        "talentassess/content/data/LICENSE-siop2021.txt",
        "talentassess/py.typed",
    ):
        assert wanted in names
    licences = [name for name in names if ".dist-info/licenses/" in name]
    assert any(name.endswith("LICENSE") for name in licences)
    assert any(name.endswith("LICENSE-siop2021.txt") for name in licences)
    assert any(name.endswith("LICENSE-onet.txt") for name in licences)
    assert not [name for name in names if name.startswith(("tests/", "analysis/"))]


def test_the_demonstration_runs_from_the_wheel_in_a_clean_environment(wheel, tmp_path):
    venv.create(tmp_path / "clean", with_pip=True)
    python = tmp_path / "clean" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    constraints = ROOT / "constraints.txt"
    run(python, "-m", "pip", "install", "--quiet", "--constraint", constraints, wheel, cwd=tmp_path)
    command = python.parent / "talentassess"
    printed = run(command, "demo", "--quick", "--out", "demo", cwd=tmp_path)
    listed = [line.strip() for line in printed.splitlines() if line.startswith("  ")]
    assert {Path(name).name for name in listed} >= {"study_report.html", "pool_report.html"}
    for name in listed:
        assert (tmp_path / name).stat().st_size > 10_000
    assert "SIMULATED" in (tmp_path / "demo/pool/pool_report.html").read_text(encoding="utf-8")
    assert (
        "SIMULATED" not in (tmp_path / "demo/study/study_report.html").read_text(encoding="utf-8").split("<script")[0]
    )
    where = run(python, "-c", "import talentassess; print(talentassess.__file__)", cwd=tmp_path)
    assert str(tmp_path) in where
