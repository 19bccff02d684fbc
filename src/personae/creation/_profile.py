"""Whole-person profiles: social identity (S), personal identity (P) and life context (C) from somebody's own answers.

S is a questionnaire of groups one belongs to, P two scored inventories, C what one loves and hates and two days of
one's life. `assemble_profile` makes a Persona of them whose sections render alone or together (`Persona.render` with
the views `social`, `personal`, `context` and their sums), so that each of the seven subsets is a view and nothing else.

Source: SPeCtrum (Lee et al. 2025, arXiv 2502.08599). Different from the released code: a level word belongs to the true
mean (theirs cuts it down to a whole number first; `floor=True` does the same), a presumption is a fact with low
confidence, and no score is told as a number.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from pydantic import Field

from personae.core import (
    Fact,
    Frozen,
    InputError,
    Persona,
    SchemaError,
    Visibility,
    derive_rng,
    derive_seed,
    plain,
    schema_error,
)
from personae.creation._documents import parse_yaml, shipped
from personae.creation._people import load_gallery
from personae.instruments import centred, facet_scores, score_responses

if TYPE_CHECKING:
    from personae.core import Instrument

Group = Literal["S", "P", "C"]
SUBSETS: Final = ("S", "P", "C", "SP", "SC", "PC", "SPC")
"""The seven ablations, in the order S, P, C."""
_VIEWS: Final = {"S": "social", "P": "personal", "C": "context"}
LEVELS: Final = ("very low", "low", "slightly below average", "slightly above average", "high", "very high")
MIN_ANSWERED: Final = 0.5
_PRESUMED: Final = re.compile(r"presumably\s*\((?P<value>.+)\)\s*", re.IGNORECASE | re.DOTALL)
_GUESS: Final = 0.5
"""confidence of an answer that somebody only presumes"""

Said = str | None
Many = tuple[str, ...]


class SocialIdentity(Frozen):
    """S: nineteen questions about the groups one belongs to. All may be left out; lists hold several answers.

    Questions about religion, politics, orientation, origin and disability are asked because the method asks them; leave
    them out where nobody needs them.
    """

    age: int | None = Field(default=None, ge=0, le=120)
    sex_at_birth: Said = None
    gender: Said = None
    sexual_orientation: Said = None
    ethnic_origin: Many = ()
    race: Many = ()
    disability: Many = ()
    country_of_birth: Said = None
    dual_nationality: Said = None
    closer_nationality: Said = None
    residence: Said = None
    education: Said = None
    employment: Said = None
    major: Said = None
    job: Said = None
    household_income: Said = None
    relative_income: Said = None
    income_satisfaction: Said = None
    social_class: Said = None
    living_with: Many = ()
    politics: Said = None
    religion: Said = None


class ProfileAnswers(Frozen):
    """What somebody answered: the importable form of a profile.

    Args:
        name: what to call the person; never shown to a model by a profile.
        traits, values: item id to answer, before keying; null for an item left out.
        loves, hates: up to five each, free words.
        weekday, weekend: short texts of up to five lines.
    """

    name: str = Field(min_length=1)
    social: SocialIdentity = SocialIdentity()
    traits: dict[str, float | None] = Field(default_factory=dict)
    values: dict[str, float | None] = Field(default_factory=dict)
    loves: tuple[str, ...] = Field(default=(), max_length=5)
    hates: tuple[str, ...] = Field(default=(), max_length=5)
    weekday: Said = None
    weekend: Said = None

    @classmethod
    def parse(cls, data: object, *, where: str = "profile") -> ProfileAnswers:
        """Read answers from a plain mapping.

        Raises:
            SchemaError: it does not fit; every problem is named.
        """
        from pydantic import ValidationError

        if not isinstance(data, Mapping):
            raise SchemaError(f"{where}: got {type(data).__name__}, expected one mapping.")
        try:
            return cls.model_validate(dict(data))
        except ValidationError as error:
            raise schema_error(error, where=where, model=cls) from error


def load_profiles(path: str | Path) -> tuple[ProfileAnswers, ...]:
    """Answers of people from JSON or YAML: one person, a list, a mapping with `profiles`, or a folder of such files.

    Raises:
        InputError, SchemaError: the file cannot be read, or a record does not fit; its position is named.
    """
    from personae.creation._documents import read_text

    source = Path(path)
    if source.is_dir():
        files = sorted(f for f in source.iterdir() if f.suffix.lower() in {".yaml", ".yml", ".json"})
        if not files:
            raise InputError(f"{path}: no profile in this folder.", hint="Put .yaml or .json files there.")
        return tuple(answers for file in files for answers in load_profiles(file))
    data = parse_yaml(read_text(source), str(path))
    if isinstance(data, Mapping) and "name" in data:
        data = [data]
    rows = data.get("profiles") if isinstance(data, Mapping) else data
    if not isinstance(rows, Sequence) or isinstance(rows, str) or not rows:
        raise SchemaError(f"{path}: expected one profile, a list of them, or a mapping with `profiles`.")
    return tuple(ProfileAnswers.parse(row, where=f"{path}: profile {k}") for k, row in enumerate(rows, start=1))


def level(mean: float, low: float, high: float, *, floor: bool = False) -> int:
    """Grade 0 to 5 of a scale mean: six parts of equal width, the upper end with the last.

    On a scale of 1 to 7 these are [1, 2) very low, …, [6, 7] very high.

    Args:
        mean: the score, on the response scale.
        low: lower end of the response scale.
        high: upper end.
        floor: cut the mean down to a whole number first, as the released code does (5.8 is then 5, "high" at [5, 6)).
    """
    if not low <= mean <= high:
        raise InputError(f"level: a mean of {mean:g} on a scale of {low:g} to {high:g}.")
    value = math.floor(mean) if floor else mean
    return min(5, math.floor((value - low) / (high - low) * 6 + 1e-9))


def assemble_profile(
    answers: ProfileAnswers, traits: Instrument, values: Instrument, *, floor: bool = False, centre: bool = False
) -> Persona:
    """A Persona with exactly what the answers say, sorted into its sections; the name is hidden from every view.

    Args:
        answers: what somebody answered.
        traits: the inventory that `answers.traits` answers (facets are used where it has them).
        values: the one that `answers.values` answers.
        floor: see `level`.
        centre: grade values by how they differ from the person's own mean answer (as Schwartz 2003 asks), not by the
            mean itself (as the released code does).

    Raises:
        UnknownKeyError: an answer to an item the inventory does not have.
        InputError: an answer off the scale.
    """
    social = answers.social
    core = {
        "age": social.age,
        "sex": social.sex_at_birth,
        "gender": social.gender,
        "birthplace": social.country_of_birth,
        "residence": social.residence,
        "education": social.education,
        "employment": social.employment,
        "occupation": social.job,
        "income": social.household_income,
        "religion": social.religion,
        "politics": social.politics,
        "ethnicity": _joined(social.ethnic_origin),
        "household": _joined(social.living_with),
    }
    attributes = {
        "social.race": _joined(social.race),
        "social.disability": _joined(social.disability),
        "social.sexual_orientation": social.sexual_orientation,
        "social.second_nationality": social.dual_nationality,
        "social.nationality_closer_to_heart": social.closer_nationality,
        "social.field_of_study": social.major,
        "social.income_compared_with_others": social.relative_income,
        "social.satisfaction_with_income": social.income_satisfaction,
        "social.class": social.social_class,
        "context.typical_weekday": answers.weekday,
        "context.typical_weekend": answers.weekend,
    }
    return Persona.model_validate(
        {
            "names": {"full": Fact(value=answers.name, visibility=Visibility.HIDDEN)},
            "social": {k: _leaf(v) for k, v in core.items() if v is not None},
            "personal": {"psychometrics": [*_scores(answers, traits, values, floor=floor, centre=centre)]},
            "context": {"likes": [_leaf(x) for x in answers.loves], "dislikes": [_leaf(x) for x in answers.hates]},
            "attributes": {k: _leaf(v) for k, v in attributes.items() if v is not None},
            "provenance": {"generator": "profile"},
        }
    )


def subset_view(subset: str) -> Any:
    """The view of `Persona.render` that shows a subset such as `SC`.

    Raises:
        InputError: not one of the seven.
    """
    if subset not in SUBSETS:
        raise InputError(f"subset {subset!r}.", hint=f"One of: {', '.join(SUBSETS)}.")
    return "+".join(_VIEWS[g] for g in subset)


def _joined(many: Many) -> str | None:
    return ", ".join(many) or None


def _leaf(value: object) -> object:
    """A presumption is a fact with low confidence, without the word."""
    match = _PRESUMED.fullmatch(value) if isinstance(value, str) else None
    return value if match is None else Fact(value=match["value"], confidence=_GUESS)


@cache
def _words() -> Mapping[str, Any]:
    body: Mapping[str, Any] = parse_yaml(shipped("profiles", "words.yaml") or "{}", "profiles/words.yaml")
    return body


def _scores(
    answers: ProfileAnswers, traits: Instrument, values: Instrument, *, floor: bool, centre: bool
) -> list[dict[str, Any]]:
    words = _words()
    out: list[dict[str, Any]] = []
    faceted = {i.scale for i in traits.items if i.facet}
    found = score_responses(traits, answers.traits, min_answered=MIN_ANSWERED)
    parts = facet_scores(traits, answers.traits, min_answered=MIN_ANSWERED)
    for name, score in [(s.name, s) for s in found.values()] + list(parts.items()):
        if score.value is None:
            continue
        poles = words["facets"].get(name) or (words["domains"].get(name) if score.scale not in faceted else None)
        told = None
        if poles is not None:
            grade = level(score.value, traits.low, traits.high, floor=floor)
            told = words["grades"]["traits"][grade].format(low=poles[0], high=poles[1])
        out.append(_score(traits, name, score.value, told))
    means = score_responses(values, answers.values, min_answered=MIN_ANSWERED)
    relative = centred(values, answers.values, means)
    for code, score in means.items():
        if score.value is None:
            continue
        middle = (values.low + values.high) / 2
        shown = middle + (relative[code] or 0.0) if centre else score.value
        grade = level(min(max(shown, values.low), values.high), values.low, values.high, floor=floor)
        matter = words["values"].get(score.name, score.name.replace("_", " "))
        out.append(_score(values, score.name, score.value, words["grades"]["values"][grade].format(value=matter)))
    return out


def _score(instrument: Instrument, scale: str, value: float, words: str | None) -> dict[str, Any]:
    return {"instrument": instrument.name, "scale": scale, "value": round(value, 4), "words": words}


# Answers of invented people ------------------------------------------------------------------------------------------


def answers_of_person(persona: Persona, traits: Instrument, values: Instrument, seed: int) -> ProfileAnswers:
    """The answers an invented person would give, as far as their record says: for people who never filled in a form.

    Trait items are drawn from the record's Big Five: item = middle + spread · (facet level) · key + noise, where a
    facet is .8 of its domain. Values are drawn independently of traits (a record does not say). C is put together from
    interests, likes, dislikes, fears, work and relations.

    Raises:
        InputError: a person without Big Five.
    """
    if persona.personal.big_five is None:
        raise InputError(f"{persona.name!r} has no Big Five to answer from.", hint="Draw traits, or give answers.")
    rng = derive_rng(seed, "profile", persona.id)
    z = {d: (t - 50) / 10 for d, t in persona.personal.big_five.scores().items()}
    facets = {i.facet for i in traits.items}
    own = {f: float(rng.normal(0, 0.6)) for f in sorted(facets, key=str)}
    trait_answers: dict[str, float | None] = {
        i.id: _answer(traits, 0.8 * z.get(traits.scales[i.scale], 0.0) + own[i.facet], i.key, rng) for i in traits.items
    }
    weight = {code: float(rng.normal(0.4, 0.9)) for code in values.scales}
    value_answers: dict[str, float | None] = {i.id: _answer(values, weight[i.scale], i.key, rng) for i in values.items}
    s, c = persona.social, persona.context
    loves = [*_plain(c.likes), *_plain(c.interests), *_plain(persona.personal.values)][:5]
    hates = [*_plain(c.dislikes), *_plain(persona.personal.fears)][:5]
    given = {
        "age": plain(s.age), "sex_at_birth": plain(s.sex), "gender": plain(s.gender), "residence": plain(s.residence),
        "education": plain(s.education), "employment": plain(s.employment), "job": plain(s.occupation),
        "household_income": plain(s.income), "country_of_birth": plain(s.birthplace), "religion": plain(s.religion),
        "politics": plain(s.politics), "living_with": _split(plain(s.household)),
        "ethnic_origin": _split(plain(s.ethnicity)),
    }  # fmt: skip
    return ProfileAnswers(
        name=persona.name,
        social=SocialIdentity.model_validate({k: v for k, v in given.items() if v}),
        traits=trait_answers,
        values=value_answers,
        loves=tuple(loves),
        hates=tuple(hates),
        weekday=_weekday(persona),
        weekend=_weekend(persona),
    )


def gallery_answers(count: int, traits: Instrument, values: Instrument, seed: int) -> list[ProfileAnswers]:
    """Answers of `count` people of the gallery, drawn by `seed` (see `answers_of_person`), in the gallery's order."""
    people = load_gallery()
    order = derive_rng(seed, "gallery").permutation(len(people))[:count]
    return [answers_of_person(people[k], traits, values, derive_seed(seed, "answers")) for k in sorted(order.tolist())]


