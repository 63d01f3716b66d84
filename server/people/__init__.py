"""Employees, departments, rosters and parcels as a company hands them over."""
