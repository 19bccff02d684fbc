"""Making people."""
