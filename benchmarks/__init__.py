"""What `./errand bench` measures: Errand as it is deployed, beside what bare RQ, the database and the web server can do.

It stands above all rooms and imports any of them; of them only its command, `webapp.cli.bench`, imports it.
"""
