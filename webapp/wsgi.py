"""What gunicorn serves: the application of the instance that the environment names."""

from store.settings import load_settings
from webapp.app import create_app

app = create_app(load_settings())
