"""Closing cues: does this turn end the conversation? Rules only, written to stay silent inside stories and quotations.

A turn closes when a cue stands in its last stretch of pleasantries: nothing after the cue may ask, object or tell
something new. Quoted speech is blanked first, and a sentence with a verb of saying ("said the fox") never counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from personae.text._tokens import TextSpan, sentence_spans


class CueKind(StrEnum):
    """What kind of closing it is."""

    FAREWELL = "farewell"
    THANKS_RESOLVED = "thanks_resolved"
    WELL_WISH = "well_wish"


@dataclass(frozen=True, slots=True)
class CueMatch(TextSpan):
    """A closing cue and its place in the turn."""

    kind: CueKind


_LONGEST_SENTENCE: Final = 400
_SHORT: Final = 3
"""A piece of at most this many words after the cue (a name, "my friend") adds nothing new."""

_QUOTED: Final = re.compile(
    r"\"[^\"\n]{0,400}\"|“[^”\n]{0,400}”|«[^»\n]{0,400}»|„[^“”\n]{0,400}[“”]"
    r"|(?<!\w)['‘](?:[^'’\n]|(?<=\w)['’](?=\w)){1,200}['’](?!\w)"
)
_WORD: Final = re.compile(r"[\w'’]+")
_CLAUSE: Final = re.compile(r"(?:(?!\s[-–—]\s)[^,;:—–])+")
_REPORTED: Final = re.compile(
    r"\b(?:said|says|told|asked|called|cried|whisper(?:ed|s|ing)|shout(?:ed|s)|wrote|writes|repl(?:ied|ies)|answered"
    r"|thought|mutter(?:ed|s)|murmur(?:ed|s)|yelled|sang|sings|waved|wished|hugged|kissed)\b",
    re.IGNORECASE,
)
_LEAD: Final = (
    r"^\s*(?:(?:ok(?:ay)?|alright|all right|well|anyways?|so|then|and|but|yes|yeah|yep|great|perfect|thanks?"
    r"|thank you|sure"
    r"|right|oh|now|until then|in the meantime|please|just|no worries|of course|good|fine|cool|lovely|until then)"
    r"(?:[\s!.]+|$)){0,4}"
)
_DAY: Final = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_WHEN: Final = (
    rf"(?:later|soon|then|there|around|again|tomorrow|tonight|next \w+|(?:on |this |next )?{_DAY}|on the \w+"
    r"|this (?:evening|afternoon|weekend|week)|at \w+(?: \w+){0,3}|in (?:a|an|the|two|three|few)\b(?: \w+){1,3})"
)
_TAIL: Final = (
    r"(?:\s+(?:for (?:now|today)\b|(?:now|then|too|again|soon|everyone|everybody|all|folks|guys|friends?|dear"
    r"|love|buddy|mate|sir|madam)\b|my (?:(?:old|dear|good|best|little|lovely) )?\w+"
    r"|(?:old|dear) friend\b|(?-i:[A-Z])[\w'.]*"
    rf"|until \w+|{_WHEN}|and\b.*))*+[\s.!…)*]*$"
)
_GO: Final = (
    r"(?:go|run|get going|be going|be off|get off|get back|head (?:out|off|home|back)|leave|log off|sign off|hang up"
    r"|go to bed|let you go)"
)

_FAREWELL: Final = re.compile(
    _LEAD
    + r"(?:(?:good ?-?bye|(?:bye)(?:[ -]?bye)?|farewell|cheerio|ciao|so long|adios|au revoir|toodle[- ]?oo|ta[- ]ta"
    r"|good ?night|cya|ttyl|gtg|laters?|(?:be )?seeing (?:you|ya)|see (?:ya|u))"
    rf"|(?:(?:I|we)(?:'ll| will) |(?:I )?hope to |I(?:'m)? look(?:ing)? forward to |looking forward to |(?:I "
    rf")?can't wait to )?"
    rf"(?:see(?:ing)?|catch|talk(?:ing)? to|speak(?:ing)? to|meet(?:ing)?) (?:you|ya|u)(?: (?:all|guys|both|again"
    rf"|up))? {_WHEN}"
    rf"|(?:let's |let us |(?:I|we)(?:'ll| will| can) )?(?:talk|speak|chat|meet)(?: more| again| with you| to "
    rf"you)? {_WHEN}"
    rf"|(?:un)?till? (?:next time|then|tomorrow|we (?:meet|talk|speak) again|{_DAY})"
    r"|(?:I )?(?:really |should |probably |think I )*(?:have to|need to|got to|gotta|should|must|ought to|'ve got to"
    rf"|(?:'d| had) better|better|am going to|'m going to|'m gonna|will|'ll) (?:really |probably )?{_GO}"
    r"|I(?:'ll| will) let you (?:go|get back.*)|I won't keep you(?: any longer)?"
    r"|(?:let's|let us) (?:stop|end|finish|leave it|wrap (?:this |it |things )?up|call it a day)(?: here| there)?"
    r"|(?:I'm )?(?:signing|logging|heading) (?:off|out))" + _TAIL,
    re.IGNORECASE,
)

_THING: Final = (
    r"(?:day|night|evening|afternoon|morning|weekend|week|one|time|trip|flight|journey|ride|drive|walk|stay|vacation"
    r"|holidays?|rest|summer|winter|christmas|birthday|shift|class|game|year)\b"
)
_RETURN: Final = r"(?:you too|same to you|likewise|and to you|you as well)(?: and (?:your|the) \w+)?"
_BARE_RETURN: Final = re.compile(_LEAD + _RETURN + _TAIL, re.IGNORECASE)
_WELL_WISH: Final = re.compile(
    _LEAD + rf"(?:(?:I hope you |hope you |you )?have (?:yourself )?(?:an? |the )(?:[\w-]+ ){{0,3}}?{_THING}"
    r"|have (?:lots of |so much |some )?fun\b"
    r"|enjoy (?:your|the|it|yourself|every)\b"
    rf"|take (?:good |very good )?care(?: of (?:yourself|you|each other|yourselves))?(?: out there)?{_TAIL}"
    r"|(?:the )?(?:very )?(?:good luck|best of luck|all the best|best wishes|safe (?:travels|trip|journey|flight"
    r"|drive))\b"
    r"(?! (?:is|was|has|charm))"
    r"|I wish you\b|wishing you\b"
    r"|(?:stay|keep) (?:safe|well|warm|healthy|strong|in touch)\b|be (?:well|safe)\b|get well soon|feel better soon"
    r"|drive (?:safely|carefully)|get home safe"
    r"|(?:sleep (?:well|tight)|rest well|sweet dreams)\b"
    r"|happy (?:holidays|new year|travels|[a-z]+ing)\b"
    rf"|{_RETURN}{_TAIL}"
    r"|(?:it was|it's been|it has been|was|been) (?:so |very |really |truly |a )*(?:lovely|nice|great|good|pleasure"
    r"|wonderful|fun|honou?r|delight)(?: \w+)? (?:to )?(?:talk|chat|speak|meet|get|catch|see)(?:t?ing)?\b"
    r"|(?:so |very |really )?(?:lovely|nice|great|good) (?:talking|chatting|speaking|meeting|getting to know"
    r"|catching up)\b)",
    re.IGNORECASE,
)

_GRATITUDE: Final = re.compile(
    r"(?<!\bno )\b(?:thank you|thanks|thx|ty|cheers|(?:much|greatly) appreciated|I (?:really |truly |so )?appreciate"
    r"|I(?:'m| am) (?:so |very |really )?grateful)\b(?!,? (?:no\b|to (?!you)|for asking))",
    re.IGNORECASE,
)
_RESOLVED: Final = re.compile(
    r"\b(?:that(?:'s| is) (?:(?:about |pretty much )?(?:all|everything|it)\b|(?:exactly |just )?what I|a relief)"
    r"|(?:exactly|just) what I (?:needed|wanted)|(?:all|everything|what) I need(?:ed)?\b"
    r"|answer(?:s|ed) (?:all )?(?:of )?my questions?|(?:no|don't have any) (?:more|further|other) questions"
    r"|(?:it|that|this|everything)(?:'s| is| has)?(?: all)?(?: now)? (?:works?|working|worked|fixed|solved|sorted"
    r"|settled|resolved)"
    r"|clear(?:s|ed) (?:it|that|this|things|everything) up|makes (?:perfect |more |a lot of )?sense|problem solved"
    r"|(?:I'm|I am|we're) (?:all set|good now|good to go|ready now)"
    r"|I(?:'ll| will|'m going to| am going to) (?:definitely |certainly |surely )?"
    r"(?:try|do|start|give|call|check|look|book|follow|keep|practi[cs]e|remember|take|use|talk|ask|go|make|get)\b"
    r"|I(?:'m)? feel(?:ing)? (?:so |much |a lot |a bit |a little |already )*(?:better|calmer|relieved|more"
    r"|reassured|lighter|ready)"
    r"|(?:you(?:'ve| have) been|you were|this (?:was|has been)|that was)(?: so| very| really| extremely| "
    r"incredibly| a| of)*"
    r" (?:helpful|useful|big help|great help|huge help|great|kind|wonderful)"
    r"|I (?:now |finally )?(?:know what to do|understand|see) (?:now|how|what|why)|I know what to do|now I "
    r"(?:understand|know|see)"
    r"|(?:that|this|it)(?:'s| has| is)?(?: really)? (?:helps|helped|helpful)|nothing else"
    r"|thank(?:s| you) (?:so much |very much |a lot )?(?:again|once more|for (?:all )?(?:of )?"
    r"(?:(?:your|the) (?:help|time|support|advice|patience|assistance|chat|talk)|everything|listening|explaining"
    r"|calling))"
    r"|for your (?:help|time|support|advice|patience|assistance))",
    re.IGNORECASE,
)
_WELCOME: Final = re.compile(
    r"\b(?:you(?:'re| are) (?:very |most |so |quite )?welcome|my pleasure|happy to (?:help|have helped)|any ?time"
    r"|don't mention it"
    r"|(?:I'm |I am )?(?:so |very |really |always )*(?:glad|happy|pleased) (?:I could (?:help|be of)|to (?:help"
    r"|be of)"
    r"|(?:that )?(?:it|this|that|I) (?:helped|could help)))",
    re.IGNORECASE,
)
_DOOR_OPEN: Final = re.compile(
    r"\b(?:(?:glad|happy|pleased) (?:I could (?:help|be of)|to (?:help|be of)|(?:that )?(?:it|this|that|I) "
    r"(?:helped|could help))"
    r"|feel free to|(?:do not|don't) hesitate"
    r"|reach out|any ?time|let me know if|I(?:'m| am) (?:always )?here (?:if|for|whenever)|come back|if you "
    r"(?:ever )?need)",
    re.IGNORECASE,
)
_OBJECTION: Final = re.compile(
    r"\b(?:but|however|although|though|still|not yet|unfortunately|except|one more|another (?:thing|question)"
    r"|tell me|also)\b",
    re.IGNORECASE,
)
_PLEASANT: Final = re.compile(
    r"\b(?:you|your|yours|yourself)\b|'ll\b|\bwill\b|\bhope\b|\bI'm (?:sure|proud|glad)\b"
    r"|^\W*(?:and )?(?:say|send|give|let|call|write|text|keep|don't|drop|come|stay|enjoy|remember|drive|rest"
    r"|thanks|until)\b",
    re.IGNORECASE,
)


def closing_cue(text: str, previous: str | None = None) -> CueMatch | None:
    """The cue by which `text`, a whole turn, closes the conversation, or None.

    Args:
        text: The turn to judge.
        previous: The partner's turn before it. With it, a wish that is only returned ("You too!") counts when there was
            one to return, and not after "Nice to meet you". Without it, it counts.

    >>> closing_cue("Thanks, that solved it. Bye!").kind.value
    'farewell'
    >>> closing_cue("She said goodbye to her brother.") is None
    True

    English only. Measure it with `evaluate_closing_cues`.
    """
    plain = _QUOTED.sub(lambda match: " " * len(match.group()), text.replace("’", "'"))
    spans = sentence_spans(plain)
    returned = previous is None or closing_cue(previous) is not None
    for index in range(len(spans) - 1, -1, -1):
        sentence = spans[index]
        if _asks(sentence.text) or len(sentence.text) > _LONGEST_SENTENCE:
            break
        found = _cue_in(sentence, returned=returned)
        if found is not None:
            kind, start, end = found
            return CueMatch(start, end, text[start:end], kind)
        if not _is_pleasant(sentence.text):
            break
    return _thanks_resolved(text, spans)


def _asks(sentence: str) -> bool:
    return sentence.rstrip("\"'”’»)] *").endswith("?")


def _cue_in(sentence: TextSpan, *, returned: bool) -> tuple[CueKind, int, int] | None:
    if _REPORTED.search(sentence.text):
        return None
    for clause in _CLAUSE.finditer(sentence.text):
        piece = clause.group().strip()
        kind = _kind_of(piece)
        if not returned and _BARE_RETURN.match(piece):
            continue
        if kind is not None and _is_pleasant(sentence.text[clause.end() :]):
            start = sentence.start + clause.start() + len(clause.group()) - len(clause.group().lstrip())
            return kind, start, start + len(piece)
    return None


def _kind_of(clause: str) -> CueKind | None:
    if _FAREWELL.match(clause):
        return CueKind.FAREWELL
    return CueKind.WELL_WISH if _WELL_WISH.match(clause) else None


def _is_pleasant(piece: str) -> bool:
    """Whether `piece`, standing after a cue, adds nothing that a conversation would go on about."""
    if len(_WORD.findall(piece)) <= _SHORT:
        return True
    if _OBJECTION.search(piece) or _REPORTED.search(piece):
        return False
    return _PLEASANT.search(piece) is not None


def _thanks_resolved(text: str, spans: list[TextSpan]) -> CueMatch | None:
    if not spans or len(spans) > 8 or any(len(span.text) > _LONGEST_SENTENCE for span in spans):
        return None
    body = " ".join(span.text for span in spans)
    if _asks(spans[-1].text) or _OBJECTION.search(body):
        return None
    if any(_asks(span.text) for span in spans):
        return None
    for span in spans:
        welcome = _WELCOME.match(span.text)
        if welcome and (_DOOR_OPEN.search(body) or len(_WORD.findall(body)) <= _SHORT):
            return _cue(text, span, welcome)
    for span in spans:
        thanks = _GRATITUDE.search(span.text)
        if thanks and _RESOLVED.search(body) and not _REPORTED.search(body):
            return _cue(text, span, thanks)
    return None


def _cue(text: str, span: TextSpan, match: re.Match[str]) -> CueMatch:
    start, end = span.start + match.start(), span.start + match.end()
    return CueMatch(start, end, text[start:end], CueKind.THANKS_RESOLVED)
