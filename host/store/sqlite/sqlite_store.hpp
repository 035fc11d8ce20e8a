// A plugin's private database in one SQLite file, in WAL mode: one session writes, several read snapshots beside it.
// Thread: any; each session belongs to one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>

#include "base/result.hpp"
#include "store/store.hpp"

namespace gantry::store {

struct sqlite_options {
  std::filesystem::path file;
  durability promise = durability::power;
  std::size_t readers = 4;    // sessions that may read at the same time
  int cache_kib = 16 * 1024;  // page cache of the writer; each reader has a quarter of it
  const char* vfs = nullptr;  // SQLite VFS to run on; null: the operating system's
  // Pages in the write-ahead log from which a thread of the store copies them into the database. Under load the log
  // reaches about twice that, and at most four times unless a reader holds on to it.
  std::uint32_t checkpoint_pages = 4000;
};

// Opens the database, and creates it and its directories when they are missing. conflict: another process, or another
// store of this one, has the file open (the text names the process). invalid: not a database. io: the operating system
// refused. The store holds `<file>.lock` until it is destroyed; it must outlive its sessions.
result<std::unique_ptr<store>> open_sqlite_store(const sqlite_options& options);

}  // namespace gantry::store
