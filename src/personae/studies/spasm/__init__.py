"""SPASM: stable persona-driven two-agent dialogues (arXiv 2604.09212)."""

from personae.studies.spasm.study import Spasm

__all__ = ["Spasm"]
