"""Data that estimation goes wrong on elsewhere: the documented finding or error, no NaN, no false CONVERGED SIMULATED.

Maxima are checked against SciPy on a likelihood written out in plain NumPy (brute_force.py), with the compiled E-step
and with NumPy's.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import brute_force
from talentassess import calibration as engine
from talentassess.calibration import NormalPrior, calibrate, stages
from talentassess.calibration.inputs import Settings
from talentassess.calibration.objective import evaluate
from talentassess.core import kernel
from talentassess.core.calibration import Calibration
from talentassess.core.errors import CalibrationError
from talentassess.core.provenance import Provenance
from talentassess.core.responses import Responses
from talentassess.core.status import Severity, Status

OPTIMISERS = ("l-bfgs", "squarem")
ENGINES = [("compiled", "l-bfgs"), ("compiled", "squarem"), ("numpy", "l-bfgs")]


@pytest.fixture(params=["compiled", "numpy"])
def e_step(request, monkeypatch):
    """Run a test with each of the two E-steps."""
    if request.param == "numpy":
        monkeypatch.setenv("TALENTASSESS_KERNEL", "numpy")
    elif kernel.library() is None:
        pytest.skip("no compiled kernel here")
    kernel.library.cache_clear()
    yield request.param
    monkeypatch.undo()
    kernel.library.cache_clear()


def draw(model: str, par: np.ndarray, n_cat: int, n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    theta = rng.normal(size=n)
    p = np.stack([brute_force.chances(model, own, theta, n_cat) for own in par])  # (J, K, N)
    u = rng.random((len(par), 1, n))
    return np.minimum((u > np.cumsum(p, axis=1)).sum(axis=1), n_cat - 1).T


def two_pl(n_items: int, n: int, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return draw("2pl", np.column_stack([rng.uniform(0.8, 1.8, n_items), rng.uniform(-1.5, 1.5, n_items)]), 2, n, seed)


def graded(n_items: int, n: int, n_cat: int = 4, seed: int = 2) -> np.ndarray:
    rng = np.random.default_rng(seed)
    steps = np.linspace(1.8, -1.8, n_cat - 1) + rng.uniform(-0.4, 0.4, (n_items, 1))
    return draw("graded", np.column_stack([rng.uniform(0.8, 1.8, n_items), steps]), n_cat, n, seed)


def answers(x: np.ndarray, n_cat: int = 2, **more) -> Responses:
    return Responses(
        x=x,
        n_cat=[n_cat] * x.shape[1],
        item_ids=[f"q{j}" for j in range(x.shape[1])],
        person_ids=range(len(x)),
        provenance=Provenance("hard data", simulated=True),
        **more,
    )


def findings(fitted: Calibration) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for finding in fitted.audit:
        found.setdefault(finding.code, []).append(finding.where)
    return found


def sound(fitted: Calibration) -> dict[str, list[str]]:
    """Check what holds of every calibration, and return its findings by code.

    Estimates are finite; errors are unknown only at bounds or where nothing is identified; anything but CONVERGED is
    said by a finding; and CONVERGED carries no problem.
    """
    assert np.isfinite(fitted.free.values).all()
    assert np.isfinite(fitted.loglik)
    found, errors = findings(fitted), np.diag(fitted.free.cov)
    if fitted.status is not Status.NOT_IDENTIFIED:
        unknown = {name for name, v in zip(fitted.free.names, errors, strict=True) if not np.isfinite(v)}
        assert unknown == set(found.get("at_bound", []))
    assert ("status" in found) == (not fitted.status.ok)
    if fitted.status.ok:
        assert not [f for f in fitted.audit if f.severity is Severity.PROBLEM]
        assert (errors > 0).all()
    return found


def objective(x: np.ndarray, model: str, n_cat: int, shape: tuple[int, int], **more):
    return lambda free: brute_force.log_likelihood(x, model, free.reshape(shape), n_cat, **more)


def check_maximum(fitted: Calibration, value, tol: float = 2e-3) -> None:
    """Compare with SciPy's maximum from a start moved away from ours at random."""
    ours = fitted.free.values
    moved = ours + np.random.default_rng(3).normal(scale=0.1, size=len(ours))
    best, at_best = brute_force.maximum(value, moved)
    assert value(ours) == pytest.approx(at_best, abs=1e-4)
    np.testing.assert_allclose(ours, best, atol=tol)


