# ruff: noqa: E501, C901, PLR0912 - patterns unbroken; one case for each way of reading a value
"""Rules of read-back: what a clause says about its speaker (or the person it describes), with places in the text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from personae.creation._readback_grammar import NAME, VERBS, Grammar, Grammatical, PatternRule, grammar_of
from personae.creation._readback_values import VAGUE, Value, gives_away, listed_values, noun_values
from personae.creation._readback_words import PEOPLES, PETS, TONGUES, number
from personae.text import sentence_spans

_END: Final = re.compile(
    r"(?:,|;|:|\(|\s[-–—]\s|\s(?:because|but|when|so|since|though|although|while|which|that is|even|until|if|and (?:i|my|we|you|he|"
    r"she|his|her|your|then|it|that|have|am|live|work|love|like|hate|was)\b|as (?:a|an|well|my)\b|right now|at the moment|these days"
    r"|nowadays|too$|very much|a lot|for (?:a|the|over|about|almost|many|several|more)? ?[\w-]* ?(?:years?|months?|weeks?|days?|living|now)"
    r"|last (?:year|week|month)|with my\b|just like|in \d{4}|lol|haha)).*$",
    re.IGNORECASE | re.DOTALL,
)
_HYPOTHETICAL: Final = re.compile(
    r"\b(?:if|wish|imagine|suppose|supposing|pretend|what if|as though|role-?play|let's say)\b", re.IGNORECASE
)
_UNREAL: Final = re.compile(
    r"\b(?:would|could|might|may be|maybe|perhaps|almost|nearly|should|will|going to|gonna|probably|hardly|"
    r"(?:think|thinks|thought|says?|said|told|claims?|believes?|dreamt|dreamed) (?:that )?(?:i|me|he|she)\b)|"
    r"(?:\bi|you|he|she|they)['’](?:d|ll)\b",
    re.IGNORECASE,
)
_QUOTED: Final = re.compile(r"\"[^\"\n]{1,400}\"|“[^”\n]{1,400}”|«[^»\n]{1,400}»|(?<!\w)‘[^’\n]{1,400}’(?!\w)")
_LEAD: Final = re.compile(
    r"(?:(?:well|oh|hi|hello|hey|yes|yeah|yep|no|nope|ok|okay|so|and|but|also|actually|honestly|currently|now|because|since|right now|"
    r"thanks|thank you|cool|wow|great|nice|that is (?:cool|great|nice)|sorry|really|then|plus|though|well then|i mean|hmm|ah|haha|lol|"
    r"today|in fact|to be honest|sure)\b[\s,!.]*|[\s,*-]+)+",
    re.IGNORECASE,
)
_ASKING: Final = re.compile(
    r",?\s+(?:and |but |so )?(?:what|how|where|who|why|when|which|do|does|did|are|is|have|has|can|could|would|will|right|you|any|"
    r"isn't|don't|aren't)\b[^,.!]{0,80}\?$",
    re.IGNORECASE,
)
_OPENS_ASKING: Final = re.compile(
    r"(?:and |but |so |well,? |oh,? )*(?:what|how|where|who|whose|whom|why|when|which|do|does|did|are|is|am|was|were|have|has|can|could|would|will|should|may|"
    r"shall|isn't|don't|aren't|ain't)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class SelfStatement:
    """One thing read: where in a persona it belongs, and the characters it rests on (`start` to `end`, end exclusive)."""

    path: str
    value: Value
    rule: str
    start: int
    end: int
    confidence: float
    polarity: Literal[-1, 1] = 1
    tense: Literal["past", "present"] = "present"
    category: str | None = None
    """special category, if any"""
    name: str | None = None
    """of the other person, for relations"""


@dataclass(frozen=True, slots=True)
class _Clause:
    """What is matched: a prefix of ours and the rest of a clause; `shift` leads from places in it to the text."""

    text: str
    shift: int
    low: int
    past: bool = False
    denied: bool = False


def read_statements(
    text: str, person: Grammatical = "first", special: frozenset[str] = frozenset()
) -> list[SelfStatement]:
    """Everything the rules read in `text`, in order; what belongs to a category not in `special` is left out."""
    out: list[SelfStatement] = []
    masked = (
        _QUOTED.sub(lambda m: "\x00" * len(m[0]), text.replace("’", "'"))
        if _has_quotes(text)
        else text.replace("’", "'")
    )
    grammar = grammar_of(person)
    name = _own_name(masked, person)
    if name is not None:
        out.append(SelfStatement("names.full", name[0], "name.subject", name[1], name[2], 0.8))
        grammar = grammar_of(person, name[0])
    for span in sentence_spans(masked):
        body = span.text
        if body.endswith("?"):
            asked = _ASKING.search(body)
            if asked is None or asked.start() < 4 or _OPENS_ASKING.match(body):
                continue
            body = body[: asked.start()]
        if _HYPOTHETICAL.search(body):
            continue
        for clause in _clauses(body, span.start, grammar):
            out.extend(_read(clause, grammar, special))
    return _distinct(out)


def _has_quotes(text: str) -> bool:
    return any(mark in text for mark in '"“«‘')


def _distinct(found: list[SelfStatement]) -> list[SelfStatement]:
    seen: set[tuple[object, ...]] = set()
    out: list[SelfStatement] = []
    for one in found:
        key = (one.path, str(one.value).casefold(), one.polarity, one.tense, one.start)
        if key not in seen:
            seen.add(key)
            out.append(one)
    return out


def _own_name(text: str, person: Grammatical) -> tuple[str, int, int] | None:
    """Who a description in the third person is about: the name it opens with."""
    if person != "third":
        return None
    found = re.match(
        rf"\s*(?P<n>{NAME})(?=,|'s\b|\s+(?:is|was|has|lives?|works?|loves?|likes?|hates?|used|enjoys?|grew|does|studies)\b)",
        text,
    )
    if found is None or found["n"].split()[0].casefold() in {
        "he",
        "she",
        "they",
        "his",
        "her",
        "their",
        "the",
        "this",
        "my",
    }:
        return None
    return found["n"], found.start("n"), found.end("n")


# Clauses ---------------------------------------------------------------------------------------------------------------


def _clauses(sentence: str, start: int, g: Grammar) -> Iterator[_Clause]:
    """Clauses that say something about the subject, each as it reads with the subject in front."""
    place, pieces = 0, list[tuple[int, int]]()
    for cut in g.split.finditer(sentence):
        pieces.append((place, cut.start()))
        place = cut.end()
    pieces.append((place, len(sentence)))
    about, being = False, False
    for low, high in pieces:
        lead = _LEAD.match(sentence, low, high)
        low = lead.end() if lead else low  # noqa: PLW2901 - what leads in says nothing
        body = sentence[low:high]
        if not body or "\x00" in body[:2]:
            about = False
            continue
        own = g.subject.match(body) is not None
        if own:
            about, being = True, re.match(r"(?:i'?m|\S+ (?:am|are|is)|\S+'s|you're)\b", body, re.IGNORECASE) is not None
            yield from _forms_of(body, start + low, g)
            yield from _appositions(body, start + low, g, being=being)
        elif about and pieces[0][0] != low and body[:1].islower() and re.match(rf"(?:{_HEAD})", body, re.IGNORECASE):
            yield from _forms_of(f"{g.word} {body}", start + low, g, added=len(g.word) + 1)
        else:
            about = False
            yield _Clause(body, start + low, start + low)


_HEAD: Final = "|".join(
    [*(f"{v}(?:e?s)?\\b" for v in VERBS), "has\\b", "is\\b", "studies\\b", "don't", "do not", "does", "never", "can't"]
)


def _appositions(body: str, at: int, g: Grammar, *, being: bool) -> Iterator[_Clause]:
    """`… is Ana, a 58-year-old nurse` and `I'm a nurse and a mother of two` say a second thing of the same subject."""
    if not being:
        yield from (
            _Clause(f"{g.be}{body[m.end() :]}", at + m.end() - len(g.be), at + m.start())
            for m in re.finditer(r"^[A-ZÀ-Þ][^,]{1,40}, (?=an? )", body)
        )
        return
    for mark in re.finditer(r"(?:,| and)\s+(?=an? )", body):
        yield _Clause(f"{g.be}{body[mark.end() :]}", at + mark.end() - len(g.be), at + mark.end())


def _forms_of(body: str, at: int, g: Grammar, *, added: int = 0) -> Iterator[_Clause]:
    """The clause as it stands, or what it denies or tells of the past, said plainly."""
    base = at - added
    if _UNREAL.search(body):
        return
    used, negated = g.used.match(body), g.negated.match(body)
    not_be, was = g.not_be.match(body), g.was.match(body)
    if used is not None:
        head = g.be if used["be"] else f"{g.word} "
        yield _Clause(head + body[used.end() :], base + used.end() - len(head), at, past=True)
    elif negated is not None:
        head = f"{g.word} "
        past = negated["no"].casefold() == "no longer"
        if negated["no"].casefold() != "didn't":
            yield _Clause(
                head + body[negated.end() :], base + negated.end() - len(head), at, past=past, denied=not past
            )
    elif not_be is not None:
        article = "a " if re.search(r" an? $", not_be[0], re.IGNORECASE) else ""
        head = g.be + article
        past = not_be["no"].casefold() == "no longer"
        yield _Clause(head + body[not_be.end() :], base + not_be.end() - len(head), at, past=past, denied=not past)
    elif was is not None:
        yield _Clause(g.be + body[was.end() :], base + was.end() - len(g.be), at, past=True)
        yield _Clause(body, base, at)
    else:
        no = re.match(rf"{g.have}no ", body, re.IGNORECASE)
        if no is not None:
            yield _Clause(g.have + body[no.end() :], base + no.end() - len(g.have), at, denied=True)
        else:
            yield _Clause(body, base, at)


# Values ----------------------------------------------------------------------------------------------------------------

_DENIABLE: Final = (
    "social.occupation", "social.marital_status", "social.nationality", "social.employment", "social.languages",
    "social.religion", "social.politics", "attributes.food", "attributes.habits", "attributes.home.pets",
    "attributes.family.children", "attributes.possessions", "attributes.identity", "social.residence", "relations",
)  # fmt: skip
_PAST: Final = ("social.occupation", "social.marital_status", "social.employment", "social.residence", "context.likes",
                "context.dislikes", "attributes.food", "attributes.habits", "attributes.home.pets", "context.interests")  # fmt: skip


def _read(clause: _Clause, g: Grammar, special: frozenset[str]) -> Iterator[SelfStatement]:
    text = clause.text
    for rule in g.rules:
        if rule.category is not None and rule.category not in special:
            continue
        found = rule.pattern.match(text)
        if found is None:
            continue
        for path, value, low, high in _values(rule, found, denied=clause.denied):
            yield from _reading(clause, rule, path, value, found, (low, high), special)
    told = g.relation.match(text)
    if told is not None and not clause.past and not clause.denied and not _UNREAL.search(text):
        value = _trim(told["v"])
        kin = re.sub(r"\W+", "_", told["kin"].casefold())
        if not gives_away(f"{told['kin']} {value}", "", special):
            high = told.start("v") + len(value)
            yield SelfStatement(
                f"relations.{kin}",
                value,
                "relation",
                clause.low,
                clause.shift + high,
                0.85,
                name=told["n"] and told["n"].strip(),
            )
    if clause.denied or clause.past:
        return
    if not _UNREAL.search(text):
        for rule in g.anywhere:
            for found in rule.pattern.finditer(text):
                for path, value, low, high in _values(rule, found, denied=False):
                    yield from _reading(clause, rule, path, value, found, (low, high), special)


def _reading(
    clause: _Clause,
    rule: PatternRule,
    path: str,
    value: Value,
    found: re.Match[str],
    place: tuple[int, int],
    special: frozenset[str],
) -> Iterator[SelfStatement]:
    denied, past = clause.denied, clause.past
    if denied and path == "context.likes":
        path, denied = "context.dislikes", False
    elif denied and not path.startswith(_DENIABLE):
        return
    if past and not path.startswith(_PAST):
        return
    low = clause.low if found.start() == 0 else clause.shift + found.start()
    high = clause.shift + place[1]
    quoted = found.string[found.start() : place[1]]  # evidence leaves too, so it is looked at as well
    if not path.startswith("names") and (gives_away(quoted, path, special) or gives_away(str(value), path, special)):
        return
    yield SelfStatement(
        path, value, rule.code, low, max(high, low), rule.confidence, -1 if denied else 1,
        "past" if past else "present", rule.category,
    )  # fmt: skip


def _trim(text: str) -> str:
    return _END.sub("", text).strip(" .!?,;:*-\x00")


def _values(rule: PatternRule, found: re.Match[str], *, denied: bool) -> Iterator[tuple[str, Value, int, int]]:
    """(path, value, start, end in the clause) of each thing a match says; nothing when the value makes no sense."""
    raw, start = found["v"], found.start("v")
    text = _trim(raw) if rule.how not in {"age", "count", "plain"} else raw.strip(" .!,")
    end = start + len(text)
    if not text:
        return
    match rule.how:
        case "text":
            yield rule.path, text, start, end
        case "plain" | "short" | "thing" | "goal":
            if (
                (rule.how == "thing" and re.search(rf"\b(?:{PETS})\b", text, re.IGNORECASE))
                or len(text.split()) > 10
                or VAGUE.match(text)
            ):
                return
            if rule.how == "goal":
                yield "goals", text, start, end
            else:
                yield rule.path, text, start, end
        case "age":
            years = number(text)
            if years is not None and 0 < years <= 120:
                yield rule.path, years, start, found.end()
        case "count":
            word = text.casefold()
            if denied:
                yield rule.path, "children", start, found.end()
            elif (count := number(word) if word not in {"a", "an"} else 1) is not None and count < 20:
                yield rule.path, count, start, found.end()
        case "list":
            yield from listed_values(rule.path, text, start)
        case "favourite":
            key = re.sub(r"[^a-z0-9]+", "_", found["w"].casefold()).strip("_") or "thing"
            yield f"attributes.favourite.{key}", text, start, end
        case "tongues":
            for word in re.finditer(r"[A-Za-z]+", text):
                if word[0].casefold() in TONGUES:
                    yield rule.path, word[0], start + word.start(), start + word.end()
        case "people":
            if text.casefold() in PEOPLES and not re.match(
                r"\s+[a-z]", found.string[found.end() :].split(" and ")[0].split(" but ")[0].rstrip(" .!") or ""
            ):
                yield rule.path, text, start, end
        case "spouse" | "kin" | "pet" | "sex" | "diet" | "yes":
            yield from _fixed(rule, text, start, end)
        case _:
            yield from noun_values(rule, text, start)


def _fixed(rule: PatternRule, text: str, start: int, end: int) -> Iterator[tuple[str, Value, int, int]]:
    match rule.how:
        case "spouse":
            yield rule.path, "married", start, end
        case "kin":
            yield f"relations.{re.sub(r'[^a-z]+', '_', text.casefold())}", text, start, end
        case "sex":
            female = text.casefold() in {"woman", "girl", "lady", "female"}
            yield rule.path, "female" if female else "male", start, end
        case "diet":
            yield rule.path, text.casefold().removesuffix("s"), start, end
        case "yes":
            yield rule.path, "yes", start, end
        case _:
            yield rule.path, text.casefold(), start, end
