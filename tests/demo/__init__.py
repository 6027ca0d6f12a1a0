"""Tests of the simulated Discord, the sample app and the check."""
