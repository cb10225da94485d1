"""Notices to a real SMTP server, a real web server and a real command, on loopback: what they say, and how often."""

from __future__ import annotations

import json
import os
import socketserver
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from pipelines import clock
from pipelines.cli.app import main
from pipelines.jobs.monitoring import notices
from pipelines.jobs.monitoring.notice_targets import find_targets, mask_address
from pipelines.jobs.monitoring.run import RunRecord
from pipelines.jobs.monitoring.run_record import recorded_run
from pipelines.processes import describe_process, write_json
from pipelines.settings import load_settings

pytestmark = pytest.mark.filterwarnings("default")  # Apprise's own
HEADER = "report_id,reported_at,region,pain_score,fever\n"
GOOD = HEADER + "".join(f"patient-{i},2026-11-{10 + i:02d},northvale,{i},no\n" for i in range(9))
SECRET = "hunter2secret"


class Mailbox(socketserver.StreamRequestHandler):
    """Just enough SMTP to take a mail."""

    mails: list[bytes] = []  # noqa: RUF012

    def handle(self) -> None:
        self._say("220 here")
        while line := self.rfile.readline():
            word = line[:4].upper()
            if word == b"DATA":
                self._say("354 go on")
                self.mails.append(b"".join(iter(self.rfile.readline, b".\r\n")))
            self._say("221 bye" if word == b"QUIT" else "250 ok")
            if word == b"QUIT":
                return

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


class Hook(BaseHTTPRequestHandler):
    """Takes what is posted; `status` is what it answers."""

    posts: list[bytes] = []  # noqa: RUF012
    status = 200

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if Hook.status == 200:
            self.posts.append(body)
        self.send_response(Hook.status)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def mail() -> Iterator[int]:
    Mailbox.mails.clear()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mailbox) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture
def hook() -> Iterator[int]:
    Hook.posts.clear()
    Hook.status = 200
    server = HTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("CALFWATCH_NOTIFY", raising=False)
    home = tmp_path / "clinic"
    (home / "incoming").mkdir(parents=True)
    (home / "calfwatch.toml").write_text("settle_seconds = 0\n")
    return home


def _run(home: Path) -> int:
    return main(["run", "--no-server", "--home", str(home)])


def _posted() -> list[str]:
    return [json.loads(body)["message"] for body in Hook.posts]


def test_what_happened_is_told_once_and_again_when_it_changes(place: Path, hook: int, monkeypatch) -> None:
    monkeypatch.setenv("CALFWATCH_NOTIFY", f"json://user:{SECRET}@127.0.0.1:{hook}/hook")
    (place / "incoming" / "good.csv").write_text(GOOD)
    (place / "incoming" / "bad.csv").write_text("report_id,reported_at,fever,shoe_size\n")
    assert _run(place) == 3
    first = _posted()
    assert [text for text in first if "rejected" in text] == [
        "clinic: bad.csv was rejected: unknown column 'shoe_size'" + first[0].partition("'shoe_size'")[2]
    ]
    assert [text for text in first if "report" in text and "written" in text]
    assert _run(place) == 3
    assert _posted() == first, "nothing new"
    (place / "incoming" / "bad.csv").write_text("report_id,reported_at,fever,hat\n")
    assert _run(place) == 3
    assert [text for text in _posted()[len(first) :] if "'hat'" in text]


def test_a_missed_slot_is_told_once_by_the_next_run_unless_serve_is_there_to_make_it_good(
    place: Path, hook: int, monkeypatch
) -> None:
    monkeypatch.setenv("CALFWATCH_NOTIFY", f"json://user:{SECRET}@127.0.0.1:{hook}/hook")
    (place / "incoming" / "good.csv").write_text(GOOD)
    assert _run(place) == 0
    (place / "prefect").mkdir()
    hour_ago = clock.now() - timedelta(hours=1)
    ended = json.loads((place / "status.json").read_text())
    ended["runs"]["run"]["started"] = (hour_ago - timedelta(hours=1)).isoformat()
    write_json(place / "status.json", ended)
    write_json(place / "prefect" / "schedule.json", {"next": {"ingest": hour_ago.isoformat()}})
    write_json(place / "prefect" / "serve.json", {"runner": describe_process(os.getpid())})
    command = ["ingest", "--home", str(place), str(place / "incoming")]
    with recorded_run(place, "report"):
        pass  # `serve` runs, and keeps its slots
    assert [text for text in _posted() if "missed" in text] == []
    (place / "prefect" / "serve.json").unlink()
    for _ in range(2):
        assert main(command) == 0
        told = f"clinic: a schedule was missed: ingest was due at {hour_ago:%Y-%m-%d %H:%M} UTC and has not run"
        assert [text for text in _posted() if "missed" in text] == [told]


