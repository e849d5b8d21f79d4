"""Reports of runs as others read them: pages, mails and files. What is in them was written by jobs and is data."""
