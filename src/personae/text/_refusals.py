"""Refusals in generated text: an answer that declines what was asked instead of giving it. English only, by rule.

Against 105 answers (84 different ones) that people had labelled, 70 of them refusals: precision 1.00 [.92, 1.00],
recall .64 [.53, .74], kappa .55 [.38, .69]; on the 68 whose wording the rules were not written on: precision 1.00
[.88, 1.00], recall .57 [.43, .70], kappa .46 [.30, .63]. People had also counted answers to another question and
evasions as refusals; this reads the text alone and looks for plain ones. A count of refusals is therefore a lower
bound.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from personae.text._tokens import TextSpan


class RefusalKind(StrEnum):
    """How something is refused."""

    APOLOGY_CANNOT = "apology_cannot"
    CANNOT = "cannot"
    AI_CANNOT = "ai_cannot"
    POLICY = "policy"
    DECLINES = "declines"


@dataclass(frozen=True, slots=True)
class Refusal(TextSpan):
    """The words that refuse, and how."""

    kind: RefusalKind

    @property
    def personal(self) -> bool:
        """Whether a person may well say so ("I'd rather not say"): in a conversation that is speech, not a fault."""
        return self.kind is RefusalKind.DECLINES


def _any(*choices: str) -> str:
    """A group that matches any of the choices."""
    return f"(?:{'|'.join(choices)})"


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


# Words that short replies to closed questions and open text share.
_UNABLE: Final = ("cannot", "can not", "can't", "won't", "will not", "am unable", "am not able")
_UNWILLING: Final = (
    "refuse", "decline", "do not wish", "don't wish", "do not want", "don't want", "would rather not", "prefer not",
    "would prefer not",
)  # fmt: skip
_ASKED: Final = ("answer", "respond", "say", "comply", "assist", "share", "comment", "participate", "take part")

# Short replies: what is left once the options are taken out.
_REPLYING: Final = _any(
    *_ASKED, "rate", "choose", "pick", "provide", "give", r"help (?:you|with)", "do that", "do this", "complete",
    "assess", "evaluate", "continue",
)  # fmt: skip
_REPLY_REFUSAL: Final = _pattern(
    rf"\b(?:i {_any(*_UNABLE, *_UNWILLING)} (?:to )?{_REPLYING}|i'd (?:rather|prefer) not|i (?:refuse|decline)"
    rf"|(?:i'm|i am) (?:unable|not able) to {_REPLYING}|no comment|none of your business"
    r"|(?:not |un)comfortable (?:answering|sharing|rating|with (?:this|that|answering))"
    r"|prefer not to (?:say|answer)|decline to)\b"
)
_MACHINE_REMARK: Final = _pattern(
    r"\b(?:as an? (?:ai|artificial|language model|large language|virtual|assistant|machine|chatbot)"
    r"|(?:i'm|i am) (?:just |only )?an? (?:ai|artificial|language model|large language|virtual|chatbot|machine)"
    r"|(?:i'm|i am) sorry, but"
    r"|i (?:do not|don't) have (?:personal|a personality|feelings|emotions|experiences|opinions|preferences|a self))\b"
)

# Open text. The clause must be about the request, or about the kind of thing that models are asked for, so that "I
# can't wait", "I can't help laughing" and "I can't make it on Friday" are none.
_ADVERBS: Final = (
    r"(?:(?:just|really|also|simply|honestly|still|either|currently|actually|personally|therefore|respectfully"
    r"|ethically|knowingly|in good conscience|be able to) ){0,2}"
)
_NOT: Final = _any(
    rf"(?:i|we) {_ADVERBS}(?:{'|'.join(_UNABLE)}|must not|should not|shouldn't|are unable)",
    r"(?:i|we) (?:do not|don't)(?= (?:\w+ly )?(?:assist|engag|support|condon|promot|encourag|provid|generat|creat"
    r"|facilitat|endors|participat|discuss|comply))",
    r"(?:i'm|i am|we're|we are) (?:\w+ly )?(?:unable|not (?:able|going|capable|in a position|equipped|authori[sz]ed"
    r"|permitted|allowed|designed|programmed|comfortable)|uncomfortable|prohibited|forbidden|programmed not)",
    r"i (?:don't|do not) (?:feel comfortable|think i (?:can|should)|have the (?:ability|capability|capacity))",
)
_ENDS: Final = r"(?=\s*(?:$|[.;!?,)\"*—–]|\b(?:as|because|since|due to|but|for you|right now|at this time)\b))"
_SUCH: Final = _any(
    r"(?:that|this|these|those)" + _ENDS,
    r"(?:(?:that|this|these|those|such|your|the|any|an?) )?(?:[\w'-]+ ){0,2}?(?:requests?|questions?|inquiry|query"
    r"|prompt|demand|tasks?|topics?|role-?play|scenario|conversation)\b",
)
_BAD: Final = (
    r"(?:[\w-]+,? ){0,3}?(?:illegal|unlawful|unethical|harm(?:ful)?|dangerous|malicious|explicit|inappropriate"
    r"|hate(?:ful)?|offensive|discriminat\w+|violen(?:t|ce)|sexual|abusive|fraud\w*|criminal|crimes?|copyrighted"
    r"|misleading|hacking|weapons?|activit(?:y|ies))\b"
)
_THINGS: Final = (
    r"(?:[\w'-]+,? ){0,6}?(?:information|instruct\w+|guidance|advice|assistance|help|support|content|details|steps?"
    r"|guides?|code|scripts?|examples?|methods?|materials?|answers?|responses?|recommendations?|tutorials?|excerpts?"
    r"|passages?|lyrics|text|essays?|articles?|tips|suggestions|opinions?|images?|diagnos[ei]s|predictions?|jokes?"
    r"|poems?|stor(?:y|ies)|speech|plans?|lists?|ways|personal data)\b"
)
_DO: Final = _any(
    r"assist(?:ing)?\b(?! (?:my|him|her|them)\b)",
    rf"(?:help|helping)(?: you)?(?! but\b)(?:{_ENDS}| (?:with|in|by|to) (?:{_SUCH}|any|{_BAD}|\w+ing\b)"
    r"| (?:you )?(?:to )?(?:creat|writ|generat|hack|steal|harm|plan)(?:e|ing)?\b)",
    r"(?:comply|complying|fulfil|fulfill(?:ing)?|accommodate)\b(?! (?:my|his|her|their)\b)",
    rf"(?:answer|respond|process|proceed|complete|execute|grant|satisfy|honou?r|address|continue|engage"
    rf"|participate|perform)(?:ing)?"
    rf"(?: (?:to|with|in))? (?:{_SUCH}|{_BAD})",
    rf"(?:answer|respond|proceed|comply)(?:ing)?{_ENDS}",
    r"(?:provid|generat|produc|creat|writ|mak|giv|offer|shar|suppl|display|reproduc|develop|draft|compos|recommend)"
    rf"(?:e|y|ing)?(?: you(?: with)?)? (?:{_SUCH}|(?!my |our |him |her |a good ){_THINGS})",
    rf"(?:discuss|explain|describ|talk about|speculat|comment)(?:e|ing)?(?: (?:on|about))? (?:{_SUCH}|{_BAD}"
    rf"|how to\b|methods of\b)",
    r"(?:tell|teach|show|advise|instruct) you (?:how to|ways|on (?:that|this|how))\b",
    rf"(?:engag|support|condon|promot|encourag|facilitat|endors)(?:e|ing)?(?: in)? (?:{_SUCH}|{_BAD}|any |such )",
    r"(?:engag|participat)(?:e|ing) in (?:this|that|such|any)\b",
    r"(?:role-?play|impersonat|pretend(?:ing)? to be (?:an?|the|that|this|someone)\b|act as|take on (?:the|that"
    r"|this|a) (?:role|persona|identity)|play (?:that|this) role)",
)
_CANNOT: Final = _pattern(
    rf"{_NOT}(?: and (?:will not|won't))?(?: (?:to|of|from|with|in))? {_ADVERBS}{_DO}"
    r"|(?:that|this|it)(?:'s| is) not something (?:that )?(?:i can|i could|(?:i'm|i am) able to) "
    r"(?:help|assist)\b|(?:that|this|it)(?:'s| is) something (?:that )?i (?:cannot|can't|won't) (?:help|assist)\b"
)
_BARE: Final = _pattern(rf"(?:cannot|can't|unable to|not able to|won't) {_ADVERBS}{_DO}")
"""Without a subject: straight after an apology only."""

_DO_THAT: Final = _pattern(rf"{_NOT}(?: to)? {_ADVERBS}(?:do|say|continue|discuss|write) (?:that|this|it|so){_ENDS}")
"""Said by people every day: counts behind an apology or an "as an AI" alone."""

_DECLINE: Final = _any(
    rf"(?:i|we)(?:'ll|'m)? (?:(?:will|must|have|need|do|am|going|to) ){{0,4}}{_ADVERBS}(?:decline|refuse)"
    rf"(?:{_ENDS}| (?:to (?:{_any(*_ASKED)}|help|engage|continue|discuss|write|create|provide)\b|{_SUCH}))",
    rf"i(?:'d| would)? (?:rather|prefer) not (?:to )?{_any(*_ASKED, 'discuss')}\b",
    r"(?:i am|i'm|i don't feel|i do not feel) (?:not |un)?comfortable (?:answering|sharing|responding|discussing)\b",
    rf"(?:no comment|(?:that's|that is|it's) none of your business){_ENDS}",
)
_DECLINES: Final = _pattern(_DECLINE)
_RULES: Final = r"(?:[\w-]+ ){0,3}?(?:programming|guidelines|polic(?:y|ies)|terms of (?:use|service))\b"
_POLICY: Final = _pattern(
    _any(
        rf"(?:(?:goes|is|are|would be) against|violat(?:es?|ing|ion of)|breach(?:es)?) (?:(?:my|our|the"
        rf"|\w+'s) )?{_RULES}",
        r"my (?:[\w-]+ ){0,2}?(?:guidelines|programming|polic(?:y|ies)|training) (?:strictly )?(?:prohibit"
        r"|prevent|forbid"
        r"|do(?:es)? not (?:allow|permit)|do(?:es)?n't (?:allow|permit))",
        r"(?:your|this) (?:request|prompt|message|query|input) (?:was|has been|is) (?:blocked|flagged|filtered"
        r"|inappropriate|unethical|harmful|not appropriate)",
        r"(?:the|this) (?:response|prompt|completion) was (?:filtered|blocked)",
        r"(?:it is|it's|it would be|it's|that is|that's) (?:not (?:appropriate|ethical|acceptable)|inappropriate"
        r"|unethical|illegal and unethical)(?: or \w+)?(?: for me)? to (?:provide|assist|help|engage|create|generate"
        r"|write|share|discuss|promote|encourage|support|use|ask|make)\b",
        r"(?:illegal|harmful|immoral|dangerous)(?:,| and| or)+ unethical",
        r"unethical(?:,| and| or)+ (?:illegal|harmful|immoral)",
    )
)
_MACHINE: Final = _pattern(
    r"\b(?:as|i'm|i am) (?:just |only |merely )?an? (?:[\w-]+ ){0,3}?(?:ai|language model|llm|chatbot"
    r"|(?:virtual|digital) assistant|computer program)\b(?! (?:researcher|engineer|expert|scientist|developer"
    r"|consultant))"
)
_LACKS: Final = _pattern(
    rf"\b(?:i|and) (?:{_any(*_UNABLE, 'am not capable of', 'am incapable of')}|(?:do not|don't) (?:actually |really )?"
    r"(?:have|possess|experience|hold|feel)) (?!wait\b|believe\b|help but\b|imagine\b)"
)
_APOLOGY: Final = _pattern(
    r"\b(?:(?:i'm|i am|we're|we are) (?:so |very |really |truly |terribly |deeply )?(?:sorry|afraid)|sorry|apologies"
    r"|i (?:do )?apologi[sz]e|i regret|unfortunately|regrettably)\b"
)
# The speaker's own voice: at the start of a sentence or of a clause, not "she said I can't …", not in quotation marks.
_OPENING: Final = _pattern(
    r"(?:^\W*|[,;:—–)\]*-]\s*|\b(?:but|and|that|so|because|as|however|therefore|though|while|since|sorry|unfortunately"
    r"|afraid|regrettably|no|well|oh)\W+)$"
)
_TOLD: Final = r"(?:said|told|says|tells|saying|replied|answered|whispered|shouted|thought|wrote)"
_TOLD_BEFORE: Final = _pattern(rf"(?<!you )\b{_TOLD}\b")
_TOLD_AFTER: Final = _pattern(rf"^[^.!?]{{0,40}}[,—–-] ?(?:(?:i|he|she|they|the \w+) )?{_TOLD}\b")
_QUOTED: Final = re.compile(r"“[^”]{0,600}”|\"[^\"\n]{0,600}\"|«[^»]{0,600}»")
_STOP: Final = re.compile(r"[.!?…]+(?=[\s\"”*)]|$)|\n")

# An answer all the same: material is handed over, or the sentence goes on to answer.
_COMPLIES: Final = _pattern(
    r"```|(?:^|[\n.!?:\])*]\s{0,3})(?:sure|certainly|absolutely|of course)[,!]|\bhere you go\b"
    r"|\bhere(?: is|'s| are) (?!(?:some |a few |the |an? )?(?:[\w-]+ ){0,2}?(?:alternatives?|resources?|hotlines?|safer"
    r"|legal|ethical|support|why|if|to help|for you)\b)"
)
_BUT: Final = _pattern(
    r"^[^.!?\n]{0,120}?\b(?:but|although|yet|however),? (?:(?:in general|generally|overall|personally|of course),? )?"
    r"(?:i (?:can (?:tell|say|confirm) |think|believe|guess|suppose|know|do (?:know|think|believe)|would (?:say|guess))"
    r"|i'd (?:say|guess)|my |(?!i\b|if|please|let|feel|there|here|we\b|you\b|perhaps|maybe|rest|it\b|it's|do\b"
    r"|don't|what"
    r"|as\b|for\b|not\b|thank)[\w']+ [\w' -]{0,60}?\b(?:is|are|was|were|helps?|should|has|have|means?|tends?|works?"
    r"|costs?|takes?)\b)"
)
_HEAD: Final = 1_000
"""characters that are read for a refusal"""
_LATEST: Final = 450
"""a sentence that begins later does not refuse the whole any more"""
_REST: Final = 20_000
"""characters that are read for an answer after it"""
_LONG: Final = 220
"""with more words after it a refusal is only the reservation of an answer"""


def refusal(text: str) -> Refusal | None:
    """Where and how `text` refuses what was asked; None when it answers, if only in part.

    A refusal stands near the beginning, in the speaker's own voice, and is about the request. Not refusals: "I can't
    believe it", "I'm sorry to hear that", what somebody in a story says to somebody else, and a reservation in front
    of an answer ("I can't be sure, but …", "… Here is the recipe"). The text alone is read, so that an answer to
    another question than the one asked is no refusal. English only; text in other languages gives None.

    >>> refusal("I'm sorry, but I can't assist with that.").kind.value, refusal("I can't believe it, what a day!")
    ('apology_cannot', None)
    """
    plain = _own_words(text[:_HEAD].replace("’", "'").replace("‘", "'"))
    for start, end in _sentences(plain):
        found = _refused(plain, start, end)
        if found:
            kind, first, last = found
            return None if _answered(text, last) else Refusal(first, last, text[first:last], kind)
    return None


def reply_refusal(text: str) -> TextSpan | None:
    """A refusal anywhere in a short reply to a closed question, once the options are taken out of it."""
    return _span(_REPLY_REFUSAL.search(text.replace("’", "'")), text)


def machine_remark(text: str) -> TextSpan | None:
    """A remark such as "as an AI" or "I don't have opinions"; it refuses only where no answer stands beside it."""
    return _span(_MACHINE_REMARK.search(text.replace("’", "'")), text)


def _span(match: re.Match[str] | None, text: str) -> TextSpan | None:
    return None if match is None else TextSpan(match.start(), match.end(), text[match.start() : match.end()])


def _own_words(plain: str) -> str:
    """The text with quotations blanked out, places kept. A text that is one quotation is the speaker's own."""
    first = plain.lstrip()
    if first[:1] in {'"', "“"} and (len(first) < 2 or _QUOTED.fullmatch(first.rstrip()) or not _QUOTED.match(first)):
        return plain
    return _QUOTED.sub(lambda m: "_" * len(m[0]), plain)


