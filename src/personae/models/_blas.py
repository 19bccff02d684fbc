"""One BLAS thread while exact numbers are computed: the number of threads changes the bits of a matrix product."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np

_PREFIXES: Final = ("scipy_openblas_", "openblas_")
_SUFFIXES: Final = ("64_", "")
_lock: Final = threading.Lock()
_depth = 0
_before = 1


@dataclass(frozen=True, slots=True)
class _Control:
    get: Callable[[], int]
    set: Callable[[int], None]


@cache
def _control() -> _Control | None:
    """Thread control of the OpenBLAS that numpy brought along; None where numpy uses another BLAS."""
    package = Path(np.__file__).parent
    folders = (package.parent / "numpy.libs", package / ".dylibs", package / ".libs")
    for path in sorted(found for folder in folders for found in folder.glob("*openblas*")):
        try:
            library = ctypes.CDLL(str(path))
        except OSError:
            continue
        for prefix in _PREFIXES:
            for suffix in _SUFFIXES:
                try:
                    get = library[f"{prefix}get_num_threads{suffix}"]
                    put = library[f"{prefix}set_num_threads{suffix}"]
                except AttributeError:
                    continue
                get.restype, get.argtypes = ctypes.c_int, []
                put.restype, put.argtypes = None, [ctypes.c_int]
                return _Control(get, put)
    return None


def blas_threads_known() -> bool:
    """Can the number of BLAS threads be set here? Where it cannot, bits depend on the environment."""
    return _control() is not None


@contextmanager
def one_blas_thread() -> Generator[None]:
    """Hold BLAS at one thread; the number from before comes back when the last holder leaves."""
    global _depth, _before  # noqa: PLW0603  (the setting itself is global to the process)
    control = _control()
    if control is None:
        yield
        return
    with _lock:
        if _depth == 0:
            _before = control.get()
            control.set(1)
        _depth += 1
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if _depth == 0:
                control.set(_before)
