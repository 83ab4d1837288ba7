"""
A tenant's own intake, which is theirs and not this project's: `python -m lab.receiver PORT DATABASE`.

It stands for an application with a database, which pods of the lab have not. It stores what comes once for each key,
and answers with the key and the digest of what it stored.
"""

from __future__ import annotations

import hashlib
import http.server
import json
import sqlite3
import sys
import time


class Receiver(http.server.BaseHTTPRequestHandler):
    """POST with an Idempotency-Key."""

    database = ""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        key = self.headers["Idempotency-Key"]
        base = sqlite3.connect(self.database)
        with base:
            base.execute("INSERT OR IGNORE INTO stored (key, body, at) VALUES (?, ?, ?)", (key, body, time.time()))
            (body,) = base.execute("SELECT body FROM stored WHERE key = ?", (key,)).fetchone()
        base.close()
        words = json.dumps({"key": key, "sha256": hashlib.sha256(body).hexdigest()}).encode()
        self.send_response(201)
        self.send_header("Content-Length", str(len(words)))
        self.end_headers()
        self.wfile.write(words)

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Keep the log of the lab short."""


if __name__ == "__main__":
    Receiver.database = sys.argv[2]
    with sqlite3.connect(Receiver.database) as made:
        made.execute("CREATE TABLE IF NOT EXISTS stored (n INTEGER PRIMARY KEY, key TEXT UNIQUE, body BLOB, at REAL)")
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
