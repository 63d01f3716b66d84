"""The business systems of the sample company: what they hold, how they answer, and how they are connected."""
