"""Files of keys: made once, overwritten only by `replace_file`, readable by their owner alone.

A private key that others could read is refused, not repaired: somebody may have read it already, and the operator has to know.
"""

import errno
import os
import secrets
import stat
from pathlib import Path

from node.errors import Broken, Deferred, Fault
from node.model.reason import Reason

PRIVATE_MODE, PUBLIC_MODE, FOLDER_MODE = 0o600, 0o644, 0o700
KEY_FILE_BYTES_MAX = 64 * 1024


def make_folder(folder: Path) -> None:
    """Make a folder for keys, closed to others; one that exists stays as it is. Raises Broken(IO_FAILED)."""
    try:
        folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    except OSError as error:
        raise _fault_of(error, folder) from error


def write_new(path: Path, octets: bytes, mode: int = PRIVATE_MODE) -> None:
    """Write a file that must not exist yet and make it and its name durable.

    Raises Broken(ALREADY_EXISTS), Broken(IO_FAILED) or Deferred(DISK_FULL), naming the file.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        with open(handle, "wb") as file:
            os.fchmod(handle, mode)  # whatever the umask says
            file.write(octets)
            file.flush()
            os.fsync(handle)
        _sync_folder(path.parent)
    except OSError as error:
        raise _fault_of(error, path) from error


def replace_file(path: Path, octets: bytes, mode: int = PRIVATE_MODE) -> None:
    """Write a file whole in place of the one that may be there: a reader finds the old one or the new one.

    Raises as `write_new`, but never Broken(ALREADY_EXISTS).
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        write_new(part, octets, mode)
        os.replace(part, path)
        _sync_folder(path.parent)
    except OSError as error:
        raise _fault_of(error, path) from error
    finally:
        part.unlink(missing_ok=True)


def read_private(path: Path) -> bytes:
    """Read a private key file.

    Raises Broken(KEY_FILE_MISSING) if it is not there or cannot be read, Broken(KEY_FILE_EXPOSED) if its group or others may
    read or write it, Broken(KEY_UNUSABLE) if it is no plain file of at most 64 KiB. The detail names the file.
    """
    try:
        with path.open("rb") as file:
            facts = os.fstat(file.fileno())
            if facts.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise Broken(Reason.KEY_FILE_EXPOSED, f"{path} has mode {stat.S_IMODE(facts.st_mode):04o}")
            if not stat.S_ISREG(facts.st_mode) or facts.st_size > KEY_FILE_BYTES_MAX:
                raise Broken(Reason.KEY_UNUSABLE, f"{path} is no key file")
            return file.read()
    except OSError as error:
        raise Broken(Reason.KEY_FILE_MISSING, f"{path}: {error.strerror}") from error


def read_public(path: Path) -> bytes:
    """Read a file that is no secret, a certificate. Raises Broken(KEY_FILE_MISSING), naming it."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise Broken(Reason.KEY_FILE_MISSING, f"{path}: {error.strerror}") from error


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _fault_of(error: OSError, path: Path) -> Fault:
    if isinstance(error, FileExistsError):
        return Broken(Reason.ALREADY_EXISTS, str(path))
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Deferred(Reason.DISK_FULL, str(path))
    return Broken(Reason.IO_FAILED, f"{path}: {error.strerror}")
