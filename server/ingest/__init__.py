"""From MQTT messages to committed rows and back to acks; then from rows to punches and scans."""
