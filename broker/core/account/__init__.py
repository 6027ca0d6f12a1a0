"""A person's own account: the page that shows it, signing in to it, linking and unlinking."""
