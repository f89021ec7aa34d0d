"""The web console: pages over cases, controls and the inventory. `server.serve` runs it, `app.create_app` makes it."""
