"""Device authorization (RFC 8628): a device without a browser asks, a person answers elsewhere.

::

    device ── POST /device_authorization ──▶ device code (a handle), user code
    device ── POST /token, every 5 s ──▶ authorization_pending … ──▶ tokens
    person ── /device: enters the code ──▶ sign-in ──▶ the page that asks ──▶ back to the device

What the person allows is an authorization code in the account's own slot, as for any sign-in; only
its handle never leaves us: the device's record names it. So a device's grant obeys the same rules
as every other: it ends with the session it was allowed in unless it is offline, and so does a code
that no device has fetched yet.

The record of a device moves only forward, each time in one atomic step::

    waiting ──▶ denied
       └──────▶ approved ──▶ used          (and whatever it is, it expires)
"""
