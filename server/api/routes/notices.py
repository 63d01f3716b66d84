"""Reports that are sent, and where to."""

from fastapi import APIRouter

router = APIRouter(prefix="/api", tags=["notices"])
