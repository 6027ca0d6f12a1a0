"""The core, looked at without servers."""
