"""Figures for payroll programs."""

from fastapi import APIRouter

router = APIRouter(prefix="/api", tags=["payroll"])
