import json
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

started = time.time()
requests_served = 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        global requests_served
        requests_served += 1
        body = json.dumps(
            {
                "requests_served": requests_served,
                "uptime_seconds": round(time.time() - started, 3),
                "pid": os.getpid(),
                "wall_clock": time.time(),
            }
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
