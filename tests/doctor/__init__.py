"""The doctor: each check over recorded answers, and the whole over real servers."""
