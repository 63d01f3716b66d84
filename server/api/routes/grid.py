"""Attendance of many people over many days; the rule sandbox."""

from fastapi import APIRouter

router = APIRouter(prefix="/api", tags=["grid"])
