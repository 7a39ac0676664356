"""A model hub on this machine: enough of its protocol to look files up and to download them.

Large files are redirected to another host name, as the real one does, and have their SHA-256 as
etag; small ones are sent at once and have git's SHA-1.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """What the server has, how it misbehaves, and what it was asked."""

    files: dict[str, bytes]
    repository: str = "somebody/depth-hf"
    large: int = 1000  # bytes from which a file is redirected
    url: str = ""
    cuts: list[int] = field(default_factory=list)  # bytes after which it hangs up, in turn
    stall: bool = False  # sends half of a large file and then nothing
    damaged: bool = False  # sends other bytes than it announces
    ranges: bool = True
    requests: list[tuple[str, str, str]] = field(default_factory=list)  # method, path, range

    def gets(self, name: str) -> list[str]:
        """The ranges that were asked for, of the file's bytes."""
        return [asked for method, path, asked in self.requests if (method, path) == ("GET", name)]


def git_sha1(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Nothing."""

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def _answer(self, with_body: bool) -> None:
            asked = self.headers.get("Range", "")
            if match := re.fullmatch(r"/bytes/([^/]+)", self.path):
                hub.requests.append((self.command, match[1], asked))
                self._send(hub.files[match[1]], asked, {}, with_body)
                return
            match = re.fullmatch(rf"/{hub.repository}/resolve/([^/]+)/([^/]+)", self.path)
            if match is None:
                self._refuse("RepoNotFound")
            elif match[1] not in ("main", COMMIT):
                self._refuse("RevisionNotFound")
            elif match[2] not in hub.files:
                self._refuse("EntryNotFound")
            else:
                self._resolve(match[2], asked, with_body)

        def _resolve(self, name: str, asked: str, with_body: bool) -> None:
            content = hub.files[name]
            if len(content) < hub.large:
                hub.requests.append((self.command, name, asked))
                headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{git_sha1(content)}"'}
                self._send(content, asked, headers, with_body)
                return
            self.send_response(302)
            port = hub.url.rpartition(":")[2]
            self.send_header("Location", f"http://localhost:{port}/bytes/{name}")
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("X-Linked-Etag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("X-Linked-Size", str(len(content)))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _send(
            self, content: bytes, asked: str, headers: dict[str, str], with_body: bool
        ) -> None:
            match = re.fullmatch(r"bytes=(\d+)-", asked) if hub.ranges else None
            begin = int(match[1]) if match else 0
            if begin >= len(content):
                self.send_response(416)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206 if match else 200)
            if match:
                told = f"bytes {begin}-{len(content) - 1}/{len(content)}"
                self.send_header("Content-Range", told)
            self.send_header("Content-Length", str(len(content) - begin))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            if with_body:
                self._body(content[begin:], len(content) >= hub.large)

        def _body(self, content: bytes, large: bool) -> None:
            if large and hub.damaged:
                content = bytes(byte ^ 1 for byte in content[:1]) + content[1:]
            if large and hub.cuts:
                self.wfile.write(content[: hub.cuts.pop(0)])
                self.wfile.flush()
                self.close_connection = True
                self.connection.close()
            elif large and hub.stall:
                self.wfile.write(content[: len(content) // 2])
                self.wfile.flush()
                self.rfile.read()  # until the other end hangs up
            else:
                self.wfile.write(content)

        def _refuse(self, code: str) -> None:
            self.send_response(401 if code == "RepoNotFound" else 404)
            self.send_header("X-Error-Code", code)
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Content-Length", "0")
            self.end_headers()

    return Handler
