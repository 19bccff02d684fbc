"""The demo: the whole idea on real parts, in one command."""

from personae.studies.demo.study import Demo

__all__ = ["Demo"]
