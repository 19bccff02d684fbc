"""People from a recipe with written descriptions, as a run."""

from personae.studies.people.spec import PeopleSpec
from personae.studies.people.study import People

__all__ = ["People", "PeopleSpec"]
