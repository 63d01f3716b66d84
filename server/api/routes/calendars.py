"""Calendars and their editions."""

from fastapi import APIRouter

router = APIRouter(prefix="/api", tags=["calendars"])
