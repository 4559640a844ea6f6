"""The compiled E-step and the NumPy one give the same numbers; both against sums over persons written out."""

from __future__ import annotations

import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from talentassess.core import kernel
from talentassess.core.answers import Answers, compile_answers, gather_answers
from talentassess.core.likelihood import ItemBlock, e_step, offsets, posteriors, stack_log_prob
from talentassess.core.quadrature import grid, normal_log_weights
from talentassess.core.responses import Responses
from talentassess.core.survey import plain_worth, survey_answers
from talentassess.models import find_model

compiled_only = pytest.mark.skipif(kernel.library() is None, reason="no compiled kernel here")


def case(n, kinds, seed, missing=0.0, slope=1.2):
    """Return codes, starts and stacked log probabilities of a mixed form of graded and 2pl items."""
    rng = np.random.default_rng(seed)
    starts = offsets(np.array(kinds))
    theta = rng.normal(size=(n, 1))
    x = np.empty((n, len(kinds)), dtype=np.int16)
    blocks = []
    for j, k in enumerate(kinds):
        d = np.sort(rng.normal(0, 1.5, k - 1))[::-1] - 0.05 * np.arange(k - 1)
        block = ItemBlock(find_model("graded")[0], k, np.array([j]), np.array([[slope * rng.uniform(0.6, 1.5), *d]]))
        blocks.append(block)
        p = np.exp(block.log_prob(theta))[:, 0]
        x[:, j] = (rng.random((n, 1)) > np.cumsum(p, axis=1)).sum(axis=1).clip(0, k - 1)
    x[rng.random(x.shape) < missing] = -1
    return x, starts, lambda nodes: stack_log_prob(blocks, nodes[:, None], starts)


def priors(nodes, groups=1):
    return np.stack([normal_log_weights(nodes, 0.3 * g, 1 + 0.1 * g) for g in range(groups)])


def answers(x, starts, group, weight):
    return Answers(x, group, weight, weight**2, starts, compile_answers(x, group, weight, starts))


CASES = {
    "dichotomous": (700, [2] * 30, 0.0),
    "five categories": (500, [5] * 20, 0.0),
    "mixed with missing answers": (600, [2, 5, 3, 7, 2, 4] * 4, 0.3),
    "one item": (50, [3], 0.0),
    "an item wider than a table": (80, [70, 2, 66], 0.1),
    "mostly missing": (400, [4] * 12, 0.8),
    "so many that windows are guessed": (4000, [2] * 25 + [4] * 5, 0.05),
}


@compiled_only
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("nodes", [grid(), grid(121), grid(30, 4.0), grid(9, 3.0)], ids=lambda nodes: str(len(nodes)))
def test_kernel_equals_numpy(name, nodes):
    n, kinds, missing = CASES[name]
    x, starts, log_prob = case(n, kinds, 1, missing)
    rng = np.random.default_rng(2)
    group, weight = rng.integers(0, 3, n), rng.uniform(0.5, 3.0, n)
    log_prior = priors(nodes, 3)
    ours = answers(x, starts, group, weight)
    exact = e_step(x, log_prob(nodes), log_prior, group, weight, starts)
    for _ in range(3):  # the second and third pass use the windows that the first found
        fast = ours.e_step(log_prob(nodes), log_prior)
        assert fast.loglik == pytest.approx(exact.loglik, rel=1e-12)
        np.testing.assert_allclose(fast.counts, exact.counts, rtol=0, atol=1e-10 * weight.sum())
        np.testing.assert_allclose(fast.mass, exact.mass, rtol=0, atol=1e-10 * weight.sum())


@compiled_only
def test_windows_follow_the_parameters():
    """Windows found at one point are given up where the posterior leaves them: results stay exact after a jump."""
    x, starts, log_prob = case(400, [5] * 30, 3)
    nodes = grid()
    ours = answers(x, starts, np.zeros(400, dtype=np.int64), np.ones(400))
    for shift in (0.0, 1.5, -2.0):
        log_prior = normal_log_weights(nodes, shift, 0.3)[None]
        exact = e_step(x, log_prob(nodes), log_prior, np.zeros(400, dtype=np.int64), np.ones(400), starts)
        fast = ours.e_step(log_prob(nodes), log_prior)
        assert fast.loglik == pytest.approx(exact.loglik, rel=1e-12)
        np.testing.assert_allclose(fast.counts, exact.counts, atol=1e-8)
    assert ours.compiled is not None
    assert np.count_nonzero(ours.compiled.window) > 300  # most persons do have a window


