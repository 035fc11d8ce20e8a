#include "fault_vfs.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace gantry::testing {

// A write that isn't durable yet, and what undoes it.
struct unsynced_write {
  std::string path;
  std::int64_t offset;
  std::vector<char> before;  // the bytes it replaced, as far as the file reached
  std::int64_t size_before;
};

struct fault_vfs::disk {
  sqlite3_vfs vfs{};
  sqlite3_vfs* below = nullptr;
  std::string name;

  mutable std::mutex mutex;
  std::vector<unsynced_write> log;
  bool powered = true;
  bool next_sync_fails = false;
  bool next_log_write_tears = false;
  std::optional<std::int64_t> room;
  std::uint64_t syncs = 0;
  std::uint64_t log_writes = 0;
};

namespace {

// What SQLite allocates per open file: this, then the file of the VFS below.
struct open_file : sqlite3_file {
  fault_vfs::disk* on;
  std::string* path;
  sqlite3_file* real() noexcept { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

open_file* own(sqlite3_file* file) noexcept { return static_cast<open_file*>(file); }
sqlite3_file* below(sqlite3_file* file) noexcept { return own(file)->real(); }
const sqlite3_io_methods* methods_below(sqlite3_file* file) noexcept { return below(file)->pMethods; }
fault_vfs::disk& disk_of(sqlite3_vfs* vfs) noexcept { return *static_cast<fault_vfs::disk*>(vfs->pAppData); }

bool has_power(open_file* file) {
  const std::lock_guard lock(file->on->mutex);
  return file->on->powered;
}

std::int64_t size_of(sqlite3_file* file) {
  sqlite3_int64 size = 0;
  methods_below(file)->xFileSize(below(file), &size);
  return size;
}

unsynced_write remember(sqlite3_file* file, std::int64_t offset, std::int64_t end) {
  unsynced_write write{*own(file)->path, offset, {}, size_of(file)};
  const std::int64_t kept = std::min(end, write.size_before) - offset;
  if (kept > 0) {
    write.before.resize(static_cast<std::size_t>(kept));
    methods_below(file)->xRead(below(file), write.before.data(), static_cast<int>(kept), offset);
  }
  return write;
}

int close_file(sqlite3_file* file) {
  const int code = methods_below(file)->xClose(below(file));
  delete own(file)->path;
  return code;
}

int read_file(sqlite3_file* file, void* into, int size, sqlite3_int64 offset) {
  if (!has_power(own(file))) return SQLITE_IOERR_READ;
  return methods_below(file)->xRead(below(file), into, size, offset);
}

int write_file(sqlite3_file* file, const void* from, int size, sqlite3_int64 offset) {
  auto& disk = *own(file)->on;
  const std::lock_guard lock(disk.mutex);
  if (!disk.powered) return SQLITE_IOERR_WRITE;
  const bool to_log = own(file)->path->ends_with("-wal");
  if (to_log) ++disk.log_writes;
  if (to_log && std::exchange(disk.next_log_write_tears, false)) {
    disk.log.push_back(remember(file, offset, offset + size / 2));
    methods_below(file)->xWrite(below(file), from, size / 2, offset);
    return SQLITE_IOERR_WRITE;
  }
  auto replaced = remember(file, offset, offset + size);
  const std::int64_t growth = std::max<std::int64_t>(0, offset + size - replaced.size_before);
  if (disk.room && growth > *disk.room) return SQLITE_FULL;
  if (disk.room) *disk.room -= growth;
  disk.log.push_back(std::move(replaced));
  return methods_below(file)->xWrite(below(file), from, size, offset);
}

int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
  auto& disk = *own(file)->on;
  const std::lock_guard lock(disk.mutex);
  if (!disk.powered) return SQLITE_IOERR_TRUNCATE;
  disk.log.push_back(remember(file, size, size_of(file)));
  return methods_below(file)->xTruncate(below(file), size);
}

int sync_file(sqlite3_file* file, int flags) {
  auto& disk = *own(file)->on;
  const std::lock_guard lock(disk.mutex);
  if (!disk.powered || std::exchange(disk.next_sync_fails, false)) return SQLITE_IOERR_FSYNC;
  ++disk.syncs;
  std::erase_if(disk.log, [file](const auto& each) { return each.path == *own(file)->path; });
  return methods_below(file)->xSync(below(file), flags);
}

int file_size(sqlite3_file* file, sqlite3_int64* size) { return methods_below(file)->xFileSize(below(file), size); }
int lock_file(sqlite3_file* file, int level) { return methods_below(file)->xLock(below(file), level); }
int unlock_file(sqlite3_file* file, int level) { return methods_below(file)->xUnlock(below(file), level); }
int check_lock(sqlite3_file* file, int* out) { return methods_below(file)->xCheckReservedLock(below(file), out); }
int control_file(sqlite3_file* file, int what, void* with) {
  // A hint that the file will grow would make it grow unseen.
  if (what == SQLITE_FCNTL_SIZE_HINT || what == SQLITE_FCNTL_CHUNK_SIZE) return SQLITE_OK;
  return methods_below(file)->xFileControl(below(file), what, with);
}
int sector_size(sqlite3_file* file) { return methods_below(file)->xSectorSize(below(file)); }
int characteristics(sqlite3_file* file) { return methods_below(file)->xDeviceCharacteristics(below(file)); }
int map_shared(sqlite3_file* file, int page, int size, int extend, void volatile** out) {
  if (!has_power(own(file))) return SQLITE_IOERR_SHMMAP;
  return methods_below(file)->xShmMap(below(file), page, size, extend, out);
}
int lock_shared(sqlite3_file* file, int offset, int count, int flags) {
  return methods_below(file)->xShmLock(below(file), offset, count, flags);
}
void barrier(sqlite3_file* file) { methods_below(file)->xShmBarrier(below(file)); }
int unmap_shared(sqlite3_file* file, int remove) { return methods_below(file)->xShmUnmap(below(file), remove); }

// Version 2: no memory mapping of the database, so that every write comes by.
const sqlite3_io_methods file_methods = {
    2,           close_file,  read_file,    write_file,   truncate_file, sync_file,       file_size,
    lock_file,   unlock_file, check_lock,   control_file, sector_size,   characteristics, map_shared,
    lock_shared, barrier,     unmap_shared, nullptr,      nullptr};

int open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* out_flags) {
  auto& disk = disk_of(vfs);
  file->pMethods = nullptr;
  own(file)->on = &disk;
  if (const std::lock_guard lock(disk.mutex); !disk.powered) return SQLITE_CANTOPEN;
  const int code = disk.below->xOpen(disk.below, path, below(file), flags, out_flags);
  if (code != SQLITE_OK) return code;
  own(file)->path = new std::string(path ? path : "");
  file->pMethods = &file_methods;
  return SQLITE_OK;
}

int remove(sqlite3_vfs* vfs, const char* path, int sync_directory) {
  auto& disk = disk_of(vfs);
  const std::lock_guard lock(disk.mutex);
  if (!disk.powered) return SQLITE_IOERR_DELETE;
  std::erase_if(disk.log, [path](const auto& each) { return each.path == path; });
  return disk.below->xDelete(disk.below, path, sync_directory);
}

// Puts the replaced bytes back. Closing the descriptor drops the locks that this process has on the file, which nobody
// needs without power.
void undo(const unsynced_write& write) {
  const int file = ::open(write.path.c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0) return;
  const auto size = static_cast<ssize_t>(write.before.size());
  const bool written = pwrite(file, write.before.data(), write.before.size(), write.offset) == size;
  if (!written || ftruncate(file, write.size_before) != 0) std::abort();
  ::close(file);
}

}  // namespace

