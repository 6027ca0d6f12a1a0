"""Alembic's migrations of the SQL schema; ``broker.stores.sql.schema`` runs them."""
