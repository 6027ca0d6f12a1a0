"""The protocol over HTTP, against the complete broker: one test for each promise."""
