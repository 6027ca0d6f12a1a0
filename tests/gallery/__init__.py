"""Every page that the product can show a person, to be looked at and to be tested.

``python -m tests.gallery --into FOLDER`` photographs them, phone and desktop, light and dark::

    python -m tests.gallery --into /tmp/pictures                 # the whole house
    python -m tests.gallery --into /tmp/pictures --only consent  # pages whose name has this in it

``people`` has the pages of the edge with what stands on them, shown in every language; ``console``
the operator's pages, over a world that ``world`` fills with people; ``demo`` those of a running
demonstration, with the pages for developers. ``tests/browser/test_browser_every_page.py`` walks
the same lists with axe, and fails where a template is on none of them.
"""
