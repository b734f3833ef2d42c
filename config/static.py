"""Static files, straight from the packages that carry them, and compressed for whoever takes that."""

import gzip
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from whitenoise.middleware import WhiteNoiseMiddleware

#: Pictures and fonts are compressed already.
COMPRESSED: Final = ("text/", "application/json", "application/javascript", "image/svg+xml")


class StaticFiles(WhiteNoiseMiddleware):
    """As WhiteNoise's own, but that a text is compressed the first time that it is asked for."""

    @staticmethod
    def serve(static_file: Any, request: HttpRequest) -> HttpResponseBase:
        found = static_file.get_response(request.method, request.META)
        headers = dict(found.headers)
        is_text = headers.get("Content-Type", "").startswith(COMPRESSED)
        takes_gzip = "gzip" in request.headers.get("Accept-Encoding", "")
        if found.file is None or found.status != HTTPStatus.OK or not is_text or not takes_gzip:
            if found.file is not None:
                found.file.close()
            response = WhiteNoiseMiddleware.serve(static_file, request)
            if is_text:
                patch_vary_headers(response, ["Accept-Encoding"])
            return response
        with found.file as file:
            path = file.name
        del headers["Content-Length"]
        # Browsers ask by the same tag whether theirs is the newest: it is the file's, and not its form's.
        body = _compressed(path, headers["ETag"])
        return HttpResponse(body, headers={**headers, "Content-Encoding": "gzip", "Vary": "Accept-Encoding"})


@lru_cache(maxsize=1024)
def _compressed(path: str, etag: str) -> bytes:
    with open(path, "rb") as file:
        return gzip.compress(file.read(), mtime=0)
