"""Rule packs in other languages: a locale brings words, the pack it extends brings the rules.

A file with `extends` says every word of its base again and nothing else: words of vocabularies, groups of phrases, what
readings look for, hints. Rules, owners, severities, anchors and paths are those of the base, so they cannot differ; a
word that was forgotten is an error, not a rule that never speaks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from personae.core import RecipeError
from personae.creation._documents import require_known

Words = Mapping[str, str]
_KEYS: Final = (
    "extends", "locale", "title", "source", "licence", "note", "vocab", "groups", "fields", "limits", "hints",
)  # fmt: skip
_SAID: Final = ("term", "patterns", "unless", "only", "keys", "where", "like")
"""What a reading says in words."""
_LIMITS: Final = frozenset({"pattern", "min_chars", "max_chars"})
"""What a rule says about the shape of a text in one language."""


def extended(own: Mapping[str, Any], base: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A whole pack as plain data: the rules of `base` in the words of `own`.

    Args:
        own: `locale`, `vocab` (base word: own word), `groups` (phrases by name), `fields` (what readings look for),
            `hints` (base hint: own hint), `limits` (rule code: field: pattern, min_chars or max_chars).
        base: the pack that `own` extends, as plain data.
        where: how errors call `own`.

    Raises:
        UnknownKeyError: a key, vocabulary, word, group, field, hint or rule that the base does not have.
        RecipeError: a word, group, reading or hint of the base that is not said again.
    """
    for key in own:
        require_known(str(key), _KEYS, where, kind="key")
    locale = own.get("locale")
    if not isinstance(locale, str) or locale == base.get("locale", "en"):
        raise RecipeError(f"{where}: locale is {locale!r}.", hint="Name a language other than that of the base.")
    vocab = base.get("vocab") or {}
    words = _vocabularies(_part(own, "vocab", where), vocab, where)
    flat = _flat(words, where)
    out = {**base, **{k: own[k] for k in ("title", "source", "licence", "note") if k in own}}
    out |= {"name": f"{base['name']}.{locale}", "locale": locale}
    out["vocab"] = {name: _spelt(body, words[name]) for name, body in vocab.items()}
    out["groups"] = _groups(_part(own, "groups", where), base, where)
    out["fields"] = _fields(_part(own, "fields", where), base.get("fields") or {}, where)
    hints = _same_names(_part(own, "hints", where), _hints(base), where, "hint")
    limits = _part(own, "limits", where)
    rules = base.get("rules") or ()
    for code in limits:
        require_known(code, [rule["code"] for rule in rules], f"{where}: limits", kind="rule")
    out["rules"] = [_rule(_limited(rule, limits.get(rule["code"], {}), where), flat, hints) for rule in rules]
    out["anchors"] = [_rule(anchor, flat, hints) for anchor in base.get("anchors") or ()]
    return out


