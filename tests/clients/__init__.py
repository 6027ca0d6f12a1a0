"""Clients and verifiers written by others, against a running broker."""
