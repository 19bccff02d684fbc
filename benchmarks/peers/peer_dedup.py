"""Near-duplicates by other libraries: texts as JSON on stdin, {"pairs", "cpu"} on stdout; without a name, lists names.

Thresholds and n-grams are those of ours where a library has them: word 2-grams, Jaccard .4, 192 permutations.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import time
from itertools import pairwise

NAMES = ("datasketch", "rensa", "semhash")
WORD = re.compile(r"\w+")


def grams(text: str) -> set[str]:
    found = WORD.findall(text.lower())
    return {f"{a} {b}" for a, b in pairwise(found)} or set(found)


def jaccard(a: set[str], b: set[str]) -> float:
    return len(a & b) / max(1, len(a | b))


def datasketch(texts: list[str]) -> list[tuple[int, int]]:
    """MinHashLSH as its guide shows it, candidates verified exactly as ours are."""
    from datasketch import MinHash, MinHashLSH

    sets = [grams(t) for t in texts]
    index = MinHashLSH(num_perm=192, params=(48, 4))
    pairs: list[tuple[int, int]] = []
    for place, own in enumerate(sets):
        made = MinHash(num_perm=192)
        made.update_batch([g.encode() for g in own])
        pairs += [(k, place) for k in index.query(made) if jaccard(sets[k], own) >= 0.4]
        index.insert(place, made)
    return pairs


def rensa(texts: list[str]) -> list[tuple[int, int]]:
    """RMinHash and RMinHashLSH, verified in the same way."""
    from rensa import RMinHash, RMinHashLSH

    sets = [grams(t) for t in texts]
    index = RMinHashLSH(threshold=0.4, num_perm=192, num_bands=48)
    pairs: list[tuple[int, int]] = []
    for place, own in enumerate(sets):
        made = RMinHash(num_perm=192, seed=1)
        made.update(sorted(own))
        pairs += [(k, place) for k in index.query(made) if jaccard(sets[k], own) >= 0.4]
        index.insert(place, made)
    return pairs


class _Bag:
    """semhash needs an encoder, and its own is downloaded: hashed words weighted by rarity stand in."""

    def __init__(self, texts: list[str]) -> None:
        import numpy as np

        self.np = np
        seen: dict[str, int] = {}
        for text in texts:
            for word in set(WORD.findall(text.lower())):
                seen[word] = seen.get(word, 0) + 1
        self.weight = {w: float(np.log(len(texts) / c)) for w, c in seen.items()}
        self.vector = {w: np.random.default_rng(k).standard_normal(256) for k, w in enumerate(sorted(seen))}

    def encode(self, inputs: list[str], **_: object) -> object:
        rows = [
            sum((self.weight.get(w, 0) * self.vector[w] for w in WORD.findall(t.lower())), start=self.np.zeros(256))
            for t in inputs
        ]
        return self.np.asarray(rows, dtype=self.np.float32)


def semhash(texts: list[str]) -> list[tuple[int, int]]:
    """SemHash.self_deduplicate on random vectors of words (offline), threshold .8."""
    from semhash import SemHash

    rows = [{"text": t, "place": str(k)} for k, t in enumerate(texts)]
    made = SemHash.from_records(rows, columns=["text"], model=_Bag(texts), ann_backend="basic")
    done = made.self_deduplicate(threshold=0.8)
    pairs: list[tuple[int, int]] = []
    for record in done.filtered:
        for other, _ in record.duplicates:
            a, b = sorted((int(record.record["place"]), int(other["place"])))
            pairs.append((a, b))
    return pairs


if __name__ == "__main__":
    if len(sys.argv) == 1:
        print(*(name for name in NAMES if importlib.util.find_spec(name)))
    else:
        given = json.load(sys.stdin)
        start = time.process_time()
        result = globals()[sys.argv[1]](given)
        json.dump({"pairs": result, "cpu": time.process_time() - start}, sys.stdout)
