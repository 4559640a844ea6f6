"""Saved files: every earlier version's still load, numbers come back as they were, edited or foreign files are refused.

Each folder of tests/artefacts holds the files of one version, written then by the make.py beside them and not touched
since. ``known.json`` holds the numbers they must give.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import talentassess as ta
from talentassess.calibration import calibrate
from talentassess.core.calibration import Calibration
from talentassess.core.errors import ArtefactError, NormError
from talentassess.core.files import read_artefact, write_artefact
from talentassess.core.provenance import Provenance
from talentassess.core.scores import Scores
from talentassess.core.status import Finding, Severity, Status
from talentassess.render.blocks import Callout, ClaimBlock, FigureBlock, FindingBlock, Paragraph, TableBlock
from talentassess.render.json_file import load_report
from talentassess.scoring import score
from talentassess.workflow.artefacts import save_table
from talentassess.workflow.saved import report_of_file
from talentassess.workflow.simulate import drawn_calibration

VERSIONS = sorted(folder for folder in (Path(__file__).parent / "artefacts").iterdir() if folder.is_dir())


@pytest.fixture(scope="module", params=VERSIONS, ids=[folder.name for folder in VERSIONS])
def version(request) -> Path:
    return request.param


@pytest.fixture(scope="module")
def known(version) -> dict[str, object]:
    return json.loads((version / "known.json").read_text(encoding="utf-8"))


def answers_of(version: Path) -> ta.Responses:
    items = {"care": ["c1", "c2", "c3", "c4"], "pace": ["p1", "p2", "p3", "p4", "p5"]}
    categories = {"care": ["0", "1", "2"], "pace": ["0", "1"]}
    return ta.read_responses(version / "answers.csv", items=items, person="id", group="site", categories=categories)


# --- files of every version ------------------------------------------------------------------------------------------


def test_there_is_a_folder_for_version_1():
    assert "v1" in [folder.name for folder in VERSIONS]


def test_calibrations_of_every_version_load(version, known):
    calibration = ta.load_calibration(version / "calibration.json")
    assert calibration.status.name == known["status"]
    assert calibration.loglik == pytest.approx(known["loglik"], abs=1e-6)  # known.json is rounded to six decimals
    found = dict(zip(calibration.free.names, calibration.free.values, strict=True))
    assert found == pytest.approx(known["parameters"], abs=1e-6)
    assert calibration.n_free == known["n_free"]
    assert {block.variant or block.model.name for block in calibration.blocks} == {"graded", "gpcm", "nominal", "2pl"}
    assert calibration.provenance.label == "SIMULATED"
    assert calibration.items["item"] == ["c1", "c2", "c3", "c4", "p1", "p2", "p3", "p4", "p5"]


def test_scores_of_every_version_load(version, known):
    scores = ta.load_scores(version / "scores.json")
    first = known["first_person"]
    assert scores.person_ids[0] == first["id"]
    assert list(scores.theta[0]) == pytest.approx(first["theta"], abs=1e-6)
    assert list(scores.se[0]) == pytest.approx(first["se"], abs=1e-6)
    assert set(scores.group) == {"north", "south"}
    assert scores.provenance.label == "SIMULATED"


def test_scores_of_every_version_can_be_replayed(version):
    """A saved calibration gives the saved scores again from the same answers: what a platform must be able to show."""
    again = score(ta.load_calibration(version / "calibration.json"), answers_of(version))
    saved = ta.load_scores(version / "scores.json")
    # 1e-6: the numerical integration of a later version may differ in its last digits, no more
    np.testing.assert_allclose(again.theta, saved.theta, atol=1e-6)
    np.testing.assert_allclose(again.cov, saved.cov, atol=1e-6)
    np.testing.assert_array_equal(again.status, saved.status)


def test_infinite_and_missing_scores_of_every_version_load(version, known):
    scores = ta.load_scores(version / "scores_ml.json")
    assert np.isinf(scores.theta).sum() == known["ml_infinite"] > 0
    silent = [p for p, row in zip(scores.person_ids, scores.status, strict=True) if row[0] is Status.NO_ANSWERS]
    assert silent == known["no_answers"]
    extreme = np.array([[s is Status.EXTREME_PATTERN for s in row] for row in scores.status])
    np.testing.assert_array_equal(extreme, np.isinf(scores.theta))


def test_norms_of_every_version_load(version, known):
    norms = ta.load_norms(version / "norms")
    assert norms.card.notes == f"version {version.name.removeprefix('v')}"
    first = norms.apply(ta.load_scores(version / "scores.json")).t[0]
    assert list(first) == pytest.approx(known["norm_t_of_first_person"], abs=1e-6)


def test_reports_of_every_version_load(version, known):
    doc = load_report(version / "report.json")
    assert doc.simulated
    assert [table.caption for table in doc.tables] == known["tables"]
    assert [claim.sentence for claim in doc.claims] == known["claims"]
    alpha = next(table.columns["Alpha"] for table in doc.tables if "Alpha" in table.columns)
    assert list(alpha) == pytest.approx(known["alpha"], abs=1e-6)
    assert {type(block) for block in doc.blocks} == {
        *(Callout, ClaimBlock, FigureBlock, FindingBlock, Paragraph, TableBlock)
    }
    assert doc.tables[0].columns["Number"] == (np.inf, None, 0.1)


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("calibration.json", "Calibration"),
        ("scores.json", "Scores"),
        ("scores_ml.json", "Scores"),
        ("norms", "Norms"),
        ("report.json", "Artefacts of version 1"),
    ],
)
def test_whatever_is_saved_becomes_a_report(version, name, title, tmp_path):
    doc = report_of_file(version / name)
    assert doc.title == title
    assert doc.simulated
    assert doc.save(tmp_path / "r.xlsx").stat().st_size > 5000


# --- round trips -----------------------------------------------------------------------------------------------------


def make_scores(theta: np.ndarray, variance: np.ndarray) -> Scores:
    n, d = theta.shape
    return Scores(
        person_ids=tuple(f"p{i}" for i in range(n)),
        dimensions=tuple(f"scale {k}" for k in range(d)),
        theta=theta,
        cov=np.where(np.eye(d) > 0, variance[:, :, None], 0.0),
        method="ml",
        metric="logit",
        status=((Status.CONVERGED,) * d,) * n,
        n_answered=np.arange(n * d).reshape(n, d),
        reliability=np.full(d, np.nan),
        provenance=Provenance("größe, €.csv", "ab12", simulated=True, options={"method": "ml"}),
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("saved")


@settings(max_examples=40, deadline=None)
@given(
    theta=hnp.arrays(
        np.float64,
        st.tuples(st.integers(1, 4), st.integers(1, 3)),
        elements=st.floats(allow_nan=True, allow_infinity=True),
    )
)
def test_any_number_comes_back_as_it_was(place, theta):
    """NaN, infinities, minus zero and every double: equal to the last bit."""
    saved = make_scores(theta, np.abs(theta))
    loaded = ta.load_scores(ta.save(saved, place / "scores.json"))
    np.testing.assert_array_equal(loaded.theta, saved.theta)  # NaN equals NaN here
    np.testing.assert_array_equal(np.signbit(loaded.theta), np.signbit(saved.theta) & ~np.isnan(saved.theta))
    np.testing.assert_array_equal(loaded.cov, saved.cov)
    np.testing.assert_array_equal(loaded.reliability, saved.reliability)
    assert loaded.theta.shape == saved.theta.shape


def test_scores_come_back_whole(place):
    saved = make_scores(np.array([[0.1, np.inf], [-np.inf, np.nan]]), np.array([[0.2, np.inf], [np.inf, np.nan]]))
    loaded = ta.load_scores(ta.save(saved, place / "deep" / "scores.json"))
    for name in ("person_ids", "dimensions", "method", "metric", "group", "provenance"):
        assert getattr(loaded, name) == getattr(saved, name), name
    np.testing.assert_array_equal(loaded.status, saved.status)
    np.testing.assert_array_equal(loaded.n_answered, saved.n_answered)
    text = (place / "deep" / "scores.json").read_text(encoding="utf-8")
    assert '"inf"' in text
    assert "NaN" not in text  # JSON has no such number; other readers would stop there
    assert "größe, €.csv" in text


def test_maximum_likelihood_scores_with_infinities_come_back(place):
    """All or none right has no finite maximum: plus and minus infinity, and they stay so in the file."""
    rng = np.random.default_rng(8)
    x = (rng.random((120, 4)) < 0.5).astype(np.int16)
    x[0], x[1], x[2] = 0, 1, -1
    answers = ta.Responses(x=x, n_cat=[2] * 4, item_ids=list("abcd"), person_ids=range(120))
    scores = score(calibrate(answers, "rasch", se=None), answers, "ml")
    assert scores.theta[:2, 0].tolist() == [-np.inf, np.inf]
    loaded = ta.load_scores(ta.save(scores, place / "ml.json"))
    np.testing.assert_array_equal(loaded.theta, scores.theta)
    np.testing.assert_array_equal(loaded.cov, scores.cov)
    assert [row[0] for row in loaded.status[:3]] == [Status.EXTREME_PATTERN] * 2 + [Status.NO_ANSWERS]


def same_calibration(one: Calibration, other: Calibration) -> None:
    for name in ("item_ids", "dimensions", "n_persons", "n_steps", "status", "audit", "provenance"):
        assert getattr(one, name) == getattr(other, name), name
    np.testing.assert_array_equal(one.n_cat, other.n_cat)
    np.testing.assert_equal([one.loglik, one.trace], [other.loglik, other.trace])
    for a, b in zip(one.blocks, other.blocks, strict=True):
        assert (a.model.name, a.variant, a.n_cat, a.dims) == (b.model.name, b.variant, b.n_cat, b.dims)
        np.testing.assert_array_equal(a.items, b.items)
        np.testing.assert_array_equal(a.par, b.par)
    for a, b in zip(one.par_cov, other.par_cov, strict=True):
        np.testing.assert_array_equal(a, b)
    assert one.latent.groups == other.latent.groups
    for a, b in ((one.latent, other.latent), (one.free, other.free)):
        for name in ("mean", "cov", "values"):
            if hasattr(a, name):
                np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    np.testing.assert_equal({k: list(v) for k, v in one.items.items()}, {k: list(v) for k, v in other.items.items()})


@pytest.mark.parametrize("kind", ["with standard errors", "without", "nothing estimated", "two groups", "girth"])
def test_calibrations_come_back_whole(place, kind):
    bank = ta.load_bank("service_core")
    answers = ta.simulate(bank, 200, seed=1).select([i.id for i in bank.self_report if i.scale == "ownership"][:4])
    if kind == "nothing estimated":
        calibration = drawn_calibration(bank)  # no free parameter: a matrix of no rows and no columns
    elif kind == "girth":
        calibration = calibrate(answers, engine="girth")
    elif kind == "two groups":
        calibration = calibrate(answers, groups=["a", "b"] * 100, se=None)
    else:
        calibration = calibrate(answers, se="oakes" if kind == "with standard errors" else None)
    loaded = ta.load_calibration(ta.save(calibration, place / f"{kind}.json"))
    same_calibration(loaded, calibration)
    assert set(loaded.tables()) == set(calibration.tables())
    assert len(loaded.to_frame("parameters")) == calibration.n_free


def test_findings_of_a_calibration_come_back(place):
    finding = Finding("steep_slope", Severity.WARNING, "q1", "Slope 25.", "Look at it.")
    calibration = drawn_calibration(ta.load_bank("service_core"))
    changed = Calibration(**{**vars(calibration), "audit": (finding,), "trace": ((float("nan"), -1.5), ())})
    loaded = ta.load_calibration(ta.save(changed, place / "finding.json"))
    assert loaded.audit == (finding,)
    np.testing.assert_equal(loaded.trace, ((float("nan"), -1.5), ()))


def test_tables_as_csv(place):
    scores = make_scores(np.array([[0.25, np.inf]]), np.array([[0.09, np.inf]]))
    rows = list(csv.DictReader(save_table(scores, place / "new" / "scores.csv").read_text().splitlines()))
    assert rows == [
        {
            "person": "p0",
            **{"scale 0": "0.25", "se(scale 0)": "0.3", "answers(scale 0)": "0", "status(scale 0)": "converged"},
            **{"scale 1": "inf", "se(scale 1)": "inf", "answers(scale 1)": "1", "status(scale 1)": "converged"},
            "SIMULATED": "SIMULATED",
        }
    ]


def test_saving_is_the_same_to_the_byte(place):
    scores = make_scores(np.array([[0.1]]), np.array([[0.2]]))
    first, second = ta.save(scores, place / "a.json"), ta.save(ta.load_scores(place / "a.json"), place / "b.json")
    assert first.read_bytes() == second.read_bytes()


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.fixture
def saved(tmp_path) -> Path:
    return ta.save(make_scores(np.array([[0.1]]), np.array([[0.2]])), tmp_path / "scores.json")


def test_edited_files_are_refused(saved):
    saved.write_text(saved.read_text(encoding="utf-8").replace("0.1", "0.9"), encoding="utf-8")
    with pytest.raises(ArtefactError, match=r"scores\.json was changed after it was written"):
        ta.load_scores(saved)
    with pytest.raises(ArtefactError, match="was changed"):
        report_of_file(saved)


def test_files_of_another_kind_are_refused(saved, tmp_path):
    with pytest.raises(ArtefactError, match=r"holds scores \(version 1\)\. Needed here: a calibration \(version 1\)\."):
        ta.load_calibration(saved)
    report = ta.report(ta.load_scores(saved)).save(tmp_path / "report.json")
    with pytest.raises(ArtefactError, match=r"holds a report \(version 1\)\. Needed here: scores"):
        ta.load_scores(report)


def test_files_of_a_newer_version_are_refused(saved, tmp_path):
    _, content = read_artefact(saved)
    newer = write_artefact(tmp_path / "newer.json", "talentassess/scores/2", content)
    with pytest.raises(ArtefactError, match=r"holds scores \(version 2\)\. Needed here: scores \(version 1\)\."):
        ta.load_scores(newer)
    with pytest.raises(ArtefactError, match="has the schema 'talentassess/scores/2'"):
        report_of_file(newer)


def test_files_that_lack_fields_are_refused_naming_all_of_them(saved, tmp_path):
    schema, content = read_artefact(saved)
    odd = {key: value for key, value in content.items() if key not in ("theta", "method")} | {"colour": "red"}
    with pytest.raises(ArtefactError, match="does not have the fields") as refused:
        ta.load_scores(write_artefact(tmp_path / "odd.json", schema, odd))
    assert {problem.split(":")[0] for problem in refused.value.problems} == {"theta", "method", "colour"}


def test_unknown_models_and_statuses_are_refused(saved, tmp_path):
    schema, content = read_artefact(saved)
    odd = write_artefact(tmp_path / "odd.json", schema, content | {"status": [["GUESSED"]]})
    with pytest.raises(ArtefactError, match="uses the status 'GUESSED', which this version lacks"):
        ta.load_scores(odd)
    schema, content = read_artefact(VERSIONS[0] / "calibration.json")
    blocks = [block | {"model": "5pl"} for block in content["blocks"]]
    with pytest.raises(ArtefactError, match="uses the model '5pl', which this version lacks"):
        ta.load_calibration(write_artefact(tmp_path / "odd.json", schema, content | {"blocks": blocks}))


def test_other_results_are_not_saved_this_way(tmp_path):
    answers = ta.simulate(ta.load_bank("service_core"), 30, seed=1)
    with pytest.raises(ArtefactError, match="A Responses cannot be saved this way; a calibration or scores can"):
        ta.save(answers, tmp_path / "x.json")
    assert list(tmp_path.iterdir()) == []


def test_places_that_cannot_be_read_or_written(saved, tmp_path):
    with pytest.raises(ArtefactError, match=rf"There is no file none\.json in {tmp_path.name}"):
        ta.load_scores(tmp_path / "none.json")
    with pytest.raises(ArtefactError, match="cannot be read: Is a directory"):
        ta.load_scores(tmp_path)
    with pytest.raises(ArtefactError, match=r"'x\.json' cannot be written"):
        ta.save(ta.load_scores(saved), saved / "x.json")
    with pytest.raises(ArtefactError, match=r"'x\.csv' cannot be written"):
        save_table(ta.load_scores(saved), saved / "x.csv")
    with pytest.raises(NormError, match=r"has no card\.json"):
        report_of_file(tmp_path)


def test_a_failed_save_leaves_the_old_file_and_nothing_else(saved, tmp_path, monkeypatch):
    before = saved.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("talentassess.core.files.os.replace", full)
    with pytest.raises(ArtefactError, match="No space left on device"):
        ta.save(make_scores(np.array([[0.5]]), np.array([[0.2]])), saved)
    assert saved.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["scores.json"]
