"""Dropbox's own client for Python against the stand-in: what it answers must be what that client understands.

The client decodes every answer by the API's specification. Any assertion that fails, and any answer that it does not know, ends this
with a traceback. The address to authorize is printed; the code that its page shows is read from standard input.
"""

import hashlib
import os
import sys

import requests
from dropbox import Dropbox
from dropbox.exceptions import ApiError, AuthError, BadInputError, RateLimitError
from dropbox.files import CommitInfo, DeleteArg, FileMetadata, FolderMetadata, UploadSessionCursor, UploadSessionFinishArg, WriteMode
from dropbox.oauth import DropboxOAuth2FlowNoRedirect

BLOCK = 4 * 1024 * 1024


class ToStandIn(requests.adapters.HTTPAdapter):
    """Dropbox's hosts are folders of the stand-in."""

    def send(self, request, **options):
        for host in ("api", "content"):
            request.url = request.url.replace(f"https://{host}.dropboxapi.com", f"{os.environ['STAND_IN']}/{host}")
        assert request.url.startswith("http://127.0.0.1:"), request.url
        return super().send(request, **options)


def new_session():
    session = requests.session()
    session.mount("https://", ToStandIn())
    return session


def content_hash(data):
    blocks = [data[at : at + BLOCK] for at in range(0, len(data), BLOCK)]
    return hashlib.sha256(b"".join(hashlib.sha256(block).digest() for block in blocks)).hexdigest()


def refused(call, error=ApiError):
    try:
        call()
    except error as caught:
        return caught.error if error is ApiError else caught
    raise AssertionError("not refused")


def log_in():
    flow = DropboxOAuth2FlowNoRedirect(os.environ["APP_KEY"], use_pkce=True, token_access_type="offline", scope=["account_info.read", "files.content.read", "files.content.write", "files.metadata.read"])
    flow.requests_session = new_session()
    print(flow.start(), flush=True)
    result = flow.finish(sys.stdin.readline().strip())
    assert result.scope == "account_info.read files.content.read files.content.write files.metadata.read"
    return result.refresh_token


refresh_token = log_in()
box = Dropbox(oauth2_refresh_token=refresh_token, app_key=os.environ["APP_KEY"], session=new_session(), max_retries_on_rate_limit=0, max_retries_on_error=0)

# Tokens
assert refused(lambda: Dropbox(oauth2_access_token="sl." + 60 * "x", session=new_session()).files_list_folder(""), AuthError).error.is_invalid_access_token()
assert "malformed" in refused(lambda: Dropbox(oauth2_access_token="x", session=new_session()).files_list_folder(""), BadInputError).message
assert refused(lambda: Dropbox(oauth2_refresh_token="x", app_key=os.environ["APP_KEY"], session=new_session()).files_list_folder(""), AuthError).error.is_invalid_access_token()

space = box.users_get_space_usage()
assert space.used == 0 and space.allocation.get_individual().allocated > 0

# Upload: content hash, the same bytes again, conflicts, files in the way
data = os.urandom(BLOCK + 1)
file = box.files_upload(data, "/Über/a.bin", content_hash=content_hash(data))
assert (file.size, file.content_hash, file.path_lower, file.path_display) == (BLOCK + 1, content_hash(data), "/über/a.bin", "/Über/a.bin")
assert box.files_upload(data, "/über/A.bin").rev == file.rev
assert refused(lambda: box.files_upload(data, "/hashed", content_hash=content_hash(b"other"))).is_content_hash_mismatch()
failed = refused(lambda: box.files_upload(b"other", "/über/a.bin")).get_path()
assert failed.reason.is_conflict() and failed.reason.get_conflict().is_file() and failed.upload_session_id
assert refused(lambda: box.files_upload(data, "/über/a.bin", strict_conflict=True)).get_path().reason.get_conflict().is_file()
assert refused(lambda: box.files_upload(b"", "/über/a.bin/below")).get_path().reason.get_conflict().is_file_ancestor()
assert refused(lambda: box.files_upload(b"", "/über")).get_path().reason.get_conflict().is_folder()
assert refused(lambda: box.files_upload(b"", "/no\\such")).get_path().reason.is_malformed_path()
assert refused(lambda: box.files_upload(b"", "/Thumbs.db")).get_path().reason.is_disallowed_name()
assert box.files_upload(b"2", "/über/a.bin", autorename=True).name == "a (2).bin"
replaced = box.files_upload(b"new", "/über/a.bin", mode=WriteMode.overwrite)
assert replaced.id == file.id and replaced.rev != file.rev
assert box.files_upload(b"newer", "/über/a.bin", mode=WriteMode.update(replaced.rev)).size == 5
assert refused(lambda: box.files_upload(b"newest", "/über/a.bin", mode=WriteMode.update(replaced.rev))).get_path().reason.is_conflict()

# Download and metadata
metadata, response = box.files_download("/über/a.bin")
assert response.content == b"newer" and metadata.content_hash == content_hash(b"newer")
assert refused(lambda: box.files_download("/none")).get_path().is_not_found()
assert refused(lambda: box.files_download("/über")).get_path().is_not_file()
assert isinstance(box.files_get_metadata("/über"), FolderMetadata)
assert refused(lambda: box.files_get_metadata("/none")).get_path().is_not_found()

