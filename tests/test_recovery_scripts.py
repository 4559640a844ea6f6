"""The studies of ``analysis/`` run in their quick form and say what they rest on."""

from __future__ import annotations

import json

import pytest

from analysis_scripts import script

TABLES = {"05_recovery": "recovery", "06_unfolding_starts": "unfolding_starts"}


@pytest.mark.parametrize("stem", TABLES)
def test_the_quick_study_writes_a_labelled_table(stem, tmp_path, capsys):
    script(stem).main(["--quick", "--out", str(tmp_path)])
    text = (tmp_path / f"{TABLES[stem]}.md").read_text(encoding="utf-8")
    record = json.loads((tmp_path / f"{TABLES[stem]}.json").read_text(encoding="utf-8"))
    assert record["label"] == "SIMULATED"
    assert "(SIMULATED)" in text.splitlines()[0]
    assert f"talentassess {record['version']}" in text
    assert "seed" in text
    assert capsys.readouterr().out


def test_the_recovery_table_has_every_model(tmp_path, capsys):
    study = script("05_recovery")
    study.main(["--quick", "--models", "2pl", "rsm", "--out", str(tmp_path)])
    record = json.loads((tmp_path / "recovery.json").read_text(encoding="utf-8"))
    assert [m["model"] for m in record["models"]] == ["2pl", "rsm"]
    assert {p["parameter"] for p in record["parameters"] if p["model"] == "rsm"} == {
        "location", "step (common)", "log latent sd",
    }  # fmt: skip
    committed = json.loads((study.RESULTS / "recovery.json").read_text(encoding="utf-8"))
    assert set(study.model_names()) <= {m["model"] for m in committed["models"]}
