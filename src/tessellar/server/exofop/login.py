"""Logging in and out, as ExoFOP does it: a form, a check, a cookie, and a way back to where one came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from tessellar.products.exofopusers import Account
from tessellar.server.downloads import FormTooLarge, form_fields
from tessellar.server.exofop import html
from tessellar.server.exofop.folder import DataFolder
from tessellar.server.exofop.sessions import COOKIE, new_name

if TYPE_CHECKING:
    from tessellar.server.exofop.app import Exofop

_HOME = "/tess/index.php"
_LONGEST_PASSWORD = 1000
# Checked where there is no such user, so that the answer takes as long.
_NOBODY = Account("nobody", (), {"method": "scrypt", "n": 2**14, "r": 8, "p": 1, "salt": "AAAA", "key": "AAAA"})


async def show_login(request: Request) -> Response:
    """Answer the form; who has no session gets the name of one that is nobody's."""
    response = HTMLResponse(html.login_form(ref_page=_way_back(request.query_params.get("ref", ""))))
    if COOKIE not in request.cookies:
        state: Exofop = request.app.state.exofop
        state.sessions.hand(response, new_name(), request)
    return response


async def check_password(request: Request) -> Response:
    """Answer the form that was filled in: a cookie and the way back, or the form again."""
    try:
        fields = await form_fields(request)
    except FormTooLarge:
        return PlainTextResponse("the request is too large\n", status_code=413)
    given = {name: values[0] for name, values in fields.items()}
    back = _way_back(given.get("ref_page", ""))
    state: Exofop = request.app.state.exofop
    account = await run_in_threadpool(_checked, state.data, given.get("username", ""), given.get("password", ""))
    if account is None:
        return HTMLResponse(html.login_form("Invalid username or password. Please try again.", back))
    response = RedirectResponse(_HOME if back == "/tess/" else back, status_code=302)
    state.sessions.close(request)
    state.sessions.hand(response, state.sessions.open(account), request)
    return response


async def log_out(request: Request) -> Response:
    """End the session."""
    state: Exofop = request.app.state.exofop
    state.sessions.close(request)
    response = RedirectResponse(_HOME, status_code=302)
    response.delete_cookie(COOKIE, path="/", httponly=True)
    return response


def _checked(data: DataFolder, username: str, password: str) -> Account | None:
    if len(password) > _LONGEST_PASSWORD:
        return None
    account = data.account(username)
    accepted = (account or _NOBODY).accepts(password)
    return account if accepted else None


def _way_back(page: str) -> str:
    """A page of ours to go back to; never one of another host."""
    ours = page.startswith("/tess/") and page.isprintable() and "\\" not in page
    return page if ours else "/tess/"