@compiled_only
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_do_not_change_the_numbers(threads, monkeypatch):
    monkeypatch.setenv("TALENTASSESS_THREADS", str(threads))
    monkeypatch.setattr(kernel, "WORTH_A_THREAD", 100)
    x, starts, log_prob = case(1003, [3] * 25, 4, 0.1)
    nodes = grid()
    exact = e_step(x, log_prob(nodes), priors(nodes), np.zeros(1003, dtype=np.int64), np.ones(1003), starts)
    fast = answers(x, starts, np.zeros(1003, dtype=np.int64), np.ones(1003)).e_step(log_prob(nodes), priors(nodes))
    assert fast.loglik == pytest.approx(exact.loglik, rel=1e-13)
    np.testing.assert_allclose(fast.counts, exact.counts, atol=1e-9)


@compiled_only
def test_products_that_vanish_are_left_to_logarithms():
    """Contradictory answers to very steep items: every product underflows, the log-likelihood must not."""
    steep = find_model("2pl")[0]
    par = np.column_stack([np.full(240, 24.0), np.tile([40.0, -40.0], 120)])
    starts = offsets(np.full(240, 2))
    x = np.tile([0, 1], (3, 120)).astype(np.int16)  # fails the easy items, passes the hard ones
    x[2] = 1
    nodes = grid()
    log_prob = stack_log_prob([ItemBlock(steep, 2, np.arange(240), par)], nodes[:, None], starts)
    ours = answers(x, starts, np.zeros(3, dtype=np.int64), np.ones(3))
    exact = e_step(x, log_prob, priors(nodes), np.zeros(3, dtype=np.int64), np.ones(3), starts)
    fast = ours.e_step(log_prob, priors(nodes))
    assert exact.loglik < -4000
    assert fast.loglik == pytest.approx(exact.loglik, rel=1e-12)
    np.testing.assert_allclose(fast.counts, exact.counts, atol=1e-10)
    assert ours.compiled is not None
    assert ours.compiled.failed.tolist() == [1, 1, 0]


@compiled_only
@pytest.mark.parametrize(("n", "kinds", "slope"), [(300, [4] * 10, 1.2), (5000, [2] * 60, 2.5)])
def test_moments_are_those_of_the_posterior(n, kinds, slope):
    x, starts, log_prob = case(n, kinds, 5, 0.2, slope)
    nodes = grid()
    packed = compile_answers(x, np.zeros(n, dtype=np.int64), np.ones(n), starts)
    assert packed is not None
    found, failed = packed.moments(log_prob(nodes), priors(nodes), nodes)
    chunks = posteriors(x, log_prob(nodes), priors(nodes), np.zeros(n, dtype=np.int64), starts)
    weights = np.concatenate([posterior for _, _, posterior, _ in chunks])
    assert not failed.any()
    np.testing.assert_allclose(found[0], weights @ nodes, atol=1e-12)
    np.testing.assert_allclose(found[1], weights @ nodes**2, atol=1e-12)


@pytest.mark.parametrize("missing", [0.0, 0.4])
def test_survey_is_what_corrcoef_says(missing):
    kinds = [2, 5, 3, 4] * 6
    x, starts, _ = case(500, kinds, 6, missing)
    x[7] = -1
    scaled = np.where(x >= 0, x / (np.array(kinds) - 1), np.nan)
    others = (np.nansum(scaled, axis=1, keepdims=True) - np.nan_to_num(scaled)) / np.maximum(
        np.sum(x >= 0, axis=1, keepdims=True) - (x >= 0), 1
    )
    usable = (x >= 0) & (np.sum(x >= 0, axis=1, keepdims=True) > 1)
    expected = [np.corrcoef(scaled[usable[:, j], j], others[usable[:, j], j])[0, 1] for j in range(len(kinds))]
    responses = Responses(
        x=x, n_cat=kinds, item_ids=[f"q{j}" for j in range(len(kinds))], person_ids=[str(i) for i in range(500)]
    )
    worth = plain_worth(np.array(kinds))
    kept, survey = gather_answers(responses, np.zeros(500, dtype=np.int64), worth)
    for found in (survey, survey_answers(x, starts, worth)):
        np.testing.assert_allclose(found.rest_correlation, expected, atol=1e-12)
        np.testing.assert_array_equal(found.answered, (x >= 0).sum(axis=1))
        counted = np.concatenate([np.bincount(x[x[:, j] >= 0, j], minlength=k) for j, k in enumerate(kinds)])
        np.testing.assert_array_equal(found.counts, counted)
    assert len(kept.x) == np.sum((x >= 0).any(axis=1))


