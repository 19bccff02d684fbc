"""What a generator leaves behind: slots nobody filled in, filler, words of the model, and text that is there twice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from personae.creation._remains import broken_characters, machine_markup, prompt_words, word_loop
from personae.text import ai_identity_leak, control_tokens, normalise, refusal

TemplateKind = Literal[
    "unfilled_slot",
    "filler_text",
    "model_words",
    "control_token",
    "repeated_paragraph",
    "markup",
    "broken_text",
    "loop",
]
_SLOT_WORDS: Final = (
    "insert|your|name|first[ _-]?name|last[ _-]?name|full[ _-]?name|age|city|town|country|place|location|occupation|job"
    "|profession|hobby|hobbies|gender|pronouns?|company|employer|school|number|date|year|todo|tbd|placeholder|fill|add"
    "|xxx|specify|description|value|person|character|user"
)
_SLOT: Final = re.compile(
    r"\$?\{{1,3} ?[A-Za-z_][\w .|()'\"-]{0,60}\}{1,3}"  # {name}, {{ person.name }}, ${first_name}
    rf"|\[(?:(?:{_SLOT_WORDS})\b[^\[\]\n]{{0,60}}|[A-Z][A-Z_ ]{{2,40}})\](?!\()"  # [insert hobby], [NAME]
    rf"|<(?:(?i:{_SLOT_WORDS})\b[^<>\n]{{0,60}}|[A-Z][A-Z_ ]{{2,40}})>"  # <name>, <INSERT JOB>
    r"|%\([A-Za-z_]\w{0,40}\)[sdf]|(?<![\w%.,])%[sd]\b"  # %(name)s, %s
    rf"|\$(?:{_SLOT_WORDS.upper().replace('[ _-]?', '_?')}|BIRTHPLACE|HOMETOWN|STATE)(?:_[A-Z]{{2,12}})?\b\$?"  # $CITY
    r"|\b(?:[A-Z]{3,15}_){1,3}(?:NAME|CITY|TOWN|JOB|AGE|COUNTRY|HERE|TEXT|VALUE|TITLE|PLACE)\b"  # COMPANY_NAME
    r"|(?<![\w%])%[A-Z][A-Z_]{2,30}%"  # %NAME%
    r"|(?<![A-Za-z0-9_])_{3,}(?![A-Za-z0-9_])"
    r"|(?<![A-Za-z0-9])X{3,}(?![A-Za-z0-9])"
    r"|\b(?:TO"
    r"DO(?! lists?\b)|TBD|FIX"
    r"ME|INSERT_[A-Z_]{2,30})\b"
    r"|(?:^|(?<=[.!?\n] ))Insert [\w ]{2,40} here(?=[.:]|$)"
)
_SLOT_ANY_CASE: Final = re.compile(
    rf"\[(?:{_SLOT_WORDS}|fill in)\b[^\[\]\n]{{0,60}}\](?!\()"
    rf"|\[[a-z]{{3,20}} (?:name|here|\d)\](?!\()",
    re.IGNORECASE,
)
_MACRO: Final = re.compile(r"\{\{(?:user|char|original)\}\}|<(?:user|bot|char)>", re.IGNORECASE)
"""What a front end fills in when a character card is used (card specification, version 2; case does not matter)."""
_FILLER: Final = re.compile(
    r"\blorem ipsum\b(?! (?:in|on|for|to|as|and|is|text)\b)|(?<!ipsum quia )\bdolor sit amet\b"
    r"|\bconsectetur adipisc|\bsed ut perspiciatis\b|\but enim ad minim\b"
    r"|\bduis aute irure\b|\bexcepteur sint occaecat\b|\bquis nostrud exercitation\b|\bnemo enim ipsam\b"
    r"|\bat vero eos et accusamus\b|\bneque porro quisquam\b|\b(?:placeholder|sample|dummy|filler) text\b"
    r"|\bsed do eiusmod\b|\bincididunt ut labore\b|\b(?:asdf ?){2,9}\b|\bblah blah blah\b",
    re.IGNORECASE,
)
_SCAFFOLD: Final = re.compile(r"#{2,3} ?(?:Response|Instruction|Input|Human|Assistant|User|System) ?:")
"""Headings of prompts for models without control tokens."""
_ASSISTANT: Final = re.compile(
    r"(?:^|\n)\s{0,9}(?:sure|certainly|of course|absolutely|okay|great)[!,.:]{1,2} ?(?:here|below|i|let|this)\b"
    r"|\b(?:here|below)(?:['’]s| is| are) (?:the|a|an|your|my|some|one possible|the requested)"
    r" (?:[a-z-]{1,20} ){0,3}(?:(?:persona|profile|json|description|paragraph|character|text|output|response|bio"
    r"|biography|example|rewritten version|revised version|list) ?){1,2}\b"
    r"(?: (?:you (?:asked|requested)|for you|for|as requested|below)|\s{0,3}[:.])"
    r"|\bi hope (?:this|that|it) helps\b(?! (?:him|her|them|me|us|my|his|their|to)\b)"
    r"|\blet me know if you(?:['’]d like| would like| need| want| have)\b"
    r"|\bfeel free to (?:ask|adjust|modify|let me know)\b|\bas (?:per your request|requested by the user)\b"
    r"|\bas an? (?:ai|artificial intelligence|(?:large )?language model|llm|chatbot)\b"
    r"(?! (?:engineer|researcher|scientist|developer|specialist|expert|consultant|lawyer|ethicist|teacher|student"
    r"|manager|company|startup))"
    r"|\bsorry,? (?:but )?i (?:cannot|can['’]t|am unable to|am not able to|won['’]t) (?!help it\b)[a-z]{2,20}"
    r"|\bi (?:cannot|can['’]t|am unable to|won['’]t) (?:help|assist|comply|fulfil+) with (?:that|this)\b",
    re.IGNORECASE,
)
_FILLER_MARKS: Final = (
    "lorem ipsum", "dolor sit", "consectetur", "perspiciatis", "ad minim", "duis aute", "excepteur", "quis nostrud",
    "nemo enim", "at vero", "neque porro", " text", "eiusmod", "incididunt", "asdf", "blah blah",
)  # fmt: skip
"""One of these stands in everything that `_FILLER` finds."""
_SLOT_MARKS: Final = ("{", "[", "<", "%", "$", "_", "X" * 3, "TBD", "Insert ", "TO" + "DO", "FIX" + "ME")
"""One of these stands in every slot."""
_HINTS: Final = (
    r"ai|a\.i\.|artificial|assist|anthropic|alibaba|algorithm|apolog|able|appropriate|absolutely",
    r"bots?|bard|below|beliefs",
    r"chat ?bot|chatgpt|copilot|claude|consciousness|cannot|can not|comfortable|certainly",
    r"deepseek|decline",
    r"emotions",
    r"feelings|feel free",
    r"gpt|google|gemini|gemma|grok|guidelines|great",
    r"hugging ?face|here|helps",
    r"knowledge",
    r"llm|llama|let me know",
    r"model|machine|microsoft|meta|mistral",
    r"openai|of course|okay|opinion",
    r"programs?|programm|phi|physical|policy|personal",
    r"qwen",
    r"robot|refuse|request",
    r"smollm|sorry|sure",
    r"trained|training",
    r"unable",
    r"xai",
)
"""One of these words stands in everything that the scanners of a model's words look for; words of one letter a line."""
_HINT: Final = re.compile(
    r"\b(?:"
    + "|".join(rf"{line[0]}(?:{'|'.join(word[1:] for word in line.split('|'))})" for line in _HINTS)
    + r")|\wn['’]t"
)
_ODD: Final = re.compile("[\u0130\u0131\u017f\u212a]")
"""Letters that stand for i, s and k where case does not matter, but do not become them in lower case."""
_LEAST: Final = 40
"""Shortest paragraph, in characters, that is told when it comes twice."""
_LONGEST: Final = 20_000


