"""Subject identifiers: what a client calls a person (OpenID Connect Core §8).

A public one is the same for every client. A pairwise one is the same for all clients of a sector
and says nothing to any other: it is computed from the account, whose identifier no client knows.
"""

import hashlib
import hmac
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from broker.core import vocabulary as v
from broker.core.client import Client
from broker.core.model import AuthorizationRequest
from broker.core.pkce import encode

NOBODY: Final = "-"  # no account's subject
_PURPOSE: Final = b"pairwise"


def subject_for(client: Client, account_id: str, sub: str) -> str:
    """Return the ``sub`` of an account at a client (Core §8, §8.1).

    Args:
        client: who is told.
        account_id: 32 hexadecimal digits; 128 random bits, so they serve as the key.
        sub: the account's public subject identifier.
    """
    if client.subject_type != v.SUBJECT_PAIRWISE:
        return sub
    made = hmac.new(bytes.fromhex(account_id), _PURPOSE + sector(client).encode(), hashlib.sha256)
    return encode(made.digest())


def for_account(
    client: Client, request: AuthorizationRequest, account_id: str
) -> AuthorizationRequest:
    """Return the request as the step that writes codes compares it: with a public subject.

    A pairwise hint cannot be read backwards, but it can be compared with what this account is
    called at the client.
    """
    wanted = request.hint_sub
    if wanted is None or client.subject_type != v.SUBJECT_PAIRWISE:
        return request
    same = hmac.compare_digest(wanted.encode(), subject_for(client, account_id, "").encode())
    return replace(request, hint_sub=None if same else NOBODY)


def sector(client: Client) -> str:
    """Return the host that pairwise identifiers are made for (Core §8.1).

    That of the sector document; else of the redirect URIs, which then all have the same.
    """
    named = client.sector_identifier_uri or next(iter(client.redirect_uris), "")
    return urlsplit(named).hostname or client.client_id
