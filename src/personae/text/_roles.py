"""Role-swap cues in client–responder dialogues: a speaker talks as if it were the other one.

Three events: the client advises, the client offers its help, either side claims the other's facts as its own. Rules
for English, meant for paired comparisons of conditions, not as a verdict on a single turn.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from personae.text._tokens import TextSpan, sentence_spans


class Role(StrEnum):
    """Who speaks: the one with the need, or the one who answers."""

    CLIENT = "client"
    RESPONDER = "responder"


class SwapKind(StrEnum):
    """What betrays the swap."""

    ADVICE = "advice"
    OFFER = "offer"
    CLAIMED_FACT = "claimed_fact"


@dataclass(frozen=True, slots=True)
class RoleSwap(TextSpan):
    """One event: where it stands and, for `claimed_fact`, which of the partner's facts was claimed."""

    kind: SwapKind
    fact: str | None = None


_LONGEST_SENTENCE: Final = 600
_QUOTED: Final = re.compile(
    r"\"[^\"\n]{0,400}\"|“[^”\n]{0,400}”|«[^»\n]{0,400}»|(?<!\w)['‘](?:[^'’\n]|(?<=\w)['’](?=\w)){1,200}['’](?!\w)"
)
_REPORTED: Final = re.compile(
    r"\b(?:said|says|say|saying|told|tells|tell|telling|suggest(?:ed|s)|advis(?:ed|es)|recommended|recommends"
    r"|ask(?:ed|s)|insist(?:s|ed)"
    r"|think(?:s)? (?:that )?I|thinks|wonder(?:s|ing|ed)?|keeps? (?:saying|telling)|wrote|reads?|heard|according "
    r"to|if you think)\b",
    re.IGNORECASE,
)
_TALK: Final = (
    r"(?:know|see|hear|understand|meet|realise|realize|have (?:seen|heard|met|been)|be (?:able|proud|here|the|so"
    r"|very|\w+ed)"
    r"|ask me|tell me|help me|give me|show me)"
)
_SKIP: Final = r"(?:really |probably |definitely |always |also |just |maybe |perhaps |first |then )*"
_ADVICE: Final = re.compile(
    rf"\b(?:you (?:really |probably |definitely )?(?:should(?:n't| not)?|ought to|need to|must(?! be\b)"
    rf"|had better)"
    rf" {_SKIP}(?!{_TALK}\b)\w+"
    rf"|(?<![a-z] )you have to {_SKIP}(?!{_TALK}\b)\w+"
    rf"|you'd better {_SKIP}\w+"
    rf"|you (?:could|might|may) (?:{_SKIP}(?:try|consider|start|ask|talk|speak|think about|write|take|set)\b(?! me)"
    r"|(?:also )?want to\b)"
    r"|have you (?:tried|considered|thought (?:about|of)|talked to|spoken (?:to|with))\b"
    r"|why don't you (?!tell me|just tell me|help)\w+"
    r"|(?:I(?:'d| would)?|let me|may I|can I) (?:strongly |highly |also |really |like to )*(?:suggest|recommend"
    r"|advise)\b(?! me)"
    r"|my (?:advice|suggestion|recommendation)(?: to you| for you)? (?:is|would be)"
    r"|if I were you|it(?:'s| is) (?:important|best|a good idea|helpful|essential|crucial) (?:that you\b"
    r"|for you to\b|to\b(?=[^.!?]{0,200}\byou)))",
    re.IGNORECASE,
)
_IMPERATIVE: Final = re.compile(
    r"^\W*(?:\d+[.)]\s*)?(?:first|second|third|next|then|also|and|so|finally|ok(?:ay)?|well|yes"
    r"|instead)?,?\s*(?:please )?"
    r"(?:(?:try (?:to|not to|\w+ing|a\b|the\b|some\b)|consider \w+|make sure|be sure to|remember to|don't forget "
    r"to|start (?:by|with)|begin (?:by|with)"
    r"|avoid \w+|focus on|set (?:aside|up|a|small|clear|realistic)|take (?:a (?:deep|break|walk|few|short|moment)"
    r"|deep|time|regular|breaks|small)"
    r"|break (?:it|the|your|down)|write down|keep (?:a|track|your)|talk to (?:your|a|someone)|speak (?:to|with) "
    r"(?:your|a|someone)"
    r"|reach out to (?:your|a|someone)|seek (?:help|professional|support)|practi[cs]e \w+|ask (?:your|a|for)"
    r"|check (?:your|with|the)"
    r"|get (?:enough|plenty|some|more|regular)|limit (?:your|the)|contact (?:your|the|a)|consult \w+|schedule \w+"
    r"|use (?:a|the|your))\b)",
    re.IGNORECASE,
)
_ABOUT_ME: Final = re.compile(r"\b(?:me|my|mine|I|I'm|I've|I'd|I'll|us|our)\b")
_OFFER: Final = re.compile(
    r"\b(?:how (?:can|may|could) I (?:help|assist|support|be of (?:help|service))(?: you)?|what can I (?:do|help "
    r"you with|assist you with)"
    r"(?: for you)?(?: today)?|I(?:'m| am) here to (?:help|assist|support|listen to) you|what brings you (?:here"
    r"|in)|I(?:'d| would) be happy to (?:help|assist) you"
    r"|let me know if you (?:have any (?:other |more |further )?questions|need any(?:thing| (?:help|further)))|is "
    r"there anything else (?:I can|you(?:'d| would) like))",
    re.IGNORECASE,
)
_CLAIM: Final = re.compile(
    r"\b(?:I(?:'m| am)|as|I(?:'ve| have)? work(?:ed)? (?:as|in|at|for)|I(?:'ve| have)(?: been| got| had)?|my "
    r"name(?:'s| is)|call me"
    r"|I(?:'ve| have)? (?:lived?|grew up|was born) in|I come from|I own|I study|I teach|I play|I(?: am|'m)? "
    r"suffer(?:ing)? from|my) ",
    re.IGNORECASE,
)
_GAP: Final = (
    r"(?:(?!(?:not|no|never|like|glad|sure|sorry|you|your|he|she|they|his|her|their|to|with|about|for|of|at|on|by"
    r"|near|who"
    r"|that|than|and|or|but)\b|\w+n't\b)[\w'’-]+ ){0,4}?"
)
_UNREAL: Final = re.compile(
    r"\b(?:if|were|wish|imagine|suppose|pretend|would|could|might|not|never|n't|isn't|aren't|don't|didn't|won't"
    r"|you said|you mentioned|you told)\b|n't\b",
    re.IGNORECASE,
)


