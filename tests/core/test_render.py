import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personae.core import (
    CUE_STYLES,
    VIEWS,
    Belief,
    BigFive,
    Context,
    Fact,
    Goal,
    InputError,
    Knowledge,
    LifeEvent,
    Names,
    Persona,
    Personal,
    Policy,
    Relation,
    Social,
    Style,
    clauses,
    degree,
    plain,
    render,
    trait_phrase,
    visibility_of,
)
from personae.core._clauses import article, listed

MADE = [s for s in CUE_STYLES if s != "written"]
PROSE = [s for s in MADE if s != "name_only"]


def words(text):
    return len(text.split())


ANA = Persona(
    names=Names(full="Ana Reis", given="Ana"),
    social=Social(
        age=58, sex="female", occupation="nurse", residence="Porto", marital_status="divorced", household="alone",
        languages=("Portuguese", "English"), education="nursing school",
    ),
    personal=Personal(big_five=BigFive(extraversion=33, neuroticism=71, openness=50), mood="tired",
                      values=("duty", "family")),
    context=Context(situation="just moved in with her daughter", interests=("gardening", "old radios")),
    goals=(Goal(text="retire early", horizon="long"),),
    beliefs=(Belief(topic="nuclear power", stance="against"),),
    relations=(Relation(name="Rita", kind="daughter", note="a teacher"),),
    timeline=(LifeEvent(when="1998", where="Braga", what="first job"),),
    attributes={"food.breakfast": "oat porridge", "smokes": False},
)  # fmt: skip

GOLDEN = {
    "second_person": (
        "You are Ana Reis. You are 58 years old. You are female. You work as a nurse. You live in Porto. "
        "Your education: nursing school. You are divorced. You live alone. You speak Portuguese and English. "
        "You are extremely anxious, moody and easily stressed. You are very quiet, reserved and shy. "
        "You are about average in openness. You value duty and family. You feel tired. "
        "Your situation: just moved in with her daughter. You are interested in gardening and old radios. "
        "Your long-term goal: retire early. Your view on nuclear power: against. "
        "You have a daughter called Rita (a teacher). 1998, Braga: first job. "
        "Your breakfast (food): oat porridge. Smokes: no."
    ),
    "list": (
        "Name: Ana Reis\nAge: 58\nGender: female\nOccupation: nurse\nLives in: Porto\nEducation: nursing school\n"
        "Marital status: divorced\nHousehold: alone\nLanguages: Portuguese and English\n"
        "Neuroticism: extremely anxious, moody and easily stressed\nExtraversion: very quiet, reserved and shy\n"
        "Openness: about average in openness\nValues: duty and family\nMood: tired\n"
        "Situation: just moved in with her daughter\nInterests: gardening and old radios\n"
        "Long-term goal: retire early\n"
        "View on nuclear power: against\nDaughter: Rita (a teacher)\n1998, Braga: first job\n"
        "Food, breakfast: oat porridge\nSmokes: no"
    ),
    "narrative": (
        "Ana Reis is 58 years old and female. She works as a nurse and lives in Porto. Her education: nursing school. "
        "She is divorced and lives alone. She speaks Portuguese and English.\n\n"
        "Ana is extremely anxious, moody and easily stressed, and very quiet, reserved and shy. "
        "She is about average in openness.\n\n"
        "Ana values duty and family, and feels tired.\n\n"
        "Ana’s situation: just moved in with her daughter. She is interested in gardening and old radios. "
        "Her long-term goal: retire early. Her view on nuclear power: against. "
        "She has a daughter called Rita (a teacher). 1998, Braga: first job.\n\n"
        "Ana’s breakfast (food): oat porridge. Smokes: no."
    ),
    "name_only": "Ana Reis",
}


@pytest.mark.parametrize("style", GOLDEN)
def test_golden_texts(style):
    assert ANA.render(cue_style=style) == GOLDEN[style]


def test_persons_of_speech():
    assert ANA.render(cue_style="first_person").startswith(
        "My name is Ana Reis. I am 58 years old. I am female. I work as a nurse."
    )
    assert "My long-term goal: retire early." in ANA.render(cue_style="first_person")
    assert ANA.render(cue_style="third_person").startswith(
        "This is Ana Reis. She is 58 years old. She is female. She works"
    )


@pytest.mark.parametrize(
    ("social", "pronouns", "subject"),
    [
        ({"sex": "male"}, None, "He works as"),
        ({"sex": "female"}, None, "She works as"),
        ({"gender": "woman"}, None, "She works as"),
        ({}, None, "They work as"),
        ({"sex": "male"}, "they/them", "They work as"),
        ({"sex": "male"}, "she/her", "She works as"),
        ({}, "he/him", "He works as"),
    ],
)
def test_pronouns(social, pronouns, subject):
    person = Persona(names=Names(full="Kim", pronouns=pronouns), social=Social(occupation="cook", **social))
    assert subject in person.render(cue_style="third_person")


