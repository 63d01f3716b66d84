"""Delivery to the server: a pure session and the MQTT shell around it."""
