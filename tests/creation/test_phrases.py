"""Phrase grammars: counts, agreement, the same text in any order, and grammars that do not fit together."""

from __future__ import annotations

import numpy as np
import pytest

from personae.core import InputError, RecipeError, UnknownKeyError
from personae.creation import PARAGRAPHS, Coded, PhraseGrammar, StudentSource, load_phrases
from personae.creation._phrases import GrammarFile

BODY = {
    "name": "tiny",
    "source": "test",
    "licence": "none",
    "words": {"he": {"by": "sex", "f": "she", "m": "he"}},
    "bands": {"up": ["high", "higher"]},
    "forms": {"say": ["<^D> is <V>.", "{He} has <V> <D>."]},
    "symbols": {
        "art": {"use": "say", "with": {"D": "art", "V": "{level}"}},
        "tail": {"by": "level", "cases": {"up": ["good", "great"], "*": ["poor"]}},
    },
    "fields": {"text": ["{art} {tail}", "{Tail}: {art}"]},
}


def grammar(**changes: object) -> PhraseGrammar:
    return PhraseGrammar(GrammarFile.model_validate(BODY | changes))


def values(rows: int) -> dict[str, Coded]:
    k = np.arange(rows)
    return {"sex": Coded(k % 2, ("f", "m")), "level": Coded(k % 3, ("high", "higher", "low"))}


@pytest.mark.parametrize("field", PARAGRAPHS)
def test_each_paragraph_has_a_million_realisations_for_every_slot(field: str) -> None:
    assert load_phrases("student.en").count(field) >= 10**6


def test_counts_are_what_can_be_written() -> None:
    made = grammar()
    assert made.count("text") == 2 * 2  # two plans, two forms, one tail for the level with the fewest
    k = np.arange(3000)
    texts = made.write("text", values(3000), k, seed=1).tolist()
    for level, expected in (("low", 4), ("high", 8)):
        own = {t for t, row in zip(texts, k, strict=True) if ("high", "higher", "low")[row % 3] == level and row % 2}
        assert len(own) == expected


def test_capitals_agreement_and_conditions() -> None:
    texts = set(grammar().write("text", values(600), np.arange(600), seed=1).tolist())
    assert "Poor: She has low art." in texts
    assert "He has higher art. great" in texts
    assert not any("low" in t.lower() and "great" in t.lower() for t in texts)


def test_a_text_depends_on_its_k_alone() -> None:
    made, k = grammar(), np.arange(50)
    whole = made.write("text", values(50), k, seed=3)
    order = np.array([7, 3, 41])
    some = made.write("text", {n: c.take(order) for n, c in values(50).items()}, order, seed=3)
    assert some.tolist() == whole[order].tolist()
    assert made.write("text", values(50), k, seed=3, attempt=1).tolist() != whole.tolist()


def test_grammars_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(RecipeError, match="itself"):
        grammar(symbols={"art": ["{tail}"], "tail": ["{art}"]})
    with pytest.raises(RecipeError, match="twice"):
        grammar(symbols={"art": ["a", "a"], "tail": ["b"]})
    with pytest.raises(UnknownKeyError, match="say"):
        grammar(symbols={"art": {"use": "sya"}, "tail": ["b"]})
    with pytest.raises(InputError, match="needs level"):
        grammar().write("text", {"sex": values(2)["sex"]}, np.arange(2), seed=1)
    strict = grammar(symbols=BODY["symbols"] | {"tail": {"by": "level", "cases": {"up": ["x"]}}})
    with pytest.raises(InputError, match="no case"):
        strict.write("text", values(3), np.arange(3), seed=1)


def test_all_rules_hold_on_two_thousand_records_and_social_texts_keep_their_length() -> None:
    source = StudentSource(2000, 11)
    columns = source.columns(np.arange(2000))
    plain = {n: c.texts() if isinstance(c, Coded) else c for n, c in columns.items()}
    broken = {code: int(m.sum()) for code, m in source.pack.masks(plain).items() if m.any()}
    assert broken == {}
    assert {160 <= len(t) <= 260 for t in columns["social_relations"]} == {True}
    assert len(set(columns["values"].tolist())) == 2000
    assert source.draws.rejected["anchor_creativity:bottom 50%"] > 0


def test_anchors_and_strata_do_what_they_are_for() -> None:
    k = np.arange(1000)
    best = {"high": 1.0, "fairly high": 0.8, "upper-middle": 0.5, "middle": 0.0, "fairly low": -0.5, "low": -1.0}

    def optimism(source: StudentSource) -> float:
        columns = source.columns(k)
        return float(np.mean([[best[w] for w in columns[f].texts()] for f in source.levels[:15]]))

    assert optimism(StudentSource(1000, 5, anchors=False)) > optimism(StudentSource(1000, 5)) + 0.03
    strata = StudentSource(1000, 5)
    assert all(r.count == r.target_count for r in strata.fit(strata.columns(k), unit="x"))
    loose = StudentSource(1000, 5, stratified=False)
    assert any(r.count != r.target_count for r in loose.fit(loose.columns(k), unit="x"))
