"""Fit and draw the margins on stdin with whatever population tools are installed here; results as JSON on stdout.

Run by bench_population.py in the interpreter given as --peers. Each tool gets arrays ready made; CPU seconds are its
own call alone.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import sys
import time
from typing import Any


def largest_gap(table: Any, job: dict[str, Any], total: float) -> float:
    """Largest difference of a margin cell's share, wanted and found."""
    gap = 0.0
    for dims, counts in zip(job["dims"], job["counts"], strict=True):
        drop = tuple(a for a in range(table.ndim) if a not in dims)
        own = table.sum(axis=drop)
        kept = sorted(dims)
        own = own.transpose([kept.index(d) for d in dims]).reshape(-1) / table.sum()
        gap = max([gap, *(abs(a - b / total) for a, b in zip(own.tolist(), counts, strict=True))])
    return gap


def humanleague(job: dict[str, Any]) -> list[dict[str, Any]]:
    import humanleague as tool
    import numpy as np

    sizes, total = job["sizes"], sum(job["counts"][0])
    shaped = [
        np.array(c, dtype=float).reshape([sizes[d] for d in dims])
        for dims, c in zip(job["dims"], job["counts"], strict=True)
    ]
    start = time.process_time()
    table, how = tool.ipf(np.ones(sizes), [list(d) for d in job["dims"]], shaped)
    fit = time.process_time() - start
    out = [
        {
            "what": "humanleague ipf",
            "cpu": fit,
            "gap": largest_gap(table, job, total),
            "note": f"converged: {how['conv']}",
        }
    ]
    for what, dims, tables in (
        ("humanleague qis", job["dims"], shaped),
        ("humanleague qis, one-way margins only", [[d] for d in range(len(sizes))], one_way(job)),
    ):
        whole = [np.rint(np.asarray(t) * job["scale"]).astype(np.int64) for t in tables]
        own = {"dims": dims, "counts": [np.asarray(t, dtype=float).reshape(-1).tolist() for t in tables]}
        start = time.process_time()
        try:
            table, how = tool.qis([list(d) for d in dims], whole)
        except Exception as fault:  # noqa: BLE001 - whatever the peer says is its result
            out.append({"what": what, "fault": f"{type(fault).__name__}: {str(fault)[:100]}"})
            continue
        out.append(
            {
                "what": what,
                "cpu": time.process_time() - start,
                "people": float(table.sum()),
                "gap": largest_gap(table, own, total),
                "note": f"converged: {how['conv']}; counts of cells, no attributes",
            }
        )
    return out


def one_way(job: dict[str, Any]) -> list[list[float]]:
    """Counts of each variable alone, from the first margin that names it."""
    import numpy as np

    out = []
    for axis in range(len(job["sizes"])):
        at = next(k for k, dims in enumerate(job["dims"]) if axis in dims)
        dims = job["dims"][at]
        table = np.array(job["counts"][at]).reshape([job["sizes"][d] for d in dims])
        out.append(table.sum(axis=tuple(a for a, d in enumerate(dims) if d != axis)).tolist())
    return out


def ipfn(job: dict[str, Any]) -> list[dict[str, Any]]:
    import numpy as np
    from ipfn import ipfn as tool

    sizes, total = job["sizes"], sum(job["counts"][0])
    shaped = [
        np.array(c, dtype=float).reshape([sizes[d] for d in dims])
        for dims, c in zip(job["dims"], job["counts"], strict=True)
    ]
    start = time.process_time()
    table = tool.ipfn(np.ones(sizes), shaped, [list(d) for d in job["dims"]], convergence_rate=1e-9).iteration()
    return [{"what": "ipfn", "cpu": time.process_time() - start, "gap": largest_gap(table, job, total), "note": ""}]


def faker(job: dict[str, Any]) -> list[dict[str, Any]]:
    import faker as tool

    made = tool.Faker()
    made.seed_instance(1)
    out = []
    for what, call in (("Faker simple_profile", made.simple_profile), ("Faker profile", made.profile)):
        call()
        start = time.process_time()
        for _ in range(job["profiles"]):
            call()
        out.append({"what": what, "cpu": time.process_time() - start, "people": job["profiles"], "note": "no margins"})
    return out


def data_designer(job: dict[str, Any]) -> list[dict[str, Any]]:
    import numpy as np
    from data_designer.engine.sampling_gen.generator import DatasetGenerator
    from data_designer.engine.sampling_gen.schema import DataSchema

    ways = one_way(job)
    columns: list[dict[str, Any]] = [
        {"name": f"v{k}", "sampler_type": "category",
         "params": {"values": [f"c{c}" for c in range(len(way))], "weights": (np.array(way) / sum(way)).tolist()}}
        for k, way in enumerate(ways)
    ]  # fmt: skip
    columns.append({"name": "age", "sampler_type": "uniform", "params": {"low": 18, "high": 94}, "convert_to": "int"})
    columns += [
        {"name": f"t{k}", "sampler_type": "gaussian", "params": {"mean": 50, "stddev": 10, "decimal_places": 1}}
        for k in range(5)
    ]
    schema = DataSchema(columns=columns, constraints=[])
    n = job["people"]
    start = time.process_time()
    made = DatasetGenerator(None, random_state=1, schema=schema).generate(n)
    cpu = time.process_time() - start
    gap = max(
        abs(float((made[f"v{k}"] == f"c{c}").mean()) - count / sum(way))
        for k, way in enumerate(ways)
        for c, count in enumerate(way)
    )
    out = [{"what": "Data Designer samplers", "cpu": cpu, "people": n, "gap": gap,
            "note": "one-way margins only, variables independent, no names"}]  # fmt: skip
    columns.append({"name": "person", "sampler_type": "person_from_faker", "params": {}})
    schema = DataSchema(columns=columns, constraints=[])
    start = time.process_time()
    DatasetGenerator(None, random_state=1, schema=schema).generate(job["profiles"])
    return [*out, {"what": "Data Designer samplers with a person from Faker", "cpu": time.process_time() - start,
                   "people": job["profiles"], "note": "independent of the other columns"}]  # fmt: skip


TOOLS = (
    ("humanleague", "humanleague", humanleague),
    ("ipfn", "ipfn", ipfn),
    ("faker", "Faker", faker),
    ("data_designer", "data-designer", data_designer),
)


def main() -> None:
    job = json.load(sys.stdin)
    out: list[dict[str, Any]] = []
    for name, package, run in TOOLS:
        try:
            importlib.import_module(name)
        except ImportError:
            out.append({"what": package, "fault": "not installed"})
            continue
        version = importlib.metadata.version(package)
        try:
            out += [{**row, "version": version} for row in run(job)]
        except Exception as fault:  # noqa: BLE001 - a peer that fails is a line, not the end
            out.append({"what": package, "fault": f"{type(fault).__name__}: {str(fault)[:100]}"})
    print()
    print(json.dumps(out))


if __name__ == "__main__":
    main()
