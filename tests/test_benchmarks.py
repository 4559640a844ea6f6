"""The benchmark scripts: they run, their referee is right, and their table hides nothing. No times are asserted."""

from __future__ import annotations

import copy
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from shared_data import counted, science

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "analysis" / "benchmarks"


@pytest.fixture
def load(monkeypatch):
    """Import a module of the benchmark folder, as its scripts do."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """One run of the script with talentassess alone: no network, no environments."""
    out = tmp_path_factory.mktemp("benchmarks")
    cases = ["tiny-graded-5k-40-m30", "tiny-score-100k-100", "tiny-ctt-100k-100"]
    command = [sys.executable, str(SCRIPTS / "run.py"), "--quick", "--out", str(out), "--cache", str(out / "cache")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [*command, "--cases", *cases, "--runners"], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert not (out / "cache" / "venvs").exists()
    return json.loads((out / "results.json").read_text()), (out / "results.md").read_text()


def test_the_script_runs_with_talentassess_alone(smoke):
    results, page = smoke
    assert results["simulated"] is True
    assert "SIMULATED" in page
    fit = results["cases"]["tiny-graded-5k-40-m30"]["runners"]
    assert set(fit) == {"ours", "ours-default"}
    assert all(record["note"] == "" and record["wall"] and record["cold"] > 0 for record in fit.values())
    assert fit["ours"]["found"]["status"] == "converged"
    assert str(ROOT) not in json.dumps(results) + page


@pytest.mark.parametrize("runner", ["ours", "ours-default"])
def test_the_referee_agrees_with_the_calibration_it_judges(smoke, runner):
    """Written apart, on another grid: the same log-likelihood (the calibration reports it without the 3PL's prior)."""
    found = smoke[0]["cases"]["tiny-graded-5k-40-m30"]["runners"][runner]["found"]
    assert found["check"] == pytest.approx(found["loglik"], abs=1e-4)


def test_scores_and_alpha_are_checked(smoke):
    cases = smoke[0]["cases"]
    assert 0 <= cases["tiny-score-100k-100"]["runners"]["ours"]["found"]["check"] < 1e-4
    assert 0 <= cases["tiny-ctt-100k-100"]["runners"]["ours"]["found"]["check"] < 1e-12


# --- the referee ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "model", "data"),
    [
        ("LSAT7_2PL", "2pl", lambda: counted("lsat7.csv")),
        ("Science_GRM", "graded", science),
        ("Science_GPCM", "gpcm", science),
    ],
)
def test_the_referee_gives_the_log_likelihood_of_r_mirt(load, case, model, data):
    """R mirt 1.47's own estimates and log-likelihood (tests/oracles/calibration/irt_reference.json, 121 nodes)."""
    reference = json.loads((ROOT / "tests/oracles/calibration/irt_reference.json").read_text())[case]
    coef, x = np.array(reference["coef"], dtype=float), data().x
    last = coef[:, 1:2] if model == "2pl" else coef[:, -x.max() :]  # GPCM: a, scoring weights, d0, d1 ..
    par = load("item_models").Parameters(model, coef[:, :1], last)
    assert load("check").log_objective(x, par) == pytest.approx(reference["logLik"], abs=1e-4)


def test_the_3pl_objective_adds_the_prior(load):
    check, items = load("check"), load("item_models")
    x = np.array([[0, 1], [1, -1]], dtype=np.int8)
    found = {"slope": [1.0, 1.5], "intercept": [0.3, -0.4], "guessing": [0.2, 0.1]}
    with_prior = check.log_objective(x, items.Parameters.from_lists("3pl", found))
    nodes = np.linspace(-8, 8, 4001)
    line = nodes[:, None] * [1.0, 1.5] + [0.3, -0.4]
    p = np.array([0.2, 0.1]) + np.array([0.8, 0.9]) / (1 + np.exp(-line))
    weights = norm.pdf(nodes) * (nodes[1] - nodes[0])
    loglik = np.log(weights @ ((1 - p[:, 0]) * p[:, 1])) + np.log(weights @ p[:, 0])
    prior = sum(4 * np.log(g) + 16 * np.log(1 - g) for g in (0.2, 0.1))
    assert with_prior == pytest.approx(loglik + prior, abs=1e-7)


