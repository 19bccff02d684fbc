"""Turn a persona into text. `Persona.render` is the only way anybody does it.

A persona becomes a list of clauses; the view picks clauses, the cue style words them, and the budget drops the least
important ones until the text fits. Nothing is ever cut in the middle of a clause.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from personae.core._clauses import Clause, clauses
from personae.core._errors import InputError
from personae.core._facts import Visibility, plain, visibility_of
from personae.core._persona import Persona

CueStyle = Literal["second_person", "first_person", "third_person", "narrative", "list", "name_only", "written"]
View = Literal[
    "self", "public", "social", "personal", "context", "traits",
    "social+personal", "social+context", "personal+context", "social+personal+context",
]  # fmt: skip

CUE_STYLES: Final[tuple[CueStyle, ...]] = (
    "second_person", "first_person", "third_person", "narrative", "list", "name_only", "written",
)  # fmt: skip
VIEWS: Final[tuple[View, ...]] = get_args(View)

_SECTIONS: Final[dict[str, frozenset[str]]] = {
    "self": frozenset({"S", "P", "C", "T", "X"}),
    "public": frozenset({"S", "P", "C", "T", "X"}),
    "social": frozenset({"S"}),
    "personal": frozenset({"P", "T"}),
    "context": frozenset({"C", "X"}),
    "traits": frozenset({"T"}),
    "social+personal": frozenset({"S", "P", "T"}),
    "social+context": frozenset({"S", "C", "X"}),
    "personal+context": frozenset({"P", "T", "C", "X"}),
    "social+personal+context": frozenset({"S", "P", "C", "T", "X"}),
}
_SENTENCE: Final = re.compile(r"(?<=[.!?…])\s+")
_SKIPS: Final = 8
"""Clauses too long for what is left of a budget that may be stepped over; bounds the number of token counts."""


def render(
    persona: Persona,
    view: View = "self",
    cue_style: CueStyle = "second_person",
    budget: int | None = None,
    count_tokens: Callable[[str], int] | None = None,
) -> str:
    """Words for a persona.

    Args:
        persona: who to tell about.
        view: whose eyes: `self` (all but hidden), `public` (public leaves only), or one section as the self sees it, or
            several (`social+context`). Attributes under `social.`, `personal.` and `context.` belong to that section.
        cue_style: grammatical person and shape; `written` is the person's own `description` and nothing else, sentence
            by sentence, in the words of whoever wrote it.
        budget: most tokens the text may have, counted by `count_tokens`; None = no limit. Clauses go in by priority;
            one that is too long for what is left is stepped over.
        count_tokens: tokens of a text; required with a budget (a count in the wrong unit is worse than none).

    Raises:
        InputError: unknown view or style, a budget without a counter, a budget that not even the name (or the first
            sentence of a description) fits, or `written` for somebody without a description that this view may see.
    """
    if view not in VIEWS or cue_style not in CUE_STYLES:
        raise InputError(
            f"render: view {view!r}, cue_style {cue_style!r}.", hint=f"Views: {VIEWS}; styles: {CUE_STYLES}."
        )
    if budget is not None and count_tokens is None:
        raise InputError(f"render: budget={budget!r} needs count_tokens.", hint="Pass model.count_tokens.")
    voice = _voice(persona, view, cue_style)
    picked = _written(persona, view) if cue_style == "written" else [c for c in clauses(persona) if _shown(c, view)]
    text = _write(voice, picked)
    if budget is None or count_tokens is None or count_tokens(text) <= budget:
        return text
    own_words = cue_style == "written"
    kept = _fit(voice, picked, budget, count_tokens, skips=1 if own_words else _SKIPS)
    text = _write(voice, kept or (picked[:1] if own_words else []))
    taken = count_tokens(text)
    if taken > budget:
        least = "the first sentence" if own_words else "the name"
        raise InputError(
            f"render: a budget of {budget} tokens is too small for {voice.name!r}: {least} alone takes {taken}.",
            hint="Raise the budget.",
        )
    return text


def _written(persona: Persona, view: View) -> list[Clause]:
    """The description's sentences, the first ones needed most."""
    told = str(_seen(persona.description, view) or "").strip()
    if not told:
        raise InputError(
            f"render: {persona.name!r} has no description that the view {view!r} may see.",
            hint="Give `description`, let `craft_description` write it, or choose another cue_style.",
        )
    return [Clause("X", k, "", sentence, "Description") for k, sentence in enumerate(_SENTENCE.split(told))]


def _shown(clause: Clause, view: View) -> bool:
    return clause.section in _SECTIONS[view] and not (clause.hidden and view == "public")


def _fit(
    voice: _Voice, picked: list[Clause], budget: int, count_tokens: Callable[[str], int], *, skips: int
) -> list[Clause]:
    """The most needed clauses whose text fits: runs of them by bisection, stepping over what is too long."""
    by_need = sorted(range(len(picked)), key=lambda k: (picked[k].priority, k))
    kept: set[int] = set()
    start = 0
    for _ in range(skips):
        low, high = start, len(by_need)
        while low < high:
            middle = (low + high + 1) // 2
            trial = kept.union(by_need[start:middle])
            if count_tokens(_write(voice, [c for k, c in enumerate(picked) if k in trial])) <= budget:
                low = middle
            else:
                high = middle - 1
        kept.update(by_need[start:low])
        start = low + 1
        if start >= len(by_need):
            break
    return [c for k, c in enumerate(picked) if k in kept]


