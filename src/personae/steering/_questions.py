"""Questions that anybody can answer in character: what contrasts of system texts are read on. Written for personae."""

from __future__ import annotations

from typing import Final

OPEN_QUESTIONS: Final = (
    "How was your day?",
    "What do you do when plans change at the last minute?",
    "Tell me about somebody you know well.",
    "What would you say to a neighbour who plays loud music?",
    "How do you decide what to buy?",
    "What do you think about when you wait in a queue?",
    "Somebody disagrees with you in front of others. What do you do?",
    "Describe the place where you live.",
    "What did you learn last year?",
    "A friend is late again. What do you say?",
    "What makes a good morning?",
    "How should people treat each other?",
)
