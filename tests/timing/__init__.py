"""Whether time tells how much of a secret was guessed right."""
