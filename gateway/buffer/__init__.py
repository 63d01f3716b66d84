"""The outbox: every event a gateway has taken, on disk, until well after the server has committed it."""
