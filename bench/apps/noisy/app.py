"""Answers a hello, or makes a nuisance of itself until its machine ends: /cpu, /disk, /network."""

import multiprocessing
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BLOCK = bytes(1 << 20)


def spin():
    while True:
        pass


def flood_disk():
    block = os.urandom(1 << 20)
    while True:
        with open("/flood", "wb", buffering=0) as file:
            for _ in range(64):
                file.write(block)
                os.fsync(file.fileno())


def start(work, count):
    for _ in range(count):
        multiprocessing.Process(target=work, daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/network":
            self.send_response(200)
            self.end_headers()
            while True:
                self.wfile.write(BLOCK)
        if self.path == "/cpu":
            start(spin, os.cpu_count())
        if self.path == "/disk":
            start(flood_disk, 2)
        body = b"Hello, World!"
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
