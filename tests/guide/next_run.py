"""The files of the page about Auth.js in a real Next.js, signed in to and out of in Chromium.

``python -m tests.guide.next_run``: installs, builds and serves it, which takes a minute and some
350 MB; so it is no test of the suite, where the same configuration runs under Express.
"""

import asyncio
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from playwright.async_api import Page, expect

from broker.web.docs.render import snippets
from tests.chromium import chromium
from tests.guide.sites import HERE, Site, port_of, registered, serving
from tests.outer import need
from tests.ports import free_port
from tests.running import RunningBroker

PLACES: Final = {
    "provider.js": "provider.js",
    "auth.js": "auth.js",
    "route.js": "app/api/auth/[...nextauth]/route.js",
    "page.jsx": "app/page.jsx",
}
LAYOUT: Final = """export default function Layout({ children }) {
  return <html lang="en"><body>{children}</body></html>;
}
"""
NEXT: Final = ("node", "node_modules/next/dist/bin/next")
QUIET: Final = {"NEXT_TELEMETRY_DISABLED": "1"}


def built(folder: Path, files: dict[str, str], secret: str) -> None:
    """Write the site as it is shown, and build it."""
    shutil.copy(HERE / "next" / "package.json", folder)
    for name, place in PLACES.items():
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[name], "utf-8")
    (folder / "app" / "layout.jsx").write_text(LAYOUT)
    values = files["authjs.env"].replace("AUTH_SECRET=", f"AUTH_SECRET={'s' * 40}")
    values = values.replace("AUTH_BROKER_SECRET=", f"AUTH_BROKER_SECRET={secret}")
    (folder / ".env.local").write_text(values)
    options = ("--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts")
    for words in (("npm", "install", *options), (*NEXT, "build")):
        subprocess.run(words, cwd=folder, check=True, env={**os.environ, **QUIET})


async def walked(page: Page, site: Site) -> None:
    """Sign in, see who it is, sign out there and here, and be back."""
    await page.goto(site.address)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("button", name="Ada Lindqvist").click()
    await page.get_by_role("button", name="Authorize").click()
    await page.get_by_role("button", name="Allow").click()
    [account] = site.broker.cli("accounts", "list")
    await expect(page.locator("p")).to_have_text(f"Ada Lindqvist, {account['sub']}")
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Sign out?")).to_be_visible()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page).to_have_url(f"{site.address}/")
    await expect(page.get_by_role("button", name="Sign in")).to_be_visible()


async def main() -> None:
    """Do it all once; an exception says what went wrong."""
    need("npm", "node")
    address = f"http://localhost:{free_port()}"
    with tempfile.TemporaryDirectory() as name, RunningBroker(Path(name) / "broker") as broker:
        folder = Path(name) / "site"
        folder.mkdir()
        files = snippets(issuer=broker.issuer, brand="Token Broker", app=address)
        site = Site(address, broker, registered(broker, files["register-authjs.sh"]))
        built(folder, files, site.client["client_secret"])
        words = [*NEXT, "start", "-p", port_of(address), "-H", "127.0.0.1"]
        with serving(words, folder, address, **QUIET):
            async with chromium() as browser:
                await walked(await browser.new_page(), site)
    print("signed in and out")


if __name__ == "__main__":
    asyncio.run(main())
