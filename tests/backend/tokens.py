"""Tokens as an application signs them."""

import base64
import hashlib
import hmac
import json
import time

KEY = b"secret"  # the server's development key


def token(user, lifetime=None):
    """Returns a token that is valid for `lifetime` seconds from now, or without a limit."""
    claims = {"sub": user} if lifetime is None else {"sub": user, "exp": int(time.time()) + lifetime}
    message = b".".join(_part(json.dumps(part).encode()) for part in [{"alg": "HS256", "typ": "JWT"}, claims])
    return b".".join([message, _part(hmac.digest(KEY, message, hashlib.sha256))]).decode()


def _part(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")
