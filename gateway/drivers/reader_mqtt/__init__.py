"""RFID readers that publish to a broker."""
