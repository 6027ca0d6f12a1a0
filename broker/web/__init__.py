"""The edge: HTTP in, a decision of the core, HTTP out."""
