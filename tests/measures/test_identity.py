"""Identity measures find what is planted, stay at chance where nothing is, and count ties by chance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from personae.core import InputError, ResponseRow, StatementRow
from personae.instruments import load_instrument
from personae.measures import (
    identity_measurements,
    likelihood_identity_measurements,
    round_trip_measurements,
    statement_measurements,
)
from personae.statistics import matching_accuracy, mean_reciprocal_rank

PEOPLE = [f"p-{k:02d}" for k in range(30)]


def encode(texts: Sequence[str]) -> np.ndarray:
    """Words as a bag: exact and lexical."""
    vocabulary = {w: k for k, w in enumerate(sorted({w for t in texts for w in t.split()} | set(KNOWN)))}
    out = np.zeros((len(texts), 4000))
    for row, text in enumerate(texts):
        for word in text.split():
            out[row, KNOWN.get(word, 2000 + vocabulary[word] % 1900)] += 1
    return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)


KNOWN = {f"w{k}": k for k in range(600)}


def statements(condition: str, *, told: bool, seed: int = 1) -> list[StatementRow]:
    rng = np.random.default_rng(seed)
    rows: list[StatementRow] = []
    for k, who in enumerate(PEOPLE):
        for kind in ("open_self", "hidden_self"):
            for index in range(3):
                word = f"w{10 * k + int(rng.integers(10))}" if told else f"w{int(rng.integers(300))}"
                rows.append(
                    StatementRow(
                        unit="u", persona_id=who, condition=condition, kind=kind, index=index,
                        text=f"I am {word} {word} today.", writer="rules",
                    )
                )  # fmt: skip
    return rows


def test_planted_identity_is_found_between_its_controls() -> None:
    profiles = {p: " ".join(f"w{10 * k + j}" for j in range(10)) for k, p in enumerate(PEOPLE)}
    rows = [*statements("SPC", told=True), *statements("S", told=False)]
    found = {m.name: m for m in identity_measurements(rows, profiles, encode, backend="bag", model="rules", seed=1)}
    assert (found["identity.top1.SPC"].value or 0) > 0.9
    assert (found["identity.top1.S"].value or 0) < 0.2
    assert (found["identity.top1.verbatim"].value or 0) == 1.0
    chance = found["identity.top1.shuffled"]
    assert chance.interval is not None
    assert chance.interval.low <= 1 / 30 <= chance.interval.high
    assert (found["identity.top1.SPC"].p_adjusted or 1) < 0.001  # against owners exchanged by lot
    assert (found["identity.top1.S"].p or 0) > 0.01
    gap = found["identity.top1.SPC_minus_S"]
    assert gap.p_adjusted is not None
    assert gap.p_adjusted < 0.001
    assert (found["self_consistency.SPC"].value or 0) > 0.5


def test_no_identity_is_flagged_at_the_nominal_rate() -> None:
    profiles = {p: " ".join(f"w{10 * k + j}" for j in range(10)) for k, p in enumerate(PEOPLE)}
    flagged = found = 0
    for world in range(24):
        rows = [*statements("A", told=False, seed=1000 + world), *statements("B", told=False, seed=5000 + world)]
        made = identity_measurements(rows, profiles, encode, backend="bag", model="rules", seed=world)
        gap = next(m for m in made if m.name == "identity.top1.A_minus_B")
        flagged += (gap.p or 1.0) < 0.05
        found += next((m.p or 1.0) < 0.05 for m in made if m.name == "identity.top1.A")
    assert flagged <= 3  # exact tests are conservative
    assert found <= 4  # 1.2 expected at most: few distinct values make it conservative


def test_ties_count_by_chance() -> None:
    flat = np.zeros((8, 8))
    assert matching_accuracy(flat, range(8)).value == pytest.approx(1 / 8)
    assert matching_accuracy(flat, range(8), k=4).value == pytest.approx(0.5)
    expected = np.mean([1 / r for r in range(1, 9)])
    assert mean_reciprocal_rank(flat, range(8), rng=np.random.default_rng(0)).value == pytest.approx(expected)
    assert matching_accuracy(np.eye(8), range(8)).value == 1.0
    with pytest.raises(InputError, match="partner"):
        matching_accuracy(np.eye(3), [0, 1, 3])


def likelihoods(effect: float, seed: int = 0, n: int = 12) -> list[ResponseRow]:
    rng = np.random.default_rng(seed)
    prior, length = rng.normal(0, 5, n), rng.normal(-100, 20, n)
    rows: list[ResponseRow] = []
    for j in (-1, *range(n)):
        noise = rng.normal(0, 1, n)
        own = length + (0 if j < 0 else prior[j]) + noise
        if j >= 0:
            own[j] += effect
        rows.append(
            ResponseRow(
                unit="u", persona_id=None if j < 0 else f"p-{j:02d}", actor="a", condition="SPC", condition_hash="h",
                instrument="who_am_i", item="SPC", scale="", key=1, order="none", method="score", status="ok",
                value=None, keyed=None, logprobs=tuple(own), model="m", seed=0,
            )
        )  # fmt: skip
    return rows


def test_likelihood_matching_takes_out_length_and_easy_profiles() -> None:
    found = {m.name: m for m in likelihood_identity_measurements(likelihoods(20), model="m", seed=1)}
    assert found["identity_by_likelihood.top1.SPC"].value == 1.0
    null = [
        next(m for m in likelihood_identity_measurements(likelihoods(0, s), model="m", seed=1) if ".top1." in m.name)
        for s in range(20)
    ]
    assert np.mean([m.value or 0 for m in null]) == pytest.approx(1 / 12, abs=0.06)
    lost = likelihood_identity_measurements(likelihoods(20)[1:], model="m", seed=1)
    assert lost[0].value is None
    assert lost[0].reason == "not every profile was asked"


def test_copies_and_repeats_are_counted() -> None:
    def row(index: int, text: str) -> StatementRow:
        return StatementRow(
            unit="u", persona_id="p", condition="S", kind="open_self", index=index, text=text, writer="rules"
        )

    rows = [row(0, "You live in the tall old house."), row(1, "You live in the tall old house."), row(2, "I sing")]
    made = statement_measurements(rows, {("S", "p"): "You live in the tall old house."}, model="rules", seed=1)
    values = {m.name: m.value for m in made}
    assert values["statements_copied.S"] == 1.0
    assert values["statements_repeated.S"] == pytest.approx(1 / 3)
    assert values["statements_whole.S"] == pytest.approx(2 / 3)


def test_round_trip_finds_a_planted_correlation() -> None:
    instrument = load_instrument("ipip30")
    rng = np.random.default_rng(3)
    scores = {p: {d: float(rng.normal(3, 0.7)) for d in instrument.scales.values()} for p in PEOPLE}
    rows: list[ResponseRow] = []
    for condition, share in (("P", 1.0), ("C", 0.0)):
        for p in PEOPLE:
            for item in instrument.items:
                raw = share * scores[p][instrument.scales[item.scale]] + (1 - share) * 3 + rng.normal(0, 0.5)
                value = float(np.clip(raw if item.key == 1 else 6 - raw, 1, 5))
                rows.append(
                    ResponseRow(
                        unit="u", persona_id=p, actor="a", condition=condition, condition_hash="h",
                        instrument=instrument.name, item=item.id, scale=item.scale, key=item.key, order="ascending",
                        method="score", status="ok", value=value, keyed=None, model="m", seed=0,
                    )
                )  # fmt: skip
    found = {m.name: m for m in round_trip_measurements(rows, scores, instrument, ("P", "C"), model="m", seed=1)}
    assert (found["round_trip.P"].value or 0) > 0.8
    assert found["round_trip.C"].interval is not None
    assert found["round_trip.C"].interval.low < 0.1
