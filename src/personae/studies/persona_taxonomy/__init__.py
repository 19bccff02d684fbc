"""persona_taxonomy: which kind, what it lacks, what can be run on it, what may go wrong."""

from personae.studies.persona_taxonomy.study import PersonaTaxonomy

__all__ = ["PersonaTaxonomy"]
