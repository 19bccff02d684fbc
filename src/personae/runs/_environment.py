"""Where a run was made: versions, machine, load. Nothing that could be a secret."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from personae.core import Frozen

_PACKAGES: Final = (
    "personae",
    "numpy",
    "pydantic",
    "pyarrow",
    "scipy",
    "xllamacpp",
    "gguf",
    "openai",
    "onnxruntime",
    "tokenizers",
    "torch",
    "transformers",
)
# Named one by one: the rest of the environment is nobody's business.
_VARIABLES: Final = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "CUDA_VISIBLE_DEVICES",
    "PYTHONHASHSEED",
    "LANG",
    "LC_ALL",
    "TZ",
)
_SECRET: Final = re.compile(
    r"(\A|[_\-.])(api[_-]?key|key|secret|password|passwd|authorization|credentials?|(access|auth|bearer)[_-]?token)\Z",
    re.IGNORECASE,
)
HIDDEN: Final = "***"


class Environment(Frozen):
    """Machine and software of one session."""

    packages: dict[str, str]
    python: str
    platform: str
    cpu: str
    cores: int
    load_average: tuple[float, ...]
    """1, 5 and 15 minutes, when the session began; empty where the system does not say"""
    variables: dict[str, str]


def read_environment() -> Environment:
    """This process and this machine."""
    packages: dict[str, str] = {}
    for name in _PACKAGES:
        try:
            packages[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    if "personae" not in packages:
        from personae import __version__

        packages["personae"] = __version__
    try:
        load = tuple(round(x, 2) for x in os.getloadavg())
    except OSError:
        load = ()
    return Environment(
        packages=packages,
        python=platform.python_version(),
        platform=platform.platform(),
        cpu=_cpu(),
        cores=os.cpu_count() or 1,
        load_average=load,
        variables={name: os.environ[name] for name in _VARIABLES if name in os.environ},
    )


def without_secrets(value: Any) -> Any:
    """`value` (JSON-able) with the values of keys that name a secret replaced by `***`."""
    if isinstance(value, Mapping):
        return {
            str(k): HIDDEN if _SECRET.search(str(k)) and isinstance(v, str) and v else without_secrets(v)
            for k, v in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [without_secrets(v) for v in value]
    return value


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
