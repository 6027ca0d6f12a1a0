"""Services that verify tokens, as programs of their own, each with a library written by others.

Each keeps its copy of the JWKS as long as Cache-Control allows and asks anew when that has ended,
never before: a key it does not know is a token refused, not a reason to look again. They hear and
say one JSON value a line; `lines` tells which. npm's jose is in ``../node/rotation_verifier.mjs``,
beside the packages it needs.
"""
