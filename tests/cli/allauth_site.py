"""A Django site with django-allauth, in a process of its own: prints what ``dumpdata`` writes."""

import sys

import django
from django.conf import settings
from django.core.management import call_command

settings.configure(
    SECRET_KEY="x",
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.sites",
        "allauth",
        "allauth.account",
        "allauth.socialaccount",
        "allauth.socialaccount.providers.discord",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    MIDDLEWARE=["allauth.account.middleware.AccountMiddleware"],
    USE_TZ=True,
    SITE_ID=1,
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
)
django.setup()

PEOPLE = (
    ("ada", "175928847299117063", "Ada Lindqvist", True, True),
    ("ben", "221837450912858112", None, False, True),
    ("chiyo", "309118846233378817", "千代", True, False),
)


def main() -> None:
    """Make a site with three people of Discord and one without; write all of them down."""
    from allauth.socialaccount.models import SocialAccount
    from django.contrib.auth.models import User
    from django.utils import timezone

    call_command("migrate", verbosity=0)
    User.objects.create_user("operator", password="not for import")
    for username, uid, name, verified, active in PEOPLE:
        user = User.objects.create_user(username, email=f"{username}@example.com")
        user.is_active = active
        user.last_login = timezone.now()
        user.save()
        extra = {
            "id": uid, "username": username, "global_name": name, "avatar": None,
            "discriminator": "0", "email": f"{username}@example.com", "verified": verified,
            "locale": "en-US", "mfa_enabled": False, "flags": 0, "public_flags": 0,
        }  # fmt: skip
        SocialAccount.objects.create(user=user, provider="discord", uid=uid, extra_data=extra)
    call_command("dumpdata", "socialaccount.socialaccount", "auth.user", stdout=sys.stdout)


main()
