"""Runs the shell script that is posted to it and answers what it printed: a user's hands inside the microVM."""

import json
import subprocess
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3  # loaded before the snapshot, as an app would

API = "http://169.254.169.252"
# made before the snapshot too, as many apps do
sts = boto3.Session().client("sts", endpoint_url=API, region_name="us-east-1")
built_as = sts.get_caller_identity()["Arn"]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        language, script = text.split("\n", 1)
        if language == "python":
            answer = self.run_python(script)
        else:
            done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=60)
            answer = {"code": done.returncode, "out": done.stdout.strip(), "err": done.stderr.strip()}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def run_python(self, script):
        scope = {"boto3": boto3, "sts": sts, "built_as": built_as}
        try:
            exec(script, scope)
            return {"code": 0, "out": scope["answer"]}
        except Exception as error:
            return {"code": 1, "err": f"{type(error).__name__}: {error}"}


ThreadingHTTPServer(("127.0.0.1", 8080), Handler).serve_forever()
