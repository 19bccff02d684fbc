"""Echo, self-repetition, role swaps, length and endings on logs where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from tables import SHARED, by_name, head, person, said

from personae.measures import dialogue_measurements, echo_copy, echo_test, talk_metrics, talks
from personae.measures._dialogue import client_facts, per_person, turn_styles

WORDS = [
    a + b
    for a in ("bar", "dol", "fen", "gil", "hom", "kel", "lum", "mir", "nov", "pel")
    for b in ("ba", "do", "ri", "tu")
]


def line(rng: np.random.Generator, words: int = 12) -> list[str]:
    return [WORDS[int(k)] for k in rng.integers(0, len(WORDS), words)]


def dialogue(rng: np.random.Generator, lines: int, mirrored: float = 0.0) -> list[str]:
    """Random lines; the responder says the first `mirrored` of each client line again and goes on by itself."""
    out: list[list[str]] = []
    for k in range(lines):
        fresh = line(rng)
        if k % 2 and mirrored:
            cut = round(mirrored * len(fresh))
            fresh = out[-1][:cut] + fresh[cut:]
        out.append(fresh)
    return [" ".join(words) for words in out]


def world(mirrored: dict[str, float], people: int = 6, lines: int = 6, seed: int = 1, uneven: float = 0.0):
    """Conversations and turns of some people under each condition; `uneven`: some are mirrored less."""
    rng = np.random.default_rng(seed)
    heads, turns = [], []
    for condition, share in mirrored.items():
        for k in range(people):
            key = f"{condition}/{k}"
            heads.append(head(key, f"p{k}", condition, seed=k, lines=lines))
            turns += said(key, f"p{k}", condition, dialogue(rng, lines, share * (1 - uneven * (k % 3))))
    return heads, turns


def measure(heads, turns, people=None):
    return by_name(dialogue_measurements(heads, turns, people or {}, **SHARED))


# Echo --------------------------------------------------------------------------------------------------------------


def test_a_mirror_echoes_half_a_mirror_half_and_strangers_not_at_all() -> None:
    values = {}
    for share in (0.0, 0.5, 1.0):
        heads, turns = world({"ecp": share})
        everything = talks(heads, turns)
        replies = [echo_copy(t, [o for o in everything if o is not t], seed=1) for t in everything]
        values[share] = float(np.mean(replies))
    # Three of five answered turns are the responder's; the client never copies.
    assert values[0.0] == pytest.approx(0, abs=0.02)
    assert values[1.0] == pytest.approx(3 / 5, abs=0.02)
    assert values[0.0] + 0.1 < values[0.5] < values[1.0] - 0.1


def test_the_contrast_finds_the_condition_that_copies_and_an_equal_pair_is_not_told_apart() -> None:
    found = measure(*world({"ecp": 0.0, "concat": 0.9}, uneven=0.2))
    contrast = found["echo_copy.ecp_minus_concat"]
    assert contrast.interval.high < -0.2
    assert contrast.p < 0.05
    assert contrast.p_adjusted >= contrast.p
    assert found["echo_event.concat"].value > 0.5
    assert found["echo_event.ecp"].value == 0
    same = measure(*world({"ecp": 0.5, "concat": 0.5}, uneven=0.2))["echo_copy.ecp_minus_concat"]
    assert same.interval.low < 0 < same.interval.high


def test_what_everybody_says_to_everybody_is_no_echo() -> None:
    """A stock phrase that stands in every conversation is in the control turns too."""
    stock = "it was very good to talk with you about all of this today"
    heads = [head(f"ecp/{k}", f"p{k}", "ecp", seed=k) for k in range(5)]
    turns = [t for k in range(5) for t in said(f"ecp/{k}", f"p{k}", "ecp", [stock] * 4)]
    found = measure(heads, turns)
    assert found["echo_copy.ecp"].value == pytest.approx(0)
    assert found["echo_event.ecp"].value == 1


def test_without_other_people_there_is_no_control_and_no_number() -> None:
    heads, turns = world({"ecp": 1.0}, people=1)
    m = measure(heads, turns)["echo_copy.ecp"]
    assert m.value is None
    assert m.reason


def test_lines_shorter_than_four_words_do_not_count() -> None:
    heads = [head(f"ecp/{k}", f"p{k}", "ecp") for k in range(3)]
    turns = [t for k in range(3) for t in said(f"ecp/{k}", f"p{k}", "ecp", ["Hello there.", "Hello there.", "Yes."])]
    found = measure(heads, turns)
    assert found["echo_copy.ecp"].value is None
    assert found["self_repetition.ecp"].value is None


def test_a_zero_rate_comes_with_its_upper_bound() -> None:
    found = measure(*world({"ecp": 0.0}))
    assert found["echo_event.ecp"].value == 0
    assert "0 of 36 turns; upper bound 0.08" in found["echo_event.ecp"].note
    assert "upper bound" in found["role_swap.ecp"].note
    assert found["echo_copy.ecp"].note is None


# What is not echo --------------------------------------------------------------------------------------------------


def test_saying_ones_own_words_again_is_self_repetition_and_no_echo() -> None:
    rng = np.random.default_rng(2)
    heads, turns = [], []
    for k in range(4):
        mine = " ".join(line(rng))
        lines = [mine if i % 2 == 0 else " ".join(line(rng)) for i in range(6)]
        heads.append(head(f"ecp/{k}", f"p{k}", "ecp"))
        turns += said(f"ecp/{k}", f"p{k}", "ecp", lines)
    found = measure(heads, turns)
    assert found["self_repetition.ecp"].value == pytest.approx(0.5)
    assert found["echo_copy.ecp"].value == pytest.approx(0, abs=0.02)
    assert found["echo_event.ecp"].value == 0


def test_a_client_who_gives_advice_and_a_responder_who_claims_the_clients_job_have_swapped_roles() -> None:
    baker = person("Ana Reis")
    assert client_facts(baker) == ("baker",)
    assert client_facts(None) == ()
    talk = talks(
        [head("ecp/0", baker.id, "ecp")],
        said(
            "ecp/0",
            baker.id,
            "ecp",
            ["You should try to sleep more.", "I work as a baker too.", "I am a baker.", "I see."],
        ),
    )[0]
    found = talk_metrics(talk, [], baker, turn_styles([talk]), seed=1)
    assert found["role_swap"] == 0.5


def test_convergence_is_the_slope_of_similarity_and_needs_three_answers() -> None:
    short = talks([head("a", "p", "ecp")], said("a", "p", "ecp", ["One two three.", "Four five six.", "Seven."]))[0]
    assert np.isnan(talk_metrics(short, [], None, turn_styles([short]), seed=1)["convergence"])
    lines = ["WHAT NOW!!!", "i do not know, i never did, so it goes", "Why?", "Why not?", "So be it.", "So it is."]
    long = talks([head("b", "p", "ecp")], said("b", "p", "ecp", lines))[0]
    assert talk_metrics(long, [], None, turn_styles([long]), seed=1)["convergence"] > 0


# Tables ------------------------------------------------------------------------------------------------------------


def test_talks_join_in_order_and_leave_forks_out() -> None:
    heads = [
        head("b", "p2", "ecp"),
        head("a", "p1", "ecp"),
        head("a/fork", "p1", "ecp").model_copy(update={"parent": "x"}),
    ]
    turns = said("a", "p1", "ecp", ["one", "two", "three"])[::-1] + said("b", "p2", "ecp", ["four"])
    found = talks(heads, turns)
    assert [t.head.conversation for t in found] == ["a", "b"]
    assert [t.text for t in found[0].turns] == ["one", "two", "three"]
    assert found[0].key == ("p1", "1")


def test_one_projection_alone_has_no_contrast() -> None:
    found = measure(*world({"ecp": 0.0}))
    assert not [name for name in found if name.endswith("ecp_minus_concat")]
    assert "echo_copy.ecp" in found


def test_no_conversations_are_no_measurements() -> None:
    assert dialogue_measurements([], [], {}, **SHARED) == []


def test_a_conversation_without_a_word_is_missing_and_counted() -> None:
    heads, turns = world({"ecp": 0.0}, people=3)
    heads.append(head("ecp/empty", "p9", "ecp", end="stuck"))
    found = measure(heads, turns)
    assert "1 missing left out" in found["echo_copy.ecp"].note
    assert found["echo_copy.ecp"].n == 3
    assert found["utterances.ecp"].n == 4
    assert found["natural_end.ecp"].n == 4


def test_pairs_are_by_person_and_seed_and_people_are_what_n_counts() -> None:
    heads, turns = world({"ecp": 0.0, "concat": 0.0}, people=4)
    rng = np.random.default_rng(8)
    for condition in ("ecp", "concat"):  # a second conversation of the first person, with a seed of its own
        key = f"{condition}/again"
        heads.append(head(key, "p0", condition, seed=99))
        turns += said(key, "p0", condition, dialogue(rng, 6))
    heads.append(head("concat/alone", "p7", "concat", seed=5))  # nobody to pair with
    turns += said("concat/alone", "p7", "concat", dialogue(rng, 6))
    found = measure(heads, turns)["utterances.ecp_minus_concat"]
    assert (found.n, found.rows) == (4, 5)
    assert found.cluster == "person"


def test_means_of_a_person_leave_missing_values_out() -> None:
    values = np.array([1.0, 3.0, np.nan, 5.0, np.nan])
    assert per_person(values, ["a", "a", "a", "b", "c"]) == [2.0, 5.0]


def test_the_sign_flip_of_nothing_is_no_verdict() -> None:
    assert echo_test([0.0, 0.0, 0.0], seed=1).p == 1
    assert echo_test([-0.5] * 10, seed=1).p < 0.01


def test_natural_ends_are_clustered_by_person() -> None:
    ends = {"p0": ("closed", "closed"), "p1": ("closed_judged", "turn_cap"), "p2": ("stuck", "turn_cap")}
    heads = [
        head(f"{who}/{k}", who, "ecp", seed=k, end=end) for who, both in ends.items() for k, end in enumerate(both)
    ]
    turns = [t for h in heads for t in said(h.conversation, h.persona_id, "ecp", ["Hello there.", "Good morning."])]
    m = measure(heads, turns)["natural_end.ecp"]
    assert m.value == 0.5
    assert (m.n, m.rows) == (3, 6)
    assert m.note == "closed: 2; closed_judged: 1; stuck: 1; turn_cap: 2."


def test_retried_lines_and_lines_kept_in_spite_of_an_objection_are_counted() -> None:
    heads, turns = world({"ecp": 0.0}, people=3, lines=4)
    turns[0] = turns[0].model_copy(update={"retries": 1})
    turns[5] = turns[5].model_copy(update={"retries": 2, "guard": "echo"})
    m = measure(heads, turns)["guard_retries.ecp"]
    assert m.value == pytest.approx(2 / 12)
    assert "2 of 12 turns; 1 kept" in m.note


def test_order_of_rows_does_not_matter() -> None:
    heads, turns = world({"ecp": 0.3, "concat": 0.6})
    assert measure(heads, turns) == measure(heads[::-1], turns[::-1])