# Voice -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Voice:
    """Who speaks about whom: names and pronouns that the view allows."""

    style: CueStyle
    name: str
    short: str
    subject: str
    possessive: str


def _voice(persona: Persona, view: View, style: CueStyle) -> _Voice:
    names = persona.names
    stated = next((str(v) for v in (_seen(leaf, view) for leaf in (names.full, names.given)) if v), None)
    name = stated or names.handle or next(iter(names.aliases), None) or "someone"
    short = str(_seen(names.given, view) or name)
    if style == "first_person":
        return _Voice(style, name, short, "I", "my")
    if style == "second_person":
        return _Voice(style, name, short, "you", "your")
    subject, possessive = _pronouns(persona, view)
    return _Voice(style, name, short, subject, possessive)


def _seen(leaf: Any, view: View) -> Any:
    """Value of a leaf that this view may see, else None."""
    seen = visibility_of(leaf)
    if leaf is None or seen is Visibility.HIDDEN or (seen is Visibility.PRIVATE and view == "public"):
        return None
    return plain(leaf)


def _pronouns(persona: Persona, view: View) -> tuple[str, str]:
    stated = (persona.names.pronouns or "").lower()
    leaf = persona.social.gender if persona.social.gender is not None else persona.social.sex
    sex = str(_seen(leaf, view) or "").lower()
    if stated.startswith("she") or (not stated and sex in {"female", "woman", "girl", "f"}):
        return "she", "her"
    if stated.startswith("he") or (not stated and sex in {"male", "man", "boy", "m"}):
        return "he", "his"
    return "they", "their"


_FORMS: Final = {"be": ("am", "are", "is"), "have": ("have", "have", "has"), "do": ("do", "do", "does")}
_PERSON: Final = {"I": 0, "you": 1, "they": 1}


def _conjugate(verb: str, subject: str) -> str:
    person = _PERSON.get(subject, 2)
    if verb in _FORMS:
        return _FORMS[verb][person]
    if person < 2:
        return verb
    return f"{verb}es" if verb.endswith(("s", "sh", "ch", "x", "z", "o")) else f"{verb}s"


# Writing -----------------------------------------------------------------------------------------------------------


def _write(voice: _Voice, picked: list[Clause]) -> str:
    if voice.style == "name_only":
        return voice.name
    if voice.style == "written":
        return " ".join(c.rest for c in picked)
    if voice.style == "list":
        return "\n".join([f"Name: {voice.name}", *(f"{c.label}: {c.value}" for c in picked)])
    if voice.style == "narrative":
        return _narrative(voice, picked)
    opening = {"first_person": "I am", "second_person": "You are"}.get(voice.style, "This is")
    if voice.style == "first_person" and voice.name != "someone":
        opening = "My name is"
    return " ".join(
        [_stop(f"{opening} {voice.name}"), *(_sentence(c, voice.subject, voice.possessive) for c in picked)]
    )


def _sentence(clause: Clause, subject: str, possessive: str) -> str:
    if clause.verb == "":
        return _stop(clause.rest)
    if clause.verb == "my":
        return _stop(f"{_upper(possessive)} {clause.rest}")
    return _stop(f"{_upper(subject)} {_conjugate(clause.verb, subject)} {clause.rest}")


_STARTS: Final = {w: w.capitalize() for w in ("you", "she", "he", "they", "my", "your", "her", "his", "their")}


def _upper(word: str) -> str:
    """A pronoun as the first word of a sentence; a name stays as its owner writes it."""
    return _STARTS.get(word, word)


def _stop(words: str) -> str:
    return words if words.rstrip("”\"'’)")[-1:] in {".", "!", "?", "…"} else f"{words}."


def _narrative(voice: _Voice, picked: list[Clause]) -> str:
    """Third person, a paragraph per section; neighbours that both hang on a verb share a sentence."""
    paragraphs: list[str] = []
    for group in ("S", "T", "P", "C", "X"):
        members = [c for c in picked if c.section == group]
        subject = voice.short if paragraphs else voice.name
        possessive = f"{subject}’s"
        sentences: list[str] = []
        if not paragraphs and members and members[0].verb == "":  # a sentence of its own names nobody
            sentences.append(_stop(f"This is {voice.name}"))
        k = 0
        while k < len(members):
            clause = members[k]
            after = members[k + 1] if k + 1 < len(members) else None
            if after is not None and _pairs(clause, after):
                sentences.append(_joined(clause, after, subject))
                k += 1
            else:
                sentences.append(_sentence(clause, subject, possessive))
            subject, possessive = voice.subject, voice.possessive
            k += 1
        if sentences:
            paragraphs.append(" ".join(sentences))
    return "\n\n".join(paragraphs) or _stop(f"This is {voice.name}")


def _pairs(first: Clause, second: Clause) -> bool:
    """Two short clauses with verbs; full sentences and possessives stand alone."""
    return all(c.verb not in {"", "my"} and len(c.rest) <= 60 and "\n" not in c.rest for c in (first, second)) and (
        first.rest[-1:] not in {".", "!", "?"}
    )


def _joined(first: Clause, second: Clause, subject: str) -> str:
    lead = f"{_upper(subject)} {_conjugate(first.verb, subject)} {first.rest}"
    verb = "" if second.verb == first.verb else f"{_conjugate(second.verb, subject)} "
    glue = ", and " if " and " in first.rest or "," in first.rest else " and "
    return _stop(f"{lead}{glue}{verb}{second.rest}")
