import logging

from flask import Flask, jsonify

app = Flask(__name__)
logging.basicConfig(level=logging.INFO)


@app.get("/")
def hello():
    app.logger.info("Hello requested")
    return jsonify(message="Hello, World!")
