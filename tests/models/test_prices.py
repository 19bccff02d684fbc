"""What calls cost: known, somebody's own, or unknown; never zero by ignorance."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from personae.core import InputError
from personae.models import Bill, Price, Usage, price_of, user_prices

SPENT = Usage(calls=3, prompt=2_000_000, prefilled=1_500_000, generated=250_000)
DAY = date(2026, 1, 31)


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONAE_HOME", str(tmp_path))


def test_cached_prompt_tokens_have_a_price_of_their_own_or_none() -> None:
    price = Price(prompt=2, generated=8, date=DAY)
    assert price.cost(SPENT) == pytest.approx(2 * 2 + 0.25 * 8)
    assert price.model_copy(update={"cached": 0.5}).cost(SPENT) == pytest.approx(1.5 * 2 + 0.5 * 0.5 + 0.25 * 8)
    assert "2026-01-31" in price.said


def test_shipped_prices_hold_for_the_hosted_address_alone_and_are_dated() -> None:
    found = price_of("openai:gpt-4o-mini")
    assert found is not None
    assert found.date >= date(2026, 1, 1)
    assert price_of("openai:gpt-4o-mini@http://127.0.0.1:8080/v1") is None
    assert price_of("openai:nobody-knows-me") is None


def test_an_unknown_price_is_unknown_and_says_where_to_put_it() -> None:
    bill = Bill.of("openai:nobody-knows-me", SPENT)
    assert bill.amount is None
    assert "unknown" in bill.words
    assert str(user_prices()) in bill.words


@pytest.mark.parametrize("reference", ["smollm2", "gguf:/x.gguf", "hf:/x", "fake:scripted"])
def test_ones_own_machine_takes_no_money_by_the_token(reference: str) -> None:
    assert Bill.of(reference, SPENT).amount == 0


def test_the_users_prices_come_first_by_reference_or_by_name() -> None:
    address = "openai:my-model@http://127.0.0.1:8080/v1"
    user_prices().write_text(
        "currency: EUR\nprices:\n"
        f"  '{address}': {{prompt: 1, generated: 2, date: 2026-05-01}}\n"
        "  my-model: {prompt: 3, generated: 4, date: 2026-05-02}\n"
        "  gpt-4o-mini: {prompt: 9, generated: 9, date: 2026-05-03}\n"
    )
    mine, by_name, hosted = (price_of(r) for r in (address, "openai:my-model", "openai:gpt-4o-mini"))
    assert mine is not None
    assert by_name is not None
    assert hosted is not None
    assert [p.prompt for p in (mine, by_name, hosted)] == [1, 3, 9]
    bill = Bill.of(address, SPENT)
    assert bill.amount == pytest.approx(2.5)
    assert "EUR" in bill.words
    assert "2026-05-01" in bill.words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prices: [", "not valid YAML"),
        ("prices: {a: {prompt: -1, generated: 1, date: 2026-01-01}}", "prompt"),
        ("prices: {a: {prompt: 1, generated: 1}}", "date"),
        ("price: {}", "price"),
    ],
)
def test_a_bad_file_of_prices_is_named(text: str, words: str) -> None:
    user_prices().write_text(text)
    with pytest.raises(InputError) as caught:
        price_of("openai:gpt-4o")
    assert words in str(caught.value)
    assert "prices.yaml" in str(caught.value)


def test_without_a_model_nothing_ran_and_nothing_was_paid() -> None:
    bill = Bill.of("none", Usage(calls=0))
    assert (bill.amount, bill.words) == (0, "No model was asked: nothing was paid.")
