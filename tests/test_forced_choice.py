"""Forced-choice forms: matched triplets, their audit and questionnaire, and the guard against comparing persons."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import talentassess as ta
from talentassess.assembly import ForcedChoiceBlock, ForcedChoiceDesign, ForcedChoiceForm, Statement
from talentassess.assembly.triplets import candidate_triplets
from talentassess.cli.app import app
from talentassess.core.errors import ContentError, DataError, ScoringError
from talentassess.core.provenance import Provenance
from talentassess.core.status import Status


@pytest.fixture(scope="module")
def bank():
    return ta.load_bank("service")


@pytest.fixture(scope="module")
def form(bank):
    return ta.build_forced_choice(bank, 40, design=ForcedChoiceDesign(mixed=10), seed=4)


def test_blocks_keep_to_the_design(bank, form):
    items = [s.item for block in form.blocks for s in block.statements]
    assert len(form.blocks) == 40
    assert len(items) == len(set(items)) == 120
    assert all(len({s.scale for s in block.statements}) == 3 for block in form.blocks)
    assert all(block.spread <= 0.5 for block in form.blocks)
    assert sum(block.mixed for block in form.blocks) == 10
    assert set(Counter(s.scale for block in form.blocks for s in block.statements).values()) == {6}
    assert max(form.tables()["pairs"]["blocks"]) <= 2
    for block in form.blocks:
        for s in block.statements:
            item = bank.item(s.item)
            assert (s.text, s.scale, s.reverse, s.desirability) == (
                item.text,
                item.scale,
                item.reverse,
                item.desirability,
            )


def statements(values: list[tuple[str, float]]) -> list[Statement]:
    return [Statement(f"{scale}{i}", scale, "...", False, value) for i, (scale, value) in enumerate(values)]


def test_the_programme_finds_the_smallest_spread_of_all_forms():
    """Brute force over every partition of nine statements of three scales into three blocks."""
    from itertools import permutations

    desirability = {"a": (1.0, 2.1, 3.0), "b": (1.2, 2.0, 3.3), "c": (0.9, 2.4, 2.9)}
    given = statements([(scale, value) for scale, values in desirability.items() for value in values])
    triplets = candidate_triplets(given, 5.0, mixed=False)
    assert len(triplets.members) == 27
    a, b, c = desirability.values()
    orders = list(permutations(range(3)))
    best = min(sum(np.ptp([a[k], b[p[k]], c[q[k]]]) for k in range(3)) for p in orders for q in orders)
    from talentassess.assembly.forced_choice import _Rows, _solve

    chosen, gap, proved = _solve(triplets, _Rows(given, ("a", "b", "c"), 3, ForcedChoiceDesign(tolerance=5, meet=3)))
    assert triplets.spread[chosen].sum() == pytest.approx(best)
    assert proved
    assert gap == pytest.approx(0, abs=0.01)


def test_the_same_seed_prints_the_same_form(bank):
    first, again, other = (ta.build_forced_choice(bank, 20, seed=seed) for seed in (1, 1, 2))
    assert first.form_hash == again.form_hash != other.form_hash


def test_a_form_survives_its_file_and_a_changed_file_is_refused(form, tmp_path):
    path = form.save(tmp_path / "form.json")
    again = ta.load_forced_choice(path)
    with pytest.raises(ContentError, match=r"There is no file 'nowhere\.json'"):
        ta.load_forced_choice(tmp_path / "nowhere.json")
    assert (again.blocks, again.form_hash, again.findings) == (form.blocks, form.form_hash, form.findings)
    content = json.loads(path.read_text())
    content["blocks"][0]["statements"][0]["text"] = "I do something else."
    path.write_text(json.dumps(content))
    with pytest.raises(ContentError, match="changed after it was saved"):
        ta.load_forced_choice(path)
    path.write_text("{}")
    with pytest.raises(ContentError, match="no forced-choice form: its schema is None"):
        ta.load_forced_choice(path)


@pytest.mark.parametrize(
    ("blocks", "design", "scales", "message"),
    [
        (81, ForcedChoiceDesign(), None, "240 statements give 1 to 80 blocks"),
        (10, ForcedChoiceDesign(mixed=11), None, "0 to 10 of the blocks can be mixed"),
        (10, ForcedChoiceDesign(tolerance=-1), None, "tolerance is 0 or more"),
        (4, ForcedChoiceDesign(), ["empathy", "speaking"], "at least three scales"),
        (4, ForcedChoiceDesign(), ["empathy", "speaking", "warmth"], "has no scale warmth"),
        (12, ForcedChoiceDesign(meet=4), ["empathy", "speaking", "composure"], "4 blocks were found"),
    ],
)
def test_an_impossible_form_is_refused_with_the_way_out(bank, blocks, design, scales, message):
    with pytest.raises(ContentError, match=message):
        ta.build_forced_choice(bank, blocks, design=design, scales=scales)


def test_statements_without_desirability_are_named(bank):
    bare = bank.model_copy(
        update={"self_report": (bank.self_report[0].model_copy(update={"desirability": None}), *bank.self_report[1:])}
    )
    with pytest.raises(ContentError, match="item 'al_sr_01': no desirability"):
        ta.build_forced_choice(bare, 10)


# --- answers ---------------------------------------------------------------------------------------------------------


def small_form() -> ForcedChoiceForm:
    keys = {"a": False, "b": False, "c": True}
    blocks = tuple(
        ForcedChoiceBlock(f"b00{n}", tuple(Statement(f"{s}{n}", s, "...", r, 3.0) for s, r in keys.items()))
        for n in (1, 2)
    )
    return ForcedChoiceForm(
        bank="tiny 0.1.0", bank_hash="0", scales=("a", "b", "c"), blocks=blocks,
        desirability_source="rational (authors)",
        optimal=True, gap=0.0, findings=(),
    )  # fmt: skip


def answers(**columns: list[object]) -> pd.DataFrame:
    table = {"b001_most": [1, "a1"], "b001_least": [2, "c1"], "b002_most": ["c2", 1], "b002_least": [1, None]}
    return pd.DataFrame({"who": ["ann", "bo"], **(table | columns)})


def test_scores_are_counted_by_hand():
    scores = ta.score_forced_choice(answers(), small_form(), person="who")
    # ann: a (+1 - 1) / 2 = 0, b (-1 + 0) / 2 = -.5, c reverse-keyed (0 - 1) / 2 = -.5, mean -1/3
    # bo: the second block lacks its least: a 1, b 0, c reverse-keyed and least 1; mean 2/3
    assert scores.within == pytest.approx(np.array([[1 / 3, -1 / 6, -1 / 6], [1 / 3, -2 / 3, 1 / 3]]))
    assert scores.n_answered.tolist() == [[2, 2, 2], [1, 1, 1]]
    assert scores.ranks().tolist() == [[1.0, 2.5, 2.5], [1.5, 3.0, 1.5]]
    assert scores.se[0, 0] == pytest.approx(1.0)  # +1 and -1: sd sqrt(2) over sqrt(2)
    assert np.isnan(scores.se[1]).all()


def test_every_person_s_scores_add_up_to_nothing(form):
    rng = np.random.default_rng(3)
    order = np.array([[rng.permutation(3)[:2] + 1 for _ in form.blocks] for _ in range(30)])
    table = {
        f"{b.id}_{part}": order[:, i, k] for i, b in enumerate(form.blocks) for k, part in enumerate(("most", "least"))
    }
    scores = ta.score_forced_choice(pd.DataFrame(table), form)
    assert scores.within.sum(axis=1) == pytest.approx(np.zeros(30), abs=1e-12)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"b001_most": [4, 1]}, r"row 1, column 'b001_most': '4'.*allowed: 1, 2, 3 or a1, b1, c1"),
        ({"b002_least": ["c2", 1]}, r"row \d, column 'b002_least': the same statement is most and least"),
        ({"b002_most": ["a1", 2]}, r"column 'b002_most': 'a1'"),
    ],
)
def test_wrong_answers_are_named(columns, message):
    with pytest.raises(DataError, match=message):
        ta.score_forced_choice(answers(**columns), small_form(), person="who")


def test_a_table_without_the_whole_form_is_refused():
    with pytest.raises(DataError, match="there is no column 'b002_least'"):
        ta.score_forced_choice(answers().drop(columns="b002_least"), small_form(), person="who")


# --- the guard -------------------------------------------------------------------------------------------------------


def test_ipsative_scores_are_refused_wherever_persons_are_compared(bank):
    scores = ta.score_forced_choice(answers(), small_form(), person="who")
    real = ta.Scores(
        person_ids=tuple(map(str, range(40))), dimensions=("a",), theta=np.linspace(-2, 2, 40)[:, None],
        cov=np.full((40, 1, 1), 0.1), method="eap", metric="logit", status=((Status.CONVERGED,),) * 40,
        n_answered=np.full((40, 1), 8), reliability=np.array([0.9]), provenance=Provenance("test", "0"),
    )  # fmt: skip
    card = ta.norm_card(real, population="nobody", sample="test", collected=("2026", "2026"))
    norms = ta.fit_norms(real, card=card)
    attempts = {
        "a match with a role": lambda: ta.match(scores, ta.load_profile("43-4051.00")),
        "a norm table": lambda: ta.fit_norms(scores, card=card),
        "norms": lambda: norms.apply(scores),
    }
    for purpose, attempt in attempts.items():
        with pytest.raises(ScoringError, match=f"Ipsative scores cannot be used for {purpose}"):
            attempt()
    assert not hasattr(scores, "theta")
    assert "not comparable across persons" in repr(scores)
    assert set(scores.to_frame()["reading"]) == {"ipsative: order within a person; not comparable across persons"}


# --- documents -------------------------------------------------------------------------------------------------------


def test_the_questionnaire_shows_statements_and_no_key(form, tmp_path):
    doc = ta.questionnaire(form)
    shown = [text for table in doc.tables for text in table.columns["Statement"]]
    assert shown == [s.text for block in form.blocks for s in block.statements]
    page = doc.save(tmp_path / "form.html").read_text()
    words = ("desirab", "reverse", "keyed", "empathy</", *(s.item for b in form.blocks for s in b.statements))
    assert [word for word in words if word in page] == []
    assert doc.save(tmp_path / "form.pdf").stat().st_size > 10_000


def test_the_audit_shows_balance_and_blocks(form):
    doc = ta.report(form)
    assert {t.anchor for t in doc.tables} == {"scales", "meetings", "block-table"}
    assert {f.code for f in doc.findings} >= {"desirability_judged", "ipsative"}


def test_the_commands_build_print_and_score_a_form(tmp_path):
    def run(*arguments: str) -> str:
        done = CliRunner().invoke(app, [str(a) for a in arguments])
        assert done.exit_code == 0, done.output
        return done.output

    form, sheet = tmp_path / "form.json", tmp_path / "form.html"
    run("form", "build", "service", "--blocks", "20", "--out", form, "--questionnaire", sheet)
    built = ta.load_forced_choice(form)
    table = pd.DataFrame({f"{b.id}_{part}": [n] for b in built.blocks for part, n in (("most", 1), ("least", 3))})
    table.to_csv(tmp_path / "answers.csv", index=False)
    assert "not comparable across persons" in run("form", "score", form, tmp_path / "answers.csv")
    assert sheet.exists()
