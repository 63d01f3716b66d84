"""Devices that somebody builds: signed JSON over HTTP or MQTT, acknowledged after the commit."""