fault_vfs::fault_vfs(std::string name) : disk_(std::make_unique<disk>()) {
  disk_->name = std::move(name);
  disk_->below = sqlite3_vfs_find(nullptr);
  disk_->vfs = *disk_->below;
  disk_->vfs.pNext = nullptr;
  disk_->vfs.zName = disk_->name.c_str();
  disk_->vfs.pAppData = disk_.get();
  disk_->vfs.szOsFile = static_cast<int>(sizeof(open_file)) + disk_->below->szOsFile;
  disk_->vfs.xOpen = open;
  disk_->vfs.xDelete = remove;
  sqlite3_vfs_register(&disk_->vfs, 0);
}

fault_vfs::~fault_vfs() { sqlite3_vfs_unregister(&disk_->vfs); }

const char* fault_vfs::name() const noexcept { return disk_->name.c_str(); }

void fault_vfs::power_cut(std::size_t surviving) {
  const std::lock_guard lock(disk_->mutex);
  disk_->powered = false;
  while (disk_->log.size() > surviving) {
    undo(disk_->log.back());
    disk_->log.pop_back();
  }
  disk_->log.clear();
}

void fault_vfs::power_on() {
  const std::lock_guard lock(disk_->mutex);
  disk_->powered = true;
  disk_->next_sync_fails = false;
}

void fault_vfs::fail_next_sync() {
  const std::lock_guard lock(disk_->mutex);
  disk_->next_sync_fails = true;
}

void fault_vfs::tear_next_log_write() {
  const std::lock_guard lock(disk_->mutex);
  disk_->next_log_write_tears = true;
}

void fault_vfs::limit_growth(std::int64_t bytes) {
  const std::lock_guard lock(disk_->mutex);
  disk_->room = bytes;
}

void fault_vfs::lift_limit() {
  const std::lock_guard lock(disk_->mutex);
  disk_->room.reset();
}

std::uint64_t fault_vfs::syncs() const {
  const std::lock_guard lock(disk_->mutex);
  return disk_->syncs;
}

std::uint64_t fault_vfs::log_writes() const {
  const std::lock_guard lock(disk_->mutex);
  return disk_->log_writes;
}

std::size_t fault_vfs::unsynced_writes() const {
  const std::lock_guard lock(disk_->mutex);
  return disk_->log.size();
}

}  // namespace gantry::testing
