"""The operator console: pages over what is kept; every action is one of the core's or the stores'.

Its frame is starlette-admin: menu, form protection, messages, looks. Its pages are our own, because
the library's own views of tables need inline scripts, and no page here may run one.
"""
