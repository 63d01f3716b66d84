"""Reports of a month and their files."""

from fastapi import APIRouter

router = APIRouter(prefix="/api", tags=["reports"])
