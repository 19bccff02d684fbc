"""Near-copies: how many of the planted ones each method finds, what it says of distinct texts, and what it costs.

    python benchmarks/bench_dedup.py quality [--texts 1000] [--seed 1] [--peers PYTHON] [--minilm]
    python benchmarks/bench_dedup.py cost [--texts 100000] [--kinds 12] [--seed 1] [--static]
    python benchmarks/bench_dedup.py gate [--texts 100000] [--seed 1]
    python benchmarks/bench_dedup.py encoders

`quality` takes the distinct texts of ../shared/data (persona lists and conversations), or grammar text where that is
absent. Each gets a near-copy in which a share of the words is replaced, deleted or joined by a new one, one whose
sentences are in another order, and one with words replaced by synonyms. A pair of originals that a plain word-by-word
alignment calls more than half alike is no distinct pair: one of the two is left out before.
`cost` makes one text of about 1.5 kB per person from templates (so many alternatives per sentence) and runs each stage.
PYTHON is the interpreter of an environment with datasketch, semhash or rensa in it.
"""

from __future__ import annotations

import argparse
import csv
import difflib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from _table import machine

from personae.core import MissingError, derive_rng
from personae.creation import Gate, LexicalRule, lexical_duplicates, semantic_duplicates
from personae.models import open_encoder
from personae.statistics import wilson_interval
from personae.text import sentences, simhash_many, simhash_near, words

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
Pairs = set[tuple[int, int]]