@pytest.mark.parametrize("schedule", [{"next": {"ingest": "soon"}}, {"next": ["ingest"]}, {"next": {"ingest": 3}}])
def test_a_damaged_schedule_stops_no_run(place: Path, schedule: dict[str, object]) -> None:
    (place / "incoming" / "good.csv").write_text(GOOD)
    (place / "prefect").mkdir()
    write_json(place / "prefect" / "schedule.json", schedule)
    assert main(["ingest", "--home", str(place), str(place / "incoming")]) == 0


def test_no_notice_holds_a_record_s_data_a_region_or_a_secret(place: Path, hook: int, capsys, monkeypatch) -> None:
    monkeypatch.setenv("CALFWATCH_NOTIFY", f"json://user:{SECRET}@127.0.0.1:{hook}/hook")
    rows = "".join(f"patient-{i},2026-11-12,northvale,x,no\n" for i in range(3))
    (place / "incoming" / "bad.csv").write_text(HEADER + rows)
    (place / "incoming" / "good.csv").write_text(GOOD)
    assert _run(place) == 3
    assert main(["status", "--home", str(place)]) == 7
    assert main(["config", "--home", str(place)]) == 0
    text = " ".join(_posted())
    assert "bad.csv was rejected" in text
    for word in ("patient-", "northvale", "3 of", " 3 "):
        assert word not in text
    said = "".join(capsys.readouterr())
    kept = b"".join(path.read_bytes() for path in place.rglob("*.json"))
    assert SECRET not in said
    assert SECRET.encode() not in kept


def test_a_partial_sender_s_count_is_hidden_up_to_the_limit_of_the_settings(tmp_path: Path) -> None:
    missing = [
        "one sent 3 reports for 2026-W05, a part; usual are 9 a week",
        "two sent 12 reports for 2026-W05, a part",
    ]
    arrived = ["new sent 12 reports for 2026-W05 and hardly any for the weeks before: it is new"]
    write_json(tmp_path / "status.json", {"facts": {"senders_missing": missing, "senders_arrived": arrived}})
    for limit, counts in ((7, "# 9 12"), (12, "# # #"), (2, "3 9 12")):
        texts = [event.text for event in notices.list_run_events(tmp_path, RunRecord("run"), "done", "", limit)]
        one, usual, two = counts.split()
        assert texts == [
            f"one sent {one} reports for 2026-W05, a part; usual are {usual} a week",
            f"two sent {two} reports for 2026-W05, a part",
            f"new sent {two} reports for 2026-W05 and hardly any for the weeks before: it is new",
        ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("3 of 12 rows, 1,000 lines, 1,007", "# of 12 rows, 1,000 lines, 1,007"),
        ("rows: 7; share 3/40 (5)", "rows: #; share #/40 (#)"),
        ("at 2026-11-05 06:05, version 1.2, W05", "at 2026-11-05 06:05, version 1.2, W05"),
        ("line 3: 0 rows.", "line #: # rows."),
    ],
)
def test_small_counts_are_hidden_and_dates_times_and_versions_are_not(text: str, told: str) -> None:
    assert notices.hide_counts(text, 7) == told