def test_the_bifactor_likelihood_is_that_of_the_full_integral(load):
    """Dimension reduction against the whole three-dimensional sum, two specific factors."""
    check, items = load("check"), load("item_models")
    rng = np.random.default_rng(3)
    scale = np.array([0, 0, 1, 1])
    par = items.Parameters("graded", rng.uniform(0.6, 1.4, (4, 2)), np.sort(rng.normal(0, 1, (4, 2)))[:, ::-1])
    x = rng.integers(-1, 3, (6, 4)).astype(np.int8)
    nodes, log_weights = check.grid(41)
    g, s, t = (axis.ravel() for axis in np.meshgrid(nodes, nodes, nodes, indexing="ij"))
    total = sum(w.ravel() for w in np.meshgrid(log_weights, log_weights, log_weights, indexing="ij"))
    chance = [
        items.probabilities(items.Parameters("graded", par.slope[[j]], par.intercept[[j]]), np.column_stack([g, own]))
        for j, own in enumerate((s, s, t, t))
    ]
    exact = 0.0
    for person in x:
        answered = [chance[j][:, 0, code] for j, code in enumerate(person) if code >= 0]
        exact += np.log(np.exp(total) @ np.prod(answered, axis=0)) if answered else 0.0
    assert check.log_objective_bifactor(x, par, scale) == pytest.approx(exact, abs=1e-6)


def test_alpha_of_parallel_items(load):
    """Two copies of one item: alpha is 1."""
    column = np.array([0, 1, 2, 1], dtype=np.int8)
    assert load("check").cronbach_alpha(np.column_stack([column, column])) == pytest.approx(1.0)


# --- the data ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["2pl-5k-50", "3pl-10k-60", "graded-5k-40-m30", "gpcm-10k-40", "correlated-5k-50"])
def test_simulated_shares_are_those_of_the_model(load, name):
    """Shares of each category against the marginal probabilities of the drawn items, within 4.5 standard errors."""
    cases, simulate, models, check = (load(m) for m in ("cases", "simulate", "item_models", "check"))
    case = cases.replace(cases.KNOWN[name], n=4000, j=10)
    rng = np.random.default_rng(case.seed)
    par = simulate.draw_items(case, rng)
    x = np.concatenate(list(simulate.draw_answers(case, par, rng)))
    assert np.mean(x < 0) == pytest.approx(case.missing, abs=0.01)
    nodes, log_weights = check.grid()
    alone = models.Parameters(case.model, par.slope.sum(axis=1, keepdims=True), par.intercept, par.guessing)
    expected = np.einsum("q,qjk->jk", np.exp(log_weights), models.probabilities(alone, nodes[:, None]))
    answered = (x >= 0).sum(axis=0)[:, None]
    share = np.stack([(x == k).sum(axis=0) for k in range(case.k)], axis=1) / answered
    assert np.all(np.abs(share - expected) < 4.5 * np.sqrt(expected * (1 - expected) / answered))


def test_data_are_the_same_each_time(load, tmp_path):
    cases, simulate = load("cases"), load("simulate")
    case = cases.KNOWN["tiny-bifactor-5k-50"]
    first, again = (np.load(simulate.prepare_data(case, tmp_path / folder) / "x.npy") for folder in "ab")
    np.testing.assert_array_equal(first, again)
    assert first.shape == (400, 10)


