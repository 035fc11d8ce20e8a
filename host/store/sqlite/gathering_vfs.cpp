#include "store/sqlite/gathering_vfs.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#include "store/sqlite/connection.hpp"
#include "store/sqlite/frame_buffer.hpp"

namespace gantry::store::sqlite {

struct gathering_vfs::layer : sqlite3_vfs {
  sqlite3_vfs* below = nullptr;
};

namespace {

// SQLite's own VFS masks the size of a write with 0x1ffff, and reports a full disk for a longer one.
constexpr std::size_t largest_write = 124 * 1024;

// What SQLite allocates per open file: this, then the file of the VFS below.
struct open_file : sqlite3_file {
  open_file* database;   // of a log, while both are open
  open_file* log;        // of a database, likewise
  frame_buffer* frames;  // of a log
};

open_file* own(sqlite3_file* file) noexcept { return static_cast<open_file*>(file); }
sqlite3_file* below(sqlite3_file* file) noexcept { return reinterpret_cast<sqlite3_file*>(own(file) + 1); }
const sqlite3_io_methods& on(sqlite3_file* file) noexcept { return *below(file)->pMethods; }
sqlite3_vfs* below(sqlite3_vfs* vfs) noexcept { return static_cast<gathering_vfs::layer*>(vfs)->below; }

// On failure the frames stay: SQLite may give up the statement alone, and read what it spilled before.
int flush(sqlite3_file* file) noexcept {
  frame_buffer& frames = *own(file)->frames;
  if (frames.empty()) return SQLITE_OK;
  // A write that failed in the middle is done again in full: the same bytes in the same place.
  for (std::size_t done = 0; done < frames.size();) {
    const std::size_t part = std::min(frames.size() - done, largest_write);
    const int code = on(file).xWrite(below(file), frames.bytes() + done, static_cast<int>(part),
                                     frames.offset() + static_cast<std::int64_t>(done));
    if (code != SQLITE_OK) return code;
    done += part;
  }
  frames.flushed();
  return SQLITE_OK;
}

int write_log(sqlite3_file* file, const void* from, int size, sqlite3_int64 offset) {
  switch (own(file)->frames->take(from, static_cast<std::size_t>(size), offset)) {
    case frame_buffer::action::keep:
      return SQLITE_OK;
    case frame_buffer::action::flush:
      return flush(file);
    case frame_buffer::action::write_through:
      break;
  }
  const int code = flush(file);
  return code == SQLITE_OK ? on(file).xWrite(below(file), from, size, offset) : code;
}

int read_log(sqlite3_file* file, void* into, int size, sqlite3_int64 offset) {
  switch (own(file)->frames->read(into, static_cast<std::size_t>(size), offset)) {
    case frame_buffer::overlap::all:
      return SQLITE_OK;
    case frame_buffer::overlap::part:
      if (const int code = flush(file); code != SQLITE_OK) return code;
      break;
    case frame_buffer::overlap::none:
      break;
  }
  return on(file).xRead(below(file), into, size, offset);
}

int truncate_log(sqlite3_file* file, sqlite3_int64 size) {
  const int code = flush(file);
  return code == SQLITE_OK ? on(file).xTruncate(below(file), size) : code;
}

int sync_log(sqlite3_file* file, int flags) {
  const int code = flush(file);
  return code == SQLITE_OK ? on(file).xSync(below(file), flags) : code;
}

int log_size(sqlite3_file* file, sqlite3_int64* size) {
  const int code = flush(file);
  return code == SQLITE_OK ? on(file).xFileSize(below(file), size) : code;
}

// SQLite closes a log without the right to write it, so nothing may be flushed here; and nothing is left, since that
// right ended before.
int close_log(sqlite3_file* file) {
  if (own(file)->database) own(file)->database->log = nullptr;
  const std::unique_ptr<frame_buffer> owned(std::exchange(own(file)->frames, nullptr));
  return on(file).xClose(below(file));
}

int close_database(sqlite3_file* file) {
  if (own(file)->log) own(file)->log->database = nullptr;
  return on(file).xClose(below(file));
}

// The end of the right to write the log. What a transaction that was rolled back has spilled must not be written later,
// over frames that another connection commits in its place.
int lock_shared(sqlite3_file* file, int offset, int count, int flags) {
  constexpr int writer_lock = 0;
  constexpr int ends = SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE;
  if (offset == writer_lock && (flags & ends) == ends && own(file)->log) own(file)->log->frames->end_transaction();
  return on(file).xShmLock(below(file), offset, count, flags);
}

int read_below(sqlite3_file* file, void* into, int size, sqlite3_int64 offset) {
  return on(file).xRead(below(file), into, size, offset);
}
int write_below(sqlite3_file* file, const void* from, int size, sqlite3_int64 offset) {
  return on(file).xWrite(below(file), from, size, offset);
}
int truncate_below(sqlite3_file* file, sqlite3_int64 size) { return on(file).xTruncate(below(file), size); }
int sync_below(sqlite3_file* file, int flags) { return on(file).xSync(below(file), flags); }
int size_below(sqlite3_file* file, sqlite3_int64* size) { return on(file).xFileSize(below(file), size); }
int lock_below(sqlite3_file* file, int level) { return on(file).xLock(below(file), level); }
int unlock_below(sqlite3_file* file, int level) { return on(file).xUnlock(below(file), level); }
int check_lock_below(sqlite3_file* file, int* out) { return on(file).xCheckReservedLock(below(file), out); }
int control_below(sqlite3_file* file, int what, void* with) { return on(file).xFileControl(below(file), what, with); }
int sector_below(sqlite3_file* file) { return on(file).xSectorSize(below(file)); }
int characteristics_below(sqlite3_file* file) { return on(file).xDeviceCharacteristics(below(file)); }
int map_below(sqlite3_file* file, int page, int size, int extend, void volatile** out) {
  return on(file).xShmMap(below(file), page, size, extend, out);
}
void barrier_below(sqlite3_file* file) { on(file).xShmBarrier(below(file)); }
int unmap_below(sqlite3_file* file, int remove) { return on(file).xShmUnmap(below(file), remove); }

// Version 2: databases are not mapped into memory.
const sqlite3_io_methods database_methods = {2,
                                             close_database,
                                             read_below,
                                             write_below,
                                             truncate_below,
                                             sync_below,
                                             size_below,
                                             lock_below,
                                             unlock_below,
                                             check_lock_below,
                                             control_below,
                                             sector_below,
                                             characteristics_below,
                                             map_below,
                                             lock_shared,
                                             barrier_below,
                                             unmap_below,
                                             nullptr,
                                             nullptr};

const sqlite3_io_methods log_methods = {1,
                                        close_log,
                                        read_log,
                                        write_log,
                                        truncate_log,
                                        sync_log,
                                        log_size,
                                        lock_below,
                                        unlock_below,
                                        check_lock_below,
                                        control_below,
                                        sector_below,
                                        characteristics_below,
                                        nullptr,
                                        nullptr,
                                        nullptr,
                                        nullptr,
                                        nullptr,
                                        nullptr};

int open_log(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* out_flags) {
  sqlite3_file* const database = sqlite3_database_file_object(path);
  const bool ours = database && database->pMethods == &database_methods;
  std::unique_ptr<frame_buffer> frames(new (std::nothrow) frame_buffer);
  if (!frames) return SQLITE_NOMEM;
  const int code = below(vfs)->xOpen(below(vfs), path, below(file), flags, out_flags);
  if (code != SQLITE_OK) return code;
  own(file)->frames = frames.release();
  own(file)->database = ours ? own(database) : nullptr;
  if (ours) own(database)->log = own(file);
  file->pMethods = &log_methods;
  return SQLITE_OK;
}

int open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* out_flags) {
  const bool is_log = (flags & SQLITE_OPEN_WAL) != 0;
  if (!is_log && (flags & SQLITE_OPEN_MAIN_DB) == 0) {
    return below(vfs)->xOpen(below(vfs), path, file, flags, out_flags);
  }
  *own(file) = open_file{};
  if (is_log) return open_log(vfs, path, file, flags, out_flags);
  const int code = below(vfs)->xOpen(below(vfs), path, below(file), flags, out_flags);
  if (code == SQLITE_OK) file->pMethods = &database_methods;
  return code;
}

int remove(sqlite3_vfs* vfs, const char* path, int sync) { return below(vfs)->xDelete(below(vfs), path, sync); }
int access(sqlite3_vfs* vfs, const char* path, int what, int* out) {
  return below(vfs)->xAccess(below(vfs), path, what, out);
}
int full_path(sqlite3_vfs* vfs, const char* path, int size, char* out) {
  return below(vfs)->xFullPathname(below(vfs), path, size, out);
}

}  // namespace

