// Preloaded into a host: notes what would have to be undone if the power went away now.
//
// Every change below $GANTRY_POWER_CUT_DIR is written to the log $GANTRY_POWER_CUT_LOG before it happens: what it
// overwrites, and how long the file was. A sync that has succeeded is written there too, with the number of the
// last change that it covers. After a kill the kernel still has all writes; power_log.py takes back those that no
// sync covers. Changes of a directory (create, rename, unlink) need a sync of the directory. What a rename or an unlink
// takes away stays linked in the log's directory. Writes through memory maps are not seen: SQLite's -shm files, which
// hold nothing that is needed after a power cut.
//
// Threads: any. One lock holds the order of the log and the order of the changes together; syncs run outside it.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { K_WRITE = 1, K_RESIZE = 2, K_SYNC = 3, K_CREATE = 4, K_RENAME = 5, K_UNLINK = 6 };

// The header of a record in the log; the old bytes and the two names follow it.
struct note {
  uint32_t magic;
  uint32_t kind;
  uint64_t number;    // of this change; of a sync: the last change that it covers
  uint64_t inode;     // of the file, or of the directory
  uint64_t offset;    // where the change begins
  uint64_t length;    // bytes written; the new size; the inode that a create, rename or unlink is about
  uint64_t old_size;  // of the file before; the inode that a rename replaces, or 0
  uint32_t bytes;     // old bytes that follow
  uint32_t name;
  uint32_t other_name;
  uint32_t end;
};
static const uint32_t note_magic = 0x54554350;  // "PCUT"

static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static uint64_t changes;
static int log_fd = -1;
static char root[PATH_MAX];
static size_t root_size;
static char side[PATH_MAX];

enum { fds_max = 65536 };
static uint64_t watched[fds_max];  // inode of what an open descriptor is; 0: not of interest

static int (*real_open)(const char*, int, ...);
static int (*real_close)(int);
static ssize_t (*real_write)(int, const void*, size_t);
static ssize_t (*real_pwrite)(int, const void*, size_t, off_t);
static int (*real_ftruncate)(int, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_rename)(const char*, const char*);
static int (*real_unlink)(const char*);
static int (*real_remove)(const char*);

static void fatal(const char* what) {
  dprintf(2, "power_cut: %s: %s\n", what, strerror(errno));
  abort();
}

// dlsym gives an object pointer; copying its bytes is how POSIX makes a function pointer of it.
static void find(const char* name, void* into) {
  void* const at = dlsym(RTLD_NEXT, name);
  if (at == NULL) fatal(name);
  memcpy(into, &at, sizeof at);
}

static void prepare(void) {
  find("open64", &real_open);
  find("close", &real_close);
  find("write", &real_write);
  find("pwrite64", &real_pwrite);
  find("ftruncate64", &real_ftruncate);
  find("fsync", &real_fsync);
  find("fdatasync", &real_fdatasync);
  find("rename", &real_rename);
  find("unlink", &real_unlink);
  find("remove", &real_remove);
  const char* const dir = getenv("GANTRY_POWER_CUT_DIR");
  const char* const log = getenv("GANTRY_POWER_CUT_LOG");
  if (dir == NULL || log == NULL) return;
  if (realpath(dir, root) == NULL) fatal(dir);
  root_size = strlen(root);
  snprintf(side, sizeof side, "%s", log);
  char* const slash = strrchr(side, '/');
  if (slash == NULL) fatal("the log needs an absolute path");
  *slash = '\0';
  log_fd = real_open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (log_fd < 0) fatal(log);
}

static void ready(void) { pthread_once(&once, prepare); }

static uint64_t inode_of(int fd) {
  return fd >= 0 && fd < fds_max ? __atomic_load_n(&watched[fd], __ATOMIC_ACQUIRE) : 0;
}

static int below_root(const char* path) {
  return strncmp(path, root, root_size) == 0 && (path[root_size] == '\0' || path[root_size] == '/');
}

// The absolute path of a name whose folder exists; false when it lies elsewhere. `folder` is the inode of its folder.
static int place(const char* path, char out[PATH_MAX], uint64_t* folder) {
  if (log_fd < 0) return 0;
  char copy[PATH_MAX];
  if (snprintf(copy, sizeof copy, "%s", path) >= (int)sizeof copy) return 0;
  char* const slash = strrchr(copy, '/');
  const char* const name = slash == NULL ? path : path + (slash - copy) + 1;
  if (slash != NULL) *slash = '\0';
  char dir[PATH_MAX];
  if (realpath(slash == NULL ? "." : slash == copy ? "/" : copy, dir) == NULL || !below_root(dir)) return 0;
  struct stat about;
  if (stat(dir, &about) != 0) return 0;
  *folder = about.st_ino;
  return snprintf(out, PATH_MAX, "%s/%s", dir, name) < PATH_MAX;
}

