"""Finding the shipped content: in an installed package, in a checkout, or nowhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import talentassess
from talentassess.content import content_dir
from talentassess.core.errors import ContentError

PACKAGE = Path(talentassess.__file__).parent
SHOW = "from talentassess.content import content_dir; print(content_dir('items'))"


def copy_package(site: Path) -> Path:
    """Copy what content needs to a place that is not a checkout."""
    package = site / "talentassess"
    for part in ("core", "content"):
        shutil.copytree(PACKAGE / part, package / part, ignore=shutil.ignore_patterns("__pycache__", "items", "norms"))
    (package / "__init__.py").write_text("", encoding="utf-8")
    return package


def run(site: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(site), "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(
        [sys.executable, "-c", SHOW], env=environment, cwd=site, capture_output=True, text=True, check=False
    )


def test_the_running_package_finds_its_items():
    assert (content_dir("items") / "competencies.yaml").is_file()


def test_an_installed_package_carries_its_content(tmp_path):
    package = copy_package(tmp_path)
    (package / "content" / "items").mkdir()
    assert Path(run(tmp_path).stdout.strip()) == package / "content" / "items"


def test_a_checkout_has_it_at_its_root(tmp_path):
    copy_package(tmp_path / "src")
    (tmp_path / "pyproject.toml").write_text("", encoding="utf-8")
    (tmp_path / "items").mkdir()
    assert Path(run(tmp_path / "src").stdout.strip()) == tmp_path / "items"


def test_a_folder_beside_no_pyproject_is_not_taken(tmp_path):
    copy_package(tmp_path / "src")
    (tmp_path / "items").mkdir()
    found = run(tmp_path / "src")
    assert found.returncode != 0
    assert "ContentError: The content folder 'items' was found neither in the installed package" in found.stderr
    assert "Install talentassess again from its wheel" in found.stderr


def test_unknown_kind():
    with pytest.raises(ContentError, match="no content of the kind 'item'; choose one of: items, norms, reports, data"):
        content_dir("item")
