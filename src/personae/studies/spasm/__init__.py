"""SPASM: stable persona-driven two-agent dialogues (arXiv 2604.09212)."""

from personae.studies.spasm.study import Spasm, client_rules, responder_rules

__all__ = ["Spasm", "client_rules", "responder_rules"]