// Appends one record. Called with the lock, before the change.
static void note(struct note head, const void* old, const char* name, const char* other) {
  head.magic = note_magic;
  head.end = ~note_magic;
  if (head.kind != K_SYNC) head.number = ++changes;
  head.name = name == NULL ? 0 : (uint32_t)strlen(name);
  head.other_name = other == NULL ? 0 : (uint32_t)strlen(other);
  struct iovec parts[4] = {{&head, sizeof head},
                           {(void*)(uintptr_t)old, head.bytes},
                           {(void*)(uintptr_t)name, head.name},
                           {(void*)(uintptr_t)other, head.other_name}};
  const size_t whole = sizeof head + head.bytes + head.name + head.other_name;
  if (writev(log_fd, parts, 4) != (ssize_t)whole) fatal("the log can't be written");
}

static void note_write(int fd, uint64_t inode, uint64_t offset, uint64_t length) {
  static char* old;
  static size_t room;
  struct stat about;
  if (fstat(fd, &about) != 0) fatal("fstat");
  const uint64_t size = (uint64_t)about.st_size;
  const uint64_t covered = offset >= size ? 0 : (offset + length <= size ? length : size - offset);
  if (covered > room) {
    room = covered;
    old = realloc(old, room);
    if (old == NULL) fatal("realloc");
  }
  if (covered != 0 && pread(fd, old, covered, (off_t)offset) != (ssize_t)covered) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const int again = real_open(link, O_RDONLY | O_CLOEXEC);
    if (again < 0 || pread(again, old, covered, (off_t)offset) != (ssize_t)covered) fatal("pread");
    real_close(again);
  }
  note((struct note){.kind = K_WRITE, .inode = inode, .offset = offset, .length = length, .old_size = size,
                     .bytes = (uint32_t)covered},
       old, NULL, NULL);
}

static void note_resize(int fd, uint64_t inode, uint64_t to) {
  struct stat about;
  if (fstat(fd, &about) != 0) fatal("fstat");
  const uint64_t size = (uint64_t)about.st_size;
  const uint64_t lost = to < size ? size - to : 0;
  char* const old = malloc(lost + 1);
  if (old == NULL) fatal("malloc");
  if (lost != 0 && pread(fd, old, lost, (off_t)to) != (ssize_t)lost) fatal("pread");
  note((struct note){.kind = K_RESIZE, .inode = inode, .offset = to, .length = to, .old_size = size,
                     .bytes = (uint32_t)lost},
       old, NULL, NULL);
  free(old);
}

// Keeps a file that is about to lose its name.
static void keep(uint64_t inode, const char* path) {
  char kept[PATH_MAX + 32];
  snprintf(kept, sizeof kept, "%s/inode.%llu", side, (unsigned long long)inode);
  if (link(path, kept) != 0 && errno != EEXIST) fatal(kept);
}

static int open_file(const char* path, int flags, mode_t mode) {
  ready();
  char where[PATH_MAX];
  uint64_t folder = 0;
  const int watch = (flags & O_PATH) == 0 && place(path, where, &folder);
  if (!watch) {
    // A directory that is opened to be synced may be the root itself, whose folder is outside.
    const int fd = real_open(path, flags, mode);
    char dir[PATH_MAX];
    struct stat about;
    if (log_fd >= 0 && fd >= 0 && fd < fds_max && (flags & O_DIRECTORY) != 0 && realpath(path, dir) != NULL &&
        below_root(dir) && fstat(fd, &about) == 0)
      __atomic_store_n(&watched[fd], about.st_ino, __ATOMIC_RELEASE);
    return fd;
  }
  pthread_mutex_lock(&order);
  struct stat about;
  const int is_new = (flags & O_CREAT) != 0 && stat(where, &about) != 0;
  const int cut = (flags & O_TRUNC) != 0 && !is_new;
  const int fd = real_open(path, cut ? flags & ~O_TRUNC : flags, mode);
  const int why = errno;
  if (fd >= fds_max) fatal("too many open files");
  if (fd >= 0 && fstat(fd, &about) == 0) {
    // The only change that is noted after it happened: its inode is not known before. A kill in between leaves an empty
    // file that a power cut could have left too.
    if (is_new)
      note((struct note){.kind = K_CREATE, .inode = folder, .length = about.st_ino}, NULL, where, NULL);
    if (cut && S_ISREG(about.st_mode)) {
      note_resize(fd, about.st_ino, 0);
      if (real_ftruncate(fd, 0) != 0) fatal("ftruncate");
    }
    __atomic_store_n(&watched[fd], about.st_ino, __ATOMIC_RELEASE);
  }
  pthread_mutex_unlock(&order);
  errno = why;
  return fd;
}

#define MODE_OF(flags, mode)                          \
  mode_t mode = 0;                                    \
  if (((flags) & (O_CREAT | O_TMPFILE)) != 0) {       \
    va_list more;                                     \
    va_start(more, flags);                            \
    mode = (mode_t)va_arg(more, unsigned);            \
    va_end(more);                                     \
  }

