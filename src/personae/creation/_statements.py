"""Who somebody is, in twenty sentences, by rule: what a view of a profile holds, said in the first person.

It stands in where no model writes, and is what a model's statements are held against: it can only say what the view
shows, so what it can be recognised by is what the view holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from personae.core import Persona, StatementRow, View, derive_rng, plain
from personae.creation._documents import parse_yaml, shipped

_EACH: Final = 10
_HIDDEN: Final = frozenset({"dislikes", "values"})
_SOCIAL: Final = ("age", "gender", "residence", "occupation", "education", "employment")


def write_statements(
    persona: Persona, view: View, seed: int, *, unit: str, condition: str, each: int = _EACH
) -> list[StatementRow]:
    """`each` open and `each` hidden statements of a person who knows only what `view` shows.

    Args:
        persona: a profile (see `assemble_profile`), or anybody.
        view: sections that may be used.
        seed: decides which facts are said, and in which words.
        unit: key of the unit of work.
        condition: what the rows call the view.
        each: sentences of each kind. Neutral ones fill up what the view does not offer; a kind with more facts than
            places keeps a random choice of them.
    """
    words = _words()
    rng = derive_rng(seed, "statements", persona.id, condition)
    pools: dict[str, list[str]] = {"open_self": [], "hidden_self": []}
    for topic, fact in _facts(persona, view):
        forms = words[topic]
        told = str(forms[int(rng.integers(len(forms)))]).format(x=fact.rstrip(".") if topic != "day" else fact)
        pools["hidden_self" if topic in _HIDDEN else "open_self"].append(told)
    rows: list[StatementRow] = []
    for kind, pool in pools.items():
        neutral = [str(x) for x in words["neutral"][kind]]
        filler = [neutral[k] for k in rng.permutation(len(neutral)).tolist()]
        own = [pool[k] for k in rng.permutation(len(pool)).tolist()][:each]
        for k, text in enumerate([*own, *filler][:each]):
            rows.append(
                StatementRow(
                    unit=unit, persona_id=persona.id, condition=condition, kind=kind, index=k, text=text, writer="rules"
                )
            )
    return rows


@cache
def _words() -> Mapping[str, Any]:
    body: Mapping[str, Any] = parse_yaml(shipped("profiles", "statements.yaml") or "{}", "profiles/statements.yaml")
    return body


def _facts(persona: Persona, view: View) -> list[tuple[str, str]]:
    sections = {"social", "personal", "context"} if view in {"self", "public"} else set(view.split("+"))
    out: list[tuple[str, str]] = []
    if "social" in sections:
        out += [(name, str(v)) for name in _SOCIAL if (v := plain(getattr(persona.social, name))) is not None]
    if "personal" in sections:
        for score in persona.personal.psychometrics:
            if score.words is not None:
                out.append(("values" if score.words.startswith("somebody who cares") else "traits", score.words))
    if "context" in sections:
        out += [("likes", str(plain(x))) for x in persona.context.likes]
        out += [("dislikes", str(plain(x))) for x in persona.context.dislikes]
    for path, leaf in persona.attributes.items():
        section, _, name = path.partition(".")
        if section in sections and name:
            out.append(("day" if section == "context" else "other", str(plain(leaf))))
    return out
