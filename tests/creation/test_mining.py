"""The miner: planted chains come back, special categories stay out, names that mean the same are one."""

from __future__ import annotations

import asyncio
import csv
from pathlib import Path

import pytest

from personae.core import InputError, SchemaError
from personae.creation import (
    LABELS,
    Chain,
    MinedExample,
    chain_recovery,
    label_exchange,
    label_exchanges,
    lint_taxonomy,
    mine_taxonomy,
)
from personae.models import open_model

PLANTED = {
    "career.occupation.nurse": ("I work as a nurse.", "I'm a nurse, nights mostly."),
    "hobbies.sports.tennis": ("I really love playing tennis!", "I play tennis on Sundays."),
    "hobbies.instruments.violin": ("I play the violin.", "I also play the violin badly"),
    "lifestyle.pets.dog": ("I have a dog called Bo.", "My dog is old."),
    "lifestyle.diet.vegan": ("I'm vegan.", "I am vegan, so no cheese."),
    "lifestyle.drinks.coffee": ("I like coffee.", "I drink coffee all day."),
    "relationships.family.sister": ("I have two sisters.", "My sister lives in Lowmere."),
    "media.reading.poetry": ("I read poetry.", "I love poetry"),
    "psychology.fears.spiders": ("I'm afraid of spiders.", "I am terribly afraid of spiders"),
    "psychology.temperament.shy": ("I am really shy.", "I'm shy"),
    "demographics.identity.age": ("I'm 41 years old.", "I am 23."),
    "education.languages.german": ("I'm learning German.", "I speak German."),
    "core_values.guiding.honesty": ("I value honesty.", "Honesty is important to me."),
    "physical_health.appearance.red_hair": ("I have red hair.", "I have long red hair."),
    "culture.arts.museums": ("I love museums.", "I like going to museums."),
    "emotional_skills.with_others.helping_people": ("I like helping people.", "I enjoy helping people."),
}
NOISE = ("The train was late.", "What is the capital of Peru?", "Do you like tennis?", "If I had a dog, I would sing.")
SPC = Path("/work/shared/data/synthetic_persona_chat/valid.csv")


def logs(*extra: str) -> list[dict]:
    out = []
    for n in range(2):
        for k, said in enumerate(PLANTED.values()):
            turns = [
                {"role": "assistant", "text": "I am a pilot."},
                {"role": "user", "text": f"{NOISE[k % 4]} {said[n]}"},
            ]
            out.append({"conversation_id": f"c{n}-{k}", "turns": turns})
    return out + [{"conversation_id": f"x{k}", "turns": [{"role": "user", "text": t}]} for k, t in enumerate(extra)]


def test_planted_chains_come_back() -> None:
    mined = mine_taxonomy(logs())
    recall, precision = chain_recovery(mined.taxonomy, PLANTED)
    print(f"recall {recall:.2f}, precision {precision:.2f}")
    assert recall >= 0.9
    assert precision >= 0.9
    assert mine_taxonomy(logs()) == mined
    assert not lint_taxonomy(mined.taxonomy)


def test_every_node_says_which_message_it_is_from() -> None:
    node = mine_taxonomy(logs()).taxonomy.by_path["lifestyle.pets.dog"]
    assert node.support == 2
    assert node.examples == ("c0-3#1: I have a dog called Bo", "c1-3#1: My dog is old")


def test_special_categories_stay_out_unless_asked_for() -> None:
    said = ("I'm a catholic.", "I am catholic", "I have asthma.", "I have asthma", "I'm gay", "I'm gay.")
    quiet = mine_taxonomy(logs(*said))
    assert quiet.skipped == {"health": 2, "orientation": 2, "religion": 2}
    assert not [p for p in quiet.taxonomy.leaves if "catholic" in p or "asthma" in p or "gay" in p]
    assert "core_values.religion.catholic" in mine_taxonomy(logs(*said), special=["religion"]).taxonomy.leaves
    with pytest.raises(InputError, match="Special categories"):
        mine_taxonomy([], special=["shoes"])


