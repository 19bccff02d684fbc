"""Near-copies: how many of the planted ones each method finds, what it says of distinct texts, and what it costs.

    python benchmarks/bench_dedup.py quality [--texts 1000] [--skip 0] [--seed 1] [--peers PYTHON] [--minilm]
    python benchmarks/bench_dedup.py cost [--texts 100000] [--kinds 12] [--seed 1]
    python benchmarks/bench_dedup.py gate [--texts 100000] [--seed 1]
    python benchmarks/bench_dedup.py semantic [--texts 100000] [--by grade,sex,subject_cluster] [--seed 1]
    python benchmarks/bench_dedup.py encoders [--texts 20000] [--seed 1]

`quality` takes the distinct texts of DATA (persona lists and conversations; --data names another file), or grammar
text where that is absent; `--skip` leaves out the first ones, on which the defaults were chosen. Each gets a near-copy
in which a share of the words is replaced, deleted or joined by a new one, one whose sentences are in another order, and
one with words replaced by synonyms. A pair of originals that a plain word-by-word alignment calls more than half alike
is no distinct pair: one of the two is left out before. Recall counts planted pairs, precision all pairs reported; what
loses among the originals alone is a false alarm. PYTHON is the interpreter of an environment with datasketch, semhash
or rensa in it; they get the same texts, n-grams, vectors and thresholds, and ratios are theirs over ours.
`cost` makes one text of about 1.5 kB per person from templates (so many alternatives per sentence) and runs each stage.
`gate` offers the same students' texts in batches and one by one, and compares who loses with the search of the whole.
`semantic` writes students by the shipped grammar, plants copies, encodes all with the static encoder and searches
inside 96 strata (grade, sex, subject cluster); 125,000 by grade alone have strata as large as a million in 96.
`encoders` asks which pairs the static encoder and MiniLM find in one sample.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from _copies import DATA, SHARES, corpora, distinct, edited, moved, synonyms
from _table import machine
from scipy.stats import spearmanr

from personae.core import InputError, MissingError, derive_rng
from personae.creation import (
    BULK_RULE,
    Gate,
    LexicalRule,
    StudentSource,
    lexical_duplicates,
    losers,
    semantic_duplicates,
)
from personae.models import Encoder, open_encoder
from personae.statistics import wilson_interval
from personae.text import simhash_many, simhash_near, words

COSINES = ((0.9, False), (0.9, True), (0.8, True))
BATCH = 10_000
Pairs = set[tuple[int, int]]
Encode = Callable[[list[str]], np.ndarray]


def main() -> None:
    """Choose."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["quality", "cost", "gate", "semantic", "encoders"])
    parser.add_argument("--texts", type=int, default=0)
    parser.add_argument("--skip", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", type=int, default=12)
    parser.add_argument("--by", default="grade,sex,subject_cluster")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--peers", default="")
    parser.add_argument("--minilm", action="store_true")
    given = parser.parse_args()
    print(f"machine: {machine()}; seed {given.seed}")
    if given.what == "quality":
        texts = corpora(given.texts or 1000, given.seed, given.data, given.skip)
        quality(texts, given.seed, given.peers, minilm=given.minilm)
    elif given.what == "cost":
        cost(given.texts or 100_000, given.seed, given.kinds)
    elif given.what == "gate":
        gate(given.texts or 100_000, given.seed)
    elif given.what == "semantic":
        semantic(given.texts or 100_000, given.seed, given.by.split(","))
    else:
        encoders(given.texts or 20_000, given.seed, corpora(600, given.seed, given.data, 0))


# --- quality -----------------------------------------------------------------------------------------------------


def quality(texts_of: dict[str, list[str]], seed: int, peers: str, *, minilm: bool) -> None:
    """Recall of planted copies, precision of all pairs and false alarms among distinct texts, by corpus and method."""
    methods = ours(minilm=minilm)
    if peers:
        methods |= theirs(peers)
    for name, every in texts_of.items():
        texts = distinct(every)
        print(f"\n{name}: {len(texts)} distinct texts, {np.mean([len(t) for t in texts]):.0f} characters on average")
        vocabulary = [word for text in texts for word in text.split()]
        rng = derive_rng(seed, "planted", name)
        kinds = {
            f"{round(100 * share)} % of words": [edited(t, share, vocabulary, rng) for t in texts] for share in SHARES
        }
        kinds["sentences moved"] = [moved(t, rng) for t in texts]
        kinds["synonyms"] = [synonyms(t) for t in texts]
        spent: dict[str, list[float]] = {}
        print(f"{'method':36}{'kind':18}{'recall':24}{'precision':24}{'CPU s':>8}{'ratio':>8}")
        for kind, copies in kinds.items():
            changed = {k for k, (a, b) in enumerate(zip(texts, copies, strict=True)) if words(a) != words(b)}
            unchanged = {(k, len(texts) + k) for k in range(len(texts)) if k not in changed}
            for method, (base, find) in methods.items():
                found, cpu = find(texts + copies)
                found -= unchanged
                hits = sum((k, len(texts) + k) in found for k in changed)
                spent.setdefault(method, []).append(cpu)
                print(
                    f"{method:36}{kind:18}{rate(hits, len(changed)):24}{rate(hits, len(found)):24}{cpu:8.2f}"
                    f"{cpu / spent[base][-1]:8.2f}"
                )
        for method, (base, find) in methods.items():
            lost = losers(np.array(sorted(find(texts)[0]), dtype=np.int64).reshape(-1, 2))
            print(
                f"{method:36}originals alone: {len(lost)} of {len(texts)} lose, {rate(len(lost), len(texts))}; "
                f"CPU over all kinds {sum(spent[method]):.2f} s, ratio {sum(spent[method]) / sum(spent[base]):.2f}"
            )


def rate(hits: int, n: int) -> str:
    """`.953 [.94, .97]`."""
    if not n:
        return "none"
    span = wilson_interval(hits, n)
    return f"{hits / n:.3f} [{span.low:.3f}, {span.high:.3f}]"


Method = tuple[str, Callable[[list[str]], tuple[Pairs, float]]]
"""Whom its CPU is compared with, and texts to pairs and CPU seconds."""


def timed(find: Callable[[], np.ndarray]) -> tuple[Pairs, float]:
    """Pairs as a set, and CPU seconds."""
    start = time.process_time()
    table = find()
    spent = time.process_time() - start
    return {(int(a), int(b)) for a, b in table}, spent


def ours(*, minilm: bool) -> dict[str, Method]:
    """Name to method. Encoding is not counted: peers are given vectors too."""
    default = "MinHash, J ≥ .4 (default)"
    found: dict[str, Method] = {
        default: (default, lambda texts: timed(lambda: lexical_duplicates(texts).pairs)),
        "MinHash, J ≥ .5": (
            default,
            lambda texts: timed(lambda: lexical_duplicates(texts, LexicalRule(threshold=0.5)).pairs),
        ),
        "SimHash, 3 bits": (default, lambda texts: timed(lambda: simhash_near(simhash_many(texts), 3)[0])),
    }
    for name in ("static", *(["minilm"] if minilm else [])):
        encode = encoding(name)
        if encode is None:
            continue
        for threshold, centre in COSINES:
            label = cosine_label(name, threshold, centre=centre)

            def find(texts: list[str], e: Encode = encode, t: float = threshold, c: bool = centre) -> Any:
                vectors = e(texts)
                return timed(lambda: semantic_duplicates(vectors, None, t, centre=c).pairs)

            found[label] = (label, find)
    return found


def cosine_label(name: str, threshold: float, *, centre: bool) -> str:
    """`static, cos ≥ 0.8, centred`."""
    return f"{name}, cos ≥ {threshold}{', centred' if centre else ''}"


def encoding(name: str) -> Encode | None:
    """An encoder that keeps the vectors of what it has seen; None where it is not installed."""
    try:
        encoder = open_encoder(name)  # type: ignore[arg-type]
    except MissingError as error:
        print(f"{name} is left out: {error}")
        return None
    kept: dict[str, np.ndarray] = {}

    def encode(texts: list[str]) -> np.ndarray:
        new = [t for t in dict.fromkeys(texts) if t not in kept]
        kept.update(zip(new, encoder.encode(new), strict=True))
        return np.array([kept[t] for t in texts])

    return encode


def theirs(python: str) -> dict[str, Method]:
    """Peers in a process of their own, one per library that is there."""
    script = str(Path(__file__).parent / "peers" / "peer_dedup.py")

    def ask(name: str, texts: list[str], vectors: np.ndarray | None, threshold: float) -> tuple[Pairs, float]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "vectors.npy"
            if vectors is not None:
                np.save(path, vectors, allow_pickle=False)
            job = {"texts": texts, "vectors": str(path), "threshold": threshold}
            done = subprocess.run(
                [python, script, name], input=json.dumps(job), capture_output=True, text=True, check=False
            )
        if done.returncode:
            print(f"{name}: {(done.stderr.strip().splitlines() or ['no answer'])[-1]}")
            return set(), float("nan")
        answer = json.loads(done.stdout.splitlines()[-1])
        return {(a, b) for a, b in answer["pairs"]}, answer["cpu"]

    found: dict[str, Method] = {}
    for line in subprocess.run([python, script], capture_output=True, text=True, check=True).stdout.splitlines():
        name, version = line.split()
        if name != "semhash":
            found[f"{name} {version}, J ≥ .4"] = (
                "MinHash, J ≥ .4 (default)", lambda texts, n=name: ask(n, texts, None, 0.4),
            )  # fmt: skip
            continue
        encode = encoding("static")
        for threshold, centre in COSINES if encode else ():

            def find(
                texts: list[str], e: Encode = encode, t: float = threshold, c: bool = centre, n: str = name
            ) -> tuple[Pairs, float]:
                vectors = e(texts)
                return ask(n, texts, vectors - vectors.mean(axis=0) if c else vectors, t)

            found[f"{name} {version}, cos ≥ {threshold}{', centred' if centre else ''}"] = (
                cosine_label("static", threshold, centre=centre), find,
            )  # fmt: skip
    return found


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


def stage(name: str, work: Callable[[], Any], n: int) -> Any:
    """Run, print CPU, wall time and peak memory."""
    cpu, wall = time.process_time(), time.perf_counter()
    found = work()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    print(f"{name:44}{cpu:10.1f} CPU s{wall:10.1f} s{1e6 * cpu / n:10.0f} µs a text, peak {peak():.2f} GiB", flush=True)
    return found


def cost(size: int, seed: int, kinds: int) -> None:
    """CPU, wall time and peak memory by stage, in the order of the lines (the peak only rises)."""
    print(f"{size:,} texts, {kinds} templates a sentence")
    stage("writing the texts (part of the next line)", lambda: sum(len(t) for t in grammar(size, kinds, seed)), size)
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
    hits = int((report.pairs[:, 1] - report.pairs[:, 0] == size).sum())
    print(
        f"   planted at 10 %: {rate(hits, planted)}; other pairs {len(report.pairs) - hits}; "
        f"candidates {report.candidates:,}, crowded {report.crowded}, skipped {report.skipped:,}"
    )


# --- gate --------------------------------------------------------------------------------------------------------


def gate(size: int, seed: int) -> None:
    """An incremental gate in batches and one by one, beside the search of the whole corpus."""
    source = StudentSource(size, seed)
    texts: list[str] = stage("writing students", lambda: source.texts(np.arange(size)), size)
    rng = derive_rng(seed, "copies")
    vocabulary = [w for t in texts[:50] for w in t.split()]
    for share in SHARES:
        texts += [edited(texts[k], share, vocabulary, rng) for k in rng.choice(size, max(1, size // 1000)).tolist()]
    texts = [texts[k] for k in rng.permutation(len(texts))]
    report = stage("the whole at once", lambda: lexical_duplicates(texts, BULK_RULE), len(texts))
    print(f"   {len(report.losers):,} lose, crowded {report.crowded}")
    for batch in (20_000, 500):
        made = Gate(BULK_RULE, sample=texts)

        def fill(batch: int = batch, made: Gate = made) -> list[np.ndarray]:
            return [made.offer(texts[low : low + batch]).accepted for low in range(0, len(texts), batch)]

        start = time.process_time()
        accepted = np.concatenate(stage(f"gate, batches of {batch:,}", fill, len(texts)))
        spent = time.process_time() - start
        other = np.setxor1d(np.flatnonzero(~accepted), report.losers)
        print(f"   {len(texts) / spent:,.0f} texts per CPU s; {len(other)} judged otherwise than by the whole at once")
    more = StudentSource(size + 500, seed + 1).texts(np.arange(500))
    start = time.process_time()
    stage("gate, one by one on top", lambda: [made.offer([text]) for text in more], len(more))
    print(f"   {len(more) / (time.process_time() - start):,.0f} texts per CPU s, {len(made):,} accepted")


# --- semantic ----------------------------------------------------------------------------------------------------


def semantic(size: int, seed: int, by: list[str]) -> None:
    """Students written, encoded by the static encoder and searched inside strata, stage by stage."""
    source, encoder = StudentSource(size, seed), open_encoder("static")
    people = np.arange(size)
    slots = source.slot_codes(people)
    codes = np.zeros(size, dtype=np.int64)
    for name in by:
        codes = codes * len(slots[name].words) + slots[name].codes
    rng = derive_rng(seed, "copies")
    heads = np.sort(rng.choice(size, max(1, size // 1000), replace=False))
    kinds = [f"{round(100 * share)} % of words" for share in SHARES] + ["sentences moved"]
    vectors = np.empty((size + heads.size * len(kinds), 256), dtype=np.float32)
    strata = np.concatenate([codes, *[codes[heads]] * len(kinds)])
    spent = {"writing": [0.0, 0.0], "static encoder": [0.0, 0.0]}

    def clocked(name: str, work: Callable[[], Any]) -> Any:
        cpu, wall = time.process_time(), time.perf_counter()
        found = work()
        spent[name][0] += time.process_time() - cpu
        spent[name][1] += time.perf_counter() - wall
        return found

    originals: list[str] = []
    for low in range(0, size, BATCH):
        block = people[low : low + BATCH]
        texts = clocked("writing", lambda k=block: source.texts(k))
        originals += [texts[k - low] for k in heads[(heads >= low) & (heads < low + BATCH)]]
        vectors[low : low + block.size] = clocked("static encoder", lambda t=texts: encoder.encode(t))
    vocabulary = [w for t in originals[:50] for w in t.split()]
    copies = [edited(t, share, vocabulary, rng) for share in SHARES for t in originals]
    vectors[size:] = encoder.encode([*copies, *(moved(t, rng) for t in originals)])
    for name, (cpu, wall) in spent.items():
        print(f"{name:44}{cpu:10.1f} CPU s{wall:10.1f} s{1e6 * cpu / size:10.0f} µs a text, peak {peak():.2f} GiB")
    print(
        f"{len(vectors):,} vectors in {len(np.unique(strata))} strata, {heads.size} originals with {len(kinds)} copies"
    )
    for threshold, centre in ((0.8, True), (0.9, True), (0.99, False)):
        label = f"semantic, cos ≥ {threshold}{', centred' if centre else ''}"
        try:
            found = stage(label, lambda t=threshold, c=centre: semantic_duplicates(vectors, strata, t, centre=c), size)
        except InputError as error:
            print(f"{label}: {error}")
            continue
        place = (found.pairs[:, 1] - size) // heads.size
        hit = (found.pairs[:, 1] >= size) & (found.pairs[:, 0] == heads[(found.pairs[:, 1] - size) % heads.size])
        for k, kind in enumerate(kinds):
            print(f"   {kind}: {rate(int((hit & (place == k)).sum()), heads.size)}")
        inside = found.pairs[found.pairs[:, 1] < size]
        lost = len(losers(inside))
        print(f"   without copies: {len(inside):,} pairs, {lost:,} of {size:,} lose, {rate(lost, size)}", flush=True)


def encoders(size: int, seed: int, real: dict[str, list[str]]) -> None:
    """Static beside MiniLM: texts per second, correlation of cosines, and the pairs that each of them finds."""
    both = open_encoder("static"), open_encoder("minilm")
    for name, every in real.items():
        beside(name, every[:300], both, seed)
    planted = max(1, size // 50)
    kinds = [*(f"{round(100 * share)} % of words" for share in SHARES), "synonyms"]
    base = [str(t) for t in StudentSource(size, seed).columns(np.arange(size))["personality"]][: size - 4 * planted]
    rng = derive_rng(seed, "copies")
    heads = rng.choice(len(base), planted, replace=False)
    vocabulary = [w for t in base[:50] for w in t.split()]
    copies = [edited(base[k], share, vocabulary, rng) for share in SHARES for k in heads.tolist()]
    copies += [synonyms(base[k]) for k in heads.tolist()]
    quick, slow = beside("paragraphs of students, and planted copies", base + copies, both, seed)
    wanted = {kind: heads * size + len(base) + place * planted + np.arange(planted) for place, kind in enumerate(kinds)}
    raw, wide = semantic_duplicates(quick, None, 0.95), semantic_duplicates(quick, None, 0.6, centre=True)
    found = {cosine_label("static", 0.95, centre=False): raw.pairs @ [size, 1]}
    for own in (0.9, 0.8, 0.7):
        found[cosine_label("static", own, centre=True)] = wide.pairs[wide.similarity >= own] @ [size, 1]
    for threshold, centre in ((0.9, False), (0.8, False), (0.8, True), (0.7, True)):
        truth = semantic_duplicates(slow, None, threshold, centre=centre).pairs @ [size, 1]
        print(f"{cosine_label('minilm', threshold, centre=centre)}: {len(truth):,} pairs{planted_in(truth, wanted)}")
        for label, pairs in found.items():
            hits = int(np.isin(pairs, truth).sum())
            print(
                f"   {label}: {len(pairs):,} pairs, recall {rate(hits, len(truth))}, precision {rate(hits, len(pairs))}"
            )
        first = np.argsort(-wide.similarity, kind="stable")[: len(truth)]
        hits, lowest = int(np.isin(wide.pairs[first] @ [size, 1], truth).sum()), wide.similarity[first].min(initial=1)
        print(
            f"   the {len(first):,} nearest static pairs, from cos {lowest:.3f}: {rate(hits, len(first))}", flush=True
        )
    for label, pairs in found.items():
        print(f"{label}{planted_in(pairs, wanted)}")


def planted_in(pairs: np.ndarray, wanted: dict[str, np.ndarray]) -> str:
    """`; planted: 5 % of words .99 […]` by kind."""
    return "; planted: " + ", ".join(f"{k} {rate(int(np.isin(w, pairs).sum()), len(w))}" for k, w in wanted.items())


def beside(name: str, texts: list[str], both: tuple[Encoder, Encoder], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of both; prints speed and the correlation of cosines over at most 200,000 pairs drawn by seed."""
    seconds: list[float] = []
    tables: list[np.ndarray] = []
    for encoder in both:
        start = time.process_time()
        tables.append(encoder.encode(texts))
        seconds.append(time.process_time() - start)
    left, right = derive_rng(seed, "pairs", name).integers(0, len(texts), (2, 200_000))
    left, right = (side[left != right] for side in (left, right))
    a, b = (np.einsum("ij,ij->i", t[left], t[right]).astype(float) for t in tables)
    print(
        f"{name}: {len(texts) / seconds[0]:,.0f} texts per CPU s beside {len(texts) / seconds[1]:,.0f} "
        f"(ratio {seconds[1] / seconds[0]:.0f}); cosines of {len(a):,} pairs of {len(texts):,} texts: "
        f"Pearson r {np.corrcoef(a, b)[0, 1]:.3f}, Spearman {spearmanr(a, b).statistic:.3f}",
        flush=True,
    )
    return tables[0], tables[1]


if __name__ == "__main__":
    sys.exit(main())
