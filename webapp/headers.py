"""What every answer says about itself to browsers and caches."""

from collections.abc import Sequence

from flask import Flask, Response, request

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src {images}; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
YEAR_SECONDS = 365 * 24 * 3600


def init_app(app: Flask, *, https: bool, image_hosts: Sequence[str] = ()) -> None:
    images = " ".join(["'self'", "data:", *(f"https://{host}" for host in image_hosts)])
    policy = CONTENT_SECURITY_POLICY.format(images=images)

    def add(response: Response) -> Response:
        headers = response.headers
        headers["Content-Security-Policy"] = policy
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "same-origin"
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
        if request.endpoint != "static":
            # Pages and fragments share addresses, and both are for one person only.
            headers.setdefault("Cache-Control", "no-store")
            response.vary.add("HX-Request")
        if https:
            headers["Strict-Transport-Security"] = f"max-age={YEAR_SECONDS}"
        return response

    app.after_request(add)
