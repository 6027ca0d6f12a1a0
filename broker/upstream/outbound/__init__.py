"""Safe outbound HTTP: for every address that a client can name.

``jwks_uri``, ``backchannel_logout_uri`` and ``sector_identifier_uri`` come from whoever registers
a client, so fetching them carelessly lends out this machine's place in the network (server-side
request forgery). ``targets`` judges the address as written, ``names`` finds the host's IP
addresses, ``addresses`` judges those, ``caller`` connects to exactly what was judged.
"""

from broker.upstream.outbound.caller import Calls, Outbound

__all__ = ["Calls", "Outbound"]
