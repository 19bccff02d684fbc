"""Keys without words: scoring against hand-made vectors, facets, centred values, and a user's own text."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from personae.core import InputError, SchemaError, UnknownKeyError
from personae.instruments import centred, facet_scores, keys, load_instrument, load_key, score_responses

ITEMS = Path(__file__).parents[3] / "shared" / "data" / "ipip_items"
REVERSED = {1, 21, 26, 7, 17, 27, 3, 8, 28, 14, 19, 24, 10, 20, 30}


def test_bfi2s_keys_facets_and_domains_by_hand() -> None:
    inventory = load_key("bfi2s").scoring()
    answers = {str(i): (1.0 if i in REVERSED else 7.0) for i in range(1, 31)}
    assert all(s.value == 7.0 for s in score_responses(inventory, answers).values())
    facets = facet_scores(inventory, answers)
    assert len(facets) == 15
    assert all(s.value == 7.0 and s.items == 2 for s in facets.values())
    # One domain by hand: E = items 1R 6 11 16 21R 26R.
    own = {**dict.fromkeys(map(str, range(1, 31)), 4.0), "1": 2.0, "16": 5.0, "6": 7.0, "21": 6.0}
    assert score_responses(inventory, own)["E"].value == pytest.approx((6 + 5 + 7 + 2 + 4 + 4) / 6)
    assert facet_scores(inventory, own)["sociability"].value == pytest.approx((6 + 5) / 2)
    assert facet_scores(inventory, own)["assertiveness"].value == pytest.approx((7 + 2) / 2)


@pytest.mark.parametrize("facet", sorted({i.facet or "" for i in load_key("bfi2s").items}))
def test_every_facet_of_bfi2s_pairs_item_i_with_i_plus_15(facet: str) -> None:
    first, second = sorted(int(i.id) for i in load_key("bfi2s").items if i.facet == facet)
    assert second == first + 15


def test_pvq_counts_and_centring() -> None:
    sheet = load_key("pvq21")
    sizes = {code: sum(i.scale == code for i in sheet.items) for code in sheet.scales}
    assert sizes == {**dict.fromkeys(sheet.scales, 2), "UN": 3}
    inventory = sheet.scoring()
    answers = {str(i): 3.0 for i in range(1, 22)} | {"1": 6.0, "11": 6.0}
    scores = score_responses(inventory, answers)
    mean = (19 * 3 + 12) / 21
    assert centred(inventory, answers, scores)["SD"] == pytest.approx(6 - mean)
    assert centred(inventory, answers, scores)["PO"] == pytest.approx(3 - mean)


def test_missing_answers_need_half_the_items() -> None:
    inventory = load_key("bfi2s").scoring()
    half = score_responses(inventory, {"6": 5.0, "11": 6.0, "16": 7.0}, min_answered=0.5)
    assert half["E"].value == 6.0
    less = score_responses(inventory, {"6": 5.0, "11": 6.0}, min_answered=0.5)
    assert less["E"].value is None
    assert "2 of 6" in str(less["E"].reason)


def test_own_text_from_lines_csv_and_mapping(tmp_path: Path) -> None:
    sheet = load_key("pvq21")
    lines = tmp_path / "items.txt"
    lines.write_text("\n".join(f"Portrait number {i}." for i in range(1, 22)), "utf-8")
    rows = tmp_path / "items.csv"
    rows.write_text("id,text\n" + "".join(f"{i},Portrait number {i}.\n" for i in range(1, 22)), "utf-8")
    mapping = {str(i): f"Portrait number {i}." for i in range(1, 22)}
    made = [sheet.with_texts(source) for source in (lines, rows, mapping)]
    assert made[0] == made[1] == made[2]
    assert made[0].items[4].text == "Portrait number 5."
    with pytest.raises(InputError, match="no text for item 7; no item 99"):
        sheet.with_texts({**{k: v for k, v in mapping.items() if k != "7"}, "99": "x"})
    lines.write_text("one\ntwo\n", "utf-8")
    with pytest.raises(InputError, match="2 lines, expected 21"):
        sheet.with_texts(lines)
    rows.write_text("number,words\n1,x\n", "utf-8")
    with pytest.raises(SchemaError, match="expected id and text"):
        sheet.with_texts(rows)


def test_unknown_key_and_item() -> None:
    assert {"bfi2s", "pvq21"} <= set(keys)
    with pytest.raises(InputError, match="Did you mean 'bfi2s'"):
        load_key("bfi2")
    with pytest.raises(UnknownKeyError, match="31"):
        facet_scores(load_key("bfi2s").scoring(), {"31": 4.0})


def test_free_inventories_are_balanced() -> None:
    traits = load_instrument("ipip30")
    for facet in {i.facet for i in traits.items}:
        assert sorted(i.key for i in traits.items if i.facet == facet) == [-1, 1]
    assert [len([i for i in traits.items if i.scale == s]) for s in traits.scales] == [6] * 5
    values = load_instrument("portraits20")
    assert [len([i for i in values.items if i.scale == s]) for s in values.scales] == [2] * 10


@pytest.mark.skipif(not ITEMS.is_dir(), reason="the item pool's own list is not beside the project")
def test_trait_items_stand_in_the_public_pool() -> None:
    pool = {
        row["item"].lower().rstrip(".")
        for name in ("ipip_neo_300", "ipip_50")
        for row in csv.DictReader((ITEMS / f"{name}.csv").read_text("utf-8").splitlines())
    }
    for item in load_instrument("ipip30").items:
        words = item.text.lower().rstrip(".").removeprefix("i ")
        assert words in pool or words.removeprefix("am ") in pool, item.text