# ---------------------------------------------------------------------------------------------- items and categories


def test_a_constant_item_is_named():
    x = two_pl(8, 500)
    x[:, 0] = 1
    with pytest.raises(CalibrationError, match="item 'q0': all 500 answers are in category 1"):
        calibrate(answers(x), "2pl")


@pytest.mark.parametrize(("e_step", "optimiser"), ENGINES, indirect=["e_step"])
def test_a_reverse_keyed_item_keeps_its_sign_and_is_named(e_step, optimiser):
    x = graded(4, 300)
    x[:, 0] = 3 - x[:, 0]
    fitted = calibrate(answers(x, 4), "graded", optimiser=optimiser)
    found = sound(fitted)
    assert fitted.status is Status.CONVERGED
    assert found["negative_item_rest"] == found["negative_slope"] == ["q0"]
    value = objective(x, "graded", 4, (4, 4))
    assert fitted.loglik == pytest.approx(value(fitted.free.values), abs=1e-5)
    if (e_step, optimiser) == ("numpy", "l-bfgs"):
        check_maximum(fitted, value)
    assert np.abs(brute_force.slopes_along(value, fitted.free.values)).max() < 1e-3


@pytest.mark.parametrize("unused", [0, 2, 3])
@pytest.mark.parametrize("model", ["graded", "gpcm", "nominal"])
def test_an_unused_category_is_kept_named_and_held_by_one_answer_of_prior(e_step, model, unused):
    x = graded(4, 300)
    x[x[:, 1] == unused, 1] = unused + 1 if unused < 3 else 2
    fitted = calibrate(answers(x, 4), model)
    assert sound(fitted)["unused_category"] == ["q1"]
    assert fitted.status is Status.CONVERGED
    value = objective(x, model, 4, fitted.blocks[0].par.shape, prior_answers=(1,))
    assert np.abs(brute_force.slopes_along(value, fitted.free.values)).max() < 1e-3
    if model == "graded" and unused == 3 and e_step == "numpy":
        check_maximum(fitted, value)


def test_a_category_that_one_person_chose(e_step):
    par = np.column_stack([np.tile([0.6, 1.2, 1.8], (6, 1)), np.tile([0.5, 0.2, -0.5], (6, 1))])
    x = draw("nominal", par, 4, 600, 7)
    x[x[:, 0] == 1, 0] = 0
    x[5, 0] = 1
    fitted = calibrate(answers(x, 4), "nominal")
    assert sound(fitted)["rare_category"] == ["q0"]
    assert fitted.status is Status.CONVERGED
    assert np.sqrt(fitted.free.cov[0, 0]) > 0.9  # the slope of that category; usual ones are below 0.3
    assert np.sqrt(fitted.free.cov[6, 6]) < 0.3
    value = objective(x, "nominal", 4, (6, 6))
    assert np.abs(brute_force.slopes_along(value, fitted.free.values)).max() < 1e-3


@pytest.mark.parametrize(("e_step", "optimiser"), ENGINES, indirect=["e_step"])
def test_eleven_categories_do_not_turn_the_scale_round(e_step, optimiser):
    """The mirror image of a scale is as likely; L-BFGS once ended there: 0.7 is a steep start for 11 categories."""
    x = draw("graded", np.column_stack([np.full(6, 1.3), np.tile(np.linspace(3, -3, 10), (6, 1))]), 11, 400, 8)
    for model in ("graded", "gpcm"):
        fitted = calibrate(answers(x, 11), model, optimiser=optimiser)
        assert "negative_slope" not in sound(fitted)
        assert fitted.status is Status.CONVERGED
        assert (fitted.blocks[0].par[:, 0] > 0).all()
        value = objective(x, model, 11, fitted.blocks[0].par.shape)
        assert fitted.loglik == pytest.approx(value(fitted.free.values), abs=1e-4)
        assert np.abs(brute_force.slopes_along(value, fitted.free.values, 6)).max() < 2e-3


