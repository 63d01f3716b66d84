"""Employees, departments, posts and contracts."""

from fastapi import APIRouter

router = APIRouter(prefix="/api", tags=["people_edit"])
