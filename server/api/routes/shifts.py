"""Shift library, patterns, attendance groups and their policies."""

from fastapi import APIRouter

router = APIRouter(prefix="/api", tags=["shifts"])
