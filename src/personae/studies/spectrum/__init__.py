"""Multidimensional identity (SPeCtrum): social, personal and life-context profiles, alone and together."""

from personae.studies.spectrum.spec import SpectrumSpec
from personae.studies.spectrum.study import Spectrum

__all__ = ["Spectrum", "SpectrumSpec"]