def role_swap(
    text: str, role: Role, own_facts: Sequence[str] = (), partner_facts: Sequence[str] = ()
) -> list[RoleSwap]:
    """Events in one turn that betray a swapped role, in order.

    Args:
        text: The turn.
        role: The role its speaker should have.
        own_facts: Short phrases that are true of the speaker ("nurse", "two sons", "Boston").
        partner_facts: Phrases true of the partner. One that is also an own fact never counts.

    Returns:
        `advice` and `offer` for a client, `claimed_fact` for either. Quoted and reported speech ("my doctor says you
        should rest"), questions about oneself ("should I …?"), denials and suppositions do not count.
    """
    plain = _QUOTED.sub(lambda match: " " * len(match.group()), text.replace("’", "'"))
    own = {fact.strip().casefold() for fact in own_facts}
    foreign = [fact.strip() for fact in partner_facts if fact.strip() and fact.strip().casefold() not in own]
    patterns = [(fact, _fact_pattern(fact)) for fact in foreign]
    found: list[RoleSwap] = []
    for sentence in sentence_spans(plain):
        if len(sentence.text) > _LONGEST_SENTENCE:
            continue
        if role is Role.CLIENT:
            found += _helper_talk(text, sentence)
        found += _claims(text, sentence, patterns)
    return sorted(found, key=lambda swap: (swap.start, swap.end, swap.kind))


def _helper_talk(text: str, sentence: TextSpan) -> Iterator[RoleSwap]:
    offer = _OFFER.search(sentence.text)
    if offer:
        yield _swap(text, sentence, offer, SwapKind.OFFER)
        return
    advice = _ADVICE.search(sentence.text)
    if advice and not _REPORTED.search(sentence.text[: advice.start()]) and not _asks_for_advice(sentence.text, advice):
        yield _swap(text, sentence, advice, SwapKind.ADVICE)
        return
    order = _IMPERATIVE.match(sentence.text)
    if order and not sentence.text.endswith("?") and not _ABOUT_ME.search(sentence.text):
        yield _swap(text, sentence, order, SwapKind.ADVICE)


def _asks_for_advice(sentence: str, advice: re.Match[str]) -> bool:
    """A question is advice only in the forms "have you tried …?" and "why don't you …?"."""
    if not sentence.endswith("?"):
        return False
    said = advice.group().casefold()
    return not said.startswith(("have you", "why don't you"))


def _claims(text: str, sentence: TextSpan, patterns: Sequence[tuple[str, re.Pattern[str]]]) -> Iterator[RoleSwap]:
    if not patterns or sentence.text.endswith("?"):
        return
    for fact, pattern in patterns:
        for frame in _CLAIM.finditer(sentence.text):
            claimed = pattern.match(sentence.text, frame.end())
            if claimed is None or _UNREAL.search(_clause_before(sentence.text, frame.start()) + claimed.group()):
                continue
            if frame.group().casefold() == "my " and (" " not in fact or claimed.group().casefold() != fact.casefold()):
                continue
            if frame.group().casefold() == "as " and not _first_person_follows(sentence.text[claimed.end() :]):
                continue
            start, end = sentence.start + frame.start(), sentence.start + claimed.end()
            yield RoleSwap(start, end, text[start:end], SwapKind.CLAIMED_FACT, fact)
            break


def _fact_pattern(fact: str) -> re.Pattern[str]:
    phrase = r"\s+".join(re.escape(part) for part in fact.replace("’", "'").split())
    return re.compile(rf"{_GAP}{phrase}(?!\w)(?!['’]s\b)", re.IGNORECASE)


def _clause_before(sentence: str, end: int) -> str:
    start = max(sentence.rfind(mark, 0, end) for mark in ",;:—–") + 1
    return sentence[start:end]


def _first_person_follows(rest: str) -> bool:
    return re.match(r"[^.;:?!]{0,20},? I\b", rest) is not None


def _swap(text: str, sentence: TextSpan, match: re.Match[str], kind: SwapKind) -> RoleSwap:
    start, end = sentence.start + match.start(), sentence.start + match.end()
    return RoleSwap(start, end, text[start:end], kind)
