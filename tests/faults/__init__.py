"""Faults: a whole broker in processes of its own, and what is done to it."""
