"""Anything at all, given to whatever reads what comes from outside."""
