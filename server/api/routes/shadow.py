"""Comparison with another system."""

from fastapi import APIRouter

router = APIRouter(prefix="/api", tags=["shadow"])
