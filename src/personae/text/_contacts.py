"""Personal contact data and secrets in text: find them with types, replace them by placeholders.

Every candidate is checked, not only matched: card numbers by Luhn, IBANs by length and mod 97, addresses by octets,
telephone numbers by shape, so that dates, prices, years and version numbers stay in place.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from personae.text._tokens import TextSpan


class ContactKind(StrEnum):
    """What was found. The value, in brackets, is the placeholder."""

    EMAIL = "EMAIL"
    URL = "URL"
    PHONE = "PHONE"
    CARD = "CARD"
    IBAN = "IBAN"
    SSN = "SSN"
    IP = "IP"
    API_KEY = "API_KEY"
    CREDENTIAL = "CREDENTIAL"


@dataclass(frozen=True, slots=True)
class ContactSpan(TextSpan):
    """One find and its place."""

    kind: ContactKind


@dataclass(frozen=True, slots=True)
class Redaction:
    """A text with placeholders such as `[EMAIL]`, and how many of each kind were put in."""

    text: str
    counts: Mapping[ContactKind, int]


_IBAN_LENGTHS: Final = {
    country: int(length)
    for country, length in re.findall(
        r"([A-Z]{2})([0-9]{2})",
        "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 "
        "FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 "
        "LU20 LV21 LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SE24 "
        "SI19 SK24 SM27 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20",
    )
}
_TLDS: Final = (
    "com|org|net|edu|gov|mil|int|info|biz|io|ai|app|dev|me|tv|co|us|uk|de|fr|es|it|nl|be|ch|at|se|no|dk|fi|pl|cz"
    "|pt|ie|gr|ru"
    "|ua|jp|cn|in|br|mx|ca|au|nz|za|kr|eu|xyz|online|shop|site|blog|example"
)
_EMAIL: Final = re.compile(
    r"(?<![\w.+%-])[\w+%-](?:[\w.+%-]{0,62}[\w+%-])?\s?(?:@|\(at\)"
    r"|\[at\])\s?(?:[A-Za-z0-9-]{1,63}\.){1,6}[A-Za-z]{2,24}(?![\w@])"
)
_URL: Final = re.compile(
    r"(?<![\w@])(?:(?:https?|ftp)://[^\s<>\"'“”]{2,2000}|www\.[^\s<>\"'“”]{3,2000}"
    rf"|(?:[a-z0-9-]{{1,63}}\.){{1,4}}(?:{_TLDS})(?![\w.@-]*\w)(?:/[^\s<>\"'“”]{{0,2000}})?)"
    rf"|(?<![\w@.-])(?:[a-z0-9-]{{1,63}}\.){{1,4}}(?:{_TLDS})/[^\s<>\"'“”]{{0,2000}}"
)
_IPV4: Final = re.compile(r"(?<![\w.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![\w]|\.[0-9])")
_IPV6: Final = re.compile(r"(?<![\w:.])[0-9A-Fa-f:]{6,39}(?![\w:])")
_VERSION_BEFORE: Final = re.compile(r"(?:\bv|version|release|build|firmware|rev\.?)\s*$", re.IGNORECASE)
_CARD: Final = re.compile(r"(?<![\w.,-])[2-6](?:[ -]?[0-9]){12,18}(?![\w]|[.,-][0-9])")
_IBAN: Final = re.compile(r"(?<!\w)[A-Za-z]{2}[0-9]{2}(?:[ ]?[A-Za-z0-9]){11,40}")
_SSN: Final = re.compile(r"(?<![\w-])(?!000|666|9)[0-9]{3}-(?!00)[0-9]{2}-(?!0000)[0-9]{4}(?![\w-])")
_SSN_SPACED: Final = re.compile(r"(?<![\w-])(?!000|666|9)[0-9]{3} (?!00)[0-9]{2} (?!0000)[0-9]{4}(?![\w-])")
_SSN_WORD: Final = re.compile(r"\b(?:ssn|social security)\b", re.IGNORECASE)
_KEY: Final = re.compile(
    r"(?<![\w-])(?:sk-(?:[A-Za-z]{2,12}-){0,3}[A-Za-z0-9_-]{16,200}|[srp]k_(?:live|test)_[A-Za-z0-9]{10,100}"
    r"|gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_[A-Za-z0-9_]{20,255}|glpat-[A-Za-z0-9_-]{16,64}|(?:AKIA"
    r"|ASIA)[A-Z0-9]{16}"
    r"|AIza[A-Za-z0-9_-]{30,45}|xox[abeoprs]-[A-Za-z0-9-]{10,250}|hf_[A-Za-z0-9]{20,100}"
    r"|pypi-[A-Za-z0-9_-]{40,250}|npm_[A-Za-z0-9]{30,60}"
    r"|SG\.[A-Za-z0-9_-]{16,64}\.[A-Za-z0-9_-]{16,64}"
    r"|eyJ[A-Za-z0-9_-]{8,2000}\.[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{4,2000}"
    r"|-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----)"
)
_SECRET: Final = re.compile(
    r"\b(?P<name>pass ?word|passwd|passphrase|pass ?code|pwd|log-?in|credentials?|api[ _-]?key|secret(?:[ "
    r"_-]?(?:key|token))?"
    r"|access[ _-]?(?:key|token)|auth[ _-]?token|bearer|pin(?: code| number)?)\b[\"']?"
    r"(?:\s*(?::|=|->)\s*|\s+(?:is|was)\s*:?\s+|(?<=[Bb]earer)\s+)[\"'“`]?(?P<value>[^\s\"'“”`,;]{4,200})",
    re.IGNORECASE,
)
_NUMBER: Final = re.compile(r"(?<![\w.,/:$€£¥#-])\+?\(?[0-9](?:[0-9]|[ ().\-/]{1,3}(?=[0-9(])){5,24}(?![0-9A-Za-z%])")
_PHONE_WORD: Final = re.compile(
    r"\b(?:phone|telephone|tel|call|text|mobile|cell|fax|whatsapp|dial|ring|reach|number|contact|landline|hotline)\b",
    re.IGNORECASE,
)
_SHAPES: Final = tuple(
    re.compile(shape)
    for shape in (
        r"\+[0-9]{1,3}[ ().\-/0-9]+",
        r"00[1-9][0-9]{0,2}[ .\-/][ ().\-/0-9]+",
        r"(?:1[ .\-])?\([2-9][0-9]{2}\)[ .\-]?[0-9]{3}[ .\-][0-9]{4}",
        r"(?:1[ .\-])?[2-9][0-9]{2}([ .\-])[2-9][0-9]{2}\1[0-9]{4}",
        r"\(0[0-9]{1,5}\)[ .\-/]?[0-9]{2,8}(?:[ .\-][0-9]{2,6}){0,4}",
        r"0[1-9][0-9]{1,4}[ \-/][0-9]{3,8}(?:[ \-][0-9]{2,6}){0,3}",
        r"0[1-9](?:([ .\-])[0-9]{2})(?:\1[0-9]{2}){3}",
    )
)
_LOCAL: Final = re.compile(r"[2-9][0-9]{2}[ .\-][0-9]{4}|0?[0-9]{9,11}|[0-9]{3,5}(?:[ \-][0-9]{2,4}){1,3}")
_FICTION: Final = re.compile(r"555[ .\-][0-9]{4}")
_DATE: Final = re.compile(
    r"(?:19|20)[0-9]{2}[ .\-/][0-9]{1,2}[ .\-/][0-9]{1,2}(?:[ .\-/].*)?|[0-9]{1,2}[ .\-/][0-9]{1,2}[ .\-/](?:19"
    r"|20)[0-9]{2}"
    r"|(?:(?:1[0-9]|20)[0-9]{2}[ \-/]{1,3}){1,8}(?:1[0-9]|20)[0-9]{2}"
)


def find_contacts(text: str) -> list[ContactSpan]:
    """Contact data and secrets in `text`, in order, never overlapping.

    Types: EMAIL, URL, PHONE, CARD (Luhn), IBAN (mod 97), SSN (US shape), IP, API_KEY (shapes of well-known issuers),
    CREDENTIAL (a value after "password is", "pin:" and the like). Digits other than 0–9 are not looked at.

    >>> [(span.kind.value, span.text) for span in find_contacts("Mail ann@example.org, not on 2024-05-12.")]
    [('EMAIL', 'ann@example.org')]
    """
    taken = bytearray(len(text))
    found: list[ContactSpan] = []
    for kind, finder in _FINDERS:
        for start, end in finder(text):
            if start < end and not any(taken[start:end]):
                taken[start:end] = b"\x01" * (end - start)
                found.append(ContactSpan(start, end, text[start:end], kind))
    return sorted(found, key=lambda span: span.start)


def redact(text: str) -> Redaction:
    """`text` with each find replaced by its placeholder (`[EMAIL]`, `[PHONE]`, …), and the counts per kind.

    Redacting again changes nothing: what remains is searched until nothing is found (at most eight times).
    """
    counts: Counter[ContactKind] = Counter()
    for _ in range(8):
        spans = find_contacts(text)
        if not spans:
            break
        pieces: list[str] = []
        place = 0
        for span in spans:
            pieces += [text[place : span.start], f"[{span.kind}]"]
            place = span.end
            counts[span.kind] += 1
        text = "".join([*pieces, text[place:]])
    return Redaction(text, MappingProxyType(dict(counts)))


def passes_luhn(digits: str) -> bool:
    """Whether a string of digits has a valid Luhn check digit."""
    doubled = [int(digit) for digit in reversed(digits)]
    return sum(d if i % 2 == 0 else sum(divmod(2 * d, 10)) for i, d in enumerate(doubled)) % 10 == 0


def passes_iban(text: str) -> bool:
    """Whether `text`, without spaces, has the length of its country and a valid mod-97 check.

    Source: ISO 13616.
    """
    plain = text.replace(" ", "").upper()
    if len(plain) != _IBAN_LENGTHS.get(plain[:2], -1) or not plain.isascii() or not plain.isalnum():
        return False
    return int("".join(str(int(char, 36)) for char in plain[4:] + plain[:4])) % 97 == 1


def _matches(pattern: re.Pattern[str]) -> Callable[[str], Iterator[tuple[int, int]]]:
    def find(text: str) -> Iterator[tuple[int, int]]:
        for match in pattern.finditer(text):
            yield match.span()

    return find


def _secrets(text: str) -> Iterator[tuple[int, int]]:
    for match in _SECRET.finditer(text):
        value = match.group("value").rstrip(".!?)")
        pin = match.group("name").casefold().startswith("pin")
        if value.startswith("[") or len(value) < 4:
            continue
        if (pin and value.isdigit()) or (not pin and any(not char.isalpha() for char in value.strip("-'"))):
            yield match.start("value"), match.start("value") + len(value)


def _urls(text: str) -> Iterator[tuple[int, int]]:
    for match in _URL.finditer(text):
        yield match.start(), match.start() + len(match.group().rstrip(".,;:!?)]}*_"))


def _ibans(text: str) -> Iterator[tuple[int, int]]:
    for match in _IBAN.finditer(text):
        length = _IBAN_LENGTHS.get(match.group()[:2].upper())
        if length is None:
            continue
        seen = 0
        for offset, char in enumerate(match.group()):
            seen += char != " "
            if seen == length:
                follows = text[match.start() + offset + 1 : match.start() + offset + 2]
                if not follows.isalnum() and passes_iban(match.group()[: offset + 1]):
                    yield match.start(), match.start() + offset + 1
                break


def _cards(text: str) -> Iterator[tuple[int, int]]:
    for match in _CARD.finditer(text):
        digits = re.sub(r"[ -]", "", match.group())
        if len(set(digits)) > 1 and passes_luhn(digits):
            yield match.span()


def _social_numbers(text: str) -> Iterator[tuple[int, int]]:
    yield from _matches(_SSN)(text)
    for match in _SSN_SPACED.finditer(text):
        if _SSN_WORD.search(text[max(0, match.start() - 40) : match.start()]):
            yield match.span()


def _addresses(text: str) -> Iterator[tuple[int, int]]:
    for match in _IPV4.finditer(text):
        octets = match.group().split(".")
        if all(int(octet) < 256 and str(int(octet)) == octet for octet in octets) and not _VERSION_BEFORE.search(
            text[max(0, match.start() - 16) : match.start()]
        ):
            yield match.span()
    for match in _IPV6.finditer(text):
        body = match.group()
        if body.count(":") < 2 or not any(char.isdigit() for char in body):
            continue
        try:
            ipaddress.IPv6Address(body)
        except ValueError:
            continue
        yield match.span()


def _phones(text: str) -> Iterator[tuple[int, int]]:
    for match in _NUMBER.finditer(text):
        start, raw = match.start(), match.group()
        if raw.startswith("(") and ")" not in raw:
            start, raw = start + 1, raw[1:]
        hinted = _PHONE_WORD.search(text[max(0, start - 40) : start]) is not None
        if _is_phone(raw, hinted=hinted):
            yield start, start + len(raw)


def _is_phone(raw: str, *, hinted: bool) -> bool:
    digits = sum(char.isdigit() for char in raw)
    if not 7 <= digits <= 15 or _DATE.fullmatch(raw) or raw.count("(") != raw.count(")"):
        return False
    if digits >= 8 and any(shape.fullmatch(raw) for shape in _SHAPES):
        return True
    if _FICTION.fullmatch(raw):
        return True
    return hinted and _LOCAL.fullmatch(raw) is not None


_FINDERS: Final[tuple[tuple[ContactKind, Callable[[str], Iterator[tuple[int, int]]]], ...]] = (
    (ContactKind.API_KEY, _matches(_KEY)),
    (ContactKind.EMAIL, _matches(_EMAIL)),
    (ContactKind.URL, _urls),
    (ContactKind.CREDENTIAL, _secrets),
    (ContactKind.IBAN, _ibans),
    (ContactKind.CARD, _cards),
    (ContactKind.SSN, _social_numbers),
    (ContactKind.IP, _addresses),
    (ContactKind.PHONE, _phones),
)
