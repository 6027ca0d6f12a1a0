"""An installation's look: what is computed of its colour, and what its pages show."""

import httpx2
import pytest

from broker.web.app import build
from broker.web.branding import DARK, ENOUGH, LIGHT, Logo, Look, contrast, least, on_dark
from tests.web import fakes

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>'
LOOK = Look(
    Logo("logo.svg", SVG),
    "#4752c4",
    "mailto:help@club.example",
    "https://club.example/privacy",
    "https://club.example/terms",
)


def test_contrast_as_wcag_computes_it() -> None:
    """The ratios that everybody knows."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert contrast("#14604f", "#14604f") == 1


@pytest.mark.parametrize("accent", ["#14604f", "#000000", "#4752c4", "#a8321a", "#5b5b00"])
def test_every_accent_can_be_read(accent: str) -> None:
    """On light pages and dark ones, and so can what stands on it, under the pointer too."""
    assert least(accent) >= ENOUGH
    assert least(on_dark(accent), DARK) >= ENOUGH
    light, dark = Look(accent=accent).stylesheet.decode().split("@media")
    for rule in (light, dark):
        words = rule.replace(";", " ").split()
        named = {
            key: words[words.index(f"--{key}:") + 1]
            for key in ("accent", "accent-deep", "on-accent")
        }
        for ground in ("accent", "accent-deep"):
            assert contrast(named["on-accent"], named[ground]) >= ENOUGH, rule
        grounds = LIGHT if rule is light else DARK
        assert least(named["accent-deep"], grounds) >= ENOUGH, rule


async def test_pages_show_it() -> None:
    """Logo, colour and links; all of it is served from here, under the same policy as ever."""
    config = fakes.config(look=LOOK)
    transport = httpx2.ASGITransport(app=build(fakes.services(fakes.Core()), config))
    async with httpx2.AsyncClient(transport=transport, base_url=fakes.ISSUER) as http:
        page = await http.get("/")
        plain = "default-src 'none'; style-src 'self'; img-src 'self' data: https:;"
        assert page.headers["content-security-policy"].startswith(plain)
        logo = page.text.partition('<img src="')[2].partition('"')[0]
        shown = await http.get(logo)
        assert (shown.content, shown.headers["content-type"]) == (SVG, "image/svg+xml")
        assert "default-src 'none'" in shown.headers["content-security-policy"]
        for address in (LOOK.support, LOOK.privacy, LOOK.terms):
            assert f'<a href="{address}" rel="noreferrer">' in page.text
        sheet = page.text.partition('<link rel="stylesheet" href="')[2].partition('"')[0]
        assert b"--accent: #4752c4" in (await http.get(sheet)).content


def test_what_is_not_set_is_ours() -> None:
    """No rule, no link, no logo."""
    assert Look().stylesheet == b""
