"""Tables: errors against hand-made values, Cramér's V against SciPy, and laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats.contingency import association

from personae.core import InputError
from personae.statistics import (
    association_matrix,
    cell_z,
    cramers_v,
    max_cell_z,
    pair_table,
    srmse,
    total_absolute_error,
)

TABLES = st.tuples(st.integers(2, 4), st.integers(2, 4), st.integers(0, 10**6))


def drawn(shape):
    rows, columns, seed = shape
    return np.random.default_rng(seed).integers(1, 40, (rows, columns)).astype(float)


def test_errors_of_a_table_by_hand():
    assert total_absolute_error([[8, 2], [5, 5]], [[7, 3], [5, 5]]) == 2
    assert srmse([6, 2, 4], [4, 4, 4]) == pytest.approx(np.sqrt(8 / 3) / 4)
    assert np.isnan(srmse([1, 2], [0, 0]))
    # 60 of 100 where half was expected: 0.1 over sqrt(.25 / 100)
    np.testing.assert_allclose(cell_z([60, 40], [0.5, 0.5]), [2, -2])
    assert max_cell_z([60, 40], [1, 1]) == pytest.approx(2)


def test_a_cell_nobody_is_expected_in():
    assert cell_z([10, 0], [1, 0]).tolist() == [0, 0]
    assert max_cell_z([9, 1], [1, 0]) == np.inf
    assert np.isnan(cell_z([0, 0], [0.5, 0.5])).all()


@given(TABLES, st.floats(0.1, 50))
@settings(max_examples=60, deadline=None)
def test_srmse_and_v_do_not_know_the_size_of_the_population(shape, factor):
    one, two = drawn(shape), drawn((*shape[:2], shape[2] + 1))
    assert srmse(one / one.sum(), two / two.sum()) == pytest.approx(
        srmse(one / one.sum() * factor, two / two.sum() * factor)
    )
    assert cramers_v(one * factor) == pytest.approx(cramers_v(one))
    assert cramers_v(one.T) == pytest.approx(cramers_v(one))
    assert total_absolute_error(one, one) == srmse(one, one) == 0


@given(TABLES)
@settings(max_examples=60, deadline=None)
def test_v_is_scipys(shape):
    table = drawn(shape).astype(int)
    assert cramers_v(table) == pytest.approx(association(table, method="cramer"))


def test_v_of_independence_and_identity():
    assert cramers_v(np.outer([1, 2, 3], [4, 5])) == pytest.approx(0, abs=1e-7)
    assert cramers_v(np.diag([3, 4, 5])) == pytest.approx(1)
    assert cramers_v(np.diag([300, 400, 500]), corrected=True) == pytest.approx(1, abs=1e-3)
    assert np.isnan(cramers_v([[1, 2]]))
    assert cramers_v([[5, 5, 0], [5, 5, 0], [0, 0, 0]]) == pytest.approx(0, abs=1e-7)


def test_the_correction_removes_the_bias_of_small_samples():
    rng = np.random.default_rng(1)
    plain, corrected = [], []
    for _ in range(300):
        table = np.bincount(rng.integers(0, 5, 60) * 5 + rng.integers(0, 5, 60), minlength=25).reshape(5, 5)
        plain.append(cramers_v(table))
        corrected.append(cramers_v(table, corrected=True))
    assert np.mean(plain) > 0.2
    assert np.mean(corrected) < 0.08


def test_pairs_leave_out_what_is_missing_and_count_by_weight():
    a, b = [0, 0, 1, -1, 1], [1, 1, 0, 0, -1]
    assert pair_table(a, b, (2, 2)).tolist() == [[0, 2], [1, 0]]
    assert pair_table(a, b, (2, 2), [1, 2, 5, 9, 9]).tolist() == [[0, 3], [5, 0]]
    v = association_matrix(np.column_stack([a, b]), (2, 2))
    assert v.tolist() == [[1, 1], [1, 1]]


def test_rows_with_counts_equal_rows_repeated():
    rng = np.random.default_rng(3)
    codes, counts = rng.integers(0, 3, (40, 3)), rng.integers(1, 6, 40)
    np.testing.assert_allclose(
        association_matrix(codes, (3, 3, 3), counts), association_matrix(np.repeat(codes, counts, axis=0), (3, 3, 3))
    )


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: srmse([1, 2], [1, 2, 3]), "one shape"),
        (lambda: total_absolute_error([1, -2], [1, 2]), "negative"),
        (lambda: srmse([1, float("nan")], [1, 2]), "NaN"),
        (lambda: cramers_v([[1, -1], [2, 2]]), "negative"),
        (lambda: pair_table([1], [1, 2], (2, 2)), "one code per row"),
        (lambda: association_matrix([[0, 1]], (2,)), "1 column"),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(InputError, match=words):
        call()
