# ruff: noqa: E501 - patterns and word lists read better unbroken
"""Words that the read-back rules know: trades, peoples, kin, animals, and what belongs to the special categories."""

from __future__ import annotations

import re
from typing import Final

NUMBERS: Final = {
    word: k
    for k, word in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
        ]
    )
} | {
    word: 10 * k
    for k, word in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], start=2)
}

TRADES: Final = frozenset(
    "accountant actor actress analyst architect artist assistant astronomer athlete attorney author baker banker barber "
    "barista bartender biologist blacksmith bookkeeper bookseller broker builder bus_driver butcher caretaker carpenter "
    "cashier chef chemist clerk coach coder comedian composer consultant contractor cook counselor counsellor courier "
    "curator dancer dentist designer developer dietician doctor driver economist editor electrician engineer farmer "
    "fireman firefighter fisherman florist gardener geologist goldsmith guard hairdresser historian housekeeper "
    "illustrator inspector interpreter janitor jeweller joiner journalist judge labourer lawyer lecturer librarian "
    "lifeguard locksmith machinist manager mason mathematician mechanic midwife miner minister musician nanny nurse "
    "optician painter paramedic pharmacist photographer physicist physiotherapist pianist pilot plumber poet "
    "policeman policewoman porter potter priest principal producer professor programmer psychologist realtor "
    "receptionist reporter researcher roofer sailor salesman saleswoman salesperson scientist sculptor secretary "
    "shepherd shopkeeper singer social_worker soldier solicitor stewardess student supervisor surgeon surveyor tailor "
    "teacher technician therapist trader trainer translator trucker tutor undertaker vet veterinarian violinist waiter "
    "waitress warden weaver welder writer zoologist".replace("_", " ").split()
) | {"driver", "worker"}
"""Heads of job titles; words before them belong to the title."""

NOT_TRADES: Final = frozenset(
    [
        "lover",
        "person",
        "fan",
        "member",
        "owner",
        "winner",
        "loser",
        "stranger",
        "sister",
        "brother",
        "mother",
        "father",
        "daughter",
        "teenager",
        "vegetarian",
        "smoker",
        "drinker",
        "believer",
        "beginner",
        "runner",
        "reader",
        "swimmer",
        "rider",
        "player",
        "riser",
        "sleeper",
        "thinker",
        "listener",
        "dreamer",
        "hoarder",
        "starter",
        "leader",
        "follower",
        "newcomer",
        "foreigner",
        "customer",
        "hater",
        "gamer",
        "collector",
        "talker",
        "walker",
        "eater",
        "sinner",
        "elder",
        "outsider",
        "killer",
        "fighter",
        "survivor",
        "cancer",
        "monster",
        "number",
        "matter",
        "newsletter",
        "sucker",
        "voter",
        "senior",
        "junior",
        "minor",
        "optimist",
        "pessimist",
        "perfectionist",
        "feminist",
        "realist",
        "atheist",
        "buddhist",
        "baptist",
        "methodist",
        "man",
        "woman",
        "human",
        "christian",
        "vegan",
        "pescatarian",
        "librarian_lover",
    ]
)
"""Nouns that end like trades and are none."""

PEOPLES: Final = frozenset(
    "afghan albanian algerian american argentinian argentine armenian australian austrian azerbaijani bangladeshi "
    "belgian bolivian bosnian brazilian british bulgarian cambodian canadian chilean chinese colombian croatian cuban "
    "czech danish dutch ecuadorian egyptian english estonian ethiopian filipino finnish french georgian german ghanaian "
    "greek guatemalan haitian hungarian icelandic indian indonesian iranian iraqi irish israeli italian jamaican "
    "japanese jordanian kenyan korean latvian lebanese libyan lithuanian malaysian maltese mexican moroccan nepalese "
    "nigerian norwegian pakistani peruvian polish portuguese puerto_rican romanian russian saudi scottish senegalese "
    "serbian singaporean slovak slovenian somali spanish sudanese swedish swiss syrian taiwanese tanzanian thai "
    "tunisian turkish ugandan ukrainian uruguayan venezuelan vietnamese welsh zambian zimbabwean".replace(
        "_", " "
    ).split()
)

TONGUES: Final = frozenset(
    [
        "afrikaans",
        "albanian",
        "amharic",
        "arabic",
        "armenian",
        "basque",
        "bengali",
        "bosnian",
        "bulgarian",
        "cantonese",
        "catalan",
        "chinese",
        "croatian",
        "czech",
        "danish",
        "dutch",
        "english",
        "estonian",
        "farsi",
        "finnish",
        "flemish",
        "french",
        "georgian",
        "german",
        "greek",
        "gujarati",
        "hausa",
        "hebrew",
        "hindi",
        "hungarian",
        "icelandic",
        "igbo",
        "indonesian",
        "irish",
        "italian",
        "japanese",
        "korean",
        "latvian",
        "lithuanian",
        "malay",
        "maltese",
        "mandarin",
        "marathi",
        "nepali",
        "norwegian",
        "persian",
        "polish",
        "portuguese",
        "punjabi",
        "romanian",
        "russian",
        "serbian",
        "slovak",
        "slovenian",
        "somali",
        "spanish",
        "swahili",
        "swedish",
        "tagalog",
        "tamil",
        "telugu",
        "thai",
        "turkish",
        "ukrainian",
        "urdu",
        "vietnamese",
        "welsh",
        "xhosa",
        "yoruba",
        "zulu",
    ]
)

