"""The routes, one file per subject: parse, call one service or query, answer."""