def test_mail_carries_the_report_and_the_web_hook_does_not(place: Path, mail: int, hook: int) -> None:
    file = place / "notify"
    address = f"mailto://127.0.0.1:{mail}?from=calfwatch@example.org&to=lead@example.org&mode=insecure"
    file.write_text(f"# who is told\n{address}\njson://127.0.0.1:{hook}/\n")
    file.chmod(0o600)
    (place / "incoming" / "good.csv").write_text(GOOD)
    assert _run(place) == 0
    mails = [message_from_bytes(raw, policy=policy.default) for raw in Mailbox.mails]
    reports = [m for m in mails if "the report of 2026-W47 is written" in str(m.get_body())]
    (report,) = reports
    (attached,) = report.iter_attachments()
    assert attached.get_content_type() == "application/pdf"
    assert b"patient-" not in b"".join(Mailbox.mails)
    assert any("the report of 2026-W47 is written" in text for text in _posted())
    assert all(not json.loads(body).get("attachments") for body in Hook.posts)


def test_a_target_that_fails_stops_nothing_is_told_in_status_and_tried_again(
    place: Path, hook: int, capsys, monkeypatch
) -> None:
    monkeypatch.setenv("CALFWATCH_NOTIFY", f"json://user:{SECRET}@127.0.0.1:{hook}/hook")
    Hook.status = 500
    (place / "incoming" / "good.csv").write_text(GOOD)
    assert _run(place) == 0
    capsys.readouterr()
    assert main(["status", "--home", str(place)]) == 7
    out = capsys.readouterr().out
    assert "a notice to json://user:****@127.0.0.1" in out
    assert SECRET not in out
    Hook.status = 200
    assert _run(place) == 0
    assert any("the report of 2026-W47 is written" in text for text in _posted())
    assert main(["status", "--home", str(place)]) == 0


def test_a_command_gets_the_text_and_no_secret_of_our_environment(place: Path, tmp_path: Path, monkeypatch) -> None:
    for name in ("PREFECT_API_AUTH_STRING", "PREFECT_SERVER_API_AUTH_STRING"):
        monkeypatch.setenv(name, SECRET)
    script, log = tmp_path / "tell.py", tmp_path / "told"
    script.write_text(
        f"import os, sys\nopen({str(log)!r}, 'a').write(sys.stdin.read() + repr(dict(os.environ)) + '\\n')\n"
    )
    (place / "calfwatch.toml").write_text(f'settle_seconds = 0\nnotify_command = "{sys.executable} {script}"\n')
    (place / "incoming" / "good.csv").write_text(GOOD)
    assert _run(place) == 0
    told = log.read_text()
    assert "clinic: the report of 2026-W47 is written\n" in told
    assert f"'CALFWATCH_REPORT': '{place}/reports/2026-W47'" in told
    assert SECRET not in told


def test_notify_test_tries_every_target_and_ends_with_1_where_one_fails(
    place: Path, hook: int, capsys, monkeypatch
) -> None:
    assert main(["notify", "--test", "--home", str(place)]) == 2
    assert "no target for notices" in capsys.readouterr().err
    monkeypatch.setenv("CALFWATCH_NOTIFY", f"json://127.0.0.1:{hook}/hook json://user:{SECRET}@127.0.0.1:9/")
    assert main(["notify", "--test", "--home", str(place)]) == 1
    out = capsys.readouterr().out
    assert ": sent\n" in out
    assert SECRET not in out
    assert _posted() == ["clinic: this is a test of `calfwatch notify --test`"]


def test_a_file_of_addresses_that_others_may_read_is_refused(place: Path, capsys) -> None:
    (place / "notify").write_text("json://127.0.0.1:9/\n")
    (place / "notify").chmod(0o640)
    assert main(["notify", "--test", "--home", str(place)]) == 2
    assert "others may read it, and it holds passwords; chmod 600 it" in capsys.readouterr().err


@pytest.mark.parametrize(
    "url", [f"mailto://user:{SECRET}@example.org", f"slack://{SECRET}/B/C", f"nonsense://{SECRET}"]
)
def test_an_address_is_shown_without_its_secret(url: str) -> None:
    assert SECRET not in mask_address(url)


def test_no_target_is_no_notice(place: Path) -> None:
    assert find_targets(place, load_settings(place)) == []
    notices.send_notices(place, load_settings(place), [notices.Event("x", "y")])
    assert not (place / "notices.json").exists()
