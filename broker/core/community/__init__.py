"""Communities: the guilds people are members of, and what that makes of them here.

``model`` has the records, ``registry`` what the operator says of a guild, ``needs`` what a client
has to know, ``mapping`` which roles of its own it gives for those of a guild, ``claims`` what it is
told, ``recheck`` how what is known is kept fresh, by whoever's turn it is (``turns``); Discord's
identifiers are ``snowflakes``.
"""
