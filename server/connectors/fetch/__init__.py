"""How a source is asked: requests, pages, sign-in, retries. Nothing here knows facts or the database of Muster."""
