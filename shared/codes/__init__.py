"""What codes mean: symbologies, GS1 data, RFID identities, waybills. Derived data; a scan keeps its raw code."""