def test_a_scale_turned_round_by_its_start_is_turned_back_with_its_groups():
    x = two_pl(8, 500)
    labels = ["a"] * 300 + ["b"] * 200
    usual = calibrate(answers(x), "2pl", groups=labels)
    problem = engine.build_problem(
        answers(x), dict.fromkeys(answers(x).item_ids, "2pl"), groups=labels, constraints=(), priors=None
    )
    turned = usual.free.values * np.where(["slope" in n or "mean" in n for n in usual.free.names], -1, 1)

    def climb(problem, **more):
        return engine.maximise(problem, report=lambda _: None, dimension="scale", **more)

    settings = Settings(dict.fromkeys(answers(x).item_ids, "2pl"), tuple(labels), None, (), None)
    mirrored = climb(problem, tol=1e-6, max_steps=50, start=turned)
    assert mirrored.last.value == pytest.approx(usual.loglik, abs=1e-8)
    assert (mirrored.last.blocks[0].par[:, 0] < 0).all()
    back = stages.right_way_round(mirrored, settings, climb)
    np.testing.assert_allclose(back.last.free, usual.free.values, atol=1e-5)
    # slopes held by a prior on their negative side stay there: the mirror image would be worse
    priors = {"slope": NormalPrior(-1.2, 0.2)}
    kept = calibrate(answers(x), "2pl", priors=priors)
    assert (kept.blocks[0].par[:, 0] < 0).all()


def test_an_extremely_easy_item(e_step):
    """One of 5,000 fails it, the best of all on the other items: no slope describes that."""
    x = two_pl(8, 5000, 9)
    x[:, 0] = 1
    x[np.argmax(x.sum(axis=1)), 0] = 0
    steep = calibrate(answers(x), "2pl")
    assert {"status", "at_bound", "negative_item_rest", "rare_category"} <= set(sound(steep))
    assert steep.status is Status.AT_BOUND
    common = calibrate(answers(x), "1pl")
    found = sound(common)
    assert common.status is Status.CONVERGED
    assert found["rare_category"] == ["q0"]
    patterns, n = np.unique(x, axis=0, return_counts=True)

    def value(free):
        par = np.column_stack([np.full(8, free[0]), free[1:]])
        return brute_force.log_likelihood(patterns, "2pl", par, 2, weight=n)

    assert common.loglik == pytest.approx(value(common.free.values), abs=1e-4)
    assert np.abs(brute_force.slopes_along(value, common.free.values)).max() < 2e-3


# --------------------------------------------------------------------------------------------- too little to go on


@pytest.mark.parametrize(("e_step", "optimiser"), ENGINES, indirect=["e_step"])
def test_two_copies_of_an_item_run_to_the_bound(e_step, optimiser):
    """Both end at the maximum under the bound, where no free value can move (SQUAREM once stopped 1.4 units below)."""
    x = two_pl(8, 500)
    doubled = np.column_stack([x, x[:, 0]])
    fitted = calibrate(answers(doubled), "2pl", optimiser=optimiser)
    found = sound(fitted)
    assert fitted.status is Status.AT_BOUND
    assert found["at_bound"] == ["q0.slope", "q8.slope"]
    assert found["steep_slope"] == ["q0", "q8"]
    assert fitted.n_steps < 200  # not hundreds of short steps along the bound
    people = answers(doubled)
    models = dict.fromkeys(people.item_ids, "2pl")
    problem = engine.build_problem(people, models, groups=None, constraints=(), priors=None)
    better = problem.structure.suited(fitted.blocks, np.zeros(0))
    again = evaluate(engine.replace(problem, structure=better or problem.structure), fitted.free.values)
    inside = np.abs(fitted.free.values) < 25
    assert np.abs(again.gradient[inside]).max() < 1e-3


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("model", ["2pl", "1pl", "rasch"])
def test_perfect_guttman_answers_never_converge(model, optimiser):
    x = np.tri(7, 6, -1, dtype=int).repeat(30, axis=0)
    fitted = calibrate(answers(x), model, optimiser=optimiser, max_steps=20 if model == "rasch" else 300)
    sound(fitted)
    assert fitted.status in (Status.AT_BOUND, Status.MAX_STEPS)