def main() -> None:
    """Choose."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["quality", "cost", "gate", "encoders"])
    parser.add_argument("--texts", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", type=int, default=12)
    parser.add_argument("--peers", default="")
    parser.add_argument("--minilm", action="store_true")
    parser.add_argument("--static", action="store_true")
    given = parser.parse_args()
    print(f"machine: {machine()}; seed {given.seed}")
    if given.what == "quality":
        quality(given.texts or 1000, given.seed, given.peers, minilm=given.minilm)
    elif given.what == "cost":
        cost(given.texts or 100_000, given.seed, given.kinds, static=given.static)
    elif given.what == "gate":
        gate(given.texts or 100_000, given.seed, given.kinds)
    else:
        encoders()


# --- quality -----------------------------------------------------------------------------------------------------


def quality(size: int, seed: int, peers: str, *, minilm: bool) -> None:
    """Recall of planted copies and false pairs among distinct texts, per corpus and method."""
    for name, every in corpora(size, seed).items():
        texts = distinct(every)
        print(f"\n{name}: {len(texts)} distinct texts, {np.mean([len(t) for t in texts]):.0f} characters on average")
        vocabulary = [word for text in texts for word in text.split()]
        rng = derive_rng(seed, "planted", name)
        kinds: dict[str, list[str]] = {
            f"{round(100 * share)} % of words": [edited(t, share, vocabulary, rng) for t in texts] for share in SHARES
        }
        kinds["sentences moved"] = [moved(t, rng) for t in texts]
        kinds["synonyms"] = [" ".join(SYNONYMS.get(w.lower(), w) for w in t.split()) for t in texts]
        methods = ours(minilm=minilm)
        if peers:
            methods |= theirs(peers)
        table: dict[str, list[str]] = {}
        for copies in kinds.values():
            changed = [k for k, (a, b) in enumerate(zip(texts, copies, strict=True)) if words(a) != words(b)]
            for method, find in methods.items():
                start = time.process_time()
                found, spent = find(texts + copies)
                took = spent if spent is not None else time.process_time() - start
                hits = sum((k, len(texts) + k) in found for k in changed)
                others = len({p for p in found if p[1] - p[0] != len(texts)})
                table.setdefault(method, []).append(f"{rate(hits, len(changed))} false {others} {took:.1f}s")
        print(f"{'method':34}" + "".join(f"{kind:>36}" for kind in kinds))
        for method, cells in table.items():
            print(f"{method:34}" + "".join(f"{cell:>36}" for cell in cells))


def rate(hits: int, n: int) -> str:
    """`.953 [.94, .97]`."""
    if not n:
        return "none changed"
    span = wilson_interval(hits, n)
    return f"{hits / n:.3f} [{span.low:.3f}, {span.high:.3f}]"


def corpora(size: int, seed: int) -> dict[str, list[str]]:
    """Real texts where they are, grammar text anywhere."""
    found: dict[str, list[str]] = {}
    if DATA.is_file():
        with DATA.open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        personas = [row[f"user {k} personas"].replace("\n", " ") for row in rows for k in (1, 2)]
        found["persona lists"] = list(dict.fromkeys(personas))[:size]
        found["conversations"] = list(dict.fromkeys(row["Best Generated Conversation"] for row in rows))[: size // 2]
    else:
        print(f"no {DATA}: grammar text only")
    found["grammar text"] = list(grammar(size // 2, 12, seed))
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


def ours(*, minilm: bool) -> dict[str, Callable[[list[str]], tuple[Pairs, float | None]]]:
    """Method to function."""

    def as_pairs(table: np.ndarray) -> tuple[Pairs, None]:
        return {(int(a), int(b)) for a, b in table}, None

    found: dict[str, Callable[[list[str]], tuple[Pairs, float | None]]] = {
        "SimHash, 3 bits": lambda texts: as_pairs(simhash_near(simhash_many(texts), 3)[0]),
        "MinHash, J ≥ .4 (default)": lambda texts: as_pairs(lexical_duplicates(texts).pairs),
        "MinHash, J ≥ .5": lambda texts: as_pairs(lexical_duplicates(texts, LexicalRule(threshold=0.5)).pairs),
    }
    for name in ("static", *(["minilm"] if minilm else [])):
        try:
            encoder = open_encoder(name)  # type: ignore[arg-type]
        except MissingError as error:
            print(f"{name} is left out: {error}")
            continue
        for threshold, centre in ((0.9, False), (0.9, True), (0.8, True)):
            label = f"{name}, cos ≥ {threshold}{', centred' if centre else ''}"
            found[label] = lambda texts, e=encoder, t=threshold, c=centre: as_pairs(
                semantic_duplicates(e.encode(texts), None, t, centre=c).pairs
            )
    return found


def theirs(python: str) -> dict[str, Callable[[list[str]], tuple[Pairs, float | None]]]:
    """Peers in a process of their own, one per library that is there."""

    def ask(name: str, texts: list[str]) -> tuple[Pairs, float | None]:
        script = Path(__file__).parent / "peers" / "peer_dedup.py"
        done = subprocess.run(
            [python, script, name], input=json.dumps(texts), capture_output=True, text=True, check=False
        )
        if done.returncode:
            print(f"{name}: {done.stderr.strip().splitlines()[-1]}")
            return set(), float("nan")
        answer = json.loads(done.stdout)
        return {(a, b) for a, b in answer["pairs"]}, answer["cpu"]

    names = subprocess.run(
        [python, Path(__file__).parent / "peers" / "peer_dedup.py"], capture_output=True, text=True, check=True
    ).stdout.split()
    return {name: lambda texts, n=name: ask(n, texts) for name in names}


# --- cost --------------------------------------------------------------------------------------------------------


def grammar(size: int, kinds: int, seed: int) -> Iterator[str]:
    """Texts of 14 sentences, each from `kinds` templates with two slots of 30 fillings, one after another."""
    rng = derive_rng(seed, "grammar")
    syllables = [a + b for a in "bdfgklmnprstv" for b in ("a", "e", "i", "o", "u", "an", "er", "il", "om")]
    lexicon = ["".join(syllables[i] for i in rng.integers(0, len(syllables), 2)) for _ in range(3000)]

    def phrase(n: int) -> str:
        return " ".join(lexicon[int(k)] for k in rng.integers(0, len(lexicon), n))

    templates = [[(phrase(5), phrase(4), phrase(3)) for _ in range(kinds)] for _ in range(14)]
    fillings = [[phrase(2) for _ in range(30)] for _ in range(28)]
    for low in range(0, size, 10_000):
        block = derive_rng(seed, "people", low)
        count = min(10_000, size - low)
        chosen = block.integers(0, kinds, (count, 14)).tolist()
        filled = block.integers(0, 30, (count, 28)).tolist()
        for which, fill in zip(chosen, filled, strict=True):
            parts: list[str] = []
            for k in range(14):
                a, b, c = templates[k][which[k]]
                parts.append(f"{a} {fillings[2 * k][fill[2 * k]]} {b} {fillings[2 * k + 1][fill[2 * k + 1]]} {c}.")
            yield " ".join(parts)


def peak() -> float:
    """Largest resident memory so far, GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def stage(name: str, work: Callable[[], object], n: int) -> object:
    """Run, print CPU, wall time and peak memory."""
    cpu, wall = time.process_time(), time.perf_counter()
    found = work()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    print(f"{name:44}{cpu:10.1f} CPU s{wall:10.1f} s{1e6 * cpu / n:10.0f} µs a text, peak {peak():.2f} GiB", flush=True)
    return found


