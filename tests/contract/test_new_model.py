"""Adding a model is one file: drop one into a copy of the package and run the contract suite on it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# A cloglog model (asymmetric curve): in no textbook list of ours, so nothing in the package can know it.
NEW_MODEL = '''
"""Complementary log-log model: P(x = 1) = 1 - exp(-exp(a . theta + d)), an asymmetric curve."""

from __future__ import annotations

import numpy as np

from talentassess.core.arrays import FloatArray
from talentassess.core.model import ItemModel, Param
from talentassess.models._logistic import difficulty, predictor, slopes


def params(n_cat: int, n_dims: int) -> tuple[Param, ...]:
    return (*slopes(n_dims), Param("intercept", "d", -20.0, 20.0, (-1.5, 0.5)))


def log_prob(theta: FloatArray, par: FloatArray, n_cat: int) -> FloatArray:
    rate = np.exp(np.clip(predictor(theta, par), -500.0, 6.5))
    return np.stack([-rate, np.log(-np.expm1(-rate))], axis=2)


def _by_predictor(theta: FloatArray, par: FloatArray) -> FloatArray:
    rate = np.exp(np.clip(predictor(theta, par), -500.0, 6.5))
    return np.stack([-rate, rate / np.expm1(rate)], axis=2)


def d_par(theta: FloatArray, par: FloatArray, n_cat: int) -> FloatArray:
    return _by_predictor(theta, par)[..., None] * np.column_stack([theta, np.ones(len(theta))])[:, None, None, :]


def d_theta(theta: FloatArray, par: FloatArray, n_cat: int) -> FloatArray:
    return _by_predictor(theta, par)[..., None] * par[None, :, None, : theta.shape[1]]


def start(share: FloatArray, n_dims: int) -> FloatArray:
    return np.column_stack([np.ones((len(share), n_dims)), np.log(-np.log(1 - np.clip(share[:, 1], 0.02, 0.98)))])


def display(par: FloatArray, n_cat: int, n_dims: int) -> dict[str, FloatArray]:
    return {"b": difficulty(par, n_dims)}


MODEL = ItemModel(
    name="cloglog", label="complementary log-log model", params=params, log_prob=log_prob, d_par=d_par,
    d_theta=d_theta, start=start, display=display, categories=(2, 2), ordered=True,
    citation="Shim, Bonifay & Wiedermann (2023), Psychometrika",
)
'''


def test_one_new_file_passes_the_contract(tmp_path):
    shutil.copytree(
        ROOT / "src" / "talentassess", tmp_path / "talentassess", ignore=shutil.ignore_patterns("__pycache__")
    )
    for folder in ("items", "norms", "reports"):  # where an installed package keeps its content
        shutil.copytree(ROOT / folder, tmp_path / "talentassess" / "content" / folder)
    (tmp_path / "talentassess" / "models" / "cloglog.py").write_text(NEW_MODEL)
    command = [sys.executable, "-m", "pytest", str(ROOT / "tests/contract/test_models.py"), "-k", "cloglog", "-vv"]
    command += ["-p", "no:cacheprovider", "-p", "no:xdist", "--rootdir", str(ROOT), "-c", str(ROOT / "pyproject.toml")]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("PASSED") >= 15
    assert "test_recovery_within_sampling_error[cloglog] PASSED" in done.stdout
