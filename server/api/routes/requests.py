"""Requests, balances and approvals."""

from fastapi import APIRouter

router = APIRouter(prefix="/api", tags=["requests"])
