"""A server on loopback that can be told to misbehave."""

import http.server
import threading

import pytest


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `server.files`; `server.cut` bytes of a body at most, `server.ranges` or not, `server.tag` as ETag;
    a range starts `server.shift` bytes later than asked for."""

    def do_GET(self):
        server = self.server
        server.requests.append(dict(self.headers))
        body = server.files.get(self.path)
        if body is None:
            return self.send_error(404)
        start = 0
        wanted, condition = self.headers.get("Range"), self.headers.get("If-Range")
        if wanted and server.ranges and condition in (None, server.tag):
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(body):
                return self.send_error(416)
            self.send_response(206)
            start += server.shift
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(body) - start))
        if server.tag:
            self.send_header("ETag", server.tag)
        self.end_headers()
        self.wfile.write(body[start:][: server.cut])
        return None

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.files, running.requests = {}, []
        running.cut, running.ranges, running.tag, running.shift = None, True, None, 0
        running.url = f"http://127.0.0.1:{running.server_port}"
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()
