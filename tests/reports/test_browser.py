"""The report in a real Chromium, driven over the DevTools protocol with nothing but the standard library."""

import base64
import contextlib
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlparse

import pytest

from personae.reports import Page, write_report

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="no Chromium: apt-get install -y chromium"),
]


class Tab:
    """One page of a browser."""

    def __init__(self, url: str) -> None:
        where = urlparse(url)
        self.socket = socket.create_connection((where.hostname, where.port), timeout=60)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET {where.path} HTTP/1.1\r\nHost: {where.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self.buffer = b""
        while b"\r\n\r\n" not in self.buffer:
            self.buffer += self.socket.recv(4096)
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        assert b" 101 " in head, head
        self.last = 0
        self.events: list[dict] = []

    def _take(self, n: int) -> bytes:
        while len(self.buffer) < n:
            piece = self.socket.recv(1 << 20)
            assert piece, "the browser closed the connection"
            self.buffer += piece
        out, self.buffer = self.buffer[:n], self.buffer[n:]
        return out

    def _message(self) -> dict:
        data = b""
        while True:
            first, second = self._take(2)
            size = second & 0x7F
            if size > 125:
                size = struct.unpack(">H" if size == 126 else ">Q", self._take(2 if size == 126 else 8))[0]
            data += self._take(size)
            if first & 0x80:
                return json.loads(data)

    def call(self, method: str, **params: object) -> dict:
        self.last += 1
        body = json.dumps({"id": self.last, "method": method, "params": params}).encode()
        mask = os.urandom(4)
        length = struct.pack(">BQ", 0xFF, len(body)) if len(body) > 65535 else struct.pack(">BH", 0xFE, len(body))
        masked = bytes(c ^ mask[k % 4] for k, c in enumerate(body))
        self.socket.sendall(b"\x81" + length + mask + masked)
        while True:
            message = self._message()
            if message.get("id") == self.last:
                assert "error" not in message, message
                return message["result"]
            self.events.append(message)

    def wait_for(self, method: str) -> None:
        while not any(e.get("method") == method for e in self.events):
            self.events.append(self._message())

    def evaluate(self, script: str) -> object:
        return self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)["result"].get(
            "value"
        )

    def show(self, url: str, width: int, height: int, *, scheme: str = "light") -> None:
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.events.clear()
        self.call("Page.navigate", url=url)
        self.wait_for("Page.loadEventFired")

    def picture(self, path: Path) -> None:
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def complaints(self) -> list[dict]:
        """Console errors, exceptions and log entries."""
        bad = ("Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled")
        return [e for e in self.events if e.get("method") in bad]

    def requests(self) -> list[str]:
        """Everything fetched except the page itself and data: URLs, which never leave the file."""
        urls = [e["params"]["request"]["url"] for e in self.events if e.get("method") == "Network.requestWillBeSent"]
        return [u for u in urls[1:] if not u.startswith("data:")]


@contextlib.contextmanager
def open_tab(profile: Path) -> Iterator[Tab]:
    process = subprocess.Popen(
        [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        listing = profile / "DevToolsActivePort"
        deadline = time.monotonic() + 60
        while not (listing.exists() and listing.read_text().count("\n")):
            assert process.poll() is None, "Chromium ended before it listened"
            assert time.monotonic() < deadline, "Chromium did not start listening within 60 s"
            time.sleep(0.05)
        port = listing.read_text().split()[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=30) as answer:
            pages = [t for t in json.load(answer) if t["type"] == "page"]
        tab = Tab(pages[0]["webSocketDebuggerUrl"])
        try:
            yield tab
        finally:
            tab.socket.close()
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture
def tab(tmp_path: Path) -> Iterator[Tab]:
    with open_tab(tmp_path / "profile") as opened:
        yield opened


OPEN_ALL = "document.querySelectorAll('details').forEach(d => d.open = true)"
WIDER = """(() => {
  const edge = document.documentElement.clientWidth;
  const inside = e => { for (let p = e.parentElement; p; p = p.parentElement)
    if (['auto', 'scroll', 'hidden'].includes(getComputedStyle(p).overflowX)) return true; return false; };
  return [...document.body.querySelectorAll('*')]
    .filter(e => !e.closest('.skip') && e.getBoundingClientRect().right > edge + 1 && !inside(e))
    .map(e => e.tagName + '.' + (e.getAttribute('class') || '') + ' ' + e.getBoundingClientRect().right);
})()"""


def test_the_page_is_quiet_and_fits_every_screen(sample_page: Page, tab: Tab, tmp_path: Path) -> None:
    url = write_report(sample_page, tmp_path / "index.html").as_uri()
    for width, scheme in ((390, "light"), (390, "dark"), (1280, "light"), (1280, "dark"), (768, "light")):
        tab.show(url, width, 844, scheme=scheme)
        tab.evaluate(OPEN_ALL)
        assert tab.complaints() == []
        assert tab.requests() == []
        assert tab.evaluate("document.documentElement.clientWidth") == width
        assert tab.evaluate("document.documentElement.scrollWidth") == width, (width, tab.evaluate(WIDER))
        assert tab.evaluate(WIDER) == []


def test_both_schemes_differ_and_text_is_readable_in_both(sample_page: Page, tab: Tab, tmp_path: Path) -> None:
    url = write_report(sample_page, tmp_path / "index.html").as_uri()
    papers = []
    for scheme in ("light", "dark"):
        tab.show(url, 1280, 900, scheme=scheme)
        paper = str(tab.evaluate("getComputedStyle(document.body).backgroundColor"))
        ink = str(tab.evaluate("getComputedStyle(document.querySelector('svg text')).fill"))
        papers.append(paper)
        assert contrast(paper, ink) >= 4.5
    assert papers[0] != papers[1]


def test_what_is_folded_opens_from_the_keyboard(sample_page: Page, tab: Tab, tmp_path: Path) -> None:
    tab.show(write_report(sample_page, tmp_path / "index.html").as_uri(), 390, 844)
    tab.evaluate("document.querySelector('details.prompt > summary').focus()")
    for kind in ("keyDown", "keyUp"):
        tab.call("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", text="\r", windowsVirtualKeyCode=13)
    assert tab.evaluate("document.querySelector('details.prompt').open") is True
    assert "<|im_start|>" in str(tab.evaluate("document.querySelector('details.prompt pre').innerText"))


def test_hostile_text_runs_nothing(hostile_person, tab: Tab, tmp_path: Path) -> None:
    from personae.reports import people_section

    page = Page(hostile_person.name, hostile_person.name, (people_section([hostile_person], []),))
    tab.show(write_report(page, tmp_path / "index.html").as_uri(), 390, 844)
    tab.evaluate(OPEN_ALL)
    assert tab.evaluate("document.scripts.length + document.images.length") == 0
    assert tab.complaints() == []
    assert tab.requests() == []
    assert tab.evaluate("document.documentElement.scrollWidth") == 390


def contrast(one: str, two: str) -> float:
    def luminance(text: str) -> float:
        parts = [int(p) / 255 for p in re.findall(r"\d+", text)[:3]]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(two)), reverse=True)
    return (high + 0.05) / (low + 0.05)
