"""Where the broker keeps things: Redis for what is short-lived, SQL for the rest."""
