"""HACHIMI: student personas under quotas and theory, by owners on a whiteboard (arXiv 2603.04855)."""

from personae.studies.hachimi.study import Hachimi

__all__ = ["Hachimi"]
