"""The pages of the simulated Discord: plain HTML forms, no script."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from broker.demo.discord.people import Person

_HERE = Path(__file__).parent

SCOPE_TEXTS = {
    "identify": "See your username, avatar and banner",
    "email": "See your e-mail address",
    "guilds": "Know which servers you are in",
    "guilds.members.read": "Read your member information in servers you belong to",
    "guilds.join": "Join servers for you",
    "connections": "See your third-party connections",
    "openid": "Confirm your identity with OpenID Connect",
    "role_connections.write": "Update your role connection metadata",
}
# No `form-action`: Chromium applies it to every redirect after the form, so to each app's origin.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def avatar_path(person: Person) -> str:
    """Return the path of a person's picture, as on Discord's CDN."""
    if person.avatar:
        kind = "gif" if person.avatar.startswith("a_") else "png"
        return f"/avatars/{person.id}/{person.avatar}.{kind}"
    return f"/embed/avatars/{(int(person.id) >> 22) % 6}.png"


_templates = Environment(loader=FileSystemLoader(_HERE), autoescape=True, trim_blocks=True)
_templates.globals |= {"avatar": avatar_path, "scope_texts": SCOPE_TEXTS}


def page(name: str, status: int = 200, **context: Any) -> Response:
    """Render a page; never cached, never framed, nothing loaded from elsewhere."""
    headers = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    html = _templates.get_template(name).render(**context)
    return HTMLResponse(html, status, headers)


async def stylesheet(_: Request) -> Response:
    """Serve the one stylesheet."""
    css = (_HERE / "style.css").read_text(encoding="utf-8")
    return Response(css, media_type="text/css", headers={"Cache-Control": "public, max-age=300"})
