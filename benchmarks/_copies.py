"""Distinct texts and near-copies planted among them, for bench_dedup.py."""

from __future__ import annotations

import csv
import difflib
from pathlib import Path

import numpy as np

from personae.creation import StudentSource
from personae.text import sentences, words

DATA = Path(__file__).parents[2] / "shared" / "data" / "synthetic_persona_chat" / "valid.csv"
SHARES = (0.05, 0.1, 0.2)
SYNONYMS = {
    a: b
    for pair in [
        "like enjoy",
        "love adore",
        "big large",
        "small little",
        "job occupation",
        "kids children",
        "house home",
        "happy glad",
        "movie film",
        "mom mother",
        "dad father",
        "buy purchase",
        "fast quick",
        "smart clever",
        "begin start",
        "car automobile",
        "food meals",
        "friend companion",
        "work labour",
        "talk speak",
        "favorite preferred",
        "pretty beautiful",
        "hate detest",
        "also too",
        "very really",
        "live reside",
        "want wish",
        "eat consume",
        "watch view",
        "walk stroll",
        "play perform",
        "great wonderful",
        "nice pleasant",
    ]
    for a, b in (pair.split(), pair.split()[::-1])
}


def corpora(size: int, seed: int, data: Path, skip: int) -> dict[str, list[str]]:
    """Real texts where they are, grammar text anywhere."""
    found: dict[str, list[str]] = {}
    if data.is_file():
        with data.open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        personas = [row[f"user {k} personas"].replace("\n", " ") for row in rows for k in (1, 2)]
        found["persona lists"] = list(dict.fromkeys(personas))[skip : skip + size]
        talks = list(dict.fromkeys(row["Best Generated Conversation"] for row in rows))
        found["conversations"] = talks[skip // 2 : skip // 2 + size // 2]
    else:
        print(f"no {data}: grammar text only")
    found["students by grammar"] = StudentSource(size // 2, seed).texts(np.arange(size // 2))
    return found


def distinct(texts: list[str]) -> list[str]:
    """Without the later of two that an alignment of their words calls more than half alike."""
    # Sentences are sorted, so that the same ones in another order count as alike.
    tokens = [words(" ".join(sorted(sentences(t)))) for t in texts]
    holders: dict[str, list[int]] = {}
    kept: list[int] = []
    for place, own in enumerate(tokens):
        seen: dict[int, int] = {}
        for word in set(own):
            for other in holders.get(word, []):
                seen[other] = seen.get(other, 0) + 1
        close = [k for k, shared in seen.items() if shared > 0.45 * min(len(set(own)), len(set(tokens[k])))]
        if any(difflib.SequenceMatcher(None, tokens[k], own, autojunk=False).ratio() > 0.5 for k in close):
            continue
        kept.append(place)
        for word in set(own):
            holders.setdefault(word, []).append(place)
    return [texts[k] for k in kept]


def edited(text: str, share: float, vocabulary: list[str], rng: np.random.Generator) -> str:
    """A share of the words replaced, followed by a new one, or deleted, in equal parts."""
    tokens = text.split()
    places = set(rng.choice(len(tokens), max(1, round(share * len(tokens))), replace=False).tolist())
    out: list[str] = []
    for place, word in enumerate(tokens):
        kind = int(rng.integers(3)) if place in places else 3
        new = vocabulary[int(rng.integers(len(vocabulary)))]
        out += [[new], [word, new], [], [word]][kind]
    return " ".join(out)


def moved(text: str, rng: np.random.Generator) -> str:
    """The sentences in another order."""
    parts = sentences(text)
    return " ".join(parts[k] for k in rng.permutation(len(parts)))


def synonyms(text: str) -> str:
    """Words replaced by their synonyms."""
    return " ".join(SYNONYMS.get(w.lower(), w) for w in text.split())
