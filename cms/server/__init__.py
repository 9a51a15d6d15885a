"""`python -m cms.server`: Daphne, made fit for charging stations.

Plain Daphne answers every refused handshake with 403, closes websockets after a day, cuts oversized
frames without a word, waits for ever for half-sent headers and knows no start-up or shutdown. This
package subclasses its server, request and websocket classes, so that the same ASGI application runs
here and under uvicorn:

- `websocket.http.response` (denial before the upgrade, any status, any headers), `lifespan`, `tls`;
- `raw_path` exactly as it came over the wire;
- pings of our own, close codes 1002, 1007 and 1009, back-pressure in both directions;
- SIGTERM drains: no new connections, work in hand is finished and answered, then the process ends.

`__main__` must install the event loop before anything imports `daphne.server`; hence nothing is
imported here.
"""