def cost(size: int, seed: int, kinds: int, *, static: bool) -> None:
    """CPU, wall time and peak memory by stage, in the order of the lines (the peak only rises)."""
    print(f"{size:,} texts, {kinds} templates a sentence")
    stage("writing the texts (part of the next lines)", lambda: sum(len(t) for t in grammar(size, kinds, seed)), size)
    planted = max(1, size // 1000)
    vocabulary = [w for t in grammar(50, kinds, seed) for w in t.split()]
    rng = derive_rng(seed, "copies")

    def stream() -> Iterator[str]:
        heads: list[str] = []
        for text in grammar(size, kinds, seed):
            if len(heads) < planted:
                heads.append(text)
            yield text
        for text in heads:
            yield edited(text, 0.1, vocabulary, rng)

    report = stage("lexical: stream, sets, MinHash, verified pairs", lambda: lexical_duplicates(stream()), size)
    hits = int((report.pairs[:, 1] - report.pairs[:, 0] == size).sum())  # type: ignore[attr-defined]
    print(
        f"   planted at 10 %: {rate(hits, planted)}; other pairs {len(report.pairs) - hits}; "  # type: ignore[attr-defined]
        f"candidates {report.candidates:,}, crowded {report.crowded}, skipped {report.skipped:,}"  # type: ignore[attr-defined]
    )
    strata = derive_rng(seed, "strata").integers(0, 96, size)
    if static:
        vectors = np.empty((size, 256), dtype=np.float32)

        def fill() -> None:
            encoder, texts, low = open_encoder("static"), list[str](), 0
            for text in grammar(size, kinds, seed):
                texts.append(text)
                if len(texts) == 8192:
                    vectors[low : low + 8192] = encoder.encode(texts)
                    texts, low = [], low + 8192
            if texts:
                vectors[low:] = encoder.encode(texts)

        stage("static encoder (with writing)", fill, size)
    else:
        vectors = derive_rng(seed, "vectors").standard_normal((size, 256), dtype=np.float32)
    for centre in (True,) if static else (False, True):
        found = stage(
            f"semantic inside 96 strata{', centred' if centre else ''}",
            lambda c=centre: semantic_duplicates(vectors, strata, 0.95, centre=c),
            size,
        )
        print(f"   pairs {len(found.pairs):,}")  # type: ignore[attr-defined]


def gate(size: int, seed: int, kinds: int) -> None:
    """An incremental gate in batches and one by one."""
    made, batch = Gate(), list[str]()

    def fill() -> None:
        for text in grammar(size, kinds, seed):
            batch.append(text)
            if len(batch) == 20_000:
                made.offer(batch)
                batch.clear()
        if batch:
            made.offer(batch)

    stage("gate, batches of 20,000 (with writing)", fill, size)
    more = list(grammar(500, kinds, seed + 1))
    stage("gate, one by one on top", lambda: [made.offer([text]) for text in more], len(more))
    print(f"   accepted {len(made):,}")


def encoders() -> None:
    """Static beside MiniLM: texts per second and correlation of cosines on real texts."""
    static, minilm = open_encoder("static"), open_encoder("minilm")
    for name, every in corpora(600, 1).items():
        texts = every[:300]
        seconds: list[float] = []
        tables: list[np.ndarray] = []
        for encoder, repeat in ((static, 10), (minilm, 1)):
            start = time.process_time()
            tables.append(np.asarray(encoder.encode([t for _ in range(repeat) for t in texts])[: len(texts)], float))
            seconds.append((time.process_time() - start) / repeat)
        upper = np.triu_indices(len(texts), 1)
        a, b = ((t @ t.T)[upper] for t in tables)
        print(
            f"{name}: {len(texts) / seconds[0]:,.0f} texts per CPU s beside {len(texts) / seconds[1]:,.0f} "
            f"(ratio {seconds[1] / seconds[0]:.0f}); Pearson r of cosines {np.corrcoef(a, b)[0, 1]:.3f} "
            f"over {len(a):,} pairs of {len(texts)} texts"
        )


if __name__ == "__main__":
    sys.exit(main())
