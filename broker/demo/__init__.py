"""The demonstration: a simulated Discord, a sample app, and a check that walks a sign-in."""
