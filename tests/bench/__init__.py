"""The benchmark: `python -m tests.bench [--json FILE] [--quick]`.

Every figure is a ratio, because machines differ: to the RSA signatures that one core makes in a
second, and to a floor, a bare application that does the same unavoidable work and nothing else.
The worker has one core, the load generator (wrk) and Redis the other.
"""
