"""Reviews, verdicts, consensus keys, saved banks and reports of panels. All experts here are SIMULATED."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import openpyxl
import pytest

import talentassess as ta
from bank_fixtures import TINY_BANK
from panel_cases import simulated_experts
from talentassess.bank.history import content_hash
from talentassess.bank.save import bank_files, save_bank
from talentassess.bank.schema import SituationalItem
from talentassess.bank.yaml_file import read_yaml
from talentassess.bank.yaml_text import yaml_text
from talentassess.core.errors import ContentError, DataError
from talentassess.panel.verdicts import Evidence, verdict_of
from talentassess.workflow.report_study import _key_caveats

BANK = ta.load_bank("service_core")
PANEL = simulated_experts(BANK, 9, seed=3)
REVIEW = ta.review_panel(PANEL, BANK)
ANY = ("accept", "discuss", "rework")


def changed(**arrays):
    return replace(PANEL, provenance=replace(PANEL.provenance, data_hash=""), **arrays)


# --- review --------------------------------------------------------------------------------------------------------


def test_review_says_what_it_rests_on():
    assert "9 experts, 70 items" in repr(REVIEW)
    assert repr(REVIEW).endswith("SIMULATED)")
    assert set(REVIEW.tables()) == {"items", "options", "experts", "summary", "settings", "comments", "findings"}
    assert "SIMULATED" in REVIEW.to_frame().columns
    assert len(REVIEW.options) == len(PANEL.options)
    with pytest.raises(DataError, match="not asked about an item 'x'"):
        REVIEW["x"]


def test_statistics_of_an_item_do_not_depend_on_the_others():
    columns = [PANEL.columns_of("ow_sj_02"), [PANEL.items.index("ow_sj_02")]]
    alone = changed(
        items=("ow_sj_02",),
        options=tuple(PANEL.options[c] for c in columns[0]),
        effectiveness=PANEL.effectiveness[:, columns[0]],
        relevance=PANEL.relevance[:, columns[1]],
        essential=PANEL.essential[:, columns[1]],
    )
    assert ta.review_panel(alone, BANK)["ow_sj_02"] == REVIEW["ow_sj_02"]


def test_an_expert_who_reads_the_scale_backwards_is_named():
    x = PANEL.effectiveness.copy()
    x[4] = 6 - x[4]
    found = [f for f in ta.review_panel(changed(effectiveness=x), BANK).findings if f.code == "expert_apart"]
    assert [f.where for f in found] == ["SIMULATED expert 5"]


def test_a_severe_expert_is_named():
    x = PANEL.effectiveness.copy()
    x[2] = np.clip(x[2] - 2, 1, 5)
    review = ta.review_panel(changed(effectiveness=x), BANK)
    assert [f.where for f in review.findings if f.code == "expert_severity"] == ["SIMULATED expert 3"]
    assert review.experts[2].severity < -1


def test_another_best_option_is_a_finding_and_a_reason():
    x, columns = PANEL.effectiveness.copy(), PANEL.columns_of("ow_sj_01")
    x[:, columns] = np.array([5, 1, 1, 2])  # the key has d first
    review = ta.review_panel(changed(effectiveness=x), BANK)
    found = review["ow_sj_01"]
    assert (found.best, found.best_agrees, found.verdict) == (("a",), False, "discuss")
    assert "best option a differs from the key's" in found.reasons
    assert "ow_sj_01" in next(f for f in review.findings if f.code == "best_option_differs").message
    assert found.off_key == ("a", "b", "d")  # experts who all agree leave an interval without width
    assert found.largest_difference == 3


def test_what_the_icc_leaves_out_is_said_and_its_limits_are_there():
    assert REVIEW.icc_lower < REVIEW.icc < REVIEW.icc_upper < REVIEW.icc_k_upper
    assert not [f for f in REVIEW.findings if f.code == "incomplete_ratings"]
    x = PANEL.effectiveness.copy()
    x[2:, 0] = np.nan
    review = ta.review_panel(changed(effectiveness=x), BANK)
    (finding,) = [f for f in review.findings if f.code == "incomplete_ratings"]
    n = x.shape[1]
    assert f"rests on 9 of 9 experts and {n - 1} of {n} options" in finding.message


def test_experts_without_any_difference_have_no_icc():
    same = PANEL.effectiveness * 0 + 3
    review = ta.review_panel(changed(effectiveness=same), BANK)
    found = review["ow_sj_01"]
    assert (found.icc, found.w, review.icc) == (None, None, None)
    assert found.rwg == 1.0
    assert found.verdict == "discuss"
    assert "options a, b, c, d tie for best" in found.reasons


EVIDENCE = Evidence(
    asked=("effectiveness", "relevance"),
    n_effectiveness=9,
    n_relevance=9,
    rwg=0.8,
    i_cvi=7 / 9,
    p_best=0.95,
    best=("a",),
    best_agrees=True,
)


@pytest.mark.parametrize(
    ("change", "verdict", "reason"),
    [
        ({}, "accept", None),  # 7 of 9 = .778 is the .78 of the convention
        ({"rwg": 0.69}, "discuss", "rwg 0.69, below 0.70"),
        ({"rwg": 0.50}, "rework", "rwg 0.50, at most 0.50"),
        ({"i_cvi": 0.75}, "discuss", "I-CVI 0.75, below 0.78"),
        ({"i_cvi": 0.44}, "rework", "I-CVI 0.44, below 0.50"),
        ({"n_relevance": 5, "i_cvi": 0.8}, "discuss", "I-CVI 0.80, below 1.00"),
        ({"n_effectiveness": 2}, "discuss", "2 expert(s) on effectiveness, fewer than 3"),
        ({"n_effectiveness": 2, "rwg": 0.1}, "discuss", "2 expert(s) on effectiveness, fewer than 3"),
        ({"p_best": 0.8}, "discuss", "option a is best with a probability of 0.80 only"),
        ({"best_agrees": False}, "discuss", "best option a differs from the key's"),
        ({"best": ("a", "c")}, "discuss", "options a, c tie for best"),
    ],
)
def test_verdicts_follow_the_declared_limits(change, verdict, reason):
    found, reasons = verdict_of(replace(EVIDENCE, **change), ta.PanelSettings())
    assert found == verdict
    assert list(reasons) == [] if reason is None else reason in reasons


def test_limits_can_be_declared_and_are_checked():
    strict = ta.review_panel(PANEL, BANK, settings=ta.PanelSettings(rwg=0.95))
    assert strict.count("accept") < REVIEW.count("accept")
    for wrong in ({"rwg": 1.2}, {"confidence": 1.0}, {"rwg_weak": 0.8}, {"draws": 0}):
        with pytest.raises(DataError, match="These settings of a panel review cannot be used"):
            ta.PanelSettings(**wrong)


def test_ratings_of_another_bank_are_refused():
    tiny = ta.load_bank(TINY_BANK)
    for use in (ta.review_panel, ta.consensus_key):
        with pytest.raises(ContentError, match=r"belong to the bank service_core 0\.1\.0 .* this is tiny"):
            use(PANEL, tiny)


# --- key -----------------------------------------------------------------------------------------------------------


def test_the_key_says_where_it_comes_from():
    keyed = ta.consensus_key(REVIEW, BANK)
    row = next(r for r in REVIEW.items if r.verdict == "accept" and r.method == "situational")
    item, before = keyed.item(row.item), BANK.item(row.item)
    assert isinstance(item, SituationalItem)
    agreement = f"{row.rwg:.2f}"[1:]
    assert item.key_source == f"subject-matter experts (n = 9, mean, rwg {agreement}, 2026-11, SIMULATED)"
    assert item.version == before.version + 1
    assert (item.key_panel.experts, item.key_panel.statistic, item.key_panel.simulated) == (9, "mean", True)
    assert item.key_panel.icc == round(row.icc_k, 4)
    options = REVIEW.options_of(row.item)
    assert list(item.effectiveness) == [round(o.mean, 4) for o in options]
    assert [o.effectiveness_se for o in item.options] == [round(o.se, 4) for o in options]
    assert keyed.version == "0.2.0"
    assert (keyed.part_of, keyed.selection) == (None, ())


def test_items_that_are_not_accepted_keep_their_key_and_all_keep_their_relevance():
    keyed = ta.consensus_key(REVIEW, BANK)
    kept = [r.item for r in REVIEW.items if r.verdict != "accept" and r.method == "situational"]
    assert kept
    for item in kept:
        assert keyed.item(item).effectiveness == BANK.item(item).effectiveness
        assert (keyed.item(item).key_source, keyed.item(item).version) == ("rational (authors)", 1)
    assert all(item.relevance_panel.experts == 9 for item in keyed.items)
    everything = ta.consensus_key(REVIEW, BANK, accept=ANY)
    assert all(item.key_panel is not None for item in everything.situational)


def test_keys_of_other_contexts_stay_and_are_named():
    position = next(i for i, item in enumerate(BANK.situational) if item.context == "general")
    general = BANK.situational[position]
    option = general.options[0].model_copy(update={"in_context": {"call_centre": 2.0}})
    fitted = general.model_copy(update={"options": (option, *general.options[1:])})
    others = {"situational": (*BANK.situational[:position], fitted, *BANK.situational[position + 1 :])}
    bank = BANK.model_copy(update=others)
    item = ta.consensus_key(replace(PANEL, bank_hash=bank.content_hash), bank, accept=ANY).item(general.id)
    assert item.key_source.endswith("; in_context: rational (authors)")
    assert item.options[0].in_context == {"call_centre": 2.0}


@pytest.mark.parametrize("statistic", ["mean", "median", "mode"])
def test_every_statistic_gives_a_key_that_scores(statistic):
    keyed = ta.consensus_key(PANEL, BANK, statistic=statistic, accept=ANY)
    assert keyed.situational[0].key_panel.statistic == statistic
    answers = ta.simulate(keyed, 20, seed=1)
    assert answers.n_items == 70


def test_mode_takes_of_several_the_one_nearest_to_the_mean():
    x, columns = PANEL.effectiveness.copy(), PANEL.columns_of("ow_sj_01")
    x[:, columns] = np.array([5, 1, 1, 2])
    x[:, columns[0]] = [5, 5, 5, 3, 3, 3, 4, 4, 2]  # 3 and 5 thrice; the mean is 3.78
    item = ta.consensus_key(changed(effectiveness=x), BANK, statistic="mode", accept=ANY).item("ow_sj_01")
    assert item.options[0].effectiveness == 3


def test_keys_that_cannot_be_made():
    with pytest.raises(ContentError, match="There is no statistic 'sum'"):
        ta.consensus_key(REVIEW, BANK, statistic="sum")
    for wrong in ("accept", (), ("yes",)):
        with pytest.raises(ContentError, match="accept must be a list of verdicts out of accept, discuss, rework"):
            ta.consensus_key(REVIEW, BANK, accept=wrong)
    flat = changed(effectiveness=PANEL.effectiveness * 0 + 3)
    with pytest.raises(ContentError, match="No situational item takes the panel's key"):
        ta.consensus_key(flat, BANK)
    with pytest.raises(ContentError, match=r"the mean of the experts' ratings is 3 for every option, which is no key"):
        ta.consensus_key(flat, BANK, accept=ANY)


def test_a_panel_changes_keys_and_versions_and_nothing_that_people_read():
    keyed = ta.consensus_key(REVIEW, BANK)
    found = ta.compare_banks(BANK, keyed)
    taken = {item.id for item in keyed.situational if item.key_panel is not None}
    assert {c.kind for c in found.changes} == {"key", "version", "notes"}
    assert {c.item for c in found.changes if c.kind == "key"} == taken
    assert [f for f in found.findings if f.severity is ta.Severity.PROBLEM] == []
    unkeyed = next(item for item in keyed.self_report)
    assert content_hash(unkeyed) == content_hash(BANK.item(unkeyed.id))  # evidence is no change of content


# --- saved banks ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bank", ["service", "service_core", str(TINY_BANK)])
def test_a_saved_bank_is_the_same_bank(bank, tmp_path):
    loaded = ta.load_bank(bank)
    again = ta.load_bank(ta.save_bank(loaded, tmp_path / "saved"))
    assert again == loaded
    assert again.content_hash == loaded.content_hash


def test_a_keyed_bank_is_saved_with_its_evidence(tmp_path):
    keyed = ta.consensus_key(REVIEW, BANK)
    folder = ta.save_bank(keyed, tmp_path / "keyed")
    assert ta.load_bank(folder) == keyed
    names = sorted(path.name for path in (folder / "sjt").iterdir())
    assert names == [f"{i}_{scale}.yaml" for i, scale in enumerate(BANK.scale_ids, 1)]
    assert keyed.content_hash != BANK.content_hash


def test_items_of_one_scale_and_scales_in_turns_are_one_file():
    assert set(bank_files(ta.load_bank("service"))) >= {"sjt/ownership.yaml", "self_report/ownership.yaml"}
    whole = BANK.model_copy(update={"part_of": None, "selection": ()})
    turns = whole.model_copy(update={"situational": whole.situational[::4] + whole.situational[1::4]})
    assert "sjt.yaml" in bank_files(turns)
    assert "sjt.yaml" in bank_files(whole.model_copy(update={"situational": whole.situational[:2]}))


def test_an_existing_folder_is_written_over_only_when_told(tmp_path):
    folder = ta.save_bank(BANK, tmp_path / "bank")
    with pytest.raises(ContentError, match=r"'bank' exists already; nothing was written.*replace=True"):
        ta.save_bank(BANK, folder)
    keyed = ta.consensus_key(REVIEW, BANK)
    (folder / "history.csv").write_text("kept as it is")
    assert ta.load_bank(ta.save_bank(keyed, folder, replace=True)) == keyed
    assert (folder / "history.csv").read_text() == "kept as it is"
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(ContentError, match=r"something else than a bank's files.*notes\.txt"):
        ta.save_bank(BANK, folder, replace=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bank"]  # no half-written folder is left
    with pytest.raises(ContentError, match=r"'notes\.txt' is a file"):
        ta.save_bank(BANK, folder / "notes.txt", replace=True)


def test_a_bank_that_cannot_be_read_back_is_not_saved(tmp_path):
    lost = BANK.model_copy(update={"part_of": "nowhere"})
    with pytest.raises(ContentError, match=r"'service_core' was not saved: .*There is no bank 'nowhere'"):
        save_bank(lost, tmp_path / "lost")
    fewer = BANK.model_copy(update={"situational": BANK.situational[1:]})
    with pytest.raises(ContentError, match=r"it is not the same bank.*part of the bank 'service', whose items differ"):
        save_bank(fewer, tmp_path / "fewer")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    ["No", "null", "~", "010", "1.0e5", "1.e5", "-", "a: b", "# not a comment", " padded ", "line\nbreak", "tab\t",
     "it's", 'say "so"', "word " * 40 + "end", "é" * 200, "two  blanks " * 20, "\u2028", "- x", "&a", "*a", "!b", "%c"],
)  # fmt: skip
def test_any_text_survives_the_yaml_file(text, tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text(yaml_text({"a": [{"b": text}], "n": [1.5, 2.0, 1e-05, None, True]}), encoding="utf-8")
    assert read_yaml(path).data == {"a": [{"b": text}], "n": [1.5, 2, 1e-05, None, True]}


# --- report --------------------------------------------------------------------------------------------------------


def test_report_starts_with_settings_and_never_says_valid(tmp_path):
    doc = ta.report(REVIEW)
    assert doc.simulated
    assert [s.title for s in doc.sections][:2] == ["Settings and counts", "What can be said"]
    assert doc.title == "Panel of experts: service_core 0.1.0"
    html = doc.save(tmp_path / "r.html").read_text(encoding="utf-8")
    for word in ("LeBreton", "Lynn (1986)", "SIMULATED", "S-CVI/Ave", "rational (authors)"):
        assert word in html
    assert set(REVIEW.to_frame()["verdict"]) <= {"accept", "discuss", "rework"}
    book = openpyxl.load_workbook(doc.save(tmp_path / "r.xlsx"))
    assert any("Options" in name for name in book.sheetnames)


def test_report_draws_the_items_that_differ_most():
    figure = next(f for f in ta.report(REVIEW).figures if f.anchor == "key-figure")
    rows = figure.data_table.columns
    drawn = list(dict.fromkeys(name.split()[0] for name in rows["name"]))
    known = sorted((r for r in REVIEW.items if r.largest_difference is not None), key=lambda r: -r.largest_difference)
    assert drawn == [row.item for row in known[:8]]
    assert rows["key of the bank"][:4] == tuple(o.key for o in REVIEW.options_of(drawn[0]))[:4]


def test_report_of_statements_alone_and_of_a_panel_without_relevance():
    statements = [i for i, item in enumerate(PANEL.items) if "_sr_" in item]
    alone = changed(
        items=tuple(PANEL.items[i] for i in statements),
        options=(),
        effectiveness=np.empty((9, 0)),
        relevance=PANEL.relevance[:, statements],
        essential=PANEL.essential[:, statements],
    )
    doc = ta.report(ta.review_panel(alone, BANK))
    assert doc.figures == ()
    nothing = np.full_like(PANEL.relevance, np.nan)
    doc = ta.report(ta.review_panel(changed(relevance=nothing, essential=nothing), BANK))
    assert "relevance" not in [s.anchor for s in doc.sections]


def test_a_study_report_does_not_say_that_no_experts_were_asked_when_they_were():
    sources = ["rational (authors)", "subject-matter experts (n = 9, mean, rwg .82)", "sample consensus, N = 200"]
    said = [" ".join(_key_caveats([source])) for source in sources]
    assert ["No subject-matter experts" in text for text in said] == [True, False, False]
    assert "another panel may judge otherwise" in said[1]
    assert "most of this sample chose" in said[2]
    mixed = " ".join(_key_caveats(sources[:2]))
    assert "No subject-matter experts" not in mixed
    assert "The other keys were written by the authors" in mixed
