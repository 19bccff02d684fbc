"""Near-duplicates by other libraries, run by bench_dedup.py: {"texts", "vectors", "threshold"} as JSON on stdin,
{"pairs", "cpu"} on stdout; without a name, lists who is there and which version.

N-grams and permutations are those of ours: word 2-grams, 192 permutations in 48 bands. `vectors` is a file of the
texts' vectors. CPU seconds count neither start nor imports.
"""

from __future__ import annotations

import importlib
import importlib.metadata
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


def datasketch(texts: list[str], threshold: float, _: str) -> list[tuple[int, int]]:
    """MinHashLSH as its guide shows it, candidates verified exactly as ours are."""
    from datasketch import MinHash, MinHashLSH

    sets = [grams(t) for t in texts]
    index = MinHashLSH(num_perm=192, params=(48, 4))
    pairs: list[tuple[int, int]] = []
    for place, own in enumerate(sets):
        made = MinHash(num_perm=192)
        made.update_batch([g.encode() for g in own])
        pairs += [(k, place) for k in index.query(made) if jaccard(sets[k], own) >= threshold]
        index.insert(place, made)
    return pairs


def rensa(texts: list[str], threshold: float, _: str) -> list[tuple[int, int]]:
    """RMinHash and RMinHashLSH, verified in the same way."""
    from rensa import RMinHash, RMinHashLSH

    sets = [grams(t) for t in texts]
    index = RMinHashLSH(threshold=threshold, num_perm=192, num_bands=48)
    pairs: list[tuple[int, int]] = []
    for place, own in enumerate(sets):
        made = RMinHash(num_perm=192, seed=1)
        made.update(sorted(own))
        pairs += [(k, place) for k in index.query(made) if jaccard(sets[k], own) >= threshold]
        index.insert(place, made)
    return pairs


class _Vectors:
    """semhash wants an encoder, and its own is downloaded: the vectors that came with the texts stand in."""

    def __init__(self, texts: list[str], path: str) -> None:
        import numpy as np

        self.table = np.load(path, allow_pickle=False)
        self.place = {text: k for k, text in enumerate(texts)}

    def encode(self, inputs: list[str], **_: object) -> object:
        return self.table[[self.place[text] for text in inputs]]


def semhash(texts: list[str], threshold: float, vectors: str) -> list[tuple[int, int]]:
    """SemHash.self_deduplicate with its exact index (the others are approximate), one original named per copy."""
    from semhash import SemHash

    rows = [{"text": t, "place": str(k)} for k, t in enumerate(texts)]
    made = SemHash.from_records(rows, columns=["text"], model=_Vectors(texts, vectors), ann_backend="basic")
    done = made.self_deduplicate(threshold=threshold)
    pairs = {tuple(sorted((int(d.record["place"]), int(d.duplicate_of["place"])))) for d in done.filtered}
    return sorted(pairs)


def main() -> None:
    """List, or answer."""
    if len(sys.argv) == 1:
        for name in NAMES:
            if importlib.util.find_spec(name):
                print(name, importlib.metadata.version(name))
        return
    job = json.load(sys.stdin)
    importlib.import_module(sys.argv[1])
    start = time.process_time()
    pairs = globals()[sys.argv[1]](job["texts"], job["threshold"], job["vectors"])
    spent = time.process_time() - start
    print()  # some peers print as they go
    print(json.dumps({"pairs": pairs, "cpu": spent}))


if __name__ == "__main__":
    main()
