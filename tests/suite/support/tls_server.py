"""HTTPS servers that answer as an empty Prefect: one for each file NAME.chain of a directory, which has a
certificate and its key, and one that speaks http, called `plain`. The port of each goes to NAME.port.

    python tls_server.py DIRECTORY
"""

import http.server
import pathlib
import ssl
import sys
import threading


class Empty(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(b'"3.8.8"')

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer(b"[]")

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    context = None

    def finish_request(self, request, client_address):
        # In the thread of the connection: a client that never ends its handshake holds up nobody.
        if self.context is not None:
            try:
                request = self.context.wrap_socket(request, server_side=True)
            except (OSError, ssl.SSLError):
                return
        super().finish_request(request, client_address)


directory = pathlib.Path(sys.argv[1])
for chain in [*sorted(directory.glob("*.chain")), directory / "plain.chain"]:
    server = Server(("127.0.0.1", 0), Empty)
    if chain.name != "plain.chain":
        server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.context.load_cert_chain(chain)
    threading.Thread(target=server.serve_forever).start()
    written = chain.with_suffix(".written")
    written.write_text(str(server.server_port))
    written.rename(chain.with_suffix(".port"))