def _part(own: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    part = own.get(key) or {}
    if not isinstance(part, Mapping):
        raise RecipeError(f"{where}: {key} is {type(part).__name__}.", hint="Write names with what they hold.")
    return part


def _same_names(own: Mapping[str, Any], base: Mapping[str, Any], where: str, kind: str) -> Mapping[str, Any]:
    """`own`, which has to name exactly what `base` names."""
    for name in own:
        require_known(str(name), base, where, kind=kind)
    missing = [name for name in base if name not in own]
    if missing:
        raise RecipeError(
            f"{where}: {kind} {missing[0]!r}" + (f" and {len(missing) - 1} more are" if missing[1:] else " is")
            + " not said.",
            hint="A locale says every word of the pack it extends.",
        )  # fmt: skip
    return own


def _listed(body: Any) -> list[str]:
    return list(body["words"] if isinstance(body, Mapping) else body)


def _vocabularies(own: Mapping[str, Any], base: Mapping[str, Any], where: str) -> dict[str, Words]:
    _same_names(own, base, where, "vocabulary")
    out: dict[str, Words] = {}
    for name, body in base.items():
        at = f"{where}: vocab {name!r}"
        if not isinstance(own[name], Mapping):
            raise RecipeError(f"{at} is a list.", hint="Write each word of the base with the one that stands for it.")
        out[name] = _same_names(own[name], dict.fromkeys(_listed(body)), at, "word")
    return out


def _flat(words: Mapping[str, Words], where: str) -> Words:
    """Every base word with its own word; the same word in two vocabularies has to become the same."""
    out: dict[str, str] = {}
    for name, table in words.items():
        for word, own in table.items():
            if out.setdefault(word, own) != own:
                raise RecipeError(
                    f"{where}: vocab {name!r}: {word!r} is {own!r} here and {out[word]!r} in another vocabulary.",
                    hint="One word of the base is one word of the locale.",
                )
    return out


def _spelt(body: Any, words: Words) -> Any:
    own = [words[word] for word in _listed(body)]
    return {**body, "words": own} if isinstance(body, Mapping) else own


def _groups(own: Mapping[str, Any], base: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Groups of fields as in the base, groups of phrases in own words."""
    groups, fields = base.get("groups") or {}, base.get("fields") or {}
    said = {name: body for name, body in groups.items() if not all(word in fields for word in body)}
    return {**groups, **_same_names(own, said, where, "group")}


def _fields(own: Mapping[str, Any], base: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Paths as in the base; what readings look for in own words."""
    said = {name: words for name, body in base.items() if isinstance(body, Mapping) and (words := _in_words(body))}
    _same_names(own, said, where, "field")
    out = dict(base)
    for name, words in said.items():
        out[name] = {**base[name], **_same_names(own[name], words, f"{where}: field {name!r}", "key")}
    return out


def _in_words(reading: Mapping[str, Any]) -> dict[str, Any]:
    """What a reading says in words of its own (a reference to a group is translated there)."""
    return {k: v for k, v in reading.items() if k in _SAID and not (isinstance(v, str) and v.startswith("@"))}


def _hints(base: Mapping[str, Any]) -> dict[str, None]:
    found = (body.get("hint") for key in ("anchors", "rules") for body in base.get(key) or ())
    return dict.fromkeys(hint for hint in found if hint)


def _limited(rule: Mapping[str, Any], limits: Mapping[str, Mapping[str, Any]], where: str) -> Mapping[str, Any]:
    """A rule with other limits on the shape of texts, where it has such limits."""
    out = dict(rule)
    for name, given in limits.items():
        at = f"{where}: limits of {rule['code']!r}"
        part = "forbid" if name in (rule.get("forbid") or {}) else "require"
        matches = rule.get(part) or {}
        match = matches.get(name, {})
        known = [key for key in match if key in _LIMITS] if isinstance(match, Mapping) else []
        for key in given:
            require_known(key, known, f"{at} on {name!r}", kind="limit")
        out[part] = {**matches, name: {**match, **given}}
    return out


def _rule(body: Mapping[str, Any], words: Words, hints: Words) -> dict[str, Any]:
    """A rule or anchor with its vocabulary words and its hint in own words; names of fields and codes stay."""
    out: dict[str, Any] = _walked(body, words)
    if "by" in body:
        out["by"] = {words.get(str(key), key): _walked(value, words) for key, value in body["by"].items()}
    if body.get("hint"):
        out["hint"] = hints[body["hint"]]
    return out


def _walked(value: Any, words: Words) -> Any:
    if isinstance(value, Mapping):
        return {
            key: {name: _match(m, words) for name, m in part.items()}
            if key in {"when", "forbid", "require"}
            else _match(part, words)
            if key == "match"
            else _walked(part, words)
            for key, part in value.items()
        }
    return [_walked(v, words) for v in value] if isinstance(value, (list, tuple)) else value


def _match(match: Any, words: Words) -> Any:
    """A match names words of a vocabulary by itself (written short) or under these keys."""
    if isinstance(match, Mapping):
        return {k: _said(v, words) if k in {"at_least", "at_most", "values", "not"} else v for k, v in match.items()}
    return _said(match, words)


def _said(value: Any, words: Words) -> Any:
    if isinstance(value, (list, tuple)):
        return [_said(v, words) for v in value]
    return words.get(value, value) if isinstance(value, str) else value
