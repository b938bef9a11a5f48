"""Firefox ESR by WebDriver BiDi: enough to open a page, run script in it and take a picture of it."""

import base64
import itertools
import json
import pathlib
import re
import subprocess
import tempfile
import threading

from websockets.sync.client import connect

FIREFOX = "/usr/bin/firefox-esr"

# Synthetic devices without questions, loopback candidates (both `loopback` and `permission.fake` are needed for them on
# a machine with only loopback), sound without a touch, and no traffic of the browser's own.
PREFERENCES = {
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    "media.navigator.permission.fake": True,
    "media.peerconnection.ice.loopback": True,
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    "media.autoplay.default": 0,
    "media.volume_scale": "0.0",
    "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.enabled": False,
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.region.update.enabled": False,
    "extensions.update.enabled": False,
}


class Firefox:
    """One headless Firefox with one tab."""

    def __init__(self, seconds=40):
        profile = pathlib.Path(tempfile.mkdtemp(prefix="majlis-firefox-"))
        (profile / "user.js").write_text("".join(
            f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in PREFERENCES.items()))
        self.process = subprocess.Popen(
            [FIREFOX, "--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port=0"],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        address = None
        for line in self.process.stderr:
            found = re.search(r"WebDriver BiDi listening on (ws://\S+)", line)
            if found:
                address = found[1]
                break
        if not address:
            raise AssertionError("Firefox ended before it listened")
        threading.Thread(target=lambda: [None for _ in self.process.stderr], daemon=True).start()
        self.socket = connect(address + "/session", max_size=None, open_timeout=seconds, legacy=True)
        self.ids = itertools.count(1)
        self.call("session.new", {"capabilities": {}})
        self.context = self.call("browsingContext.getTree", {})["contexts"][0]["context"]

    def call(self, method, parameters, seconds=30):
        """One BiDi command and its result; events in between are passed over."""
        number = next(self.ids)
        self.socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self.socket.recv(timeout=seconds))
            if answer.get("id") != number:
                continue
            if answer["type"] == "error":
                raise AssertionError(f"{method}: {answer['error']}: {answer['message']}")
            return answer["result"]

    def open(self, link):
        self.call("browsingContext.navigate", {"context": self.context, "url": link, "wait": "complete"})

    def evaluate(self, function):
        """Runs an (async) function in the page; what it returns travels as JSON."""
        result = self.call("script.evaluate", {
            "expression": f"(async () => JSON.stringify((await ({function})()) ?? null))()",
            "target": {"context": self.context}, "awaitPromise": True})
        if result["type"] == "exception":
            raise AssertionError(result["exceptionDetails"]["text"])
        return json.loads(result["result"]["value"])

    def screenshot(self, path):
        data = self.call("browsingContext.captureScreenshot", {"context": self.context})["data"]
        pathlib.Path(path).write_bytes(base64.b64decode(data))

    def close(self):
        try:
            self.call("browser.close", {}, seconds=10)
        except Exception:  # it is ended below in any case
            pass
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
