"""A tiny HTTP proxy: GET with a whole URL, and CONNECT. Every host is sent to this machine's loopback, at the port that was asked for.

usage: proxy.py PORT LOG [USER:PASSWORD]
"""
import base64
import http.client
import http.server
import select
import socket
import socketserver
import sys
import urllib.parse

LOG = open(sys.argv[2], "a", buffering=1)
WANTED = "Basic " + base64.b64encode(sys.argv[3].encode()).decode() if len(sys.argv) > 3 else None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def is_welcome(self):
        if WANTED and self.headers.get("Proxy-Authorization") != WANTED:
            LOG.write("407 %s\n" % self.path)
            self.send_response(407)
            self.send_header("Proxy-Authenticate", 'Basic realm="proxy"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return False
        LOG.write("%s %s\n" % (self.command, self.path))
        return True

    def do_CONNECT(self):
        if not self.is_welcome():
            return
        there = socket.create_connection(("127.0.0.1", int(self.path.rsplit(":", 1)[1])))
        self.send_response(200)
        self.end_headers()
        ends = {self.connection: there, there: self.connection}
        while True:
            for end in select.select(list(ends), [], [])[0]:
                data = end.recv(65536)
                if not data:
                    there.close()
                    self.close_connection = True
                    return
                ends[end].sendall(data)

    def do_GET(self):
        if not self.is_welcome():
            return
        url = urllib.parse.urlsplit(self.path)
        there = http.client.HTTPConnection("127.0.0.1", url.port or 80)
        there.putrequest(self.command, urllib.parse.urlunsplit(("", "", url.path, url.query, "")), True, True)
        for name, value in self.headers.items():
            if not name.lower().startswith("proxy-"):
                there.putheader(name, value)
        there.endheaders()
        answer = there.getresponse()
        body = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        there.close()

    do_HEAD = do_GET

    def log_message(self, *args):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
