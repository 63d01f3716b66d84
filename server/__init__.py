"""The centre: takes each event once, works out attendance and scores, serves pages."""
