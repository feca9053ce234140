"""Who asks over HTTP: a token goes to its own host, and nothing of this machine goes along."""

import requests


class Session(requests.Session):
    """Heeds the environment's proxies, and no ~/.netrc, which would replace the token."""

    def rebuild_auth(
        self, prepared_request: requests.PreparedRequest, response: requests.Response
    ) -> None:
        """Take the token along to its own host alone."""
        if self.should_strip_auth(str(response.request.url), str(prepared_request.url)):
            prepared_request.headers.pop("Authorization", None)


class Token(requests.auth.AuthBase):
    """Shows a token, if there is one; requests that have this ask no ~/.netrc."""

    def __init__(self, token: str) -> None:
        """Take a token; empty: nobody asks for one."""
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the token to a request."""
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request
