# ruff: noqa: E501 - patterns read better unbroken
"""Patterns of read-back: one grammar for each way of speaking of the person described (I, you, they)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from personae.creation._readback_words import KIN, MARRIED, PETS

Grammatical = Literal["first", "second", "third"]
NUM: Final = r"\d{1,3}|(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)(?:[- ](?:one|two|three|four|five|six|seven|eight|nine))?|(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen)"
VERBS: Final = [
    "live",
    "work",
    "love",
    "like",
    "enjoy",
    "adore",
    "hate",
    "dislike",
    "detest",
    "have",
    "am",
    "was",
    "speak",
    "play",
    "drive",
    "own",
    "collect",
    "study",
    "used",
    "eat",
    "drink",
    "smoke",
    "want",
    "hope",
    "teach",
    "prefer",
    "grew",
    "moved",
    "stay",
    "attend",
]
NAME: Final = r"[A-ZÀ-Þ][\w'’-]+(?: (?:(?:de|da|van|von|del|al|bin|der|la|le) )*[A-ZÀ-Þ][\w'’-]+){0,3}"


# fmt: off
@dataclass(frozen=True, slots=True)
class PatternRule:
    """A pattern, where its value belongs, and how the value is read."""

    code: str
    path: str
    pattern: re.Pattern[str]
    confidence: float
    how: str = "text"
    category: str | None = None


@dataclass(frozen=True)
class Grammar:
    """Everything that depends on the grammatical person."""

    subject: re.Pattern[str]
    be: str
    have: str
    word: str
    negated: re.Pattern[str]
    not_be: re.Pattern[str]
    used: re.Pattern[str]
    was: re.Pattern[str]
    split: re.Pattern[str]
    rules: tuple[PatternRule, ...]
    anywhere: tuple[PatternRule, ...]
    relation: re.Pattern[str]


def _statement_rules(
    person: Grammatical, s: str, be: str, have: str, my: str, adverb: str, v: Callable[..., str],
    rule: Callable[..., PatternRule],
) -> tuple[PatternRule, ...]:  # fmt: skip
    """Patterns of whole statements, in the words of one grammatical person."""
    aged = r"(?:[- ]years?[- ]old| yrs?(?: old)?| y/?o)"
    rest = r"(?P<v>\S.*)"
    return (
        rule("name.is", "names.full", rf"{my} (?:full )?name(?: is|'s|:) (?P<v>[^\W\d_][\w'-]*(?: [A-ZÀ-Þ][\w'-]+){{0,3}})", 0.95),
        rule("name.call", "names.full", r"(?:you can )?call me (?P<v>[^\W\d_][\w'-]*)", 0.8, "proper"),
        rule("name.be", "names.full", rf"{be} (?P<v>[^\W\d_][\w'-]*(?: [^\W\d_][\w'-]*){{0,2}})\s*(?:$|[,.!(])", 0.6, "proper"),
        rule("age.be", "social.age", rf"{be} (?:only |just |now |almost )?(?P<v>{NUM})(?:{aged}|\s*$|\s*[,.!]|(?= and\b)|(?= now\b))", 0.95, "age"),
        rule("age.turned", "social.age", rf"{s} (?:just )?turned (?P<v>{NUM})\b(?! (?:miles|off|on))", 0.9, "age"),
        rule("age.noun", "social.age", rf"(?:{be} an?|{my} age is) (?P<v>{NUM})(?:[- ]years?[- ]old)?\b(?![- ](?:minute|hour|mile|time|percent))", 0.9, "age"),
        rule("height", "attributes.body.height", rf"{be} (?P<v>\d[\d.' ]*(?:feet|foot|ft|cm|meters?|metres?|m)\b(?: \d+)?)(?: tall)?", 0.8),
        rule("job.works_as", "social.occupation", rf"(?:{v('work')}|{be} (?:working|employed)) as (?:an? |the )?{rest}", 0.95, "job"),
        rule("job.is", "social.occupation", rf"{my} (?:job|profession|occupation|trade) is (?:being )?(?:an? )?{rest}", 0.8, "job"),
        rule("job.be", "social.occupation", rf"{be} (?:just |only |currently |also )?an? (?:(?:{NUM}){aged} )?{rest}", 0.9, "trade"),
        rule("job.teach", "social.occupation", rf"{v('teach')} (?P<v>[\w-]+(?: [\w-]+)?)", 0.6, "teach"),
        rule("work.place", "attributes.work.place", rf"(?:{v('work')}|{be} working)(?: part[- ]time| full[- ]time| nights)? (?:at|for|in) (?:an? |the )?{rest}", 0.8, "short"),
        rule("work.time", "social.employment", rf"(?:{v('work')}|{be} working) (?P<v>part[- ]time|full[- ]time|freelance|night shifts|nights)", 0.9),
        rule("work.state", "social.employment", rf"{be} (?:currently |now |already |a )?(?P<v>retired|unemployed|self-employed|freelancer?|between jobs|out of work|on maternity leave)\b", 0.95),
        rule("home.live", "social.residence", rf"(?:{v('live', 'reside')}|{be} (?:living|based)) (?:here |right )?in {rest}", 0.95, "place"),
        rule("home.moved", "social.residence", rf"{s} (?:just |recently )?moved (?:from .{{2,30}} )?to {rest}", 0.7, "place"),
        rule("home.born", "social.birthplace", rf"{s} (?:was|were) (?:born|raised|born and raised) in {rest}", 0.95, "place"),
        rule("home.grew", "social.birthplace", rf"{s} grew up in {rest}", 0.7, "place"),
        rule("home.from", "social.birthplace", rf"(?:{be} (?:originally )?(?:from)|{v('come')} from) {rest}", 0.7, "place"),
        rule("home.with", "social.household", rf"{v('live')} (?P<v>alone|by myself|with .+|on my own)", 0.9, "short"),
        rule("people", "social.nationality", rf"{be} (?:an? )?(?P<v>[a-z]+(?: rican)?)\b", 0.85, "people"),
        rule("tongues", "social.languages", rf"(?:{v('speak')}|{be} fluent in|{my} (?:first|native) language is) (?:fluent |some |a little |a bit of )?{rest}", 0.9, "tongues"),
        rule("married", "social.marital_status", rf"{be} (?:happily |recently |newly |already |still )?(?P<v>{MARRIED})\b(?! (?:handed|out|by|in))", 0.95),
        rule("children", "attributes.family.children", rf"{have} (?P<v>{NUM}|an?|any|no) (?:(?:beautiful|young|small|little|grown|adult|teenage) )*(?P<w>kids?|child(?:ren)?|sons?|daughters?|boys|girls)\b", 0.9, "count"),
        rule("children.of", "attributes.family.children", rf"{be} (?:an? )?(?:[\w-]+ )?(?:mother|father|mom|mum|dad|parent) (?:of|to) (?P<v>{NUM})\b", 0.9, "count"),
        rule("children.with", "attributes.family.children", rf"{be} married with (?P<v>{NUM}) (?:kids|children|sons|daughters)", 0.9, "count"),
        rule("siblings", "relations", rf"{have} (?:an? |any )?{rest}", 0.85, "siblings"),
        rule("pets.have", "attributes.home.pets", rf"(?:{have}|{v('own')}) {rest}", 0.9, "pets"),
        rule("eyes", "attributes.body.eyes", rf"{have} (?P<v>[\w -]{{2,20}}) eyes\b", 0.9),
        rule("hair", "attributes.body.hair", rf"{have} (?P<v>[\w -]{{2,24}}) hair\b", 0.9),
        rule("school.degree", "social.education", rf"(?:{have}|{s} hold|{s} earned|{s} got) (?:an? |my )?(?P<v>(?:[\w']+ )?(?:degree|ph\.?d|doctorate|masters?|master's|bachelors?|bachelor's|mba|diploma)\b.*)", 0.9, "short"),
        rule("school.studied", "social.education", rf"{s} (?:studied|majored in) {rest}", 0.8, "short"),
        rule("school.studying", "social.education", rf"(?:{be} (?:studying|majoring in)|{v('study')}) {rest}", 0.8, "short"),
        rule("school.from", "social.education", rf"{s} graduated (?:from|with|in) (?:the )?{rest}", 0.8, "short"),
        rule("school.attend", "social.education", rf"(?:{v('attend')}|{v('go')} to|{be} in) (?P<v>(?:high school|college|university|grad(?:uate)? school|law school|medical school|[\w ]{{2,30}} university|[\w ]{{2,30}} college)\b)", 0.75),
        rule("likes", "context.likes", rf"{v('love', 'like', 'enjoy', 'adore', 'prefer')} {rest}", 0.9, "list"),
        rule("likes.fan", "context.likes", rf"{be} (?:an? )?(?:(?:big|huge|great|avid|real|really|very|such a) )*(?:fan of|into|fond of|crazy about|obsessed with) {rest}", 0.9, "list"),
        rule("likes.lover", "context.likes", rf"{be} an? (?:(?:big|huge|avid|true) )*(?P<v>[\w-]+(?: [\w-]+)?) (?:lover|enthusiast|buff|nut|fanatic)\b", 0.8, "list"),
        rule("dislikes", "context.dislikes", rf"{v('hate', 'dislike', 'detest', 'despise', 'loathe')} {rest}", 0.9, "list"),
        rule("dislikes.stand", "context.dislikes", rf"{s} (?:can't|cannot|can not) (?:stand|bear) {rest}", 0.9, "list"),
        rule("favourite", "attributes.favourite", rf"{my} (?:all[- ]time )?favou?rite (?P<w>[\w]+(?: [\w]+)?) (?:is|are|was) {rest}", 0.9, "favourite"),
        rule("hobbies", "context.interests", rf"{my} (?:main )?(?:hobby|hobbies|interests?|passions?|pastimes?) (?:is|are|include|includes) {rest}", 0.9, "list"),
        rule("hobbies.time", "context.interests", rf"(?:in|during) {my} (?:free|spare) time,? {s} (?:like to |love to |enjoy )?{rest}", 0.85, "short"),
        rule("hobbies.do", "context.interests", rf"{s} {adverb}(?P<v>(?:{_forms(person, 'play', 'collect', 'paint', 'knit', 'garden', 'hike', 'surf', 'sew', 'fish', 'swim', 'cycle', 'ski', 'draw', 'sing', 'dance')})\b.*)", 0.8, "short"),
        rule("fears", "personal.fears", rf"{be} (?:really |very |so |a bit |terribly )?(?:afraid|scared|terrified|frightened) of {rest}", 0.9, "list"),
        rule("goals.want", "goals", rf"{v('want', 'hope', 'plan', 'aim')} to {rest}", 0.7, "goal"),
        rule("goals.dream", "goals", rf"{my} (?:biggest |lifelong )?(?:dream|goal|ambition) (?:is|in life is) (?:to )?{rest}", 0.9, "goal"),
        rule("diet", "attributes.food.diet", rf"{be} (?:an? )?(?:strict )?(?P<v>vegans?|vegetarians?|pescatarians?)\b", 0.95, "diet"),
        rule("eats", "attributes.food.eats", rf"{v('eat')} {rest}", 0.8, "list"),
        rule("drinks", "attributes.food.drinks", rf"{v('drink')} {rest}", 0.8, "list"),
        rule("smokes", "attributes.habits.smokes", rf"(?P<v>{v('smoke')})\b", 0.9, "yes"),
        rule("drives", "attributes.possessions.drives", rf"{v('drive')} (?:an? |my )(?P<v>\S.*)", 0.8, "short"),
        rule("owns", "attributes.possessions.owns", rf"{v('own')} (?:an? |my own |the )?(?P<v>\S.*)", 0.8, "thing"),
        rule("good", "personal.strengths", rf"{be} (?:really |very |pretty |quite )?(?:good|great|excellent|skilled) (?:at|with|in) {rest}", 0.85, "short"),
        rule("bad", "personal.weaknesses", rf"{be} (?:really |very |pretty |quite )?(?:bad|terrible|awful|not good) (?:at|with) {rest}", 0.85, "short"),
        rule("routine.every", "context.routines", rf"every (?:single )?(?:morning|evening|day|night|week|weekend|sunday|saturday),? {s} {rest}", 0.85, "short"),
        rule("routine.usually", "context.routines", rf"{s} (?:usually|always|normally) (?P<v>(?:{_forms(person, 'wake', 'get', 'go', 'run', 'eat', 'have', 'start', 'walk', 'cook', 'read', 'take', 'drink')})\b.*)", 0.75, "short"),
        rule("sex.be", "social.sex", rf"(?:{be}|as) an? (?:[\w-]+ )?(?P<v>woman|girl|lady|female|man|guy|boy|male)\b(?! of the)", 0.85, "sex"),
        rule("health.have", "context.health", rf"(?:{have}|{v('suffer')} from|{s} (?:was|were) diagnosed with|{be} recovering from) (?:an? |severe |mild |chronic )?{rest}", 0.9, "health", "health"),
        rule("health.be", "context.health", rf"{be} (?:an? )?{rest}", 0.9, "health", "health"),
        rule("religion", "social.religion", rf"{be} (?:an? )?(?:practi[cs]ing |devout |very )?(?P<v>[\w-]+)", 0.9, "religion", "religion"),
        rule("religion.go", "social.religion", rf"{v('go', 'attend', 'pray')}\b(?: to)? (?P<v>church|mosque|synagogue|temple|mass)\b.*", 0.6, "plain", "religion"),
        rule("politics", "social.politics", rf"{be} (?:an? )?(?:registered |proud |lifelong )?(?P<v>[\w-]+)", 0.9, "politics", "politics"),
        rule("politics.vote", "social.politics", rf"{s} (?P<v>(?:vote|votes|voted|always vote) (?:for )?\S.*)", 0.8, "plain", "politics"),
        rule("orientation", "attributes.identity.orientation", rf"{be} (?:an? )?(?:openly )?(?P<v>[\w-]+)", 0.9, "orientation", "orientation"),
        rule("ethnicity", "social.ethnicity", rf"{be} (?:an? )?(?P<v>[\w-]+(?:[ -]american|[ -]race)?)\s*(?:$|[,.!]|(?= (?:and|man|woman|person)\b))", 0.85, "ethnicity", "ethnicity"),
    )


@lru_cache(maxsize=64)
def grammar_of(person: Grammatical, name: str | None = None) -> Grammar:
    """The grammar of a person; `name` is who the third person is."""
    first = name.split()[0] if name else ""
    named = f"|{re.escape(name)}|{re.escape(first)}" if name else ""
    s = {"first": r"(?:i|we)", "second": "you", "third": rf"(?:he|she|they{named})"}[person]
    be = {"first": r"(?:i'?m|i am|we are|we're)", "second": "(?:you're|you are)", "third": rf"(?:{s}(?:'s| is| are|'re))"}[person]
    have = {"first": r"(?:i have(?: got)?|i've(?: got)?|i got|we have)", "second": "(?:you have(?: got)?|you've got)",
            "third": rf"(?:{s} (?:has|have)(?: got)?|{s}'s got)"}[person]
    my = {"first": "(?:my|our)", "second": "your", "third": rf"(?:his|her|their{'|' + re.escape(name) + chr(39) + 's' if name else ''}{'|' + re.escape(first) + chr(39) + 's' if name else ''})"}[person]
    word = {"first": "I", "second": "you", "third": (first and name) or "he"}[person]
    third = person == "third"
    adverb = r"(?:(?:really|also|just|absolutely|truly|mostly|still|now|always|do|currently|both|even|totally|especially|actually|simply|only|usually|often|sometimes) )*"

    def v(*verbs: str) -> str:
        forms = "|".join(_third(verb) for verb in verbs) if third else "|".join(verbs)
        return rf"{s} {adverb}(?:{forms})"

    def rule(code: str, path: str, pattern: str, confidence: float, how: str = "text", category: str | None = None) -> PatternRule:
        return PatternRule(code, path, re.compile(pattern, re.IGNORECASE), confidence, how, category)

    rules = _statement_rules(person, s, be, have, my, adverb, v, rule)
    anywhere = (
        rule("pets.my", "attributes.home.pets", rf"\b{my} (?:(?:old|new|little|pet|two|three|lovely|sweet) )*(?P<v>{PETS})\b(?! food)", 0.8, "pet"),
        rule("married.my", "social.marital_status", rf"\b{my} (?P<v>wife|husband)\b", 0.8, "spouse"),
        rule("family.my", "relations", rf"\bwith {my} (?P<v>{KIN})\b", 0.5, "kin"),
    )
    no = r"(?:don't|do not|dont|never|doesn't|does not|didn't|no longer)"
    flags = re.IGNORECASE
    heads = "|".join(_third(x) if third else x for x in VERBS)
    return Grammar(
        subject=re.compile(rf"(?:{s}\b|{be}\b)", flags),
        be={"first": "I am ", "second": "you are ", "third": f"{word} is "}[person],
        have={"first": "I have ", "second": "you have ", "third": f"{word} has "}[person],
        word=word,
        negated=re.compile(rf"{s} (?:(?:really|just|also|still|absolutely) )*(?P<no>{no}) (?:(?:really|even|ever|actually) )*", flags),
        not_be=re.compile(rf"{be} (?P<no>not|no longer|never) (?:an? )?", flags),
        used=re.compile(rf"{s} (?:once )?used to (?P<be>be )?", flags),
        was=re.compile(rf"{s} (?:was|were) (?=an? |married|single|engaged|retired|unemployed)", flags),
        split=re.compile(
            rf"(?:[,;]\s+(?:and |but |so |then |now )?|\s+(?:and|but|so|because|since|while|although)\s+(?:then |now |also )?)"
            rf"(?=(?:{s}|{be}|{my}|{s}'ve)\s)|(?:,\s*|\s+)(?:and|but)\s+(?=(?:{heads}|{no})\b\s)|\s+who\s+(?=(?:{heads})\b)",
            flags,
        ),
        rules=rules,
        anywhere=anywhere,
        relation=re.compile(
            rf"{my} (?:(?P<adj>older|younger|elder|little|big|best|late|ex|new|old|twin|oldest|youngest) )*(?P<kin>{KIN}),?"
            rf"(?: (?P<n>[A-ZÀ-Þ][\w-]+))?,? (?P<v>(?:is|are|was|were|has|have|had|works?|lives?|loves?|likes?|hates?|enjoys?|plays?|"
            rf"teaches|studies|owns?|runs|makes?|passed|died|moved|used|wants?|drives?|collects?|cooks?|speaks?|sells?|left|doesn't|"
            rf"don't|can|grew|served|raised|worked|lived|loved)\b.*)",
            flags,
        ),
    )


def _third(verb: str) -> str:
    if verb == "have":
        return "ha(?:s|ve)"
    if verb == "am":
        return "is"
    if verb in {"was", "used", "grew", "moved"}:
        return verb
    if verb == "study":
        return "stud(?:y|ies)"
    return f"{verb}(?:e?s)?"


def _forms(person: Grammatical, *verbs: str) -> str:
    return "|".join(_third(v) if person == "third" else v for v in verbs)
# fmt: on
