"""Accounts, clients, consents, the audit log and the outbox, in SQLite or PostgreSQL."""
