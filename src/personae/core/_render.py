"""Turn a persona into text. `Persona.render` is the only way anybody does it.

A persona becomes a list of clauses, each with a priority and a visibility; the view picks clauses, the cue style words
them, and the budget drops the least important ones until the text fits. Nothing is ever cut in the middle of a clause.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from personae.core._errors import InputError
from personae.core._facts import Fact, Visibility, plain, visibility_of
from personae.core._persona import Persona

CueStyle = Literal["second_person", "first_person", "third_person", "narrative", "list", "name_only"]
View = Literal["self", "public", "social", "personal", "context", "traits"]

CUE_STYLES: Final[tuple[CueStyle, ...]] = (
    "second_person", "first_person", "third_person", "narrative", "list", "name_only",
)  # fmt: skip
VIEWS: Final[tuple[View, ...]] = ("self", "public", "social", "personal", "context", "traits")

_SECTIONS: Final[dict[str, frozenset[str]]] = {
    "self": frozenset({"S", "P", "C", "T", "X"}),
    "public": frozenset({"S", "P", "C", "T", "X"}),
    "social": frozenset({"S"}),
    "personal": frozenset({"P", "T"}),
    "context": frozenset({"C", "X"}),
    "traits": frozenset({"T"}),
}

# Everyday words for both ends of each domain; ours, chosen to be understood without training.
_POLES: Final = {
    "extraversion": ("quiet, reserved and shy", "outgoing, talkative and sociable"),
    "agreeableness": ("cold, critical and argumentative", "kind, warm and cooperative"),
    "conscientiousness": ("disorganised, careless and often late", "organised, careful and hard-working"),
    "neuroticism": ("calm, relaxed and even-tempered", "anxious, moody and easily stressed"),
    "openness": ("down-to-earth, conventional and practical", "imaginative, curious and full of ideas"),
}


@dataclass(frozen=True, slots=True)
class Clause:
    """One thing that can be said. `verb` is the lemma that the cue style conjugates ('be', 'have', 'like' …)."""

    section: str
    priority: int
    verb: str
    rest: str
    label: str
    hidden: bool = False


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


def clauses(persona: Persona) -> list[Clause]:
    """Everything that can be said about a persona, in telling order."""
    out: list[Clause] = []
    out += _social(persona)
    out += _personal(persona)
    out += _context(persona)
    out += _rest(persona)
    return out


def render(
    persona: Persona,
    view: View = "self",
    cue_style: CueStyle = "second_person",
    budget: int | None = None,
    count_tokens: Callable[[str], int] | None = None,
) -> str:
    """Words for a persona.

    Args:
        view: whose eyes: `self` (all but hidden), `public` (public leaves only), or one section.
        cue_style: grammatical person and shape.
        budget: most tokens the text may have, counted by `count_tokens`; None = no limit.
        count_tokens: tokens of a text; required with a budget (a count in the wrong unit is worse than none).

    Raises:
        InputError: unknown view or style, a budget without a counter, or a budget that not even the name fits.
    """
    if view not in VIEWS or cue_style not in CUE_STYLES:
        raise InputError(
            f"render: view {view!r}, cue_style {cue_style!r}.", hint=f"Views: {VIEWS}; styles: {CUE_STYLES}."
        )
    if budget is not None and count_tokens is None:
        raise InputError(f"render: budget={budget!r} needs count_tokens.", hint="Pass model.count_tokens.")
    picked = [] if cue_style == "name_only" else [c for c in clauses(persona) if _shown(c, view)]
    text = _write(persona, picked, cue_style)
    if budget is None or count_tokens is None:
        return text
    by_need = sorted(range(len(picked)), key=lambda k: (picked[k].priority, k))
    low, high = 0, len(picked)
    while low < high:  # most clauses that fit, by bisection: the text grows with each clause
        middle = (low + high + 1) // 2
        if count_tokens(_write(persona, _keep(picked, by_need[:middle]), cue_style)) <= budget:
            low = middle
        else:
            high = middle - 1
    text = _write(persona, _keep(picked, by_need[:low]), cue_style)
    if count_tokens(text) > budget:
        raise InputError(
            f"render: a budget of {budget} tokens is too small for {persona.name!r}: the name takes {count_tokens(text)}.",
            hint="Raise the budget.",
        )
    return text


def _keep(picked: list[Clause], indexes: list[int]) -> list[Clause]:
    wanted = set(indexes)
    return [c for k, c in enumerate(picked) if k in wanted]


def _shown(clause: Clause, view: View) -> bool:
    return clause.section in _SECTIONS[view] and not (clause.hidden and view == "public")


# Conjugation -------------------------------------------------------------------------------------------------------

_FORMS: Final = {
    "be": ("am", "are", "is"),
    "have": ("have", "have", "has"),
    "do": ("do", "do", "does"),
}


def _conjugate(verb: str, person: int) -> str:
    if verb in _FORMS:
        return _FORMS[verb][person]
    if person < 2:
        return verb
    return f"{verb}es" if verb.endswith(("s", "sh", "ch", "x", "z")) else f"{verb}s"


def _possessive(persona: Persona, person: int) -> str:
    return ("my", "your", _pronouns(persona)[1])[person]


def _pronouns(persona: Persona) -> tuple[str, str]:
    stated = (persona.names.pronouns or "").lower()
    sex = str(plain(persona.social.gender) or plain(persona.social.sex) or "").lower()
    if stated.startswith("she") or (not stated and sex in {"female", "woman", "girl", "f"}):
        return "she", "her"
    if stated.startswith("he") or (not stated and sex in {"male", "man", "boy", "m"}):
        return "he", "his"
    return "they", "their"


def _write(persona: Persona, picked: list[Clause], cue_style: CueStyle) -> str:
    if cue_style == "name_only":
        return persona.name
    if cue_style == "list":
        return "\n".join([f"Name: {persona.name}", *(f"{c.label}: {c.rest}" for c in picked)])
    if cue_style == "narrative":
        return _narrative(persona, picked)
    person = {"first_person": 0, "second_person": 1, "third_person": 2}[cue_style]
    pronoun = ("I", "you", _pronouns(persona)[0])[person]
    opening = (f"My name is {persona.name}.", f"You are {persona.name}.", f"This is {persona.name}.")[person]
    return " ".join([opening, *(_sentence(persona, c, pronoun, person) for c in picked)])


def _sentence(persona: Persona, clause: Clause, subject: str, person: int) -> str:
    if clause.verb == "":
        return clause.rest if clause.rest.endswith((".", "!", "?")) else f"{clause.rest}."
    rest = clause.rest.replace("{my}", _possessive(persona, person))
    if clause.verb == "name":  # "{my} goal is …"
        return f"{rest[:1].upper()}{rest[1:]}."
    plural = subject == "they"
    verb = _conjugate(clause.verb, 1 if plural else person)
    return f"{subject[:1].upper()}{subject[1:]} {verb} {rest}."


def _narrative(persona: Persona, picked: list[Clause]) -> str:
    """Third person, a paragraph per section, two clauses joined where both hang on the same verb."""
    subject = _pronouns(persona)[0]
    paragraphs: list[str] = []
    for group in ("S", "T", "P", "C", "X"):
        members = [c for c in picked if c.section == group]
        sentences: list[str] = []
        for k, clause in enumerate(members):
            name = persona.name if k == 0 else subject
            if sentences and clause.verb not in {"", "name"} and members[k - 1].verb == clause.verb and k % 2 == 1:
                joined = clause.rest.replace("{my}", _possessive(persona, 2))
                sentences[-1] = f"{sentences[-1][:-1]}, and {joined}."
            else:
                sentences.append(_sentence(persona, clause, name, 2))
        if sentences:
            paragraphs.append(" ".join(sentences))
    return "\n\n".join(paragraphs) or persona.name


# Clauses -----------------------------------------------------------------------------------------------------------


def _leaf(out: list[Clause], section: str, priority: int, verb: str, template: str, label: str, leaf: Any) -> None:
    """Add a clause for a leaf that is set and not hidden from everybody."""
    if leaf is None or visibility_of(leaf) is Visibility.HIDDEN:
        return
    value = plain(leaf)
    words = ", ".join(str(v) for v in value) if isinstance(value, tuple) else str(value)
    hidden = isinstance(leaf, Fact) and leaf.visibility is Visibility.PRIVATE
    out.append(Clause(section, priority, verb, template.replace("{}", words.strip()), label, hidden))


def _many(
    out: list[Clause], section: str, priority: int, verb: str, template: str, label: str, leaves: tuple[Any, ...]
) -> None:
    """Add one clause for a list of leaves: public ones together, private ones in a clause of their own."""
    for hidden, wanted in ((False, Visibility.PUBLIC), (True, Visibility.PRIVATE)):
        words = [str(plain(leaf)) for leaf in leaves if visibility_of(leaf) is wanted]
        if words:
            listed = words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
            out.append(Clause(section, priority, verb, template.replace("{}", listed), label, hidden))


def _article(words: str) -> str:
    return f"{'an' if words[:1].lower() in 'aeiou' else 'a'} {words}"


def _social(persona: Persona) -> list[Clause]:
    s = persona.social
    out: list[Clause] = []
    _leaf(out, "S", 0, "be", "{} years old", "Age", s.age)
    gender = s.gender if s.gender is not None else s.sex
    _leaf(out, "S", 1, "be", "{}", "Gender", gender)
    if s.occupation is not None:
        words = _article(str(plain(s.occupation)))
        _leaf(out, "S", 1, "work", f"as {words}", "Occupation", s.occupation)
    _leaf(out, "S", 3, "be", "{}", "Employment", s.employment)
    _leaf(out, "S", 2, "live", "in {}", "Lives in", s.residence)
    _leaf(out, "S", 5, "come", "from {}", "Born in", s.birthplace)
    _leaf(out, "S", 4, "be", "{}", "Nationality", s.nationality)
    _leaf(out, "S", 4, "be", "{}", "Ethnicity", s.ethnicity)
    _leaf(out, "S", 5, "name", "{my} education: {}", "Education", s.education)
    _leaf(out, "S", 5, "be", "{}", "Marital status", s.marital_status)
    _leaf(out, "S", 6, "live", "with {}", "Household", s.household)
    _leaf(out, "S", 6, "name", "{my} income: {}", "Income", s.income)
    _leaf(out, "S", 6, "name", "{my} religion: {}", "Religion", s.religion)
    _leaf(out, "S", 6, "name", "{my} politics: {}", "Politics", s.politics)
    _many(out, "S", 7, "speak", "{}", "Languages", s.languages)
    return out


def _personal(persona: Persona) -> list[Clause]:
    p = persona.personal
    out: list[Clause] = []
    if p.big_five is not None:
        # The most telling traits come first: distance from the mean decides the priority.
        for domain, score in sorted(p.big_five.scores().items(), key=lambda kv: -abs(kv[1] - 50)):
            leaf = getattr(p.big_five, domain)
            if degree(score) is None:
                _leaf(out, "T", 6, "be", f"about average in {domain}", domain.capitalize(), leaf)
            else:
                _leaf(
                    out,
                    "T",
                    1 if abs(score - 50) >= 7 else 3,
                    "be",
                    trait_phrase(domain, score),
                    domain.capitalize(),
                    leaf,
                )
    for name, leaf in p.types.items():
        _leaf(out, "P", 6, "name", f"{{my}} {name.replace('_', ' ')} type is {{}}", name.capitalize(), leaf)
    _many(out, "P", 4, "value", "{}", "Values", p.values)
    _many(out, "P", 5, "be", "driven by {}", "Motives", p.motives)
    _many(out, "P", 5, "be", "afraid of {}", "Fears", p.fears)
    _many(out, "P", 6, "be", "good at {}", "Strengths", p.strengths)
    _many(out, "P", 6, "struggle", "with {}", "Weaknesses", p.weaknesses)
    _leaf(out, "P", 2, "feel", "{}", "Mood", p.mood)
    return out


def _context(persona: Persona) -> list[Clause]:
    c = persona.context
    out: list[Clause] = []
    _leaf(out, "C", 1, "", "{}", "Situation", c.situation)
    _leaf(out, "C", 1, "want", "to talk about {}", "Concern", c.concern)
    _many(out, "C", 4, "be", "interested in {}", "Interests", c.interests)
    _many(out, "C", 5, "like", "{}", "Likes", c.likes)
    _many(out, "C", 5, "dislike", "{}", "Dislikes", c.dislikes)
    _many(out, "C", 7, "name", "{my} routines: {}", "Routines", c.routines)
    _many(out, "C", 7, "name", "{my} places: {}", "Places", c.places)
    _leaf(out, "C", 6, "name", "{my} health: {}", "Health", c.health)
    for goal in persona.goals:
        _leaf(out, "C", 4, "want", "to {}", "Goal", goal.text)
    for belief in persona.beliefs:
        _leaf(out, "C", 6, "name", f"on {belief.topic}, {{my}} view is: {{}}", f"View on {belief.topic}", belief.stance)
    for relation in persona.relations:
        note = f" ({plain(relation.note)})" if relation.note is not None else ""
        _leaf(
            out,
            "C",
            6,
            "have",
            f"{_article(relation.kind)} called {{}}{note}",
            relation.kind.capitalize(),
            relation.name,
        )
    for event in persona.timeline:
        where = f" in {event.where}" if event.where else ""
        _leaf(out, "C", 7, "name", f"{event.when}{where}: {{}}", event.when, event.what)
    return out


def _rest(persona: Persona) -> list[Clause]:
    out: list[Clause] = []
    _leaf(out, "X", 3, "", "{}", "Description", persona.description)
    s = persona.style
    _leaf(out, "X", 3, "talk", "in this way: {}", "Register", s.register_)
    _leaf(out, "X", 4, "name", "{my} answers are {}", "Verbosity", s.verbosity)
    _leaf(out, "X", 6, "name", "{my} humour is {}", "Humour", s.humour)
    _leaf(out, "X", 6, "speak", "{}", "Dialect", s.dialect)
    _leaf(out, "X", 7, "use", "emoji {}", "Emoji", s.emoji)
    _many(out, "X", 5, "like", "to say: {}", "Catchphrases", tuple(f"“{c}”" for c in s.catchphrases))
    for skill, level in persona.knowledge.skills.items():
        _leaf(out, "X", 6, "be", f"skilled in {skill} ({{}})", "Skill", level)
    _many(out, "X", 5, "know", "nothing about {}", "Does not know", persona.knowledge.ignorance)
    _leaf(out, "X", 4, "know", "nothing that lies beyond {}", "Knowledge ends", persona.knowledge.boundary)
    for path, leaf in persona.attributes.items():
        words = path.replace(".", ", ").replace("_", " ")
        _leaf(out, "X", 8, "name", f"{{my}} {words}: {{}}", words.capitalize(), leaf)
    return out
