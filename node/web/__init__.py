"""Web: what software and people reach over HTTP. One ASGI application, one server, one set of limits.

    door.py         listens, speaks TLS, starts and stops the server
    protocol.py     one connection: header blocks, slow and silent callers, a refusal that every caller can read
    body.py         one request's body, bounded in size and time
    throttle.py     slows callers that prove nothing, and tells the operator of them
    application.py  what is served where
    vxp/            the bridge: software that speaks to the national axis by its client library, unmodified
    watch/          figures and health, for whatever supervises the process

Starlette and uvicorn live only here and in sandbox/. Handlers find out who calls, check the form, call the node's verbs and translate.
"""
