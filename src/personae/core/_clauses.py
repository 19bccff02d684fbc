"""What can be said about a persona: one clause per leaf, with a priority and a visibility.

A clause is finished words, without placeholders, so nothing inside a persona's text is ever read as a template.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from personae.core._facts import Visibility, plain, visibility_of
from personae.core._persona import Persona

# Everyday words for both ends of each domain; ours, chosen to be understood without training.
_POLES: Final = {
    "extraversion": ("quiet, reserved and shy", "outgoing, talkative and sociable"),
    "agreeableness": ("cold, critical and argumentative", "kind, warm and cooperative"),
    "conscientiousness": ("disorganised, careless and often late", "organised, careful and hard-working"),
    "neuroticism": ("calm, relaxed and even-tempered", "anxious, moody and easily stressed"),
    "openness": ("down-to-earth, conventional and practical", "imaginative, curious and full of ideas"),
}

_GENDER_NOUNS: Final = frozenset({"man", "woman", "boy", "girl"})
_STATES: Final = frozenset({
    "employed", "unemployed", "self-employed", "retired", "working", "looking", "out", "not", "between", "on", "off",
    "in", "studying", "disabled", "married", "unmarried", "single", "divorced", "widowed", "separated", "engaged",
    "newly", "happily", "recently", "partnered", "currently",
})  # fmt: skip
_STATES_AS_JOBS: Final = frozenset({"retired", "former", "unemployed", "student", "full-time", "stay-at-home"})
_PREPOSITIONS: Final = frozenset(
    {"in", "at", "on", "near", "outside", "by", "with", "alone", "between", "around", "among"}
)
_ARTICLES: Final = frozenset({"a", "an", "the", "my", "your", "his", "her", "their"})
_LIKE_YOU: Final = ("uni", "use", "usu", "eu", "one", "once", "uti", "ura", "ute")
_SILENT_H: Final = ("hour", "honest", "honour", "honor", "heir")
_SPELLED_AN: Final = frozenset("AEFHILMNORSX")


@dataclass(frozen=True, slots=True)
class Clause:
    """One thing that can be said.

    Attributes:
        section: S social, P personal, T traits, C context, X everything else.
        priority: 0 is said first and dropped last.
        verb: lemma the cue style conjugates ('be', 'have', 'like' …); `my` puts the possessive in front ("your
            goal: …"); empty means that `rest` is a sentence of its own.
        rest: the words after the verb.
        label: name of the leaf in the list style.
        hidden: private; not for the public view.
        value: the bare value, as the list style shows it.
    """

    section: str
    priority: int
    verb: str
    rest: str
    label: str
    hidden: bool = False
    value: str = ""


def degree(t_score: float) -> str | None:
    """The adverb for a T-score: None within 3 points of the mean, then slightly, fairly, very, extremely."""
    distance = abs(t_score - 50)
    if distance < 3:
        return None
    return "slightly" if distance < 7 else "fairly" if distance < 12 else "very" if distance < 20 else "extremely"


def trait_phrase(domain: str, t_score: float) -> str:
    """Words for one Big Five T-score, e.g. `very quiet, reserved and shy`."""
    low, high = _POLES[domain]
    adverb = degree(t_score)
    if adverb is None:
        return f"about average in {domain}"
    return f"{adverb} {high if t_score > 50 else low}"


def article(words: str) -> str:
    """`words` with a or an in front, unless they already carry an article or a possessive."""
    first = words.split(" ", 1)[0]
    if first.lower() in _ARTICLES:
        return words
    low = first.lower()
    if first.isupper() and 1 < len(first) <= 4:
        return f"{'an' if first[0] in _SPELLED_AN else 'a'} {words}"
    vowel = (low[:1] in "aeiou" and not low.startswith(_LIKE_YOU)) or low.startswith(_SILENT_H)
    return f"{'an' if vowel and low else 'a'} {words}"


def listed(words: Iterable[str]) -> str:
    """`a, b and c`; repeated entries are said once."""
    unique = list(dict.fromkeys(w for w in words if w))
    return unique[0] if len(unique) == 1 else f"{', '.join(unique[:-1])} and {unique[-1]}" if unique else ""


def clauses(persona: Persona) -> list[Clause]:
    """Everything that can be said about a persona, in telling order. Leaves hidden from everybody are not among it."""
    said = _Teller()
    _names(persona, said)
    _social(persona, said)
    _traits(persona, said)
    _personal(persona, said)
    _context(persona, said)
    _life(persona, said)
    _rest(persona, said)
    return said.out


class _Teller:
    """Collects clauses; leaves that are unset, empty or hidden never become one."""

    __slots__ = ("out",)

    def __init__(self) -> None:
        self.out: list[Clause] = []

    def add(
        self,
        section: str,
        priority: int,
        verb: str,
        label: str,
        leaf: Any,
        before: str = "",
        after: str = "",
        *,
        private: bool = False,
        whole: bool = False,
    ) -> None:
        """One clause for one leaf: `before` + value + `after` follow the verb. `whole`: `after` is value too."""
        if leaf is None:
            return
        seen = visibility_of(leaf)
        if seen is Visibility.HIDDEN:
            return
        words = _words(plain(leaf))
        if words:
            hidden = private or seen is Visibility.PRIVATE
            value = f"{words}{after}" if whole else words
            self.out.append(Clause(section, priority, verb, f"{before}{words}{after}", label, hidden, value))

    def many(
        self, section: str, priority: int, verb: str, label: str, leaves: tuple[Any, ...], before: str = ""
    ) -> None:
        """One clause for a list of leaves: public ones together, private ones in a clause of their own."""
        if not leaves:
            return
        for hidden, wanted in ((False, Visibility.PUBLIC), (True, Visibility.PRIVATE)):
            words = listed(_words(plain(leaf)) for leaf in leaves if visibility_of(leaf) is wanted)
            if words:
                self.out.append(Clause(section, priority, verb, f"{before}{words}", label, hidden, words))


def _words(value: object) -> str:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return listed(_words(v) for v in value)
    return str(value)


def _first(leaf: Any) -> str:
    """First word of a leaf, in lower case."""
    return _words(plain(leaf)).split(" ", 1)[0].lower().rstrip(",.;") if leaf is not None else ""


def _names(persona: Persona, said: _Teller) -> None:
    n = persona.names
    full = str(plain(n.full))
    for label, leaf in (("Given name", n.given), ("Family name", n.family)):
        if leaf is not None and str(plain(leaf)) not in full:
            said.add("S", 6, "my", label, leaf, f"{label.lower()} is ")
    said.many("S", 6, "be", "Also known as", n.aliases, "also known as ")
    said.add("S", 7, "my", "Handle", n.handle, "handle is ")
    said.add("S", 7, "my", "Pronouns", n.pronouns, "pronouns are ")


def _social(persona: Persona, said: _Teller) -> None:
    s = persona.social
    said.add("S", 0, "be", "Age", s.age, "", " year old" if plain(s.age) == 1 else " years old")
    gender = s.gender if s.gender is not None else s.sex
    noun = _words(plain(gender)).lower() in _GENDER_NOUNS
    said.add("S", 1, "be", "Gender", gender, "a " if noun else "")
    if s.occupation is not None:
        words = _words(plain(s.occupation))
        lead = article(words).removesuffix(words)
        if _first(s.occupation) in _STATES_AS_JOBS:
            said.add("S", 1, "be", "Occupation", s.occupation, "" if words in {"retired", "unemployed"} else lead)
        else:
            said.add("S", 1, "work", "Occupation", s.occupation, f"as {lead}")
    _state(said, 3, "Employment", "employment", s.employment)
    said.add("S", 2, "live", "Lives in", s.residence, "" if _first(s.residence) in _PREPOSITIONS else "in ")
    said.add("S", 5, "come", "Born in", s.birthplace, "" if _first(s.birthplace) == "from" else "from ")
    said.add("S", 4, "my", "Nationality", s.nationality, "nationality is ")
    said.add("S", 4, "my", "Ethnicity", s.ethnicity, "ethnicity is ")
    said.add("S", 5, "my", "Education", s.education, "education: ")
    _state(said, 5, "Marital status", "marital status", s.marital_status)
    said.add("S", 6, "live", "Household", s.household, "" if _first(s.household) in _PREPOSITIONS else "with ")
    said.add("S", 6, "my", "Income", s.income, "income: ")
    said.add("S", 6, "my", "Religion", s.religion, "religion: ")
    said.add("S", 6, "my", "Politics", s.politics, "politics: ")
    said.many("S", 7, "speak", "Languages", s.languages)


def _state(said: _Teller, priority: int, label: str, name: str, leaf: Any) -> None:
    """`are retired` where the first word says a state, else `your employment: …`."""
    if _first(leaf) in _STATES:
        said.add("S", priority, "be", label, leaf)
    else:
        said.add("S", priority, "my", label, leaf, f"{name}: ")


def _traits(persona: Persona, said: _Teller) -> None:
    big_five = persona.personal.big_five
    if big_five is None:
        return
    # The most telling traits come first: distance from the mean decides the order and the priority.
    for domain, score in sorted(big_five.scores().items(), key=lambda kv: -abs(kv[1] - 50)):
        _trait(said, domain, trait_phrase(domain, score), score, getattr(big_five, domain))
    for facet, leaf in big_five.facets.items():
        score = float(plain(leaf))
        adverb = degree(score)
        words = facet.replace("_", " ")
        phrase = f"{adverb} {'high' if score > 50 else 'low'} in {words}" if adverb else f"about average in {words}"
        _trait(said, words, phrase, score, leaf, least=6)


def _trait(said: _Teller, name: str, phrase: str, score: float, leaf: Any, least: int = 0) -> None:
    seen = visibility_of(leaf)
    if seen is Visibility.HIDDEN:
        return
    distance = abs(score - 50)
    priority = max(least, 1 if distance >= 7 else 3 if distance >= 3 else 6)
    private = seen is Visibility.PRIVATE
    said.out.append(Clause("T", priority, "be", phrase, name.capitalize(), private, phrase))


def _personal(persona: Persona, said: _Teller) -> None:
    p = persona.personal
    for name, leaf in p.types.items():
        words = name.replace("_", " ")
        said.add(
            "P", 6, "my", words.capitalize(), leaf, f"{words} is " if words.endswith("type") else f"{words} type is "
        )
    said.many("P", 4, "value", "Values", p.values)
    said.many("P", 5, "be", "Motives", p.motives, "driven by ")
    said.many("P", 5, "be", "Fears", p.fears, "afraid of ")
    said.many("P", 6, "be", "Strengths", p.strengths, "good at ")
    said.many("P", 6, "struggle", "Weaknesses", p.weaknesses, "with ")
    said.add("P", 2, "feel", "Mood", p.mood)
    for score in p.psychometrics:
        if score.words is not None:
            said.add("P", 3, "be", score.scale.replace("_", " ").capitalize(), score.words)


def _context(persona: Persona, said: _Teller) -> None:
    c = persona.context
    sentence = _words(plain(c.situation)).endswith((".", "!", "?")) if c.situation is not None else False
    said.add("C", 1, "" if sentence else "my", "Situation", c.situation, "" if sentence else "situation: ")
    said.add("C", 1, "my", "Concern", c.concern, "present concern: ")
    said.many("C", 4, "be", "Interests", c.interests, "interested in ")
    said.many("C", 5, "like", "Likes", c.likes)
    said.many("C", 5, "dislike", "Dislikes", c.dislikes)
    said.many("C", 7, "my", "Routines", c.routines, "routines: ")
    said.many("C", 7, "my", "Places", c.places, "places: ")
    said.add("C", 6, "my", "Health", c.health, "health: ")


_HORIZON: Final = {None: "goal", "now": "goal right now", "short": "short-term goal", "long": "long-term goal"}


def _life(persona: Persona, said: _Teller) -> None:
    for goal in persona.goals:
        words = _HORIZON[goal.horizon]
        said.add("C", 4, "my", words.capitalize(), goal.text, f"{words}: ")
    for belief in persona.beliefs:
        said.add("C", 6, "my", f"View on {belief.topic}", belief.stance, f"view on {belief.topic}: ")
    for relation in persona.relations:
        name, note = relation.name, relation.note
        kind = article(relation.kind)
        if note is not None and visibility_of(note) is visibility_of(name) and _words(plain(note)):
            said.add(
                "C",
                6,
                "have",
                relation.kind.capitalize(),
                name,
                f"{kind} called ",
                f" ({_words(plain(note))})",
                whole=True,
            )
            continue
        said.add("C", 6, "have", relation.kind.capitalize(), name, f"{kind} called ")
        if visibility_of(name) is not Visibility.HIDDEN:
            # A note is never less private than the name it hangs on.
            private = visibility_of(name) is Visibility.PRIVATE
            about = _words(plain(name))
            said.add("C", 7, "my", f"About {about}", note, f"{relation.kind} {about}: ", private=private)
    for event in persona.timeline:
        where = f", {event.where}" if event.where else ""
        said.add("C", 7, "", f"{event.when}{where}", event.what, f"{event.when}{where}: ")


_OWN_SECTION: Final = {"social": "S", "personal": "P", "context": "C"}
"""Attributes that belong to a section of the core, by the first word of their path."""


def _rest(persona: Persona, said: _Teller) -> None:
    said.add("X", 3, "", "Description", persona.description)
    s, knows, policy = persona.style, persona.knowledge, persona.policy
    said.add("X", 3, "talk", "Register", s.register_, "in this way: ")
    said.add("X", 4, "my", "Verbosity", s.verbosity, "verbosity is ")
    said.add("X", 6, "my", "Humour", s.humour, "humour is ")
    said.add("X", 6, "speak", "Dialect", s.dialect)
    said.add("X", 7, "use", "Emoji", s.emoji, "emoji ")
    said.many("X", 5, "like", "Catchphrases", tuple(f"“{c.strip()}”" for c in s.catchphrases), "to say: ")
    said.many("X", 7, "write", "Examples", tuple(f"“{e.strip()}”" for e in s.examples), "like this: ")
    for skill, level in knows.skills.items():
        said.add("X", 6, "be", f"Skill in {skill}", level, f"skilled in {skill} (", ")")
    said.many("X", 5, "know", "Does not know", knows.ignorance, "nothing about ")
    said.add("X", 4, "know", "Knowledge ends", knows.boundary, "nothing that lies beyond ")
    said.many("X", 5, "be", "Talks about", policy.allowed_topics, "happy to talk about ")
    said.many("X", 5, "refuse", "Does not talk about", policy.refused_topics, "to talk about ")
    for path, leaf in persona.attributes.items():
        first, _, tail = path.partition(".")
        section = _OWN_SECTION.get(first) if tail else None
        parent, _, name = (tail if section else path).replace("_", " ").rpartition(".")
        within = f" ({parent.replace('.', ', ')})" if parent else ""
        label = (tail if section else path).replace("_", " ").replace(".", ", ")
        label = label[:1].upper() + label[1:]
        if isinstance(plain(leaf), bool):  # "Smokes: no.", but "Your breakfast: porridge."
            said.add(section or "X", 8, "", label, leaf, f"{label}: ")
        else:
            said.add(section or "X", 5 if section else 8, "my", label, leaf, f"{name}{within}: ")
