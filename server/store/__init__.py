"""Tables, migrations and every statement; nothing outside builds SQL."""
