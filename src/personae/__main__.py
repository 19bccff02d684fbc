"""`python -m personae`."""

from personae.cli import main

main()