# Upload sessions: offsets, closing, finishing
session = box.files_upload_session_start(data, content_hash=content_hash(data)).session_id
cursor = UploadSessionCursor(session, len(data))
lost = refused(lambda: box.files_upload_session_append_v2(b"x", UploadSessionCursor(session, 3)))
assert lost.is_incorrect_offset() and lost.get_incorrect_offset().correct_offset == len(data)
assert refused(lambda: box.files_upload_session_append_v2(b"x", UploadSessionCursor("none", 0))).is_not_found()
box.files_upload_session_append_v2(b"xyz", cursor, close=True, content_hash=content_hash(b"xyz"))
cursor = UploadSessionCursor(session, len(data) + 3)
assert refused(lambda: box.files_upload_session_append_v2(b"x", cursor)).is_closed()
assert refused(lambda: box.files_upload_session_finish(b"", UploadSessionCursor(session, 1), CommitInfo("/s"))).get_lookup_failed().is_incorrect_offset()
assert refused(lambda: box.files_upload_session_finish(b"", cursor, CommitInfo("/über"))).get_path().get_conflict().is_folder()
assert box.files_upload_session_finish(b"", cursor, CommitInfo("/s")).content_hash == content_hash(data + b"xyz")
assert refused(lambda: box.files_upload_session_finish(b"", cursor, CommitInfo("/s"))).get_lookup_failed().is_not_found()

# A batch: what is good is stored, whatever else is in it
def closed(data, close=True):
    return UploadSessionCursor(box.files_upload_session_start(data, close=close).session_id, len(data))


entries = [
    UploadSessionFinishArg(closed(b"one"), CommitInfo("/batch/one")),
    UploadSessionFinishArg(closed(b"two", close=False), CommitInfo("/batch/two")),
    UploadSessionFinishArg(closed(b"three"), CommitInfo("/über/a.bin")),
    UploadSessionFinishArg(closed(b"four"), CommitInfo("/batch/four")),
]
one, two, three, four = box.files_upload_session_finish_batch_v2(entries).entries
assert one.get_success().size == 3 and four.get_success().path_lower == "/batch/four"
assert two.get_failure().get_lookup_failed().is_not_closed()
assert three.get_failure().get_path().get_conflict().is_file()

# Listings: pages, changes after the last page
page = box.files_list_folder("", recursive=True, limit=2)
entries = list(page.entries)
while page.has_more:
    page = box.files_list_folder_continue(page.cursor)
    entries += page.entries
assert sorted(entry.path_lower for entry in entries) == ["/batch", "/batch/four", "/batch/one", "/s", "/über", "/über/a (2).bin", "/über/a.bin"]
assert sorted(entry.name for entry in box.files_list_folder("").entries) == ["batch", "s", "Über"]
assert refused(lambda: box.files_list_folder("/none")).get_path().is_not_found()
assert refused(lambda: box.files_list_folder("/s")).get_path().is_not_folder()
assert "malformed" in refused(lambda: box.files_list_folder_continue("none"), BadInputError).message

# Deletes: by revision, of many
old = box.files_get_metadata("/s").rev
new = box.files_upload(b"s", "/s", mode=WriteMode.overwrite).rev
assert refused(lambda: box.files_delete_v2("/s", parent_rev=old)).get_path_write().is_conflict()
assert refused(lambda: box.files_delete_v2("/none")).get_path_lookup().is_not_found()
assert isinstance(box.files_delete_v2("/s", parent_rev=new).metadata, FileMetadata)
job = box.files_delete_batch([DeleteArg("/batch"), DeleteArg("/none")]).get_async_job_id()
state = box.files_delete_batch_check(job)
while state.is_in_progress():
    state = box.files_delete_batch_check(job)
gone, none = state.get_complete().entries
assert gone.get_success().metadata.path_lower == "/batch" and none.get_failure().get_path_lookup().is_not_found()
assert refused(lambda: box.files_delete_batch_check("none")).is_invalid_async_job_id()
changed = {entry.path_lower: type(entry).__name__ for entry in box.files_list_folder_continue(page.cursor).entries}
assert changed == {path: "DeletedMetadata" for path in ("/s", "/batch", "/batch/one", "/batch/four")}, changed

# What the test has asked for, by a word on standard input
def asked_for(what):
    print(what, flush=True)
    sys.stdin.readline()


asked_for("rate limit")
limited = refused(lambda: box.files_list_folder(""), RateLimitError)
assert limited.error.reason.is_too_many_requests() and limited.backoff == 17
asked_for("rate limit in plain text")
limited = refused(lambda: box.files_list_folder(""), RateLimitError)
assert limited.error is None and limited.backoff == 18
assert refused(lambda: box.files_upload(bytes(11 * 1024 * 1024), "/full")).get_path().reason.is_insufficient_space()
asked_for("expire")
box.files_list_folder("")
asked_for("reset")
assert refused(lambda: box.files_list_folder_continue(page.cursor)).is_reset()
asked_for("revoke")
assert refused(lambda: box.files_list_folder(""), AuthError).error.is_invalid_access_token()
print("understood", flush=True)
