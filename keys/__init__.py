"""Signing keys that rotate by themselves; usable without the broker."""
