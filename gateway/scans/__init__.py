"""What all scanners share: framing, command barcodes, the station that turns reads into scans."""