def test_parquet_holds_every_person(load, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    cases, simulate = load("cases"), load("simulate")
    case = cases.replace(cases.KNOWN["tiny-2pl-1m-100"], n=45_000)
    table = parquet.read_table(simulate.prepare_data(case, tmp_path) / "x.parquet")
    assert (table.num_rows, table.num_columns) == (45_000, 10)


# --- runners ----------------------------------------------------------------------------------------------------


def test_a_runner_that_fails_is_reported_with_its_message(load, tmp_path, capsys):
    cases, workers, simulate = load("cases"), load("workers"), load("simulate")
    case = cases.replace(cases.KNOWN["tiny-2pl-5k-50"], runners=())
    data = simulate.prepare_data(case, tmp_path)
    plan = workers.Plan(1, 10.0, 60.0, tmp_path)
    records = workers.take_turns(cases.replace(case, model="no-such-model"), data, plan)
    assert "no-such-model" in records["ours"].note
    assert records["ours"].wall == []
    assert "no-such-model" in capsys.readouterr().out


def test_a_runner_that_does_not_answer_is_ended(load, tmp_path):
    cases, workers, simulate = load("cases"), load("workers"), load("simulate")
    case = cases.KNOWN["tiny-2pl-5k-50"]
    data = simulate.prepare_data(case, tmp_path)
    with (
        workers.Worker("ours", case, data, workers.Plan(1, 1.0, 0.01, tmp_path)) as worker,
        pytest.raises(workers.CannotRunError, match="no result within 0 seconds"),
    ):
        worker.hear()


def test_messages_show_no_folders_of_this_machine(load):
    environments = load("environments")
    said = environments.last_line(f"Traceback\nOSError: {ROOT}/build and {Path.home()}/x\n\n")
    assert said == "OSError: .../build and .../x"


def test_unknown_cases_are_named(load):
    with pytest.raises(SystemExit, match="There is no case 'nope'"):
        load("cases").find(["nope"])


# --- the table --------------------------------------------------------------------------------------------------


def record(cpu, *, check=None, note="", cold=None, **found):
    """Return a runner's record as results.json holds it."""
    empty = {"first": None, "prepare": None, "peak_mb": None, "versions": {}}
    found |= {"check": check} if cpu else {}
    return {"wall": list(cpu), "cpu": list(cpu), "cold": cold, "note": note, "found": found, **empty}


@pytest.fixture
def results():
    """A case measured: ours 0.010 s, SQUAREM 0.31 s (twice what it took for R's figures), plain mirt 0.5 s."""
    runners = {
        "ours": record([0.012, 0.010, 0.02], check=-1000.0, iterations=9, status="converged"),
        "ours-default": record([0.05], check=-1000.0),
        "mirt": record([0.5], check=-1000.001),
        "mirt-squarem": record([0.31, 0.4], check=-1000.002),
        "mirt-squarem-se": record([0.02], check=-1000.002),
        "girth": record([], note="ValueError: setting an array element"),
    }
    entry = {"date": "2026-01-01", "commit": "abc", "machine": {"processor": "x"}, "runners": runners}
    return {"simulated": True, "cases": {"2pl-5k-50": entry}}


def judged(load, results, name="2pl-5k-50"):
    return load("table").judge_case(results, load("cases").KNOWN[name])


def test_ratios_are_those_of_the_fastest_repetitions(load, results):
    verdict = judged(load, results)
    assert (verdict.ours, verdict.with_errors) == (0.010, 0.05)
    # the peer with standard errors does more work and is no comparison
    assert (verdict.peer, verdict.times_python) == ("mirt-squarem", pytest.approx(31))
    # R took 1.3 s where SQUAREM took 0.155 s; here SQUAREM took 0.31 s
    assert load("table").machine_factor(results) == pytest.approx(2)
    assert verdict.times_r == pytest.approx(1.3 * 2 / 0.010)
    assert verdict.reached == "yes"


def test_r_measured_here_goes_before_the_scaled_figure(load, results):
    results["cases"]["2pl-5k-50"]["runners"]["r-mirt"] = record([4.0], check=-1000.0)
    assert judged(load, results).times_r == pytest.approx(400)
    assert "4 s r-mirt here" in load("table").write_table(results)


def test_a_missed_target_is_named(load, results):
    results["cases"]["2pl-5k-50"]["runners"]["mirt-squarem"]["cpu"] = [0.05]
    assert judged(load, results).reached == "no: 41.9 x R, 5 x Python"


def test_a_likelihood_below_a_peers_fails_the_case_whatever_its_speed(load, results):
    results["cases"]["2pl-5k-50"]["runners"]["ours"]["found"]["check"] = -1000.5
    assert judged(load, results).reached == "no: log-likelihood 0.499 below the best peer's"
    page = load("table").write_table(results)
    assert "no: log-likelihood 0.499 below the best peer's |" in page
    assert "- ours: its log-likelihood is 0.5 below the best (2PL 5,000 x 50)" in page


@pytest.mark.parametrize(("shift", "verdict"), [(-0.0099, "yes"), (-0.0101, "no: log-likelihood 0.010 below")])
def test_the_slack_is_one_hundredth(load, results, shift, verdict):
    results["cases"]["2pl-5k-50"]["runners"]["ours"]["found"]["check"] = -1000.001 + shift
    assert judged(load, results).reached.startswith(verdict)


def test_a_likelihood_that_is_no_number_fails(load, results):
    results["cases"]["2pl-5k-50"]["runners"]["ours"]["found"]["check"] = float("nan")
    assert judged(load, results).reached.startswith("no: log-likelihood")


def test_failures_and_early_stops_are_listed(load, results):
    runners = results["cases"]["2pl-5k-50"]["runners"]
    runners["mirt"]["found"] = {"check": -1003.0, "status": "False"}
    page = load("table").write_table(results)
    assert "- girth: ValueError: setting an array element (2PL 5,000 x 50)" in page
    assert "- mirt: its log-likelihood is 3 below the best (2PL 5,000 x 50)" in page
    assert "- mirt: ended with status False (2PL 5,000 x 50)" in page


def test_without_the_reference_case_r_is_left_out_and_said_to_be(load, results):
    moved = {"simulated": True, "cases": {"graded-5k-40": results["cases"]["2pl-5k-50"]}}
    assert judged(load, moved, "graded-5k-40").reached == "no: 31 x Python, R not measured"
    assert "The figures of R are left out" in load("table").write_table(moved)


def test_a_case_the_checkout_cannot_run_says_why(load, results):
    why = "left out: ta.calibrate has no argument 'structure' in this checkout."
    left = {"ours": record([], note=why), "mirt-bifactor": record([], note="MirtDataError: dichotomous only")}
    results["cases"]["bifactor-5k-50"] = {**results["cases"]["2pl-5k-50"], "runners": left}
    assert judged(load, results, "bifactor-5k-50").reached == why
    assert "MirtDataError: dichotomous only" in load("table").write_table(results)


def test_a_run_without_the_compiled_kernel_is_marked(load, results):
    ours = results["cases"]["2pl-5k-50"]["runners"]["ours"]
    assert "without the compiled kernel" not in load("table").write_table(results)
    ours["versions"] = {"kernel": "NumPy"}
    assert "without the compiled kernel (NumPy alone): 2PL 5,000 x 50" in load("table").write_table(results)


def test_limits_of_memory_and_of_the_cold_process(load, results):
    entry = results["cases"]["2pl-5k-50"]
    ours = record([9.0], beyond_input_mb=320.0)
    results["cases"]["2pl-1m-100"] = {**entry, "runners": {"ours": ours}}
    cold = {"ours": record([0.1], check=-1.0), "ours-command": record([0.8]), "theta": record([0.1], cold=4.0)}
    results["cases"]["cold-5k-50"] = {**entry, "runners": cold}
    results["cases"]["2pl-100k-100"] = copy.deepcopy(entry)
    assert judged(load, results, "2pl-1m-100").reached == "no: 320 MB, limit 300"
    verdict = judged(load, results, "cold-5k-50")
    assert (verdict.ours, verdict.times_python, verdict.reached) == (0.8, pytest.approx(5), "yes")
    assert "900.0 x the time" in load("table").write_table(results)


def test_a_large_error_of_scores_fails(load, results):
    runners = {"ours": record([0.1], check=2e-3), "theta": record([10.0], check=1e-7)}
    results["cases"]["score-100k-100"] = {**results["cases"]["2pl-5k-50"], "runners": runners}
    assert judged(load, results, "score-100k-100").reached == "no: largest error 2.0e-03"
