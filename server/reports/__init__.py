"""Reports as values and files: columns of a month, workbooks; no database, no clock."""
