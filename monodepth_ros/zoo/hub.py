"""One published file from a hub: what the server says of it, its bytes, and whether they are right.

The library `huggingface_hub` finds and asks; its own downloads do not go on after a kill, so the
bytes are read here. `HF_ENDPOINT`, `HF_HUB_OFFLINE`, `HF_TOKEN` and proxies work as everywhere.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import get_hf_file_metadata, hf_hub_url
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

from monodepth_ros.errors import Failure

_CHUNK = 1 << 20
_PATIENCE = 5  # broken connections in a row without a byte between them
_TIMEOUT = 30.0  # seconds without a byte
_NOT_SATISFIABLE = 416  # nothing is left to send of the range that was asked for
_NEW_FILE = 200
# As they are: a size of compressed bytes would tell nothing.
_HEADERS = {"Accept-Encoding": "identity"}


@dataclass(frozen=True)
class RemoteFile:
    """A file of a repository at ``commit``.

    ``etag`` is what the server identifies its bytes by: SHA-256 of a large file, git's SHA-1 of a
    small one. ``size`` in bytes is None where the server does not tell.
    """

    name: str
    url: str
    commit: str
    etag: str
    size: int | None


class Unreachable(Failure):
    """The server cannot be reached, is not to be asked, or refuses."""


def look_up(repository: str, revision: str, name: str, endpoint: str | None = None) -> RemoteFile:
    """What the server says of a file; `Unreachable` where it says nothing."""
    endpoint = endpoint or os.environ.get("HF_ENDPOINT") or None
    url = hf_hub_url(repository, name, revision=revision, endpoint=endpoint)
    try:
        found = get_hf_file_metadata(url, endpoint=endpoint)
    except HfHubHTTPError as error:
        raise Unreachable(f"{url}: {_refusal(error)}") from error
    except Exception as error:  # HTTP libraries raise what they like
        raise Unreachable(f"{url}: {_reason(error)}") from error
    if not found.commit_hash or not found.etag:
        raise Unreachable(f"{url}: the answer is not that of a model hub; is HF_ENDPOINT right?")
    return RemoteFile(name, url, found.commit_hash, found.etag, found.size)


def download(
    remote: RemoteFile, path: Path, advance: Callable[[int], None], pause: float = 1.0
) -> None:
    """Fetch ``remote`` into ``path``, going on where an earlier call ended.

    ``advance`` is told how many bytes came, less than none where a server begins again. A broken
    connection is taken up again after ``pause`` seconds. `Failure` where it stays broken or the
    disk is full; what is there stays.
    """
    path.touch()
    broken = 0
    while remote.size is None or path.stat().st_size != remote.size:
        before = path.stat().st_size
        try:
            _read_on(remote, path, advance)
            if remote.size is None:
                return
            reason = "it ended too early"
        except HfHubHTTPError as error:
            raise Unreachable(f"{remote.url}: {_refusal(error)}") from error
        except OSError as error:
            raise Failure(f"{path}: cannot be written: {_disk(error)}") from error
        except Exception as error:  # HTTP libraries raise what they like
            reason = _reason(error)
        broken = broken + 1 if path.stat().st_size <= before else 1
        if broken >= _PATIENCE:
            raise Unreachable(f"{remote.url}: the connection breaks: {reason}")
        time.sleep(pause)


def _read_on(remote: RemoteFile, path: Path, advance: Callable[[int], None]) -> None:
    """One request for what is missing of ``path``, appended to it."""
    there = path.stat().st_size
    headers = build_hf_headers(headers={**_HEADERS, "Range": f"bytes={there}-"})
    request = get_session().stream("GET", remote.url, headers=headers, timeout=_TIMEOUT)
    with request as answer, path.open("ab") as out:
        if answer.status_code != _NOT_SATISFIABLE:
            hf_raise_for_status(answer)
        if answer.status_code in (_NOT_SATISFIABLE, _NEW_FILE) and there:
            out.truncate(0)  # the server sends the whole, or has less than is here
            advance(-there)
        if answer.status_code == _NOT_SATISFIABLE:
            return
        for chunk in answer.iter_bytes():
            out.write(chunk)
            out.flush()  # a full disk shows here
            advance(len(chunk))


def digests(path: Path) -> tuple[str, str]:
    """SHA-256 of a file, and the SHA-1 under which git keeps it."""
    sha256, git = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % path.stat().st_size)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            sha256.update(chunk)
            git.update(chunk)
    return sha256.hexdigest(), git.hexdigest()


def verified(path: Path, etag: str, sha256: str | None) -> str:
    """The SHA-256 of ``path``, after comparing with both that are known of it.

    `Failure` says which of them differs. An etag of another form, as other servers give, is no
    hash and tells nothing; then without ``sha256`` nothing vouches for the file.
    """
    found, git = digests(path)
    if sha256 is not None and found != sha256:
        raise Failure(f"SHA-256 is {found[:12]}... and not the list's {sha256[:12]}...")
    told = found if _is_sha256(etag) else git
    if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", etag) and told != etag:
        raise Failure(f"its hash is {told[:12]}... and not the server's {etag[:12]}...")
    return found


def _is_sha256(etag: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{64}", etag) is not None


def _refusal(error: HfHubHTTPError) -> str:
    """Why a server says no, in a line; its own words are several, with what is no use here."""
    status = error.response.status_code
    meaning = {
        401: "not there, or private: log in with `hf auth login`",
        403: "not allowed: accept its conditions on the model's page, then `hf auth login`",
        404: "not there",
        429: "too many requests: try again later",
    }
    return f"HTTP {status}, {meaning.get(status, error.response.reason_phrase)}"


def _reason(error: Exception) -> str:
    told = " ".join(str(error).split())
    return f"{type(error).__name__}: {told}" if told else type(error).__name__


def _disk(error: OSError) -> str:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return "the disk is full" if full else error.strerror or str(error)