KIN: Final = (
    "mother|mom|mum|mama|father|dad|papa|parents?|sisters?|brothers?|siblings?|twin|sons?|daughters?|kids?|children"
    "|child|baby|wife|husband|spouse|partner|girlfriend|boyfriend|fiancee?|fiancée?|grandmother|grandma|grandfather"
    "|grandpa|grandparents|aunts?|uncles?|cousins?|nieces?|nephews?|friends?|best friend|roommates?|flatmates?"
    "|neighbou?rs?|boss|colleagues?|coworkers?|ex-wife|ex-husband|stepmother|stepfather|stepson|stepdaughter"
)

PETS: Final = (
    "dogs?|cats?|puppy|puppies|kittens?|hamsters?|rabbits?|bunn(?:y|ies)|parrots?|budgies?|canar(?:y|ies)|goldfish|fish"
    "|turtles?|tortoises?|snakes?|lizards?|horses?|pon(?:y|ies)|ferrets?|guinea pigs?|chickens?|goats?|pigs?|geckos?"
    "|iguanas?|retrievers?|poodles?|beagles?|labradors?|terriers?|pets"
)

MARRIED: Final = "married|divorced|widowed|single|engaged|separated"

SPECIAL: Final = {
    "health": re.compile(
        r"\b(?:diabet\w*|asthma\w*|epilep\w*|cancer|leuk\w+|tumou?r\w*|hiv|aids|hepatitis|arthritis|migraines?|allerg\w+"
        r"|depress\w+|anxiety|adhd|autis\w+|bipolar|schizo\w+|ptsd|ocd|dementia|alzheimer\w*|parkinson\w*|disab\w+"
        r"|wheelchair|deaf|blind|anorexi\w+|bulimi\w+|alcoholi\w+|addict\w*|rehab|surgery|diagnos\w+|chronic\w*|disease"
        r"|illness|disorder|syndrome|medication|insulin|therapy|pregnan\w+|miscarriage|heart attack|stroke|celiac"
        r"|coeliac|dyslexi\w+|insomnia|overweight|obese|suicid\w+|panic attacks?|sick|ill)\b",
        re.IGNORECASE,
    ),
    "religion": re.compile(
        r"\b(?:catholic\w*|christian\w*|protestant\w*|lutheran|baptist|methodist|mormon|jewish|jew|judaism|muslim\w*"
        r"|islam\w*|hindu\w*|buddhis\w+|sikh\w*|jain|atheis\w+|agnostic\w*|religio\w+|church|mosque|synagogue|temple"
        r"|god|jesus|allah|bible|quran|koran|torah|pray\w*|faith|evangelical|orthodox|pagan|wiccan|quaker|priest"
        r"|pastor|rabbi|imam|ramadan|sunday school)\b",
        re.IGNORECASE,
    ),
    "politics": re.compile(
        r"\b(?:republicans?|democrats?|liberals?|conservatives?|socialis\w+|communis\w+|anarchis\w+|libertarian\w*"
        r"|labour party|tory|tories|green party|the greens|left-wing|right-wing|leftist|vot(?:e|ed|er|es|ing)|politic\w*"
        r"|trade union|union member|marxis\w+|nationalis\w+|feminis\w+)\b",
        re.IGNORECASE,
    ),
    "orientation": re.compile(
        r"\b(?:gay|lesbian|bisexual|bi|queer|straight|heterosexual|homosexual|asexual|pansexual|lgbt\w*|transgender"
        r"|trans|non-?binary)\b",
        re.IGNORECASE,
    ),
    "ethnicity": re.compile(
        r"\b(?:black|white|asian|hispanic|latin[oax]|caucasian|african[ -]american|biracial|mixed[ -]race|native american"
        r"|indigenous|aboriginal|roma|arab|pacific islander|ethnic\w*)\b",
        re.IGNORECASE,
    ),
}
"""Words that give a special category away (health, religion, politics, orientation, ethnicity). Wide on purpose: without
the category being asked for, what holds one of them is not read. Source of the categories: GDPR, article 9."""

COLOURS: Final = re.compile(r"\b(?:black|white)\b", re.IGNORECASE)
"""Of things, not of people: `a black dog` says nothing about anybody's ethnicity."""


def number(word: str) -> int | None:
    """A whole number in digits or in English words up to ninety-nine, or None.

    >>> number("thirty-four"), number("7"), number("many")
    (34, 7, None)
    """
    if word.isascii() and word.isdigit():
        return int(word)
    parts = word.casefold().replace("-", " ").split()
    if not parts or any(p not in NUMBERS for p in parts) or len(parts) > 2:
        return None
    if len(parts) == 2 and not (NUMBERS[parts[0]] >= 20 and 1 <= NUMBERS[parts[1]] <= 9):
        return None
    return sum(NUMBERS[p] for p in parts)
