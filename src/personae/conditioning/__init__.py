"""Conditions (ways a persona reaches a model) and the actors they make."""

from personae.conditioning._actor import ConditionedActor, ExternalActor, Said, embody
from personae.conditioning._conditions import Composition, NoPersona, Prompt, Steer, compose
from personae.conditioning._survey import answer_survey

__all__ = [
    "Composition",
    "ConditionedActor",
    "ExternalActor",
    "NoPersona",
    "Prompt",
    "Said",
    "Steer",
    "answer_survey",
    "compose",
    "embody",
]
