"""The records of other tools, value by value: where each stands in theirs and in ours.

Field names are facts of the public releases: microsoft/TinyTroupe (`*.agent.json`), tencent-ailab/persona-hub,
Persona-Chat and ConvAI2, nvidia/Nemotron-Personas, character cards (malfoyslastname/character-card-spec-v2), HACHIMI.
"""

from __future__ import annotations

import ast
import re
import warnings
from typing import Any, Final, cast

from personae.core import DOMAINS, TEXT_LIMIT, SchemaError, VersionError
from personae.formats._shape import (
    AGE,
    MISSING,
    TEXT,
    TEXTS,
    VALUE,
    Codec,
    Json,
    Open,
    Place,
    Pointer,
    Shape,
    bare,
    is_fact,
)

# Codecs of these tools ---------------------------------------------------------------------------------------------

_LEVEL: Final = re.compile(r"(high|medium|moderate|average|low)\b", re.IGNORECASE)
_SCORES: Final = {"high": 60.0, "medium": 50.0, "moderate": 50.0, "average": 50.0, "low": 40.0}
_WORDS: Final = ((55.0, "High"), (45.0, "Medium"), (float("-inf"), "Low"))


def _word(score: float) -> str:
    return next(word for least, word in _WORDS if score >= least)


def _read_level(value: Json) -> Json:
    """`High. Curious about everything.` as a T-score one standard deviation up, with the words as its source."""
    found = _LEVEL.match(value.strip()) if isinstance(value, str) and len(value) <= TEXT_LIMIT else None
    if found is None:
        return MISSING
    return {"value": _SCORES[found[1].lower()], "source": {"kind": "rule", "ref": value}}


def _level_words(leaf: Json) -> str | None:
    """The words a score was read from, as long as they still say what it says."""
    source: dict[str, Any] = leaf.get("source") or {} if is_fact(leaf) else {}
    words = source.get("ref") if source.get("kind") == "rule" else None
    read: Json = _read_level(words) if words is not None else MISSING
    return words if isinstance(read, dict) and read["value"] == leaf["value"] else None


def _write_level(leaf: Json) -> Json:
    score = bare(leaf)
    if isinstance(score, bool) or not isinstance(score, (int, float)):
        return MISSING
    return _level_words(leaf) or f"{_word(float(score))}."


def _lost_level(leaf: Json) -> str:
    return "" if _level_words(leaf) is not None else "the score, written as a word"


LEVEL: Final = Codec(_read_level, _write_level, "level", _lost_level)


def _read_goals(value: Json) -> Json:
    texts = TEXTS.read(value)
    return MISSING if texts is MISSING else [{"text": text, "horizon": "long"} for text in texts]


def _write_goals(leaf: Json) -> Json:
    return [str(bare(goal["text"])) for goal in leaf]


def _lost_goals(leaf: Json) -> str:
    return "" if all(goal.get("horizon") == "long" and not is_fact(goal["text"]) for goal in leaf) else "horizon"


GOALS: Final = Codec(_read_goals, _write_goals, "list of texts", _lost_goals)


def _read_goal(value: Json) -> Json:
    return MISSING if TEXT.read(value) is MISSING else [{"text": value, "horizon": "long"}]


GOAL: Final = Codec(_read_goal, lambda leaf: "\n".join(_write_goals(leaf)), "text", _lost_goals)
_CONTACT: Final = "contact"


def _read_relations(value: Json) -> Json:
    """People of a list of {name, description}; our `kind` is not among what the record says."""
    if not isinstance(value, list) or not value:
        return MISSING
    out: list[Json] = []
    for entry in cast("list[Json]", value):
        if not isinstance(entry, dict) or not entry.keys() <= {"name", "description"}:
            return MISSING
        about: dict[str, Json] = entry
        if any(TEXT.read(v) is MISSING for v in about.values()) or "name" not in about:
            return MISSING
        note = {"note": about["description"]} if "description" in about else {}
        out.append({"name": about["name"], "kind": _CONTACT, **note})
    return out


def _write_relations(leaf: Json) -> Json:
    out: list[Json] = []
    for relation in leaf:
        kind = "" if relation["kind"] == _CONTACT else str(relation["kind"])
        note = str(bare(relation.get("note") or ""))
        about = ": ".join(part for part in (kind, note) if part)
        out.append({"name": str(bare(relation["name"]))} | ({"description": about} if about else {}))
    return out


def _lost_relations(leaf: Json) -> str:
    plainly = all(r["kind"] == _CONTACT and "person_id" not in r for r in leaf)
    return "" if plainly else "kind, written into the description"


RELATIONS: Final = Codec(_read_relations, _write_relations, "list of people", _lost_relations)


