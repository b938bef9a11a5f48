"""An HTTP/2 server with TLS that answers as Apple's and Google's push services do, for the tests of Push.

usage: provider.py CERTIFICATE KEY

Prints `port N`, then one line of JSON for every request. What it answers is written in the request: in the device's
token (hexadecimal for /3/device/TOKEN, plain in a message for /v1/...), or in the issuer of the assertion for /token,
are steps with commas between them, one for each time, the last for ever; after a `#` comes whatever makes it unique:

    200   STATUS:REASON[:NAME=VALUE...]   slow (no answer)   close (the connection, without one)   reset (the stream)
    goaway (this one answered, the connection then refuses more)   refuse (goaway without an answer)
"""
import asyncio
import base64
import json
import ssl
import sys
import urllib.parse

import h2.config
import h2.connection
import h2.errors
import h2.events

counts = {}
granted = 0
connections = 0


def steps_of(path, body):
    if path.startswith("/3/device/"):
        return bytes.fromhex(path.removeprefix("/3/device/")).decode()
    if path == "/token":
        assertion = urllib.parse.parse_qs(body)["assertion"][0].split(".")[1]
        return json.loads(base64.urlsafe_b64decode(assertion + "=" * (-len(assertion) % 4)))["iss"]
    return json.loads(body)["message"]["token"]


def apns_body(status, reason, extra):
    if status == 200:
        return b""
    answer = {"reason": reason}
    if "timestamp" in extra:
        answer["timestamp"] = int(extra["timestamp"])
    return json.dumps(answer).encode()


def fcm_body(status, reason, extra):
    if status == 200:
        return json.dumps({"name": "projects/test/messages/1"}).encode()
    details = []
    if "plain" not in extra:
        details.append({"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": reason})
    if "field" in extra:
        details.append({
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [{"field": extra["field"], "description": "wrong"}],
        })
    canonical = {404: "NOT_FOUND", 401: "UNAUTHENTICATED"}.get(status, reason)
    return json.dumps(
        {"error": {"code": status, "message": "for people", "status": canonical, "details": details}}).encode()


def token_body(status, reason, extra):
    global granted
    if status != 200:
        return json.dumps({"error": reason}).encode()
    granted += 1
    return json.dumps({
        "access_token": f"access-{granted}", "expires_in": int(extra.get("expires", "3600")), "token_type": "Bearer",
    }).encode()


class Provider(asyncio.Protocol):
    def connection_made(self, transport):
        global connections
        connections += 1
        self.number = connections
        self.transport = transport
        self.requests = {}
        self.is_leaving = False
        self.http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self.http.initiate_connection()
        transport.write(self.http.data_to_send())

    def data_received(self, data):
        for event in self.http.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                headers = {name.decode(): value.decode() for name, value in event.headers}
                self.requests[event.stream_id] = (headers, bytearray())
            elif isinstance(event, h2.events.DataReceived):
                self.requests[event.stream_id][1].extend(event.data)
                self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                self.answer(event.stream_id, *self.requests.pop(event.stream_id))
        if not self.transport.is_closing():
            self.transport.write(self.http.data_to_send())
            if self.is_leaving:
                self.transport.close()

    def answer(self, stream, headers, body):
        path, body = headers[":path"], body.decode()
        steps = steps_of(path, body)
        number = counts[path, steps] = counts.get((path, steps), -1) + 1
        steps = steps.partition("#")[0].split(",")
        step, *words = steps[min(number, len(steps) - 1)].split(":")
        print(json.dumps({
            "connection": self.number, "path": path, "headers": headers, "body": body, "step": step,
        }), flush=True)
        reason = words[0] if words else ""
        extra = dict(word.split("=") for word in words[1:])
        if step == "close":
            self.transport.abort()
        elif step == "reset":
            self.http.reset_stream(stream, h2.errors.ErrorCodes.REFUSED_STREAM)
        elif step == "refuse":
            self.http.close_connection(last_stream_id=0)
            self.is_leaving = True
        elif step != "slow":
            status = 200 if step == "goaway" else int(step)
            make = apns_body if path.startswith("/3/") else token_body if path == "/token" else fcm_body
            answer = [(":status", str(status))]
            if "after" in extra:
                answer.append(("retry-after", extra["after"]))
            self.http.send_headers(stream, answer)
            self.http.send_data(stream, make(status, reason, extra), end_stream=True)
            if step == "goaway":
                self.transport.write(self.http.data_to_send())
                self.http.close_connection(last_stream_id=stream)
                self.is_leaving = True


async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    context.set_alpn_protocols(["h2"])
    server = await asyncio.get_running_loop().create_server(Provider, "127.0.0.1", 0, ssl=context)
    print(f"port {server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


asyncio.run(main())
