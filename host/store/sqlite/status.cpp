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

errc errc_of(gantry_status status) noexcept {
  switch (status) {
    case GANTRY_INVALID:
      return errc::invalid;
    case GANTRY_CONFLICT:
      return errc::conflict;
    case GANTRY_UNAVAILABLE:
    case GANTRY_RETRY:
      return errc::unavailable;
    case GANTRY_TOO_LARGE:
      return errc::too_large;
    case GANTRY_FAILED:
      return errc::io;
    default:
      return errc::internal;
  }
}

std::string excerpt(std::string_view sql) {
  constexpr std::size_t longest = 160;
  std::string text;
  text.reserve(longest + 3);
  bool blank = true;
  for (const char c : sql) {
    const bool is_blank = c == ' ' || c == '\n' || c == '\t' || c == '\r';
    if (is_blank && blank) continue;
    if (text.size() == longest) return text + "...";
    text.push_back(is_blank ? ' ' : c);
    blank = is_blank;
  }
  return text;
}

}  // namespace gantry::store::sqlite
