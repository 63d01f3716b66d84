"""Property tests are judged by what they find; how long an example takes says only how busy the machine is."""

from hypothesis import settings

settings.register_profile("muster", deadline=None)
settings.load_profile("muster")