def _sentences(plain: str) -> Iterator[tuple[int, int]]:
    start = 0
    for stop in _STOP.finditer(plain):
        yield start, stop.start()
        start = stop.end()
        if start > _LATEST:
            return
    yield start, len(plain)


def _refused(plain: str, start: int, end: int) -> tuple[RefusalKind, int, int] | None:
    """Kind and place of what refuses in the sentence from `start` to `end`."""
    sorry = _APOLOGY.search(plain, 0, end)
    machine = _MACHINE.search(plain, start, end)
    for pattern in (_CANNOT, _DO_THAT, _BARE):
        if pattern is not _CANNOT and not (sorry or machine):
            continue
        for match in pattern.finditer(plain, start, end):
            if not _own(plain, start, match.start(), match.end()):
                continue
            if machine:
                return RefusalKind.AI_CANNOT, min(machine.start(), match.start()), match.end()
            if sorry and sorry.start() < match.start():
                return RefusalKind.APOLOGY_CANNOT, max(sorry.start(), start), match.end()
            if pattern is _CANNOT:
                return RefusalKind.CANNOT, match.start(), match.end()
    for kind, pattern in ((RefusalKind.POLICY, _POLICY), (RefusalKind.DECLINES, _DECLINES)):
        for match in pattern.finditer(plain, start, end):
            if kind is RefusalKind.POLICY or _own(plain, start, match.start(), match.end()):
                return kind, match.start(), match.end()
    lacks = _LACKS.search(plain, start, end) if machine else None
    if not (machine and lacks):
        return None
    return RefusalKind.AI_CANNOT, min(machine.start(), lacks.start()), max(machine.end(), lacks.end())


def _own(plain: str, start: int, first: int, last: int) -> bool:
    """Whether the clause is the speaker's own, not reported."""
    before = plain[start:first]
    return bool(
        _OPENING.search(before) and not _TOLD_BEFORE.search(before) and not _TOLD_AFTER.match(plain[last : last + 80])
    )


def _answered(text: str, last: int) -> bool:
    """Whether an answer follows after all."""
    rest = text[last : last + _REST].replace("’", "'")
    return bool(_BUT.match(rest[:300]) or _COMPLIES.search(rest) or len(rest.split(None, _LONG)) > _LONG)
