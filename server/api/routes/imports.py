"""Files that people, rosters and results are read from."""

from fastapi import APIRouter

router = APIRouter(prefix="/api", tags=["imports"])
