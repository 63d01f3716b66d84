"""Fixed barcode scanners on the network, as TCP server or client."""
