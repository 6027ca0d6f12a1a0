"""The tests; see ``conftest`` for the outer servers that some of them need."""