@pytest.mark.parametrize("model", ["2pl", "1pl", "graded"])
def test_all_the_same_but_one_never_converges(e_step, model):
    x = np.ones((200, 6), dtype=int)
    x[0] = 0
    fitted = calibrate(answers(x), model, max_steps=300)
    assert {"rare_category", "status"} <= set(sound(fitted))
    assert fitted.status in (Status.AT_BOUND, Status.MAX_STEPS)


def test_two_rasch_items_reproduce_their_table_and_one_does_not_identify_anything(e_step):
    """Three parameters and three free cells: the maximum is the saturated multinomial's, where the items correlate."""
    x = two_pl(8, 500)
    two = calibrate(answers(x[:, :2]), "rasch")
    sound(two)
    assert two.status is Status.CONVERGED
    _, n = np.unique(x[:, :2], axis=0, return_counts=True)
    assert two.loglik == pytest.approx(float(n @ np.log(n / 500)), abs=1e-4)
    for items, model in ((1, "rasch"), (1, "2pl"), (2, "2pl")):
        fitted = calibrate(answers(x[:, :items]), model)
        assert "more_parameters_than_data" in sound(fitted)
        assert fitted.status is Status.NOT_IDENTIFIED


def test_forty_items_and_twelve_persons(e_step):
    x = two_pl(40, 12, 4)
    x[:, 3], x[:, 20] = 1, 0
    constant = [f"q{j}" for j in range(40) if len(set(x[:, j])) == 1]
    with pytest.raises(CalibrationError, match="all 12 answers are in category") as caught:
        calibrate(answers(x), "2pl")
    assert {"q3", "q20"} <= set(constant)
    assert all(f"'{item}'" in str(caught.value) for item in constant)
    varying = x[:, [len(set(column)) == 2 for column in x.T]]
    two = calibrate(answers(varying), "2pl", max_steps=200)
    assert not two.status.ok
    assert {"at_bound", "steep_slope", "large_se"} <= set(sound(two))
    one = calibrate(answers(varying), "rasch")
    assert sound(one)
    assert one.status is Status.CONVERGED

    def value(free):
        par = np.column_stack([np.ones(len(free) - 1), free[:-1]])
        return brute_force.log_likelihood(varying, "2pl", par, 2, sd=float(np.exp(free[-1])))

    assert one.loglik == pytest.approx(value(one.free.values), abs=1e-5)
    assert np.abs(brute_force.slopes_along(value, one.free.values)).max() < 1e-4


def test_two_hundred_items_and_fifty_persons(e_step):
    x = two_pl(200, 50, 5)
    fitted = calibrate(answers(x), "2pl", se="oakes" if e_step == "compiled" else None)
    assert fitted.status is Status.CONVERGED
    value = objective(x, "2pl", 2, (200, 2), n_nodes=321)  # posteriors are narrow
    assert fitted.loglik == pytest.approx(value(fitted.free.values), abs=1e-3)
    assert np.abs(brute_force.slopes_along(value, fitted.free.values)).max() < 1e-3


