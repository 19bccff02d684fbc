"""Where the toolkit keeps what belongs to the user and not to a run."""

from __future__ import annotations

import os
from pathlib import Path


def home_dir() -> Path:
    """`$PERSONAE_HOME`, else `personae` in the user's cache folder (`$XDG_CACHE_HOME` or `~/.cache`)."""
    home = os.environ.get("PERSONAE_HOME")
    if home:
        return Path(home).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "personae"