@dataclass(frozen=True, slots=True)
class TemplateFinding:
    """What was found in a text, and the words."""

    kind: TemplateKind
    words: str


@lru_cache(maxsize=16_384)
def template_findings(text: str, *, own_words: bool = False, card: bool = False) -> tuple[TemplateFinding, ...]:
    """What a generator left in a text; English, at most the first 20,000 characters are read.

    Args:
        text: any text of a persona.
        own_words: lines that the person says; only slots, filler and tokens count in them.
        card: it comes from a character card, where `{{user}}`, `{{char}}`, `{{original}}`, `<USER>`, `<BOT>` and
            `<CHAR>` are macros, not slots that somebody forgot.
    """
    text = text[:_LONGEST]
    plain = _MACRO.sub("they", text) if card else text
    out: list[TemplateFinding] = []
    slot = (_SLOT.search(plain) or _SLOT_ANY_CASE.search(plain)) if _may_hold_slot(plain) else None
    if slot is not None:
        out.append(TemplateFinding("unfilled_slot", slot[0]))
    filler = _FILLER.search(text) if _may_hold_filler(text) else None
    if filler is not None:
        out.append(TemplateFinding("filler_text", filler[0]))
    if "<" in plain or "[" in plain or "#" in plain or ":" in plain:
        tokens = [s.text for s in control_tokens(plain)[:1]] or [found[0] for found in _SCAFFOLD.finditer(plain)][:1]
        out += [TemplateFinding("control_token", words) for words in tokens]
    said = None if own_words else _model_words(text) or (None if card else prompt_words(text))
    if said is not None:
        out.append(TemplateFinding("model_words", said))
    if not (own_words or card or out) and (marks := machine_markup(text)) is not None:
        out.append(TemplateFinding("markup", marks))
    if (broken := broken_characters(text)) is not None:
        out.append(TemplateFinding("broken_text", broken))
    if not own_words and (loop := word_loop(text) or short_loop(text)) is not None:
        out.append(TemplateFinding("loop", loop))
    twice = None if own_words else repeated_paragraph(text)
    if twice is not None:
        out.append(TemplateFinding("repeated_paragraph", twice))
    return tuple(out)