@pytest.mark.parametrize(
    ("social", "said"),
    [
        ({"occupation": "engineer"}, "You work as an engineer."),
        ({"occupation": "a nurse"}, "You work as a nurse."),
        ({"occupation": "the mayor"}, "You work as the mayor."),
        ({"occupation": "university lecturer"}, "You work as a university lecturer."),
        ({"occupation": "hourly worker"}, "You work as an hourly worker."),
        ({"occupation": "MRI technician"}, "You work as an MRI technician."),
        ({"occupation": "retired teacher"}, "You are a retired teacher."),
        ({"occupation": "retired"}, "You are retired."),
        ({"occupation": "student"}, "You are a student."),
        ({"employment": "unemployed"}, "You are unemployed."),
        ({"employment": "not in the labour force"}, "You are not in the labour force."),
        ({"employment": "full-time"}, "Your employment: full-time."),
        ({"marital_status": "married"}, "You are married."),
        ({"marital_status": "never married"}, "Your marital status: never married."),
        ({"residence": "Leeds"}, "You live in Leeds."),
        ({"residence": "near Leeds"}, "You live near Leeds."),
        ({"household": "two children"}, "You live with two children."),
        ({"household": "with a cat"}, "You live with a cat."),
        ({"birthplace": "from Rome"}, "You come from Rome."),
        ({"gender": "woman"}, "You are a woman."),
        ({"gender": "non-binary"}, "You are non-binary."),
        ({"age": 1}, "You are 1 year old."),
        ({"languages": ("Thai",)}, "You speak Thai."),
    ],
)
def test_it_reads_well(social, said):
    assert Persona(names=Names(full="Kim"), social=Social(**social)).render() == f"You are Kim. {said}"


def test_sentences_end_once():
    person = Persona(
        names=Names(full="Kim Jr."),
        context=Context(situation="I lost my job. It hurts!"),
        style=Style(catchphrases=("Well, well.",)),
        description="Kim laughs a lot",
    )
    assert person.render() == (
        "You are Kim Jr. I lost my job. It hurts! Kim laughs a lot. You like to say: “Well, well.”"
    )


def test_lists_say_each_thing_once():
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "a", "", "c"]) == "a, b and c"
    assert listed([]) == ""
    assert article("hour") == "an hour"


@pytest.mark.parametrize(
    ("score", "adverb"),
    [
        (50, None),
        (52.9, None),
        (53, "slightly"),
        (57, "fairly"),
        (62, "very"),
        (70, "extremely"),
        (47, "slightly"),
        (20, "extremely"),
    ],
)
def test_degrees(score, adverb):
    assert degree(score) == adverb
    phrase = trait_phrase("extraversion", score)
    assert phrase == ("about average in extraversion" if adverb is None else phrase)
    assert (adverb or "about") in phrase
    if adverb:
        assert ("outgoing" in phrase) == (score > 50)


def test_facets_are_told():
    traits = BigFive(facets={"self_discipline": 75, "trust": 49})
    text = Persona(names=Names(full="K"), personal=Personal(big_five=traits)).render()
    assert "You are extremely high in self discipline." in text
    assert "You are about average in trust." in text


@pytest.mark.parametrize(
    ("view", "there", "absent"),
    [
        ("social", ["nurse", "Porto"], ["tired", "duty", "gardening", "anxious", "oat"]),
        ("personal", ["duty", "anxious", "tired"], ["nurse", "gardening", "oat"]),
        ("context", ["gardening", "oat", "nuclear"], ["nurse", "anxious", "duty"]),
        ("traits", ["anxious"], ["nurse", "duty", "gardening"]),
    ],
)
def test_views_show_their_section(view, there, absent):
    for style in PROSE:
        text = ANA.render(view, style)
        assert all(w in text for w in there)
        assert not any(w in text for w in absent)
        assert "Ana Reis" in text


# A person whose every leaf carries a word of its own, in a visibility of its own ------------------------------------

PLACES = [
    "names.full", "names.given", "social.age", "social.sex", "social.gender", "social.ethnicity", "social.nationality",
    "social.birthplace", "social.residence", "social.education", "social.occupation", "social.employment",
    "social.income", "social.marital_status", "social.household", "social.religion", "social.politics",
    "personal.types.attachment", "personal.values", "personal.motives", "personal.fears", "personal.strengths",
    "personal.weaknesses", "personal.mood", "context.situation", "context.concern", "context.routines",
    "context.interests", "context.likes", "context.dislikes", "context.places", "context.health", "style.register",
    "style.verbosity", "style.humour", "style.dialect", "style.emoji", "relations.name", "relations.note", "goals",
    "beliefs", "timeline", "skills", "description", "attributes.a.b", "attributes.list",
]  # fmt: skip
SEEN = st.sampled_from(["public", "private", "hidden"])


