"""A broker whose keys change every few seconds, those who use it, and what they notice."""
