"""An installation's look: what is computed of its colour, and what its pages show."""

import re
from colorsys import rgb_to_hls
from dataclasses import replace
from importlib.resources import files

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.app.branding import accent_fault
from broker.core.outcomes import DeviceCodePage
from broker.web.app import build
from broker.web.branding import (
    DARK,
    ENOUGH,
    LIGHT,
    Logo,
    Look,
    accented,
    contrast,
    least,
    on_dark,
    on_light,
    readable,
)
from tests.web import fakes

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>'
LOOK = Look(
    Logo("logo.svg", SVG),
    "#4752c4",
    "mailto:help@club.example",
    "https://club.example/privacy",
    "https://club.example/terms",
)


def hls(colour: str) -> tuple[float, float, float]:
    """Hue, lightness and strength of a colour."""
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return rgb_to_hls(red, green, blue)


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


@given(st.integers(0, 0xFFFFFF).map(lambda one: f"#{one:06x}"))
def test_every_colour_that_is_taken_can_be_read(colour: str) -> None:
    """On both kinds of pages; of one that is refused, the one near it that is named is taken."""
    fault = accent_fault(colour)
    assert (fault is None) is readable(colour)
    if fault is not None:
        near = re.findall(r"#[0-9a-f]{6}", fault)
        assert near == [on_light(colour)]
        assert readable(near[0])
        return
    light, dark = accented(colour).decode().split("@media")
    for rule, grounds in ((light, LIGHT), (dark, DARK)):
        named = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", rule))
        assert least(named["accent"], grounds) >= ENOUGH
        assert contrast(named["on-accent"], named["accent"]) >= ENOUGH


@pytest.mark.parametrize("colour", ["#b45309", "#1b1f5e", "#0a7d33", "#7a1fa2", "#b00020"])
def test_a_colour_stays_itself_on_dark_pages(colour: str) -> None:
    """Lighter, no more than it has to be, and neither another colour nor a washed-out one."""
    (hue, was, strong), (other, now, left) = map(hls, (colour, on_dark(colour)))
    assert other == pytest.approx(hue, abs=0.01)
    assert left == pytest.approx(strong, abs=0.05)
    assert now >= was
    assert least(on_dark(colour), DARK) < ENOUGH + 0.5


@pytest.mark.parametrize(
    "text", ["", "red", "#fff", "#14604f ", "#14604f\n", "#\uff114604f", "14604f;"]
)
def test_what_is_no_colour(text: str) -> None:
    """Nothing but # and six hexadecimal digits ever becomes style."""
    assert "must be a colour" in (accent_fault(text) or "")


def test_the_grounds_are_those_of_the_stylesheet() -> None:
    """A change of colours there would make what is computed here untrue."""
    sheet = files("broker.web").joinpath("static/broker.css").read_text("utf-8")
    light, dark = sheet.split("@media (prefers-color-scheme: dark)")[:2]
    for part, grounds in ((light, LIGHT), (dark, DARK)):
        named = dict(re.findall(r"--(card|page|tint): (#[0-9a-f]+);", part))
        full = [one if len(one) == 7 else "#" + "".join(c * 2 for c in one[1:])
                for one in (named["card"], named["page"], named["tint"])]  # fmt: skip
        assert tuple(full) == grounds


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


@pytest.mark.parametrize(("path", "status"), [("/", 200), ("/device", 200), ("/nowhere", 404)])
async def test_a_notice_stands_on_every_page(path: str, status: int) -> None:
    """In the page's language, as text and nothing but text; on none where there is none."""
    look = Look(notice=(("", "Down <b>22:00</b> UTC"), ("ko", "22:00 점검")))
    for shown, accepted, said in (
        (look, "en", "<span>Down &lt;b&gt;22:00&lt;/b&gt; UTC</span></p>"),
        (look, "ko", "<span>22:00 점검</span></p>"),
        (replace(look, notice=(("", "Down"),)), "ko", "<span>Down</span></p>"),
        (Look(), "en", ""),
    ):
        core = fakes.Core()
        core.outcome = DeviceCodePage("csrf")
        app = build(fakes.services(core), fakes.config(look=shown))
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url=fakes.ISSUER) as http:
            headers = {"accept": "text/html", "accept-language": accepted}
            page = await http.get(path, headers=headers)
        assert page.status_code == status
        assert said in page.text
        assert page.text.count('<p class="notice board" role="status">') == bool(said)


def test_what_is_not_set_is_ours() -> None:
    """No rule, no link, no logo."""
    assert Look().stylesheet == b""
