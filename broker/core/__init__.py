"""The rules: what a request means and what may happen; no HTTP, database or network here."""
