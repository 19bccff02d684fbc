"""Models behind one protocol."""

from personae.models._protocol import (
    Capability,
    Completion,
    Determinism,
    Embeddings,
    FinishReason,
    GenerateRequest,
    Generation,
    Message,
    Model,
    OptionScores,
    Role,
    Sampling,
    ScoreRequest,
    Usage,
)

__all__ = [
    "Capability",
    "Completion",
    "Determinism",
    "Embeddings",
    "FinishReason",
    "GenerateRequest",
    "Generation",
    "Message",
    "Model",
    "OptionScores",
    "Role",
    "Sampling",
    "ScoreRequest",
    "Usage",
]
