"""Numbers as text: true minus signs, as many digits as the interval carries, small p-values as bounds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from personae.reports._blocks import Cell

NONE: Final = "–"
MINUS: Final = "\u2212"
_MOST_DIGITS: Final = 5


def digits_for(width: float) -> int:
    """Decimals that show two significant digits of an interval of this width (0 to 5)."""
    if not math.isfinite(width) or width <= 0:
        return 2
    return max(0, min(_MOST_DIGITS, 1 - math.floor(math.log10(width))))


def digits_of(values: Sequence[float]) -> int:
    """Decimals that a column of numbers needs: those of a thousandth of its range (0 to 5), none for whole numbers.

    Decimals that are zero in every number are left out.
    """
    finite = [v for v in values if math.isfinite(v)]
    if not finite or all(float(v).is_integer() for v in finite):
        return 0
    spread = max(finite) - min(finite) or abs(finite[0])
    digits = max(0, min(_MOST_DIGITS, 2 - math.floor(math.log10(spread))))
    while digits and all(round(v, digits - 1) == round(v, digits) for v in finite):
        digits -= 1
    return digits


def number(value: float | None, digits: int) -> str:
    """`value` with `digits` decimals, thousands separated; a dash when there is none."""
    if value is None or not math.isfinite(value):
        return NONE
    text = f"{value:,.{digits}f}"
    if text.startswith("-"):
        return text[1:] if float(text.replace(",", "")) == 0 else MINUS + text[1:]
    return text


def signed(value: float, digits: int) -> str:
    """Like `number`, with a plus sign when positive."""
    text = number(value, digits)
    return text if text.startswith(MINUS) or float(text.replace(",", "")) == 0 else f"+{text}"


def p_text(p: float | None) -> str:
    """A p-value with three decimals, or the bound `<0.001`."""
    if p is None:
        return NONE
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def fact_text(name: str, value: Cell) -> str:
    """The value of a named fact. Seeds name a draw and count nothing, so their digits are not grouped."""
    return str(value) if "seed" in name.lower() and isinstance(value, int) else cell_text(value)


def cell_text(value: Cell) -> str:
    """Any cell by itself: whole numbers whole, others with up to four significant digits."""
    if value is None:
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if isinstance(value, int) or (abs(value) < 1e15 and value.is_integer()):
        return f"{int(value):,}".replace("-", MINUS)
    if not math.isfinite(value):
        return NONE
    if abs(value) >= 1000:
        return number(value, 0)
    if abs(value) < 1e-4:
        return f"{value:.2e}".replace("-", MINUS)
    text = number(value, max(0, 3 - math.floor(math.log10(abs(value)))))
    return text.rstrip("0").rstrip(".") if "." in text else text


def seconds_text(seconds: float) -> str:
    """A duration: `8.2 s`, `4 min 12 s`, `2 h 05 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
