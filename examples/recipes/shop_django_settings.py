"""Settings of the Django recipe."""

ALLOWED_HOSTS = ["*"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth"]
ROOT_URLCONF = "shop_django"
SECRET_KEY = "for tests"
STATIC_URL = "/static/"
USE_TZ = True
WSGI_APPLICATION = "shop_django.application"
