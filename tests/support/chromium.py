"""A page in Chromium without a screen: what comes to it, what is typed into it, and what it looks like.

``python -m tests.support.chromium URL PICTURE KEY TEXT`` opens the page, waits until something was drawn, presses a
key, waits until the text has come and was drawn, and keeps a picture of it. It ends with 0, or with 1 when that did
not happen in time. It needs the extra ``browser``.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

_PATIENCE_S = 60.0
_DRAWING_S = 1.0
"""From the coming of something until it is certainly drawn."""
_SIZE = (1280, 800)
_LISTENER = """
const Socket = window.WebSocket;
window.came = "";
window.WebSocket = class extends Socket {
    constructor(...given) {
        super(...given);
        this.addEventListener("message", async (message) => {
            window.came += message.data instanceof Blob ? await message.data.text()
                : typeof message.data === "string" ? message.data : new TextDecoder().decode(message.data);
        });
    }
};
"""
"""Keeps what comes through the socket of the page, before the page has it."""


def main(url: str, picture: Path, key: str, text: str) -> int:
    """Look at a page; returns the exit code."""
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    os.environ["QTWEBENGINE_DISABLE_SANDBOX"] = "1"
    os.environ["QTWEBENGINE_CHROMIUM_FLAGS"] = "--no-sandbox --disable-gpu"
    from PyQt6.QtCore import QPoint, Qt, QUrl
    from PyQt6.QtTest import QTest
    from PyQt6.QtWebEngineCore import QWebEngineScript
    from PyQt6.QtWebEngineWidgets import QWebEngineView
    from PyQt6.QtWidgets import QApplication

    application = QApplication(sys.argv[:1])
    view = QWebEngineView()
    page = view.page()
    listener = QWebEngineScript()
    listener.setSourceCode(_LISTENER)
    listener.setInjectionPoint(QWebEngineScript.InjectionPoint.DocumentCreation)
    listener.setWorldId(QWebEngineScript.ScriptWorldId.MainWorld.value)
    page.scripts().insert(listener)
    view.resize(*_SIZE)
    view.show()
    view.load(QUrl(url))
    came = [""]

    def has_come(wanted: str) -> bool:
        page.runJavaScript("window.came", lambda found: came.__setitem__(0, found or ""))
        return wanted in came[0]

    def wait_until(condition: Callable[[], bool]) -> bool:
        until = time.monotonic() + _PATIENCE_S
        while not condition() and time.monotonic() < until:
            QTest.qWait(100)
        return condition()

    drawn = wait_until(lambda: has_come("Events"))
    middle = QPoint(_SIZE[0] // 2, _SIZE[1] // 2)
    QTest.mouseClick(view.focusProxy(), Qt.MouseButton.LeftButton, pos=middle)  # gives it the keys
    QTest.qWait(int(_DRAWING_S * 1000))
    QTest.keyClicks(view.focusProxy(), key)
    found = drawn and wait_until(lambda: has_come(text))
    QTest.qWait(int(_DRAWING_S * 1000))
    view.grab().save(str(picture))
    sys.stdout.write(f"{text!r} {'has come' if found else 'has not come'}; {len(came[0]):,} characters came in all\n")
    application.quit()
    return 0 if found else 1


if __name__ == "__main__":
    _, _url, _picture, _key, _text = sys.argv
    sys.stdout.flush()
    os._exit(main(_url, Path(_picture), _key, _text))