def _answer(instrument: Instrument, latent: float, key: int, rng: np.random.Generator) -> float:
    options = sorted(o.value for o in instrument.options)
    middle, spread = (options[0] + options[-1]) / 2, (options[-1] - options[0]) / 5
    raw = middle + spread * (key * latent + float(rng.normal(0, 0.5)))
    return min(options, key=lambda v: (abs(v - raw), v))


def _plain(leaves: Sequence[Any]) -> list[str]:
    return [str(plain(leaf)) for leaf in leaves]


def _split(value: Any) -> tuple[str, ...]:
    return tuple(part.strip() for part in str(value).split(",")) if value else ()


def _weekday(persona: Persona) -> str:
    lines: list[str] = []
    job, school = plain(persona.social.occupation), plain(persona.social.education)
    if job:
        lines.append(f"Most of the day goes to work ({job}).")
    elif school and (plain(persona.social.age) or 99) < 19:
        lines.append(f"School first ({school}), then home.")
    lines += [f"{r.kind.capitalize()} {plain(r.name)}: {plain(r.note)}." for r in persona.relations[:1] if r.note]
    lines += [f"Whenever there is an hour left: {x}." for x in _plain(persona.context.interests)[:1]]
    lines += [f"On my mind: {plain(g.text)}." for g in persona.goals[:1]]
    return " ".join(lines) or "One day is like the next."


def _weekend(persona: Persona) -> str:
    lines = [f"Time for {x}." for x in _plain(persona.context.interests)[1:2]]
    lines += [f"{r.kind.capitalize()} {plain(r.name)}: {plain(r.note)}." for r in persona.relations[1:2] if r.note]
    lines += [f"{e.when}: {plain(e.what)}; I still think of it." for e in persona.timeline[:1]]
    return " ".join(lines) or "Sleep, and nothing much."
