// A SQLite VFS that hands the frames of a transaction to the kernel in large writes, where SQLite makes two for each
// page.
//
// Layered on another VFS, for the databases of one store. Files other than the database and its log are opened below,
// as if the layer were not there. The decision and its proof: docs/adr/0010-gathered-log-writes.md.
// Owned by the store; outlives every connection that was opened on it. Thread: any.
#pragma once

#include <memory>
#include <string>

#include "base/result.hpp"

struct sqlite3_file;

namespace gantry::store::sqlite {

class gathering_vfs {
 public:
  // Layers on the VFS of this name; null: the operating system's. invalid: there is none. io: out of memory.
  static result<std::unique_ptr<gathering_vfs>> over(const char* below);

  gathering_vfs(const gathering_vfs&) = delete;
  gathering_vfs& operator=(const gathering_vfs&) = delete;
  ~gathering_vfs();

  // What sqlite3_open_v2 takes. No other layer has the name.
  const char* name() const noexcept { return name_.c_str(); }

  // Syncs what of this open log is in the kernel, beside its connection: frames that are still kept are left alone.
  // Thread: any. A code of SQLite's. SQLITE_MISUSE: not a log that was opened here.
  static int sync_written(sqlite3_file& log) noexcept;

  struct layer;

 private:
  gathering_vfs();

  std::unique_ptr<layer> layer_;
  std::string name_;
};

}  // namespace gantry::store::sqlite