def chain(path: str, conversation: str) -> Chain:
    return Chain(
        tuple(path.split(".")), conversation, MinedExample(message=f"{conversation}#0", start=0, end=4, text="said")
    )


def test_names_that_mean_the_same_are_merged_and_wrong_links_repaired() -> None:
    said = [
        "hobbies.making.wood_carving", "hobbies.making.wood_carving", "hobbies.making.wood_carvings", "Hobbies, interests & lifestyle.making.carving wood",  # noqa: E501
        "lifestyle.food.food", "hobies.sports.tennis", "nowhere.at.all", "hobbies.making.bread", "hobbies.making.rye_bread",  # noqa: E501
    ]  # fmt: skip

    def read(conversation: str, message: str, text: str) -> list[Chain]:
        return [chain(path, conversation) for path in said]

    log = [{"conversation_id": c, "turns": [{"role": "user", "text": "I have a dog."}]} for c in "ab"]
    mined = mine_taxonomy(log, extract=read)
    assert set(mined.taxonomy.leaves) == {
        "hobbies.making.wood_carving", "hobbies.making.bread.rye_bread", "lifestyle.food", "hobbies.sports.tennis",
    }  # fmt: skip
    assert {r.kind for r in mined.repairs} == {"merged", "root", "parent_is_child", "nested"}
    assert "hobbies.making.bread.rye_bread" in mined.taxonomy.leaves


def test_what_one_conversation_says_is_dropped_below_the_support() -> None:
    mined = mine_taxonomy(logs("I play the banjo. I play the banjo."))
    assert "hobbies.instruments.banjo" not in mined.taxonomy.leaves
    assert mined.dropped >= 1
    assert "hobbies.instruments.banjo" in mine_taxonomy(logs("I play the banjo."), min_support=1).taxonomy.leaves


@pytest.mark.parametrize(
    ("question", "answer", "label"),
    [
        ("What is the capital of Peru?", "Lima.", "non_personalisable"),
        ("Any plans?", "I will see what comes my way.", "partly_personalisable"),
        ("Do you have pets?", "I have a dog.", "personalisable"),
    ],
)
def test_three_labels(question: str, answer: str, label: str) -> None:
    assert label_exchange(question, answer) == label
    assert mine_taxonomy([{"question": question, "answer": answer}]).labels == {label: 1}


def test_a_model_may_label_by_option_scores() -> None:
    async def scene() -> list:
        model = open_model("fake:statistical")
        return await label_exchanges(model, [("Pets?", "I have a dog."), ("", "Lima.")])

    found = asyncio.run(scene())
    assert len(found) == 2
    assert all(label in LABELS and abs(sum(p) - 1) < 1e-6 for label, p in found)


def test_a_log_that_is_none_is_named() -> None:
    with pytest.raises(SchemaError, match="log 1"):
        mine_taxonomy([{"question": "a", "answer": "b"}, {"text": "c"}])


@pytest.mark.slow
@pytest.mark.skipif(not SPC.is_file(), reason="the conversations of synthetic_persona_chat are not on this machine")
def test_a_real_log_gives_a_clean_tree_with_all_roots() -> None:
    with SPC.open(encoding="utf-8", newline="") as handle:
        rows = [*csv.reader(handle)][1:]
    log = [
        {
            "conversation_id": f"c{k}",
            "turns": [{"role": "user", "text": line.partition(": ")[2]} for line in row[2].splitlines()],
        }
        for k, row in enumerate(rows)
    ]
    mined = mine_taxonomy(log, min_support=3)
    assert len(mined.taxonomy.leaves) > 100
    assert len(mined.taxonomy.roots) >= 11
    assert not [f for f in lint_taxonomy(mined.taxonomy) if f.severity == "error"]
