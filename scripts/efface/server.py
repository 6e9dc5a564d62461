"""The page on which a person looks at every image and decides, served to this machine only."""

import base64
import hashlib
import hmac
import logging
import re
import secrets
import threading
from collections.abc import Callable
from urllib.parse import urlsplit

import flask
import waitress

from efface import review, viewing
from efface.desk import Desk
from efface.errors import EffaceError, UsageError
from efface.settings import WORKFLOW, Settings
from efface.surface import render

HOST = "127.0.0.1"
NAMES = ("localhost", HOST)  # another one that leads here is a page elsewhere whose name was bound anew
LARGEST = 1 << 16  # bytes, of what a page may send
ENTERED = '<!DOCTYPE html><html lang="en"><title>efface</title><link rel="icon" href="data:,"></html>'
TEMPLATES = WORKFLOW / "templates"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src {style}; img-src 'self' data:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Gate:
    """Who may come in: whoever has the token, once; then the browser that got the cookie for it."""

    def __init__(self):
        self.token, self.session, self.csrf = (secrets.token_urlsafe(32) for _ in range(3))
        self.cookie = f"efface_{secrets.token_hex(4)}"  # cookies do not tell ports apart, and two may be open
        self._lock = threading.Lock()

    def opens(self, token: str) -> bool:
        """Return whether this is the token, shown for the first time."""
        with self._lock:
            right = bool(self.token) and hmac.compare_digest(token.encode(), self.token.encode())
            if right:
                self.token = ""
            return right

    def knows(self, request: flask.Request) -> bool:
        """Return whether a request is of the browser that came in and, where it writes, of this page."""
        right = hmac.compare_digest(request.cookies.get(self.cookie, "").encode(), self.session.encode())
        if request.method in ("GET", "HEAD"):
            return right
        named = hmac.compare_digest(request.headers.get("X-CSRF", "").encode(), self.csrf.encode())
        return right and named and request.headers.get("Origin") == f"http://{request.host}"


def page(desk: Desk, gate: Gate) -> flask.Flask:
    """Return the application that shows a desk to whom the gate knows."""
    app = flask.Flask("efface", template_folder=str(TEMPLATES), static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST
    app.json.sort_keys = False  # the first window is the one to begin with

    @app.before_request
    def guard():
        if urlsplit(f"//{flask.request.host}").hostname not in NAMES:
            return "Not under this name.", 403
        if flask.request.endpoint != "enter" and not gate.knows(flask.request):
            return "Open the address that efface review has printed; it works once.", 403

    @app.after_request
    def closed(answer):
        answer.headers.setdefault("Content-Security-Policy", POLICY.format(style="'self'"))
        answer.headers["Cache-Control"] = "no-store"
        answer.headers["Referrer-Policy"] = "no-referrer"
        answer.headers["X-Content-Type-Options"] = "nosniff"
        answer.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        answer.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        return answer

    @app.errorhandler(EffaceError)
    def refused(error):
        return {"error": str(error)}, 409

    @app.get("/enter")
    def enter():
        if flask.request.method != "GET" or not gate.opens(flask.request.args.get("token", "")):
            return "This address has been used, or never was one. Start efface review again.", 403
        # No redirect: a cookie of this kind would not go with one that began on another page.
        answer = flask.Response(ENTERED, headers={"Refresh": "0; url=/"})
        answer.set_cookie(gate.cookie, gate.session, httponly=True, samesite="Strict")
        return answer

    @app.get("/")
    def start():
        return flask.render_template("review.html", csrf=gate.csrf, flags=review.FLAGS, by=desk.by)

    @app.get("/review.<any(js, css):kind>")
    def part(kind):
        return flask.send_from_directory(TEMPLATES, f"review.{kind}", conditional=False)

    @app.get("/items")
    def items():
        return desk.rows()

    @app.get("/image/<item>")
    def image(item):
        if desk.row(item) is None or item in review.SIGN_OFFS:
            flask.abort(404)
        return desk.about(item)

    @app.get("/image/<item>/<digest>/<any(before, after):side>/<plane>/<int:index>")
    def cut(item, digest, side, plane, index):
        scan = shown(item, digest, side)
        if plane not in viewing.PLANES:
            flask.abort(404)
        asked = flask.request.args
        volume = asked.get("volume", type=int) if side == "after" else None
        try:
            values = scan.slice(plane, index, volume)
        except IndexError:
            flask.abort(404)
        grey = viewing.shades(values, asked.get("low", 0, float), asked.get("high", 255, float))
        return flask.Response(viewing.png(grey), mimetype="image/png")

    @app.get("/image/<item>/<digest>/<any(before, after):side>/head")
    def head(item, digest, side):
        shown(item, digest, side)
        turn, tilt, level = (flask.request.args.get(name, 0, float) for name in ("turn", "tilt", "level"))
        first = "before" if desk.has(item, "before") else "after"
        reach = desk.surface(item, first, level).reach_mm  # one scale for both
        grey = render(desk.surface(item, side, level), turn, tilt, reach)
        return flask.Response(viewing.png(grey), mimetype="image/png")

    def shown(item, digest, side):
        """Return a scan of an image that is still the one on the page."""
        if desk.row(item) is None:
            flask.abort(404)
        if desk.scan(item, "after").sha256 != digest:
            raise EffaceError("the image has changed since it was shown", todo="load the page again")
        return desk.scan(item, side)

    @app.post("/decision")
    def decision():
        said = flask.request.get_json()
        wanted = ("item", "image_sha256", "decision", "flags", "note", "by")
        if not isinstance(said, dict) or not all(isinstance(said.get(name), str) for name in wanted):
            flask.abort(400)
        if desk.row(said["item"]) is None:
            flask.abort(404)
        return desk.decide(said)

    @app.get("/report")
    def report():
        path = desk.work / "report" / "index.html"
        if not path.is_file():
            flask.abort(404)
        text = path.read_text(encoding="utf-8")
        digests = (
            hashlib.sha256(one.encode()).digest() for one in re.findall(r"<style>(.*?)</style>", text, re.S)
        )
        style = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests) or "'none'"
        answer = flask.Response(text, mimetype="text/html")
        answer.headers["Content-Security-Policy"] = POLICY.format(style=style)
        return answer

    return app


def serve(settings: Settings, port: int, by: str, announce: Callable[[str], None]) -> None:
    """Serve the page on this machine until Ctrl-C.

    Parameters
    ----------
    settings : of the study whose work folder is shown
    port : 0 for any free one
    by : who looks, as the table of decisions names them
    announce : is told the address, which works once
    """
    gate, desk = Gate(), Desk(settings, by)
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # pictures do wait for one another
    try:
        server = waitress.create_server(
            page(desk, gate), host=HOST, port=port, threads=8, ident=None, max_request_body_size=LARGEST
        )
    except OSError:
        raise UsageError("--port", expected="a free port", found="one in use", todo="leave it out") from None
    here = server.effective_port
    announce(f"Open http://{HOST}:{here}/enter?token={gate.token}")
    announce(f"It works once. From another machine, first: ssh -L {here}:{HOST}:{here} THIS_MACHINE")
    announce("Ctrl-C ends it; decisions are written at once.")
    threading.Thread(target=desk.ahead, daemon=True).start()
    server.run()
