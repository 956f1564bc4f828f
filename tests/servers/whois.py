"""A small WHOIS server (RFC 3912) on loopback: one line in, text out."""

from __future__ import annotations

import socketserver
import threading


class WhoisServer:
    """Answer each question from `texts` by its last word, else with `default`; `questions` keeps them."""

    def __init__(self, texts: dict[str, str] | None = None, *, default: str = "% No match\r\n") -> None:
        self.texts = dict(texts or {})
        self.default = default
        self.questions: list[str] = []

    def __enter__(self) -> WhoisServer:
        handler = type("Handler", (_Handler,), {"whois": self})
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join(5)
        self._server.server_close()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"


class _Handler(socketserver.StreamRequestHandler):
    whois: WhoisServer

    def handle(self) -> None:
        question = self.rfile.readline(1024).decode("ascii", "replace").strip()
        self.whois.questions.append(question)
        word = question.split()[-1] if question.split() else ""
        try:
            self.wfile.write(self.whois.texts.get(word, self.whois.default).encode())
        except OSError:
            return