def everyone(seen):
    """A persona with a marker at every place; `seen` maps a place to its visibility."""

    def leaf(place):
        mark = f"w{PLACES.index(place):02d}x"
        value = PLACES.index(place) + 20 if place == "social.age" else mark
        if place == "attributes.list":
            value = (mark, "more")
        return Fact(value=value, visibility=seen.get(place, "public"))

    def section(name):
        return {p.split(".")[1]: leaf(p) for p in PLACES if p.startswith(f"{name}.") and p.count(".") == 1}

    many = {
        "values",
        "motives",
        "fears",
        "strengths",
        "weaknesses",
        "routines",
        "interests",
        "likes",
        "dislikes",
        "places",
    }

    def wrapped(name):
        return {k: (v,) if k in many else v for k, v in section(name).items()}

    return Persona.model_validate(
        {
            "names": section("names"),
            "social": section("social"),
            "personal": {**wrapped("personal"), "types": {"attachment": leaf("personal.types.attachment")}},
            "context": wrapped("context"),
            "style": section("style"),
            "relations": [{"name": leaf("relations.name"), "kind": "friend", "note": leaf("relations.note")}],
            "goals": [{"text": leaf("goals")}],
            "beliefs": [{"topic": "ships", "stance": leaf("beliefs")}],
            "timeline": [{"when": "1999", "what": leaf("timeline")}],
            "knowledge": {"skills": {"chess": leaf("skills")}},
            "description": leaf("description"),
            "attributes": {"a.b": leaf("attributes.a.b"), "list": leaf("attributes.list")},
        }
    )


def mark(place):
    return f"w{PLACES.index(place):02d}x" if place != "social.age" else f"{PLACES.index(place) + 20} year"


# Told only through something else: gender stands for sex, the full name for the given one.
REPLACED = {"social.sex", "names.given"}


@given(st.fixed_dictionaries(dict.fromkeys(PLACES, SEEN)), st.sampled_from(PROSE))
@settings(max_examples=80, deadline=None)
def test_private_and_hidden_leaves_are_never_shown_in_public(seen, style):
    person = everyone(seen)
    public, own = person.render("public", style), person.render("self", style)
    for place in PLACES:
        if seen[place] != "public":
            assert mark(place) not in public, place
        if seen[place] == "hidden":
            assert mark(place) not in own, place
    assert "{" not in own


@given(st.fixed_dictionaries({p: st.sampled_from(["public", "private"]) for p in PLACES}), st.sampled_from(PROSE))
@settings(max_examples=60, deadline=None)
def test_every_leaf_that_may_be_seen_is_said(seen, style):
    person = everyone(seen)
    public, own = person.render("public", style), person.render("self", style)
    for place in PLACES:
        if place in REPLACED or (style == "list" and place == "social.age"):
            continue
        assert mark(place) in own, place
        hung = place == "relations.note" and seen["relations.name"] != "public"  # a note needs its name
        if seen[place] == "public" and not hung:
            assert mark(place) in public, place


def test_hidden_sex_does_not_show_in_pronouns():
    for visibility, subject in (("hidden", "They"), ("private", "They"), ("public", "She")):
        sex = Fact(value="female", visibility=visibility)
        person = Persona(names=Names(full="Kim"), social=Social(sex=sex, occupation="cook"))
        assert f"{subject} work" in person.render("public", "third_person")


def test_a_hidden_name_is_not_said():
    person = Persona(
        names=Names(full=Fact(value="Ana Reis", visibility="private"), handle="@ana"), social=Social(age=3)
    )
    assert person.render("public").startswith("You are @ana.")
    assert person.render("self").startswith("You are Ana Reis.")
    bare = Persona(names=Names(full=Fact(value="Ana Reis", visibility="hidden")))
    for style in MADE:
        assert "Ana" not in bare.render("self", style)
        assert "someone" in bare.render("self", style)


BRACES = st.text(alphabet="{}my$%s \\<|>", min_size=1, max_size=12).map(str.strip).filter(bool)


@given(BRACES, st.sampled_from(PROSE))
@settings(max_examples=60, deadline=None)
def test_nothing_in_a_text_is_a_placeholder(text, style):
    person = Persona(
        names=Names(full="Kim"),
        social=Social(occupation=text),
        goals=(Goal(text=text),),
        beliefs=(Belief(topic=text, stance="for"),),
        relations=(Relation(name=text, kind="friend", note=text),),
        attributes={"x": text},
    )
    assert person.render(cue_style=style).count(text) >= 5
    assert "{my} friend" in Persona(names=Names(full="K"), goals=(Goal(text="see {my} friend"),)).render(
        cue_style=style
    )


