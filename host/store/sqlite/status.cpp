#include "store/sqlite/status.hpp"

#include <sqlite3.h>

namespace gantry::store::sqlite {

gantry_status status_of(int extended_code) noexcept {
  // The wal-index could not grow: a full disk under another name.
  if (extended_code == SQLITE_IOERR_SHMSIZE) return GANTRY_UNAVAILABLE;
  switch (extended_code & 0xFF) {
    case SQLITE_OK:
    case SQLITE_ROW:
      return GANTRY_OK;
    case SQLITE_DONE:
      return GANTRY_DONE;
    case SQLITE_CONSTRAINT:
      return GANTRY_CONFLICT;
    case SQLITE_FULL:
    case SQLITE_CANTOPEN:
      return GANTRY_UNAVAILABLE;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
    case SQLITE_SCHEMA:
      return GANTRY_RETRY;
    case SQLITE_READONLY:
    case SQLITE_AUTH:
    case SQLITE_PERM:
      return GANTRY_REFUSED;
    case SQLITE_TOOBIG:
      return GANTRY_TOO_LARGE;
    case SQLITE_ERROR:
    case SQLITE_MISMATCH:
    case SQLITE_RANGE:
      return GANTRY_INVALID;
    default:
      return GANTRY_FAILED;
  }
}

gantry_status commit_status_of(int extended_code) noexcept {
  switch (extended_code & 0xFF) {
    // A deferred constraint, a lock or a full disk is found before the record that commits is complete.
    case SQLITE_CONSTRAINT:
      return GANTRY_CONFLICT;
    case SQLITE_FULL:
      return GANTRY_UNAVAILABLE;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return GANTRY_RETRY;
    default:
      return GANTRY_FAILED;
  }
}

bool is_sync_failure(int extended_code) noexcept {
  return extended_code == SQLITE_IOERR_FSYNC || extended_code == SQLITE_IOERR_DIR_FSYNC;
}

}  // namespace gantry::store::sqlite
