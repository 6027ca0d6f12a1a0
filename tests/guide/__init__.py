"""The guide for downstream services: its examples serve, and refuse what they should."""