@given(st.integers(1, 160), st.sampled_from(PROSE), st.sampled_from(VIEWS))
@settings(max_examples=120, deadline=None)
def test_a_budget_is_never_exceeded_and_clauses_are_never_cut(budget, style, view):
    full = ANA.render(view, style)
    if budget < words({"list": "Name: Ana Reis"}.get(style, Persona(names=ANA.names).render(cue_style=style))):
        with pytest.raises(InputError, match="too small"):
            ANA.render(view, style, budget, words)
        return
    text = ANA.render(view, style, budget, words)
    assert words(text) <= budget
    assert "Ana Reis" in text
    if words(full) <= budget:
        assert text == full
    if style == "list":
        assert set(text.splitlines()) <= set(full.splitlines())
    elif style != "narrative":
        assert set(text.split(". ")) <= {*full.split(". "), *(s.rstrip(".") for s in full.split(". ")),
                                         *(f"{s}." for s in full.split(". "))}  # fmt: skip


@given(st.integers(4, 200), st.integers(4, 200))
@settings(max_examples=40, deadline=None)
def test_the_most_needed_goes_in_first(one, other):
    low, high = sorted((one, other))
    if "nurse" in ANA.render(budget=low, count_tokens=words):
        assert "nurse" in ANA.render(budget=high, count_tokens=words)
    assert "58" in ANA.render(budget=max(high, 12), count_tokens=words)


def test_a_clause_that_is_too_long_is_stepped_over():
    person = ANA.model_copy(update={"description": "very long " * 300})
    text = person.render(budget=120, count_tokens=words)
    assert "very long" not in text
    assert "oat porridge" in text


def test_few_token_counts():
    calls = []

    def count(text):
        calls.append(text)
        return words(text)

    many = ANA.model_copy(update={"attributes": {f"k{i}": f"value {i}" for i in range(400)}})
    many.render(budget=300, count_tokens=count)
    assert len(calls) < 90


def test_wrong_calls():
    with pytest.raises(InputError, match="needs count_tokens"):
        ANA.render(budget=10)
    with pytest.raises(InputError, match="view 'mine'"):
        ANA.render("mine")
    with pytest.raises(InputError, match="cue_style 'rap'"):
        ANA.render(cue_style="rap")
    with pytest.raises(InputError, match="budget of 1 tokens is too small"):
        ANA.render(budget=1, count_tokens=words)


def test_rendering_is_a_pure_function():
    again = Persona.parse(ANA.dump())
    for style in MADE:
        for view in VIEWS:
            assert (
                ANA.render(view, style)
                == ANA.render(view, style)
                == again.render(view, style)
                == render(ANA, view, style)
            )


def test_a_bare_person():
    bare = Persona(names=Names(full="Kim"))
    assert bare.render() == "You are Kim."
    assert bare.render(cue_style="first_person") == "My name is Kim."
    assert bare.render(cue_style="narrative") == "This is Kim."
    assert bare.render(cue_style="list") == "Name: Kim"
    assert clauses(bare) == []


def test_what_is_known_and_what_is_not_talked_about():
    person = Persona(
        names=Names(full="Kim", aliases=("Kimmy",)),
        knowledge=Knowledge(ignorance=("phones",), boundary="1850"),
        policy=Policy(refused_topics=("money",), allowed_topics=("boats",)),
        style=Style(examples=("Aye.",)),
    )
    text = person.render(cue_style="third_person")
    assert "They know nothing about phones. They know nothing that lies beyond 1850." in text
    assert "They are happy to talk about boats. They refuse to talk about money." in text
    assert "They are also known as Kimmy." in text
    assert "They write like this: “Aye.”" in text
    assert all(visibility_of(plain(v)) for _, v in person.leaves())


TOLD = "You are Ana. You mend nets in Porto… and you like it! Do you sleep well? Rarely."


def test_a_written_description_is_told_in_its_own_words():
    person = ANA.model_copy(update={"description": TOLD})
    assert person.render(cue_style="written") == TOLD
    assert TOLD not in ANA.render()
    two = "You are Ana. You mend nets in Porto… and you like it!"
    for budget, kept in (
        (40, TOLD),
        (17, TOLD),
        (16, f"{two} Do you sleep well?"),
        (12, two),
        (5, "You are Ana."),
        (3, "You are Ana."),
    ):
        assert person.render("self", "written", budget, words) == kept
    with pytest.raises(InputError, match="first sentence alone takes 3"):
        person.render("self", "written", 2, words)


def test_a_description_that_is_not_there_or_not_for_these_eyes_is_refused():
    with pytest.raises(InputError, match="'Ana Reis' has no description that the view 'self' may see"):
        ANA.render(cue_style="written")
    private = ANA.model_copy(update={"description": Fact(value=TOLD, visibility="private")})
    assert private.render(cue_style="written") == TOLD
    with pytest.raises(InputError, match="view 'public'"):
        private.render("public", "written")