gathering_vfs::gathering_vfs() : layer_(std::make_unique<layer>()) {
  // Several stores have one each; the address tells them apart.
  name_ = "gantry_gathering_" + std::to_string(reinterpret_cast<std::uintptr_t>(layer_.get()));
}

result<std::unique_ptr<gathering_vfs>> gathering_vfs::over(const char* below) {
  configure_library();
  sqlite3_vfs* const found = sqlite3_vfs_find(below);
  if (!found) return error{errc::invalid, std::string("SQLite has no VFS ") + (below ? below : "of its own")};
  std::unique_ptr<gathering_vfs> self(new gathering_vfs);
  layer& made = *self->layer_;
  // Whatever doesn't concern files is the same function, which asks nothing of its VFS.
  static_cast<sqlite3_vfs&>(made) = *found;
  made.below = found;
  made.pNext = nullptr;
  made.zName = self->name_.c_str();
  made.szOsFile = static_cast<int>(sizeof(open_file)) + found->szOsFile;
  made.xOpen = open;
  made.xDelete = remove;
  made.xAccess = access;
  made.xFullPathname = full_path;
  if (sqlite3_vfs_register(&made, 0) != SQLITE_OK) return error{errc::io, "SQLite can't register a VFS"};
  return self;
}

int gathering_vfs::sync_written(sqlite3_file& log) noexcept {
  if (log.pMethods != &log_methods) return SQLITE_MISUSE;
  return on(&log).xSync(below(&log), SQLITE_SYNC_NORMAL);
}

gathering_vfs::~gathering_vfs() { sqlite3_vfs_unregister(layer_.get()); }

}  // namespace gantry::store::sqlite
