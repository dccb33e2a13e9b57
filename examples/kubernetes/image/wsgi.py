"""The mock service for a WSGI server: which one it is, the environment says."""

import os

from flask_requests import create_app

app = create_app(os.environ["app"], os.environ["version"], os.environ.get("upstream_url", ""))
