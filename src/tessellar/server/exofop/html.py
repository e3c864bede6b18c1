"""The pages for people, as few as clients need: the start page, the login, a target, and what went wrong."""

from __future__ import annotations

from html import escape

from tessellar.products.exofopusers import Account


def page(title: str, body: str, who: Account | None = None) -> str:
    """Write a page; its head says who is logged in, as ExoFOP's does."""
    if who is None:
        login = '<a href="/tess/login.php?ref=%2Ftess%2F">Login</a>'
    else:
        login = f'Logged in as {escape(who.username)} | <a href="/tess/logout.php">Logout</a>'
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title></head>\n'
        f'<body><div id="header"><a href="/tess/">ExoFOP-TESS</a> of a tessellar archive | {login}</div>\n'
        f"<h1>{escape(title)}</h1>\n{body}\n</body></html>\n"
    )


def login_form(message: str = "", ref_page: str = "/tess/") -> str:
    """Write the form that asks for name and password."""
    said = f'<p class="error">{escape(message)}</p>' if message else ""
    return page(
        "Login",
        f'{said}<form action="/tess/password_check.php" method="post">'
        '<p>Username <input name="username"> Password <input name="password" type="password">'
        f'<input name="ref" type="hidden" value="login_user"><input name="ref_page" type="hidden" '
        f'value="{escape(ref_page)}"> <input type="submit" value="Login"></p></form>',
    )


def start(counts: dict[str, int], who: Account | None) -> str:
    """Write the start page: which tables are here."""
    rows = "".join(f"<tr><td>{escape(name)}</td><td>{count}</td></tr>" for name, count in counts.items())
    return page("ExoFOP data of this archive", f"<table><tr><th>table<th>rows</tr>{rows}</table>", who)


def target(tic: str, names: str, who: Account | None) -> str:
    """Write the page of a star."""
    link = f'<a href="/tess/target.php?id={tic}&json">all that is known, as JSON</a>'
    return page(f"TIC {tic}", f"<p>{escape(names)}</p><p>{link}</p>", who)


def nothing_found(what: str, message: str, who: Account | None) -> str:
    """Write what ExoFOP answers, with status 200, where it finds nothing."""
    return page("ExoFOP-TESS", f"<p>{escape(message)}: {escape(what)}</p>", who)
