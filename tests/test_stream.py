"""Answers read piece by piece give what the same answers give at once."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import talentassess as ta
from talentassess.calibration.inputs import name_models
from talentassess.core import kernel, packed
from talentassess.core.errors import CalibrationError, DataError, ModelError, ScoringError
from talentassess.core.packed import PackedRows, gather_stream
from talentassess.core.responses import Responses
from talentassess.core.survey import plain_worth, survey_responses


def answers(n=1200, items=18, k=4, missing_from=700, seed=1, **more):
    """Return SIMULATED graded answers; the first missing one comes late."""
    rng = np.random.default_rng(seed)
    theta, a = rng.normal(size=(n, 1)), rng.uniform(0.8, 2.0, items)
    cuts = np.sort(rng.normal(0, 1.2, (items, k - 1)), axis=1)
    x = (rng.random((n, items, 1)) < 1 / (1 + np.exp(-a[:, None] * (theta[:, :, None] - cuts)))).sum(axis=2)
    x[missing_from:, :5][rng.random((max(n - missing_from, 0), 5)) < 0.2] = -1
    return Responses(
        x=x, n_cat=[k] * items, item_ids=[f"q{j}" for j in range(items)], person_ids=range(n),
        scales=["one"] * 9 + ["two"] * (items - 9), **more,
    )  # fmt: skip


def pieces(whole, size=250):
    return [whole.take(np.arange(a, min(a + size, whole.n_persons))) for a in range(0, whole.n_persons, size)]


def same(one, two):
    assert one.loglik == pytest.approx(two.loglik, abs=1e-6)
    np.testing.assert_allclose(one.free.values, two.free.values, atol=1e-6)
    np.testing.assert_allclose(one.free.cov, two.free.cov, atol=1e-7)
    assert (one.n_persons, one.status, one.dimensions) == (two.n_persons, two.status, two.dimensions)


@pytest.mark.parametrize("on_disk", [False, True])
def test_chunks_calibrate_as_the_whole(on_disk, monkeypatch):
    whole = answers()
    if on_disk:
        monkeypatch.setattr(packed, "ON_DISK", 0)
    same(ta.calibrate(iter(pieces(whole))), ta.calibrate(whole))


def test_groups_weights_and_anchors_travel_in_chunks():
    rng = np.random.default_rng(3)
    group = [("a", "b")[g] for g in rng.integers(0, 2, 1200)]
    whole = answers(group=tuple(group), weight=rng.uniform(0.5, 2, 1200))
    for options in ({"groups": True, "se": "sandwich"}, {"anchors": ta.calibrate(answers(seed=1), se=None)}):
        same(ta.calibrate(pieces(whole), "graded", **options), ta.calibrate(whole, "graded", **options))


def test_without_the_kernel(monkeypatch):
    monkeypatch.setenv("TALENTASSESS_KERNEL", "numpy")
    kernel.library.cache_clear()
    try:
        whole = answers(600)
        same(ta.calibrate(pieces(whole)), ta.calibrate(whole))
    finally:
        monkeypatch.undo()
        kernel.library.cache_clear()


def test_packed_answers_and_their_survey_are_those_of_the_whole():
    whole = answers(items=9)
    whole = Responses(
        x=np.where(np.arange(1200)[:, None] == 7, -1, whole.x), n_cat=whole.n_cat, item_ids=whole.item_ids,
        person_ids=whole.person_ids,
    )  # fmt: skip
    found = gather_stream(pieces(whole), [whole.item_ids], lambda _items, n_cat: plain_worth(n_cat), grouped=False)
    part = found.parts[whole.item_ids]
    assert isinstance(part.answers.x, PackedRows)
    kept = whole.answered.any(axis=1)
    np.testing.assert_array_equal(part.answers.x[np.arange(kept.sum())], whole.x[kept])
    expected = survey_responses(whole)
    np.testing.assert_array_equal(part.survey.counts, expected.counts)
    np.testing.assert_array_equal(part.survey.answered, expected.answered)
    np.testing.assert_allclose(part.survey.rest_correlation, expected.rest_correlation, atol=1e-12)


def parquet(tmp_path, whole, name="answers.parquet"):
    path = tmp_path / name
    whole.to_frame().astype(dict.fromkeys(whole.item_ids, "Int8")).to_parquet(path, index=False)
    return path


def test_a_parquet_file_is_calibrated_and_scored_piece_by_piece(tmp_path):
    whole = answers(items=9)
    path = parquet(tmp_path, whole)
    source = ta.open_responses(path, person="person", categories=[0, 1, 2, 3], persons_at_a_time=500)
    assert repr(source) == "AnswerFile(answers.parquet, 1200 persons, read 500 at a time)"
    found = ta.calibrate(source)
    same(found, ta.calibrate(ta.read_responses(path, person="person", categories=[0, 1, 2, 3])))
    assert found.provenance.source == "answers.parquet"
    chunks = list(ta.score(found, source))
    assert [len(c.person_ids) for c in chunks] == [500, 500, 200]
    at_once = ta.score(found, ta.read_responses(path, person="person", categories=[0, 1, 2, 3]))
    np.testing.assert_allclose(np.concatenate([c.theta for c in chunks]), at_once.theta, atol=1e-9)
    assert tuple(p for c in chunks for p in c.person_ids) == at_once.person_ids


def test_a_bare_path_reads_the_categories_from_the_files_statistics(tmp_path):
    whole = answers(items=9)
    path = tmp_path / "codes.parquet"
    pd.DataFrame(whole.x[:700], columns=list(whole.item_ids)).to_parquet(path, index=False)
    found = ta.calibrate(str(path))
    assert found.n_cat.tolist() == [4] * 9
    assert found.n_persons == 700
    assert sum(len(c.person_ids) for c in ta.score(found, path)) == 700


def test_wrong_cells_are_named_with_their_piece(tmp_path):
    frame = pd.DataFrame({"q1": [1, 2] * 300, "q2": [2, 1] * 300})
    frame.loc[405, "q2"] = 9
    path = tmp_path / "wrong.parquet"
    frame.to_parquet(path, index=False)
    source = ta.open_responses(path, categories=[1, 2], persons_at_a_time=200)
    with pytest.raises(DataError, match=r"wrong.parquet, persons 401 to 600 \(rows below count from 401\)"):
        ta.calibrate(source, "2pl")


def test_streams_that_cannot_be_used_say_why(tmp_path):
    whole = answers(300, items=9, missing_from=300)
    with pytest.raises(DataError, match="must hold Responses"):
        ta.calibrate(iter([]))
    with pytest.raises(DataError, match="takes Responses"):
        ta.calibrate(5)
    other = Responses(x=whole.x, n_cat=[5] * 9, item_ids=whole.item_ids, person_ids=whole.person_ids)
    with pytest.raises(DataError, match="The chunk after person 300 differs"):
        ta.calibrate([whole, other])
    with pytest.raises(ModelError, match="correlated need"):
        ta.calibrate(pieces(answers(300)), correlated=True)
    with pytest.raises(CalibrationError, match="Groups of a stream"):
        ta.calibrate(pieces(whole), groups=["a"] * 300)
    with pytest.raises(CalibrationError, match="groups=True needs group labels"):
        ta.calibrate(pieces(whole), groups=True)
    with pytest.raises(DataError, match=r"is no \.parquet file"):
        ta.open_responses(tmp_path / "a.csv", categories=[0, 1])
    with pytest.raises(DataError, match=r"There is no file 'b\.parquet'"):
        ta.open_responses(tmp_path / "b.parquet", categories=[0, 1])
    (tmp_path / "c.parquet").write_text("no parquet")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        ta.open_responses(tmp_path / "c.parquet", categories=[0, 1])
    path = parquet(tmp_path, whole)
    with pytest.raises(DataError, match="at least 1; found 0"):
        ta.open_responses(path, categories=[0, 1], persons_at_a_time=0)
    with pytest.raises(DataError, match="the categories must be declared"):
        ta.open_responses(path, missing=[-9])
    with pytest.raises(DataError, match="There is no column 'zz'"):
        ta.open_responses(path, items=["zz"])
    fitted = ta.calibrate(whole, se=None)
    with pytest.raises(ScoringError, match="covariates need all answers at once"):
        ta.score(fitted, pieces(whole), covariates={"z": np.zeros(300)})


def test_models_are_named_from_the_first_chunk():
    whole = answers(300)
    mixed = name_models(whole, "graded") | {"q0": "gpcm"}
    same(ta.calibrate(pieces(whole), mixed), ta.calibrate(whole, mixed))