def _read_listing(value: Json) -> Json:
    """A list, or the text of one as Python prints it: `['Baking', 'Chess']`."""
    if isinstance(value, list):
        return TEXTS.read(value)
    if not isinstance(value, str) or not value.startswith("[") or len(value) > TEXT_LIMIT:
        return MISSING
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd escapes inside other people's text
            return TEXTS.read(ast.literal_eval(value))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return MISSING


def _write_listing(leaf: Json) -> Json:
    texts = TEXTS.write(leaf)
    return MISSING if texts is MISSING else repr(texts)


LISTING: Final = Codec(_read_listing, _write_listing, "list of texts")
_SPEAKER: Final = re.compile(r"([^:\n]{1,80}): ?(.*)")
_START: Final = "<START>"


def _read_examples(value: Json) -> Json:
    """Stretches of dialogue, each after a line `<START>`, as demonstrations."""
    if TEXT.read(value) is MISSING:
        return MISSING
    stretches: list[list[dict[str, str]]] = []
    for line in str(value).replace("\r\n", "\n").strip("\n").split("\n"):
        if line.strip() == _START or not stretches:
            stretches.append([])
            if line.strip() == _START:
                continue
        found = _SPEAKER.fullmatch(line)
        if found is not None:
            stretches[-1].append({"speaker": found[1], "text": found[2]})
        elif stretches[-1]:
            stretches[-1][-1]["text"] += f"\n{line}"
        else:
            return MISSING
    return [{"lines": s} for s in stretches] if all(stretches) else MISSING


def _write_examples(leaf: Json) -> Json:
    return "\n".join("\n".join([_START, *(f"{t['speaker']}: {t['text']}" for t in s["lines"])]) for s in leaf)


def _lost_examples(leaf: Json) -> str:
    return "scene" if any("scene" in s for s in leaf) else ""


EXAMPLES: Final = Codec(_read_examples, _write_examples, "dialogue", _lost_examples)


def _read_words(value: Json) -> Json:
    """`chess, swimming` or, where a comma belongs to an entry, `chess; fish, fried`."""
    if isinstance(value, list):
        return TEXTS.read(value)
    if TEXT.read(value) is MISSING:
        return MISSING
    return [w.strip() for w in str(value).split(";" if ";" in value else ",") if w.strip()] or MISSING


def _write_words(leaf: Json) -> Json:
    words = TEXTS.write(leaf)
    if words is MISSING or any(";" in w or w != w.strip() or not w for w in words):
        return MISSING
    if not any("," in w for w in words):
        return ", ".join(words)
    return "; ".join(words) if len(words) > 1 else f"{words[0]};"


WORDS: Final = Codec(_read_words, _write_words, "list of words")

# Records -----------------------------------------------------------------------------------------------------------


def _at(root: Pointer, *rows: tuple[str, str, Codec]) -> tuple[Place, ...]:
    return tuple(Place((*root, *where.split("/")), target, codec) for where, target, codec in rows)


TINYTROUPE: Final = Shape(
    "tinytroupe",
    (
        Place(("persona", "occupation", "title"), "social.occupation", TEXT, (("persona", "occupation"),)),
        *_at(
            ("persona",),
            ("name", "names.full", TEXT),
            ("age", "social.age", AGE),
            ("gender", "social.gender", TEXT),
            ("nationality", "social.nationality", TEXT),
            ("residence", "social.residence", TEXT),
            ("education", "social.education", TEXT),
            ("long_term_goals", "goals", GOALS),
            ("occupation/organization", "attributes.work.organization", TEXT),
            ("occupation/description", "attributes.work.description", TEXT),
            ("style", "style.register", TEXT),
            ("personality/traits", "attributes.traits", TEXTS),
            *((f"personality/big_five/{d}", f"personal.big_five.{d}", LEVEL) for d in DOMAINS),
            ("preferences/interests", "context.interests", TEXTS),
            ("preferences/likes", "context.likes", TEXTS),
            ("preferences/dislikes", "context.dislikes", TEXTS),
            ("skills", "attributes.skills", TEXTS),
            ("beliefs", "attributes.beliefs", TEXTS),
            ("behaviors/general", "attributes.behaviours", TEXTS),
            ("health", "context.health", TEXT),
            ("relationships", "relations", RELATIONS),
            ("other_facts", "attributes.facts", TEXTS),
            ("description", "description", TEXT),
        ),
    ),
    (Open(("persona", "behaviors", "routines"), "attributes.routines."), Open(("persona",))),
    skeleton={"type": "TinyPerson", "persona": {}},
)

PERSONA_HUB: Final = Shape(
    "persona_hub",
    (Place(("persona",), "description", TEXT, (("input persona",), ("input_persona",))),),
    skeleton={"persona": ""},
)

