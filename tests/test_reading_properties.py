"""Properties of reading: what is written is what is read, in any layout, order and notation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from talentassess.bank.cells import canonical, row_ranges
from talentassess.bank.tables import read_responses
from talentassess.core.errors import DataError

CODES = hnp.arrays(np.int64, st.tuples(st.integers(1, 8), st.integers(1, 5)), elements=st.integers(-1, 3))
NOTATIONS = ("{}", " {}", "{}.0", "+{}", "{}.")


def frame_of(codes: np.ndarray, write: str = "{}") -> pd.DataFrame:
    cells = [["" if code < 0 else write.format(code + 1) for code in row] for row in codes]
    return pd.DataFrame(cells, columns=[f"q{j}" for j in range(codes.shape[1])])


@given(CODES, st.sampled_from(NOTATIONS))
def test_codes_survive_every_notation(codes: np.ndarray, write: str) -> None:
    np.testing.assert_array_equal(read_responses(frame_of(codes, write), categories=[1, 2, 3, 4]).x, codes)


@given(CODES)
def test_codes_survive_a_csv_file(tmp_path_factory: pytest.TempPathFactory, codes: np.ndarray) -> None:
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    frame_of(codes).to_csv(path, index=False)
    np.testing.assert_array_equal(read_responses(path, categories=[1, 2, 3, 4]).x, codes)


@given(CODES, st.randoms(use_true_random=False))
def test_a_long_table_in_any_order_equals_the_wide_one(codes: np.ndarray, random: object) -> None:
    wide = frame_of(codes).assign(id=[f"p{i}" for i in range(len(codes))])
    tall = wide.melt("id", var_name="item", value_name="resp")
    order = list(range(len(tall)))
    random.shuffle(order)  # type: ignore[attr-defined]
    read = read_responses(tall.iloc[order], items=[f"q{j}" for j in range(codes.shape[1])], categories=[1, 2, 3, 4])
    rows = [read.person_ids.index(f"p{i}") for i in range(len(codes))]
    np.testing.assert_array_equal(read.x[rows], codes)


@given(CODES)
def test_reversing_twice_gives_the_codes_back(codes: np.ndarray) -> None:
    turned = read_responses(frame_of(codes), items=["-q0"], categories=[1, 2, 3, 4]).x[:, 0]
    again = read_responses(frame_of(codes), items=["-q0"], categories=[4, 3, 2, 1]).x[:, 0]
    np.testing.assert_array_equal(again, codes[:, 0])
    np.testing.assert_array_equal(turned[turned >= 0], 3 - codes[:, 0][codes[:, 0] >= 0])


@given(hnp.arrays(np.int64, (6, 3), elements=st.integers(-1, 5)))
def test_every_cell_outside_the_categories_is_named_and_no_other(codes: np.ndarray) -> None:
    bad = {f"row {i + 1}, column 'q{j}': '{codes[i, j] + 1}'; allowed: 1, 2, 3, 4" for i, j in np.argwhere(codes > 3)}
    if bad:
        with pytest.raises(DataError) as caught:
            read_responses(frame_of(codes), categories=[1, 2, 3, 4])
        assert set(caught.value.problems) == bad
    else:
        np.testing.assert_array_equal(read_responses(frame_of(codes), categories=[1, 2, 3, 4]).x, codes)


@given(st.integers(-(10**9), 10**9))
def test_a_whole_number_has_one_text(number: int) -> None:
    assert {canonical(number), canonical(float(number)), canonical(f" {number}.00")} == {str(number)}


@given(st.sets(st.integers(1, 60), min_size=1))
def test_row_ranges_name_every_row_once(rows: set[int]) -> None:
    named: list[int] = []
    for part in row_ranges(rows).split(", "):
        first, _, last = part.partition("-")
        named += range(int(first), int(last or first) + 1)
    assert named == sorted(rows)
