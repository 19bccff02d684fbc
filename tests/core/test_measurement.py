import pytest
from pydantic import ValidationError

from personae.core import Measurement, Span

BASE = {
    "name": "x", "label": "An x", "unit": "share", "n": 3, "cluster": "person", "method": "mean", "seed": 1,
    "model": "m",
}  # fmt: skip


def test_a_value_with_an_interval():
    span = Span(low=0.1, high=0.3, method="bootstrap")
    measured = Measurement(**BASE, value=0.2, interval=span)
    assert measured.interval.level == 0.95
    assert Measurement.model_validate_json(measured.model_dump_json()) == measured


def test_no_value_without_a_reason():
    with pytest.raises(ValidationError, match="say why in `reason`"):
        Measurement(**BASE, value=None)
    assert Measurement(**BASE, value=None, reason="nobody answered").value is None


def test_no_value_without_an_interval_or_a_reason():
    with pytest.raises(ValidationError, match="has no interval"):
        Measurement(**BASE, value=0.2)
    assert Measurement(**BASE, value=0.2, reason="a count, not an estimate").interval is None


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nan_is_no_value(value):
    with pytest.raises(ValidationError):
        Measurement(**BASE, value=value, reason="x")


@pytest.mark.parametrize("missing", ["seed", "model", "n", "cluster", "method"])
def test_no_number_without_its_circumstances(missing):
    with pytest.raises(ValidationError, match=missing):
        Measurement(**{k: v for k, v in BASE.items() if k != missing}, value=None, reason="x")


@pytest.mark.parametrize("change", [{"n": -1}, {"failures": -1}])
def test_counts_are_counts(change):
    with pytest.raises(ValidationError):
        Measurement(**{**BASE, **change}, value=None, reason="x")