@pytest.mark.parametrize("model", ["3pl", "4pl"])
def test_asymptotes_need_their_priors(e_step, model):
    par = np.column_stack([np.random.default_rng(3).uniform([0.8, -1.5], [1.8, 1.5], (8, 2)), np.full(8, -1.4)])
    x = draw("3pl", par, 2, 1500, 6)
    without = calibrate(answers(x), model, priors={}, max_steps=100, se=None)
    assert not without.status.ok
    assert {"guessing_without_prior", "status"} <= set(findings(without))
    assert np.isfinite(without.free.values).all()
    fitted = calibrate(answers(x), model)
    assert sound(fitted)["priors"] == ["scale"]
    assert fitted.status is Status.CONVERGED
    likelihood = objective(x, model, 2, fitted.blocks[0].par.shape)
    means = [p.prior for p in fitted.blocks[0].model.params(2, 1)]

    def value(free):
        own = free.reshape(fitted.blocks[0].par.shape)
        penalty = [np.sum(((own[:, k] - m[0]) / m[1]) ** 2) for k, m in enumerate(means) if m is not None]
        return likelihood(free) - 0.5 * sum(penalty)

    assert np.abs(brute_force.slopes_along(value, fitted.free.values)).max() < 1e-3
    assert fitted.loglik == pytest.approx(likelihood(fitted.free.values), abs=1e-5)


# ------------------------------------------------------------------------------------------ missing answers, groups


@pytest.mark.parametrize("share", [0.3, 0.8])
def test_missing_answers(e_step, share):
    x = graded(6, 400 if share < 0.5 else 1500, 3)
    x[np.random.default_rng(0).random(x.shape) < share] = -1
    x[7] = -1
    fitted = calibrate(answers(x, 3), "graded")
    assert sound(fitted)["no_answers"] == ["scale"]
    assert fitted.status is Status.CONVERGED
    assert fitted.n_persons == np.any(x >= 0, axis=1).sum()
    value = objective(x, "graded", 3, (6, 3))
    assert fitted.loglik == pytest.approx(value(fitted.free.values), abs=1e-5)
    assert np.abs(brute_force.slopes_along(value, fitted.free.values)).max() < 1e-3
    if e_step == "numpy" and share < 0.5:
        check_maximum(fitted, value)
    without = calibrate(answers(x[(x >= 0).any(axis=1)], 3), "graded")
    np.testing.assert_allclose(without.free.values, fitted.free.values, atol=1e-6)


def booklets() -> np.ndarray:
    x = two_pl(8, 500)
    x[:250, 4:], x[250:, :4] = -1, -1
    return x


def test_disconnected_booklets_of_one_group_are_two_forms(e_step):
    """Exact: the likelihood falls into that of the first booklet and that of the second."""
    x = booklets()
    fitted = calibrate(answers(x), "2pl")
    assert sound(fitted)["disconnected"] == ["scale"]
    assert fitted.status is Status.CONVERGED
    parts = [calibrate(answers(x[:250, :4]), "2pl"), calibrate(answers(x[250:, 4:]), "2pl")]
    assert fitted.loglik == pytest.approx(sum(part.loglik for part in parts), abs=1e-6)
    np.testing.assert_allclose(fitted.free.values, np.concatenate([p.free.values for p in parts]), atol=2e-4)


@pytest.mark.parametrize(("e_step", "optimiser"), ENGINES, indirect=["e_step"])
@pytest.mark.parametrize("model", ["2pl", "rasch"])
def test_disconnected_booklets_of_two_groups_are_not_identified(e_step, model, optimiser):
    fitted = calibrate(answers(booklets()), model, groups=["a"] * 250 + ["b"] * 250, optimiser=optimiser, max_steps=300)
    assert sound(fitted)["disconnected"] == ["scale"]
    assert fitted.status in (Status.NOT_IDENTIFIED, Status.MAX_STEPS)
    (finding,) = [f for f in fitted.audit if f.code == "disconnected"]
    assert finding.severity is Severity.PROBLEM


def two_groups(x: np.ndarray, first: int):
    """Return the likelihood of two groups: item parameters, then mean and log sd of the second."""

    def value(free):
        par = free[:-2].reshape(-1, 2)
        one = brute_force.log_likelihood(x[:first], "2pl", par, 2)
        return one + brute_force.log_likelihood(x[first:], "2pl", par, 2, mean=free[-2], sd=float(np.exp(free[-1])))

    return value


