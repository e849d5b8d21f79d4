"""What gunicorn serves: the application of the instance that the environment names."""

import gc

import argon2
import cryptography.fernet
import nacl.public
from sqlalchemy.orm import configure_mappers

from store.html import warm_up
from store.settings import load_settings
from webapp.app import create_app
from worker.json_log import set_up

settings = load_settings()
if settings.log_json:
    set_up(settings, "web")
app = create_app(settings)

#: Loaded here for all processes of the server; elsewhere they are loaded where they are used (see store.secrets, store.sealing).
LOADED = (argon2, cryptography.fernet, nacl.public)

# Done once here, before the server forks: otherwise the first reader of each page waits for it, in every process.
configure_mappers()
warm_up()
for name in app.jinja_env.list_templates(extensions=["html"]):
    app.jinja_env.get_template(name)

# The collector would write to what it looks at, and so to pages that the server's processes share until then.
gc.collect()
gc.freeze()
