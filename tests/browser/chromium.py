"""A headless Chromium, and a page in it that is driven by the DevTools protocol."""

from __future__ import annotations

import asyncio
import base64
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
FLAGS += ["--disable-component-update", "--disable-sync"]


def browser_command(profile: Path) -> list[str]:
    """How a browser is started that knows nothing yet; fails the test where there is none."""
    browser = next(filter(None, map(shutil.which, NAMES)), None)
    if browser is None:
        pytest.fail(f"this test needs a browser, one of {', '.join(NAMES)}: apt-get install chromium")
    return [browser, *FLAGS, f"--user-data-dir={profile}"]


class Tab:
    """A page.

    Args:
        socket: to the browser's tools.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.complaints: list[str] = []  # what the console shows that is no remark
        self._socket, self._numbers = socket, count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}

    async def listen(self) -> None:
        """Take what the browser says until it ends."""
        async for message in self._socket:
            said = message.json()
            if "id" in said:
                self._answers.pop(said["id"]).set_result(said)
            elif said["method"] == "Runtime.exceptionThrown":
                self.complaints.append(str(said["params"]["exceptionDetails"]))
            elif said["method"] == "Runtime.consoleAPICalled" and said["params"]["type"] in ("error", "warning"):
                self.complaints.append(str(said["params"]["args"]))
            elif said["method"] == "Log.entryAdded" and said["params"]["entry"]["level"] in ("error", "warning"):
                self.complaints.append(str(said["params"]["entry"]))

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The result of a command of the protocol."""
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        said = await asyncio.wait_for(answer, 60)
        assert "error" not in said, f"{method}: {said}"
        return said["result"]

    async def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page, as if a user had caused it."""
        said = await self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True
        )
        assert "exceptionDetails" not in said, f"{expression}: {said}"
        return said["result"].get("value")

    async def until(self, condition: str, seconds: float = 60) -> None:
        """Wait until an expression is true."""
        for _ in range(round(seconds / 0.1)):
            if await self.evaluate(condition):
                return
            await asyncio.sleep(0.1)
        pytest.fail(f"{condition} is not true after {seconds} s: {await self.evaluate('document.body.innerText')}")

    async def choose_file(self, selector: str, path: Path) -> None:
        """Choose a file in an input."""
        root = (await self.call("DOM.getDocument"))["root"]["nodeId"]
        node = (await self.call("DOM.querySelector", nodeId=root, selector=selector))["nodeId"]
        await self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    async def photograph(self, path: Path) -> None:
        """Write a picture of the page."""
        data = (await self.call("Page.captureScreenshot", captureBeyondViewport=True))["data"]
        path.write_bytes(base64.b64decode(data))


@asynccontextmanager
async def open_tab(url: str, folder: Path, width: int = 1280, flags: tuple[str, ...] = ()) -> AsyncIterator[Tab]:
    """A page in a browser of its own, `width` pixels wide; what it downloads goes to `folder / "downloads"`."""
    profile = folder / "profile"
    command = [*browser_command(profile), *flags, "--remote-debugging-port=0", "about:blank"]
    browser = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        async with aiohttp.ClientSession() as session, session.ws_connect(await _address(profile, session)) as socket:
            tab = Tab(socket)
            listener = asyncio.create_task(tab.listen())
            for domain in ("Runtime", "Log", "Page", "DOM"):
                await tab.call(f"{domain}.enable")
            downloads = str(folder / "downloads")
            await tab.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=downloads)
            screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
            await tab.call("Emulation.setDeviceMetricsOverride", **screen)
            await tab.call("Page.navigate", url=url)
            yield tab
            listener.cancel()
    finally:
        browser.terminate()
        browser.wait(20)


async def _address(profile: Path, session: aiohttp.ClientSession) -> str:
    """The address of the only page's tools."""
    told = profile / "DevToolsActivePort"
    for _ in range(300):
        if told.exists() and (lines := told.read_text().splitlines()):
            async with session.get(f"http://127.0.0.1:{lines[0]}/json/list") as response:
                pages = [target for target in await response.json() if target["type"] == "page"]
            if pages:
                return pages[0]["webSocketDebuggerUrl"]
        await asyncio.sleep(0.1)
    pytest.fail("the browser does not start")
