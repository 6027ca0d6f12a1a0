"""Other people's sign-in, as the core's ``Upstream`` port sees it."""
