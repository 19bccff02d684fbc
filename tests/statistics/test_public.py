"""The room's surface, and what importing it costs."""

import subprocess
import sys

import pytest

import personae.statistics as room
from personae.core import InputError
from personae.statistics import (
    Interval,
    TestResult,
    mean_interval,
    minimum_detectable_effect,
    paired_interval,
    sign_flip_test,
    wilson_interval,
)


def test_exports_are_sorted_and_exist():
    assert room.__all__ == sorted(room.__all__, key=lambda name: (not name.isupper(), name[0].islower(), name))
    assert all(hasattr(room, name) for name in room.__all__)


def test_importing_the_room_does_not_import_scipy():
    code = "import sys, personae.statistics; sys.exit(any(m.split('.')[0] in ('scipy', 'pandas') for m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_interval_knows_what_it_holds():
    interval = Interval(1.0, 2.0, 0.95, "t")
    assert interval.known
    assert interval.width == 1.0
    assert interval.contains(1.0)
    assert interval.contains(2.0)
    assert not interval.contains(2.1)
    missing = Interval.missing(0.95, "t", "one cluster")
    assert not missing.known
    assert not missing.contains(0.0)
    assert missing.reason == "one cluster"


def test_results_are_frozen():
    with pytest.raises(AttributeError):
        TestResult(1.0, 0.5, 3, "t").p = 0.01  # type: ignore[misc]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: mean_interval([1, float("inf")]), "infinity"),
        (lambda: mean_interval(["a", "b"]), "expected numbers"),
        (lambda: mean_interval([{}, 1]), "expected numbers"),
        (lambda: mean_interval([[1, 2]]), "flat list"),
        (lambda: mean_interval([1, 2], ["a"]), "one label per row"),
        (lambda: mean_interval([1, 2], ["a", None]), "missing label"),
        (lambda: mean_interval([1, 2], [1.0, float("nan")]), "NaN"),
        (lambda: mean_interval([1, 2], level=95), "0.95"),
        (lambda: mean_interval([1, 2, 3], method="bootstrap-t"), "derive_rng"),
        (lambda: mean_interval([1, 2, 3], method="percentile", rng=1, draws=0), "draws"),
        (lambda: paired_interval([1, 2], [1]), "2 and 1 rows"),
        (lambda: sign_flip_test(range(1, 30)), "derive_rng"),
        (lambda: wilson_interval(3, 2), "successes"),
        (lambda: minimum_detectable_effect("paired", 10, power=0.01), "power"),
        (lambda: minimum_detectable_effect("proportions", 10), "baseline"),
    ],
)
def test_bad_input_says_what_to_do(call, says):
    with pytest.raises(InputError) as caught:
        call()
    assert says in str(caught.value)
    assert caught.value.hint