def test_a_group_of_five_persons_is_estimated_and_named(e_step):
    x = two_pl(6, 400)
    fitted = calibrate(answers(x), "2pl", groups=["a"] * 395 + ["b"] * 5)
    assert sound(fitted)["small_group"] == ["b"]
    assert fitted.status is Status.CONVERGED
    if e_step == "numpy":
        check_maximum(fitted, two_groups(x, 395), tol=5e-3)


def test_a_group_of_one_person_has_no_spread():
    x = two_pl(8, 500)
    fitted = calibrate(answers(x), "2pl", groups=["a"] * 499 + ["b"])
    assert sound(fitted)["at_bound"] == ["log latent sd [b]"]
    assert fitted.status is Status.AT_BOUND


# -------------------------------------------------------------------------------------------------------- weights


@cache
def weighted() -> tuple[np.ndarray, np.ndarray]:
    """Return answers and weights of seven digits that sum to 10^7."""
    x = two_pl(6, 400)
    copies = np.random.default_rng(0).integers(10, 39, 400)
    copies[np.argmin(copies)] += 10_000 - copies.sum()
    return x, copies


@pytest.mark.parametrize("grouped", [False, True])
def test_weights_of_seven_digits_are_counts(e_step, grouped):
    """A weight of 1000 c equals 1000 times the data in which each person stands c times: errors shrink by root 1000."""
    x, copies = weighted()
    labels = np.where(np.arange(400) % 2, "b", "a")
    more = [{"groups": list(g)} if grouped else {} for g in (labels, labels.repeat(copies))]
    fitted = calibrate(answers(x, weight=1000.0 * copies), "2pl", **more[0])
    expanded = calibrate(answers(x.repeat(copies, axis=0)), "2pl", **more[1])
    found = sound(fitted)
    assert copies.sum() == 10_000
    assert fitted.status is Status.CONVERGED
    assert found["weights_as_counts"] == ["scale"]
    assert fitted.loglik == pytest.approx(1000 * expanded.loglik, rel=1e-11)
    np.testing.assert_allclose(fitted.free.values, expanded.free.values, atol=2e-6)
    np.testing.assert_allclose(1000 * fitted.free.cov, expanded.free.cov, rtol=1e-4, atol=1e-8)
    if e_step == "numpy" and not grouped:
        patterns, where = np.unique(x, axis=0, return_inverse=True)
        n = np.bincount(where.ravel(), copies)
        check_maximum(expanded, objective(patterns, "2pl", 2, (6, 2), weight=n))


def test_sampling_weights_take_the_sandwich(e_step):
    """H^-1 (sum w_i^2 s_i s_i') H^-1 with scores and Hessian by central differences of the plain likelihood."""
    x, copies = weighted()
    fitted = calibrate(answers(x, weight=1000.0 * copies), "2pl", se="sandwich")
    found = sound(fitted)
    assert "weights_as_counts" not in found
    free, size, step = fitted.free.values, 12, 1e-4

    def by_person(at):
        return brute_force.log_likelihood(x, "2pl", at.reshape(6, 2), 2, by_person=True)

    units = step * np.eye(size)
    scores = np.column_stack([(by_person(free + e) - by_person(free - e)) / (2 * step) for e in units])
    hessian = np.array(
        [
            [
                copies
                @ (
                    by_person(free + e + f)
                    - by_person(free + e - f)
                    - by_person(free - e + f)
                    + by_person(free - e - f)
                )
                for f in units
            ]
            for e in units
        ]
    ) / (4 * step**2)
    inverse = np.linalg.inv(-hessian)
    expected = inverse @ (scores * copies[:, None] ** 2).T @ scores @ inverse
    np.testing.assert_allclose(fitted.free.cov, expected, rtol=2e-3, atol=1e-5)
    small = calibrate(answers(x, weight=copies / 100.0), "2pl", se="sandwich")
    np.testing.assert_allclose(small.free.cov, fitted.free.cov, rtol=1e-4, atol=1e-7)  # only their ratios count