PERSONA_CHAT: Final = Shape(
    "persona_chat",
    (Place(("personality",), "attributes.profile", TEXTS, (("persona",), ("profile",))),),
    skeleton={"personality": []},
)

_NEMOTRON: Final = _at(
    (),
    ("age", "social.age", AGE),
    ("sex", "social.sex", TEXT),
    ("marital_status", "social.marital_status", TEXT),
    ("education_level", "social.education", TEXT),
    ("occupation", "social.occupation", TEXT),
    ("city", "social.residence", TEXT),
    ("persona", "description", TEXT),
    ("hobbies_and_interests_list", "context.interests", LISTING),
    ("career_goals_and_ambitions", "goals", GOAL),
    ("professional_persona", "attributes.portrait.professional", TEXT),
    ("sports_persona", "attributes.portrait.sports", TEXT),
    ("arts_persona", "attributes.portrait.arts", TEXT),
    ("travel_persona", "attributes.portrait.travel", TEXT),
    ("culinary_persona", "attributes.portrait.culinary", TEXT),
    ("cultural_background", "attributes.background.culture", TEXT),
    ("skills_and_expertise", "attributes.skills.text", TEXT),
    ("skills_and_expertise_list", "attributes.skills.list", LISTING),
    ("hobbies_and_interests", "attributes.interests.text", TEXT),
    ("bachelors_field", "attributes.education.field", TEXT),
    ("state", "attributes.place.state", TEXT),
    ("country", "attributes.place.country", TEXT),
)
NEMOTRON_COLUMNS: Final = (
    "uuid", "professional_persona", "sports_persona", "arts_persona", "travel_persona", "culinary_persona", "persona",
    "cultural_background", "skills_and_expertise", "skills_and_expertise_list", "hobbies_and_interests",
    "hobbies_and_interests_list", "career_goals_and_ambitions", "sex", "age", "marital_status", "education_level",
    "bachelors_field", "occupation", "city", "state", "zipcode", "country",
)  # fmt: skip


def nemotron(*, cells: bool) -> Shape:
    """A row of Nemotron-Personas; in CSV every value is text."""
    zipcode = Place(("zipcode",), "attributes.place.zipcode", TEXT, fact={"pii": "quasi"})
    return Shape("nemotron", (*_NEMOTRON, zipcode), skeleton=dict.fromkeys(NEMOTRON_COLUMNS), cells=cells)


# Ours, and the other spellings of the release: the Chinese field names, and those of the translated sample.
_STUDENT: Final[tuple[tuple[str, str, Codec, tuple[str, ...]], ...]] = (
    ("name", "names.full", TEXT, ("姓名",)),
    ("age", "social.age", AGE, ("年龄",)),
    ("sex", "social.sex", TEXT, ("gender", "性别")),
    ("handle", "names.handle", TEXT, ("agent_name", "代理名")),
    ("grade", "attributes.school.grade", VALUE, ("年级",)),
    ("developmental_stage/piaget", "attributes.stage.piaget", TEXT, ("发展阶段/皮亚杰认知发展阶段",)),
    ("developmental_stage/erikson", "attributes.stage.erikson", TEXT, ("发展阶段/埃里克森心理社会发展阶段",)),
    ("developmental_stage/kohlberg", "attributes.stage.kohlberg", TEXT, ("发展阶段/科尔伯格道德发展阶段",)),
    ("strong_subjects", "attributes.school.strong_subjects", TEXTS, ("擅长科目",)),
    ("weak_subjects", "attributes.school.weak_subjects", TEXTS, ("薄弱科目",)),
    ("academic_level", "attributes.school.academic_level", TEXT, ("学术水平",)),
    ("personality", "attributes.portrait.personality", VALUE, ("人格",)),
    ("values", "attributes.portrait.values", VALUE, ("价值观",)),
    ("social_relations", "attributes.portrait.social_relations", VALUE, ("social_relationships", "社交关系")),
    ("creativity", "attributes.portrait.creativity", VALUE, ("创造力",)),
    ("mental_health", "attributes.portrait.mental_health", VALUE, ("心理健康",)),
)
HACHIMI: Final = Shape(
    "hachimi",
    tuple(
        Place(tuple(where.split("/")), target, codec, tuple(tuple(a.split("/")) for a in also))
        for where, target, codec, also in _STUDENT
    ),
    skeleton={"name": ""},
)
STUDENT_KEYS: Final = frozenset(a.split("/")[0] for where, _, _, also in _STUDENT for a in (where, *also))


def _card(root: Pointer, skeleton: Json) -> Shape:
    places = _at(
        root,
        ("name", "names.full", TEXT),
        ("description", "description", TEXT),
        ("personality", "attributes.personality", TEXT),
        ("scenario", "context.situation", TEXT),
        ("first_mes", "attributes.greeting", TEXT),
        ("mes_example", "demonstrations", EXAMPLES),
    )
    return Shape("character_card", places, constants={"kind": "character"}, skeleton=skeleton)


