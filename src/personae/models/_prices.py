"""What calls cost: dated prices of models, the user's own first. A price that nobody knows is unknown, never zero."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from personae.core import InputError, schema_error
from personae.models._home import home_dir
from personae.models._protocol import Usage

_FILE: Final = "prices.yaml"
_MILLION: Final = 1_000_000
_HOSTED: Final = "openai"


class Price(BaseModel):
    """Price of a million tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt: float = Field(ge=0, allow_inf_nan=False)
    generated: float = Field(ge=0, allow_inf_nan=False)
    cached: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """prompt tokens that the server had kept; None = like any other"""
    date: date
    """day the price was looked up"""
    currency: str = "USD"

    def cost(self, usage: Usage) -> float:
        """Money for these tokens.

        >>> Price(prompt=2, generated=8, cached=0.5, date="2026-01-01").cost(Usage(1, 1_000_000, 500_000, 250_000))
        3.25
        """
        kept = usage.prompt - usage.prefilled
        paid = usage.prefilled * self.prompt + kept * (self.prompt if self.cached is None else self.cached)
        return (paid + usage.generated * self.generated) / _MILLION

    @property
    def said(self) -> str:
        """The price in words, with its date."""
        return (
            f"{self.prompt:g} / {self.generated:g} {self.currency} a million prompt / generated tokens on {self.date}"
        )


class _PriceList(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    currency: str = "USD"
    prices: dict[str, Price]


@dataclass(frozen=True, slots=True)
class Bill:
    """What is known about the cost of a run."""

    amount: float | None
    """None when it is unknown"""
    words: str

    @classmethod
    def of(cls, reference: str, usage: Usage) -> Bill:
        """The cost of `usage` on the model that `reference` names."""
        from personae.models._reference import KINDS

        kind = reference.partition(":")[0]
        if kind == "none":
            return cls(0.0, "No model was asked: nothing was paid.")
        if kind in KINDS.names() and KINDS.get(kind).local:
            return cls(0.0, "The model ran on this machine: nothing was paid by the token.")
        price = price_of(reference)
        if price is None:
            return cls(
                None,
                f"What this cost is unknown: {reference!r} has no price here. {user_prices()} can give it one.",
            )
        amount = price.cost(usage)
        return cls(amount, f"{amount:,.4g} {price.currency} at {price.said}. Prices change: check yours.")


def user_prices() -> Path:
    """The file of the user's own prices: `$PERSONAE_HOME/prices.yaml`, else under `~/.cache/personae`."""
    return home_dir() / _FILE


def price_of(reference: str) -> Price | None:
    """The price of a model, by its reference or its name; None when nobody knows it.

    The user's own prices may name a whole reference (`openai:my-model@https://my.host/v1`) or a model. The shipped ones
    are those of the hosted API and hold for no other address.

    Raises:
        InputError: the user's file cannot be read.
    """
    kind, _, rest = reference.partition(":")
    name, _, address = rest.partition("@")
    own = user_prices()
    if own.is_file():
        listed = _read(own.read_text("utf-8"), str(own))
        for key in (reference, name):
            if key in listed:
                return listed[key]
    if kind != _HOSTED or address:
        return None
    shipped = files("personae.models").joinpath("data", _FILE).read_text("utf-8")
    return _read(shipped, _FILE).get(name)


def _read(text: str, where: str) -> dict[str, Price]:
    import yaml

    try:
        body = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"{where}: not valid YAML ({error}).", hint="Fix it, or move it away.") from error
    try:
        listed = _PriceList.model_validate(body)
    except ValidationError as error:
        raise schema_error(error, where=where) from error
    return {name: price.model_copy(update={"currency": listed.currency}) for name, price in listed.prices.items()}
