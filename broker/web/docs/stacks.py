"""The table of pages: what there is for whom, in the order in which they are offered."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Stack:
    """One page with configuration to copy.

    Attributes:
        name: the last part of its address, and of its template.
        title: its heading.
        about: for whom it is, in one line.
    """

    name: str
    title: str
    about: str


STACKS: Final = (
    Stack("spa", "Single-page app", "Sign people in with oidc-client-ts, in the browser alone."),
    Stack("authjs", "Auth.js", "Sign people in to a site of Next.js, SvelteKit or Express."),
    Stack("fastapi", "FastAPI", "An API that takes access tokens."),
    Stack("express", "Express", "An API that takes access tokens, or a site with a session."),
    Stack("django", "Django", "A site with django-allauth, or an API that takes access tokens."),
    Stack("oauth2-proxy", "oauth2-proxy", "A sign-in before any tool that has none."),
    Stack("discord-activity", "Discord Activity", "Sign-in inside Discord, without a redirect."),
    Stack("grafana", "Grafana", "Sign in to dashboards, with roles from Discord's."),
)

# Other values than this issuer's, which everybody replaces by their own.
APP: Final = "https://app.example.org"
API: Final = "https://api.example.org"
