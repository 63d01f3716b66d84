"""Rules of asking: balances, accrual, approval chains, quotas; no database, no clock."""
