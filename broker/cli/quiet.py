"""Keeping the log of a server out of the answers of a command."""

import logging

from broker.app.settings import Settings
from broker.log import structlog


def quiet(settings: Settings) -> None:
    """Show errors alone, plainly, on standard error; everything with BROKER_LOG_LEVEL=debug."""
    from broker.app import logs

    if settings.log_level == "debug":
        logs.configure(settings)
        return
    logging.basicConfig(level=logging.ERROR, format="broker: %(message)s")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