# ------------------------------------------------------------------------------------------------------- stopping


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_ctrl_c_keeps_the_state_so_far(e_step, optimiser):
    seen = []

    def interrupt(progress):
        seen.append(progress)
        if len(seen) == 3:
            raise KeyboardInterrupt

    x = graded(8, 400)
    fitted = calibrate(answers(x, 4), "graded", optimiser=optimiser, progress=interrupt)
    assert fitted.status is Status.INTERRUPTED
    assert "status" in sound(fitted)
    assert fitted.loglik == seen[-1].loglik  # the last point that was reported, not the start
    assert len(fitted.trace[0]) == 4
    value = objective(x, "graded", 4, (8, 4))
    assert fitted.loglik == pytest.approx(value(fitted.free.values), abs=1e-5)


def test_ctrl_c_in_the_rough_fit_to_a_sample(monkeypatch):
    monkeypatch.setattr(stages, "WARM_UP", 100)

    def interrupt(progress):
        raise KeyboardInterrupt

    x = graded(20, 900)
    fitted = calibrate(answers(x, 4), "graded", progress=interrupt)
    assert fitted.status is Status.INTERRUPTED
    value = objective(x, "graded", 4, (20, 4))  # of everybody, not of the sample
    assert fitted.loglik == pytest.approx(value(fitted.free.values), abs=1e-4)


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_the_step_limit_counts_every_round(optimiser):
    """A wider grid starts a second round; it gets the passes that are left, and one to see where it stands."""
    x = np.tri(7, 6, -1, dtype=int).repeat(30, axis=0)
    fitted = calibrate(answers(x), "rasch", max_steps=12, optimiser=optimiser)
    assert fitted.status is Status.MAX_STEPS
    assert fitted.n_steps < 12 + 2 * stages.GRID_ROUNDS + 3


# --------------------------------------------------------------------------------------------- quality of CONVERGED


QUALITY = {
    "2pl": (lambda: two_pl(6, 400, 1), 2),
    "3pl": (lambda: two_pl(10, 1000, 13), 2),
    "rasch": (lambda: two_pl(30, 60, 14), 2),
    "graded": (lambda: graded(6, 80, 5, 15), 5),
    "gpcm": (lambda: graded(4, 2000, 4, 16), 4),
    "nominal": (lambda: graded(8, 500, 3, 17), 3),
}


@pytest.mark.parametrize("model", QUALITY)
def test_converged_is_within_1e_5_of_the_maximum(model):
    """Go on from the solution with a tolerance of 1e-9, from starts around it, and with the other optimiser."""
    make, n_cat = QUALITY[model]
    x = make()
    x[np.random.default_rng(1).random(x.shape) < 0.2] = -1
    people = answers(x, n_cat)
    fitted = calibrate(people, model)
    assert fitted.status is Status.CONVERGED
    models = dict.fromkeys(people.item_ids, model)
    problem = engine.build_problem(people, models, groups=None, constraints=(), priors=None)
    better = problem.structure.suited(fitted.blocks, fitted.free.values[problem.tie.n_free :])
    problem = problem if better is None else engine.replace(problem, structure=better)
    rng = np.random.default_rng(2)
    for spread in (0.0, 0.2, 0.2):
        path = engine.maximise(
            problem,
            tol=1e-9,
            max_steps=500,
            report=lambda _: None,
            dimension="scale",
            start=fitted.free.values + rng.normal(scale=spread, size=len(fitted.free.values)),
        )
        np.testing.assert_allclose(path.last.free, fitted.free.values, atol=1e-5)
        assert path.last.loglik == pytest.approx(fitted.loglik, abs=1e-5)
    other = calibrate(people, model, optimiser="squarem", se=None)
    assert other.status is Status.CONVERGED
    np.testing.assert_allclose(other.free.values, fitted.free.values, atol=1e-4)
