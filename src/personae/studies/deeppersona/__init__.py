"""DeepPersona: people with hundreds of attributes, how they are chosen, and whether they answer like citizens."""

from personae.studies.deeppersona.study import DeepPersona

__all__ = ["DeepPersona"]