int open(const char* path, int flags, ...) {
  MODE_OF(flags, mode)
  return open_file(path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  MODE_OF(flags, mode)
  return open_file(path, flags, mode);
}

int close(int fd) {
  ready();
  if (fd >= 0 && fd < fds_max) __atomic_store_n(&watched[fd], 0, __ATOMIC_RELEASE);
  return real_close(fd);
}

static ssize_t write_at(int fd, const void* from, size_t n, off_t at) {
  ready();
  const uint64_t inode = inode_of(fd);
  if (inode == 0) return real_pwrite(fd, from, n, at);
  pthread_mutex_lock(&order);
  note_write(fd, inode, (uint64_t)at, n);
  const ssize_t done = real_pwrite(fd, from, n, at);
  const int why = errno;
  pthread_mutex_unlock(&order);
  errno = why;
  return done;
}

ssize_t pwrite(int fd, const void* from, size_t n, off_t at) { return write_at(fd, from, n, at); }
ssize_t pwrite64(int fd, const void* from, size_t n, off64_t at) { return write_at(fd, from, n, at); }

ssize_t write(int fd, const void* from, size_t n) {
  ready();
  const uint64_t inode = inode_of(fd);
  if (inode == 0) return real_write(fd, from, n);
  pthread_mutex_lock(&order);
  const int appends = (fcntl(fd, F_GETFL) & O_APPEND) != 0;
  const off_t at = lseek(fd, 0, appends ? SEEK_END : SEEK_CUR);
  if (at < 0) fatal("lseek");
  note_write(fd, inode, (uint64_t)at, n);
  const ssize_t done = real_write(fd, from, n);
  const int why = errno;
  pthread_mutex_unlock(&order);
  errno = why;
  return done;
}

static int resize(int fd, off_t to) {
  ready();
  const uint64_t inode = inode_of(fd);
  if (inode == 0) return real_ftruncate(fd, to);
  pthread_mutex_lock(&order);
  note_resize(fd, inode, (uint64_t)to);
  const int done = real_ftruncate(fd, to);
  const int why = errno;
  pthread_mutex_unlock(&order);
  errno = why;
  return done;
}

int ftruncate(int fd, off_t to) { return resize(fd, to); }
int ftruncate64(int fd, off64_t to) { return resize(fd, to); }

// A sync covers what was written before it began.
static int sync_file(int fd, int (*real)(int)) {
  const uint64_t inode = inode_of(fd);
  if (inode == 0) return real(fd);
  pthread_mutex_lock(&order);
  const uint64_t covered = changes;
  pthread_mutex_unlock(&order);
  const int done = real(fd);
  const int why = errno;
  if (done == 0) {
    pthread_mutex_lock(&order);
    note((struct note){.kind = K_SYNC, .number = covered, .inode = inode}, NULL, NULL, NULL);
    pthread_mutex_unlock(&order);
  }
  errno = why;
  return done;
}

int fsync(int fd) {
  ready();
  return sync_file(fd, real_fsync);
}

int fdatasync(int fd) {
  ready();
  return sync_file(fd, real_fdatasync);
}

int rename(const char* from, const char* to) {
  ready();
  char source[PATH_MAX];
  char target[PATH_MAX];
  uint64_t folder = 0;
  uint64_t source_folder = 0;
  if (!place(from, source, &source_folder) || !place(to, target, &folder)) return real_rename(from, to);
  pthread_mutex_lock(&order);
  struct stat moved;
  struct stat replaced;
  if (stat(source, &moved) == 0) {
    const int replaces = stat(target, &replaced) == 0;
    if (replaces) keep(replaced.st_ino, target);
    note((struct note){.kind = K_RENAME, .inode = folder, .length = moved.st_ino,
                       .old_size = replaces ? replaced.st_ino : 0},
         NULL, source, target);
  }
  const int done = real_rename(from, to);
  const int why = errno;
  pthread_mutex_unlock(&order);
  errno = why;
  return done;
}

static int take_name(const char* path, int (*real)(const char*)) {
  ready();
  char where[PATH_MAX];
  uint64_t folder = 0;
  if (!place(path, where, &folder)) return real(path);
  pthread_mutex_lock(&order);
  struct stat about;
  if (lstat(where, &about) == 0 && S_ISREG(about.st_mode)) {
    keep(about.st_ino, where);
    note((struct note){.kind = K_UNLINK, .inode = folder, .length = about.st_ino}, NULL, where, NULL);
  }
  const int done = real(path);
  const int why = errno;
  pthread_mutex_unlock(&order);
  errno = why;
  return done;
}

// The functions are found by the first call of any of them.
int unlink(const char* path) {
  ready();
  return take_name(path, real_unlink);
}

int remove(const char* path) {
  ready();
  return take_name(path, real_remove);
}
