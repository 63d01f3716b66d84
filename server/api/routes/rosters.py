"""Who works when."""

from fastapi import APIRouter

router = APIRouter(prefix="/api", tags=["rosters"])
