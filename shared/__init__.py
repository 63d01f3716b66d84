"""What gateway and server agree on: events, keys, wire format, topics, errors. Imports nothing of ours."""