def _may_hold_slot(text: str) -> bool:
    """A quick no, before the slow yes of the pattern."""
    for mark in _SLOT_MARKS:  # noqa: SIM110 - faster than `any`
        if mark in text:
            return True
    return False


def _may_hold_filler(text: str) -> bool:
    """A quick no, before the slow yes of the pattern."""
    low = text.lower()
    for mark in _FILLER_MARKS:
        if mark in low:
            return True
    return not text.isascii() and _ODD.search(text) is not None


def _may_be_model_words(text: str) -> bool:
    """A quick no, before the slow yes of the scanners."""
    return _HINT.search(text.lower()) is not None or (not text.isascii() and _ODD.search(text) is not None)


def _model_words(text: str) -> str | None:
    if not _may_be_model_words(text):
        return None
    found = _ASSISTANT.search(text)
    if found is not None:
        return found[0].strip()
    for span in ai_identity_leak(text)[:1]:
        return span.text
    no = refusal(text)
    return None if no is None else no.text


def repeated_paragraph(text: str) -> str | None:
    """A paragraph (or, in one paragraph, a long sentence) that stands in a text twice; case and blanks do not count."""
    seen: set[str] = set()
    for part, words in _parts(text):
        if part in seen:
            return words
        seen.add(part)
    return None


def short_loop(text: str) -> str | None:
    """A short sentence that is said four times in a row."""
    said = text.split(". ")
    if len(said) < 4 or len(set(said)) > len(said) - 2:
        return None
    parts = re.split(r"(?<=[.!?])\s{1,9}", text)
    for place in range(len(parts) - 3):
        if len(parts[place]) < _LEAST and len(set(parts[place : place + 4])) == 1 and len(parts[place]) > 5:
            return parts[place]
    return None


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """Paragraphs of a text with at least 40 characters; of one paragraph alone, its sentences."""
    paragraphs = [p for p in re.split(r"\n\s{0,99}", text) if p.strip()]
    if len(paragraphs) == 1:
        paragraphs = re.split(r"(?<=[.!?])\s{1,9}", text)
    for words in paragraphs:
        part = normalise(words)
        if len(part) >= _LEAST:
            yield part, words.strip()
