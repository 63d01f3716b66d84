"""UHF RFID readers that speak LLRP."""