_V1: Final = dict.fromkeys(("name", "description", "personality", "scenario", "first_mes", "mes_example"), "")
_V2: Final = {
    "creator_notes": "", "system_prompt": "", "post_history_instructions": "", "alternate_greetings": [], "tags": [],
    "creator": "", "character_version": "", "extensions": {},
}  # fmt: skip
CARD_V1: Final = _card((), _V1)
CARD_V2: Final = _card(("data",), {"spec": "chara_card_v2", "spec_version": "2.0", "data": {**_V1, **_V2}})


def card_shape(document: Json) -> tuple[Shape, str]:
    """The shape and version of a character card.

    Raises:
        VersionError: another version of the specification.
        SchemaError: `data` is missing, or there is no name.
    """
    spec = document.get("spec")
    if spec is None and _V1.keys() <= document.keys():
        return CARD_V1, "1"
    if spec != "chara_card_v2":
        raise VersionError(
            f"spec is {spec!r}, expected 'chara_card_v2' (or a card of version 1, which has none).",
            hint="Export the card again as version 2.",
        )
    version = document.get("spec_version")
    if not isinstance(version, str) or not version.startswith("2."):
        raise VersionError(f"spec_version is {version!r}, expected '2.0'.", hint="Export the card as version 2.")
    data = document.get("data")
    if not isinstance(data, dict):
        raise SchemaError(f"data is {type(data).__name__}, expected an object with name and description.")
    return CARD_V2, version


# Key-value traits --------------------------------------------------------------------------------------------------

_KEYS: Final[tuple[tuple[str, str, Codec, tuple[str, ...]], ...]] = (
    ("name", "names.full", TEXT, ("full_name",)),
    ("age", "social.age", AGE, ()),
    ("sex", "social.sex", TEXT, ()),
    ("gender", "social.gender", TEXT, ()),
    ("ethnicity", "social.ethnicity", TEXT, ()),
    ("nationality", "social.nationality", TEXT, ()),
    ("birthplace", "social.birthplace", TEXT, ()),
    ("residence", "social.residence", TEXT, ("location", "city", "lives_in", "region")),
    ("languages", "social.languages", WORDS, ()),
    ("education", "social.education", TEXT, ()),
    ("occupation", "social.occupation", TEXT, ("job", "profession")),
    ("employment", "social.employment", TEXT, ()),
    ("income", "social.income", TEXT, ()),
    ("marital_status", "social.marital_status", TEXT, ()),
    ("household", "social.household", TEXT, ()),
    ("religion", "social.religion", TEXT, ()),
    ("politics", "social.politics", TEXT, ()),
    ("mood", "personal.mood", TEXT, ()),
    ("values", "personal.values", WORDS, ()),
    ("motives", "personal.motives", WORDS, ()),
    ("fears", "personal.fears", WORDS, ()),
    ("strengths", "personal.strengths", WORDS, ()),
    ("weaknesses", "personal.weaknesses", WORDS, ()),
    ("situation", "context.situation", TEXT, ()),
    ("concern", "context.concern", TEXT, ("worry",)),
    ("routines", "context.routines", WORDS, ()),
    ("interests", "context.interests", WORDS, ("hobbies", "hobby")),
    ("likes", "context.likes", WORDS, ()),
    ("dislikes", "context.dislikes", WORDS, ()),
    ("places", "context.places", WORDS, ()),
    ("health", "context.health", TEXT, ()),
    ("tone", "style.register", TEXT, ("style",)),
    ("humour", "style.humour", TEXT, ("humor",)),
    ("dialect", "style.dialect", TEXT, ()),
    ("description", "description", TEXT, ("bio", "about")),
    *((d, f"personal.big_five.{d}", LEVEL, ()) for d in DOMAINS),
)
KEYS: Final = frozenset(word for key, _, _, also in _KEYS for word in (key, *also))


def _as_word(key: str) -> str:
    return key.replace("_", " ").capitalize()


def _key_values(*, lines: bool) -> Shape:
    def spelling(key: str) -> tuple[str, str]:
        return (_as_word(key), key) if lines else (key, _as_word(key))

    places = tuple(
        Place(
            (spelling(key)[0],),
            target,
            codec,
            tuple((s,) for s in (spelling(key)[1], key.upper(), *(w for a in also for w in spelling(a)))),
        )
        for key, target, codec, also in _KEYS
    )
    return Shape("key_values", places, (Open((), label=_as_word if lines else str),), cells=lines)


KEY_VALUE_LINES: Final = _key_values(lines=True)
KEY_VALUE_JSON: Final = _key_values(lines=False)
