"""The questionnaire of a whole-person profile as a file that somebody fills in: what `load_profiles` reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from personae.creation._profile import SocialIdentity

if TYPE_CHECKING:
    from personae.core import Instrument

_ASKED: Final = {
    "age": "in years",
    "sex_at_birth": "",
    "gender": "",
    "sexual_orientation": "",
    "ethnic_origin": "as many as apply",
    "race": "as many as apply",
    "disability": "as many as apply",
    "country_of_birth": "",
    "dual_nationality": "the second one, if there is one",
    "closer_nationality": "of two, the one that matters more to you",
    "residence": "where you live",
    "education": "the highest you finished",
    "employment": "working, studying, looking for work, retired …",
    "major": "field of study, if you study",
    "job": "what you do at work, if you work",
    "household_income": "a month, roughly",
    "relative_income": "compared with other families",
    "income_satisfaction": "",
    "social_class": "",
    "living_with": "as many as apply",
    "politics": "",
    "religion": "",
}
"""the questions of S in their order, with what is meant"""


def blank_profile(traits: Instrument, values: Instrument) -> str:
    """An empty form in YAML: S, the items of both inventories with their words, and C.

    What is left empty stays out of the profile; an inventory counts for a scale with half of its items answered. An
    answer that the person only presumes is written `Presumably (…)` and becomes a fact of low confidence.

    Args:
        traits: the trait inventory; of a bare key, items have numbers instead of words.
        values: the value inventory.

    Example:
        >>> from personae.instruments import load_instrument
        >>> form = blank_profile(load_instrument("ipip30"), load_instrument("portraits20"))
        >>> form.splitlines()[2]
        'name:'
    """
    lines = [
        "# A profile to fill in. Leave empty whatever does not apply or is nobody's business.",
        "# What you are not sure of: Presumably (your guess).",
        "name:",
        "social:",
    ]
    for name in SocialIdentity.model_fields:
        many = SocialIdentity.model_fields[name].default == ()
        told = f"  # {_ASKED[name]}" if _ASKED[name] else ""
        lines.append(f"  {name}:{' []' if many else ''}{told}{', such as [one, two]' if many else ''}")
    for part, instrument in (("traits", traits), ("values", values)):
        scale = ", ".join(f"{o.value:g} = {o.text}" for o in instrument.options)
        asked = " ".join(instrument.instructions.replace("{options}", "one of these").split())
        lines += [f"# {asked}", f"# {scale}", f"{part}:"]
        for item in instrument.items:
            words = instrument.stem.format(item=item.text)
            lines.append(f"  {json.dumps(item.id)}:  # {' '.join(words.split())}")
    lines += [
        "loves: []  # up to five, such as [rain on a tent, old maps]",
        "hates: []  # up to five",
        "weekday:  # a typical one, in up to five lines",
        "weekend:  # likewise",
    ]
    return "\n".join(lines) + "\n"
