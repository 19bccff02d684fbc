"""How much CPU it costs to start: imports and the command line, each in fresh processes.

    python benchmarks/bench_import.py [ROUNDS]

CPU is user + system time of the whole process, the interpreter's own start included (first line of the table). Budget:
`import personae` under 0.3 s, and no heavy package loaded by any of these.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import partial

from _table import Line, child_cpu, in_turn, python, show

HEAVY = ("scipy", "pandas", "pyarrow", "duckdb", "torch", "openai", "matplotlib", "xllamacpp", "onnxruntime")
IMPORTS = ("personae", "personae.core", "personae.models", "personae.runs", "personae.cli")
BUDGET = 0.3

FACES = ("--version", "--help")
RUN = "import sys; sys.argv = ['personae', {argument!r}]; from personae.cli import main; main()"
AFTER = (
    "import atexit, sys\natexit.register(lambda: print([m for m in {heavy!r} if m in sys.modules], file=sys.stderr))"
)


def heavy_after(code: str) -> list[str]:
    """Heavy packages that are loaded when `code` has run."""
    program = f"{AFTER.format(heavy=HEAVY)}\n{code}"
    done = subprocess.run(python("-c", program), check=True, capture_output=True, text=True)
    return ast.literal_eval(done.stderr.strip().splitlines()[-1])


def main(rounds: int) -> None:
    """Measure, print."""
    codes = {"python alone": "pass", "import numpy, pydantic": "import numpy, pydantic"}
    codes |= {f"import {name}": f"import {name}" for name in IMPORTS}
    codes |= {f"personae {face}": RUN.format(argument=face) for face in FACES}
    loaded = {what: heavy_after(code) for what, code in codes.items()}  # also warms the disk cache and the .pyc files
    times = in_turn([partial(child_cpu, python("-c", code)) for code in codes.values()], rounds)
    show(
        [
            Line(
                what,
                values,
                "CPU s",
                f"fresh process; heavy: {', '.join(loaded[what]) or 'none'}",
                ("at most", BUDGET) if what == "import personae" else None,
            )
            for what, values in zip(codes, times, strict=True)
        ]
    )
    for what, names in loaded.items():
        if names:
            print(f"over the target: {what} loads {', '.join(names)}, expected none of {', '.join(HEAVY)}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 9)
