"""Run the paper exchange: a durable book, matching that is never optimistic, and its doors on loopback.

Start it with `python -m brokers.paper.exchange --home DIR --port N [--clock-file F] [--rules TOML]`. DIR then
holds the book (`book.sqlite3`) and the owner's token (`token`, readable by the owner only). What was answered
is on disk. Every door takes `Authorization: Bearer TOKEN`; errors are `{"error": {"code", "message"}}`.

With the owner's token: `POST /sessions` logs an account in and opens it at the first time, `POST /quotes`
tells prices, `POST /session/close` ends the orders for the day, `POST /house/orders/ID/reject` and
`POST /house/sessions/end` do what a venue may do to an account. With an account's token: `/orders`, `/fills`,
`/positions`, `/balance`, `/address`, and the WebSocket `/events`.

What it does not imitate: queues in front of a resting order, margin calls, SPAN margins of sold options,
funding and swaps. Balances count profits once they are realized. An account has one currency and trades only
that.
"""
