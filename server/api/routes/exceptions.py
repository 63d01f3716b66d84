"""Records that wait for a decision."""

from fastapi import APIRouter

router = APIRouter(prefix="/api", tags=["exceptions"])
