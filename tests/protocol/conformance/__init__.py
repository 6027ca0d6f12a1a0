"""The OpenID Foundation's published test plans, a test for each module as far as it applies.

A test's docstring names the module of the plan (and its older name, ``OP-…``, where it has one).
What a plan asks that is not offered here is in ``plans.py``, with the reason.
"""
