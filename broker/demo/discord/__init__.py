"""A simulated Discord: the documented OAuth 2.0 and user endpoints over real HTTP.

It serves the demonstration and the tests, on loopback only, and can be told to misbehave.
"""

from broker.demo.discord.app import create_app, endpoints, serve, serve_in_thread
from broker.demo.discord.driver import RefusedError, approve, approve_sync
from broker.demo.discord.events import Delivery, EndpointRefusedError, Signed
from broker.demo.discord.faults import Fault
from broker.demo.discord.people import Guild, Membership, Person
from broker.demo.discord.ratelimit import Limit
from broker.demo.discord.records import Application
from broker.demo.discord.state import InvalidGrantError, SimulatedDiscord
from broker.demo.discord.traffic import Ban

__all__ = [
    "Application",
    "Ban",
    "Delivery",
    "EndpointRefusedError",
    "Fault",
    "Guild",
    "InvalidGrantError",
    "Limit",
    "Membership",
    "Person",
    "RefusedError",
    "Signed",
    "SimulatedDiscord",
    "approve",
    "approve_sync",
    "create_app",
    "endpoints",
    "serve",
    "serve_in_thread",
]
