"""The integrator's pages at ``/docs``, with this issuer's values filled in.

``stacks`` is the table of pages, ``snippets/`` what they show to be copied (Jinja text, so that
tests render and run them), ``pages/`` the words around it, ``claims`` what stands in tokens, and
``render`` builds each page once, of what ``manual`` knows of this deployment.
"""
