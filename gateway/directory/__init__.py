"""Who is enrolled at terminals: listed and written on the server's command."""
