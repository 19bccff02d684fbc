"""personae: persona engineering for language models."""
