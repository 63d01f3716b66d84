"""Months: checklist, closing, opening again, confirmation."""

from fastapi import APIRouter

router = APIRouter(prefix="/api", tags=["closing"])