@compiled_only
def test_steep_posteriors_keep_the_windows_they_found():
    """Where the posterior falls by orders of magnitude from node to node, its window must not end where it touches."""
    x, starts, log_prob = case(3000, [2] * 150, 8, slope=2.5)
    nodes = grid()
    ours = answers(x, starts, np.zeros(3000, dtype=np.int64), np.ones(3000)).compiled
    assert ours is not None
    seen = []
    for _ in range(2):
        ours.expected_counts(log_prob(nodes), priors(nodes))
        seen.append(ours.window.copy())
    probabilities = posteriors(x, log_prob(nodes), priors(nodes), np.zeros(3000, dtype=np.int64), starts)
    dense = np.concatenate([posterior for _, _, posterior, _ in probabilities])
    first, width = seen[1] % 16, seen[1] // 16
    last = np.minimum((first + width) * kernel.LANES, len(nodes)) - 1
    assert (width > 0).all()
    assert (dense[np.arange(3000), first * kernel.LANES] <= kernel.EDGE)[first > 0].all()
    assert (dense[np.arange(3000), last] <= kernel.EDGE)[last < len(nodes) - 1].all()
    np.testing.assert_array_equal(seen[0], seen[1])


@pytest.mark.parametrize(
    "kinds", [[2] * 13, [2, 5, 3, 7, 2, 4] * 4, [70, 2, 66, 2, 2], [40, 6, 2, 30, 2], [64, 256, 300]]
)
@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_packing_keeps_every_answer(kinds, missing):
    rng = np.random.default_rng(9)
    x = np.column_stack([rng.integers(0, k, 150) for k in kinds]).astype(np.int16)
    x[rng.random(x.shape) < missing] = -1
    layout, rows = kernel.pack_anew(offsets(np.array(kinds)), x)
    assert layout.complete == (missing == 0)
    np.testing.assert_array_equal(kernel.unpack(layout, rows), x)


@pytest.mark.parametrize("person", [0, 70, 199])
def test_packing_refuses_a_missing_answer_that_has_no_place(person):
    x = np.ones((200, 14), dtype=np.int16)
    x[:, 3] = -1
    has_room = np.arange(14) == 3
    layout = kernel.plan_layout(offsets(np.full(14, 2)), has_room)
    np.testing.assert_array_equal(kernel.unpack(layout, kernel.pack(layout, x)), x)
    x[person, 13] = -1
    assert kernel.pack_if_it_fits(layout, x) is None
    with pytest.raises(RuntimeError, match="no room"):
        kernel.pack(layout, x)


def test_layout_groups_neighbours_and_keeps_tables_small():
    layout = kernel.plan_layout(offsets(np.array([2, 2, 5, 5, 70, 3])), np.zeros(6, dtype=bool), breaks=(3,))
    assert layout.first_item.tolist() == [0, 3, 4, 5, 6]
    rows = [b - a for a, b in pairwise(layout.offset)]
    assert rows == [20, 5, 70, 3]


def test_numpy_takes_over_where_the_kernel_is_turned_off(monkeypatch):
    monkeypatch.setenv("TALENTASSESS_KERNEL", "numpy")
    kernel.library.cache_clear()
    try:
        assert kernel.kernel_name() == "NumPy"
        x, starts, log_prob = case(100, [3] * 20, 7)
        nodes = grid()
        ours = answers(x, starts, np.zeros(100, dtype=np.int64), np.ones(100))
        assert ours.compiled is None
        exact = e_step(x, log_prob(nodes), priors(nodes), np.zeros(100, dtype=np.int64), np.ones(100), starts)
        assert ours.e_step(log_prob(nodes), priors(nodes)).loglik == exact.loglik
    finally:
        monkeypatch.undo()
        kernel.library.cache_clear()


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler here")
def test_kernel_compiles_without_warnings(tmp_path):
    source = Path(kernel.__file__).with_name("kernel.c")
    command = [
        "cc",
        "-O1",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-shared",
        "-fPIC",
        str(source),
        "-o",
        str(tmp_path / "k.so"),
    ]
    done = subprocess.run([*command, "-lm"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
