"""What answers like a vault that makes backups, and is none."""

import contextlib
import http.server
import json
import threading
import urllib.parse


def frame(size: int) -> bytes:
    """A frame of a backup, as vault/backup/FORMAT.md draws it, that says nothing."""
    return b"\x02" + size.to_bytes(4, "big") + bytes(size + 32)


class BackupServer:
    """Asks `piece` for piece 1, 2, ..., without an end.

    with BackupServer(lambda number: ...) as server:
        environment["VAULT_ADDR"] = server.address
    """

    def __init__(self, piece):
        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self, body):
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(OSError):  # the client was ended
                    self.wfile.write(body)

            def do_PUT(self):
                self.answer(json.dumps({"data": {"id": "i", "commit": 1}}).encode())

            def do_DELETE(self):
                self.answer(b"")

            def do_GET(self):
                query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
                self.answer(piece(int(query["piece"][0])))

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
