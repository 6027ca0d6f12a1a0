"""Tests of the stores over real servers."""
