"""personae: persona engineering for language models.

A Population yields Personas; a Condition puts a persona on a Model, which makes an Actor; actors hold Conversations
and answer Instruments; all of it is evidence in a Run; Measurements are computed from evidence alone; a Study is one
recipe over these.

The names below are imported when they are first used, so `import personae` itself stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from personae.core import Actor, Condition, Conversation, Instrument, Measurement, Persona
    from personae.creation import Population
    from personae.models import Model
    from personae.runs import Run
    from personae.studies import Study

__version__ = "0.1.0"

_HOME: Final = {
    "Actor": "personae.core",
    "Condition": "personae.core",
    "Conversation": "personae.core",
    "Instrument": "personae.core",
    "Measurement": "personae.core",
    "Model": "personae.models",
    "Persona": "personae.core",
    "Population": "personae.creation",
    "Run": "personae.runs",
    "Study": "personae.studies",
}

__all__ = [
    "Actor",
    "Condition",
    "Conversation",
    "Instrument",
    "Measurement",
    "Model",
    "Persona",
    "Population",
    "Run",
    "Study",
    "__version__",
]


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'personae' has no attribute {name!r}; it has {', '.join(sorted(_HOME))}")


def __dir__() -> list[str]:
    return __all__
