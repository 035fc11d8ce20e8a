#include "store/sqlite/connection.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <string_view>
#include <thread>

#include "store/sqlite/array_module.hpp"
#include "store/sqlite/status.hpp"

namespace gantry::store::sqlite {

// C callbacks of SQLite.
struct connection_hooks {
  // Transactions, files and settings belong to the runtime. Asked when a statement is compiled, so it costs nothing
  // later.
  static int authorize(void* user, int action, const char* name, const char*, const char*, const char*) {
    if (static_cast<connection*>(user)->own_statement_) return SQLITE_OK;
    switch (action) {
      case SQLITE_TRANSACTION:
      case SQLITE_SAVEPOINT:
      case SQLITE_ATTACH:
      case SQLITE_DETACH:
        return SQLITE_DENY;
      case SQLITE_PRAGMA: {
        // What a migration that rebuilds a table needs; what full-text search itself asks; what a copy reads of tables.
        const std::string_view pragma = name ? name : "";
        const bool harmless = pragma == "defer_foreign_keys" || pragma == "data_version" || pragma == "table_list" ||
                              pragma == "table_xinfo";
        return harmless ? SQLITE_OK : SQLITE_DENY;
      }
      default:
        return SQLITE_OK;
    }
  }

  static int committed(void* user, sqlite3*, const char*, int pages) {
    static_cast<connection*>(user)->log_pages_ = static_cast<std::uint32_t>(pages);
    return SQLITE_OK;
  }

  // A reader that catches the log's index in the middle of an update holds the writer's lock for a moment to look
  // again, so even the only writer meets a lock. Sleeping a whole millisecond at once would show in its latency.
  static int wait_for_lock(void* user, int attempts) {
    constexpr int yields = 100;
    if (attempts < yields) {
      std::this_thread::yield();
      return 1;
    }
    if (attempts - yields >= static_cast<connection*>(user)->wait_ms_) return 0;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return 1;
  }
};

namespace {

constexpr int migrator_wait_ms = 5000;

}  // namespace

// Each connection belongs to one thread at a time, so SQLite needs no
// locks of its own there; and the memory statistics cost a global lock per allocation. When a library initialised
// SQLite before us the calls are refused, and everything works, only slower.
void configure_library() {
  static std::once_flag once;
  std::call_once(once, [] {
    sqlite3_config(SQLITE_CONFIG_MULTITHREAD);
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  });
}

result<std::unique_ptr<connection>> connection::open(const sqlite_options& options, role role) {
  configure_library();
  std::unique_ptr<connection> self(new connection);
  self->file_ = options.file.string();
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                    (role == role::reader ? 0 : SQLITE_OPEN_CREATE);
  if (sqlite3_open_v2(self->file_.c_str(), &self->db_, flags, options.vfs) != SQLITE_OK) {
    return self->failure("can't be opened");
  }
  if (auto tuned = self->tune(options, role); !tuned) return std::move(tuned).failure();
  return self;
}

void statement_closer::operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }

connection::~connection() { sqlite3_close_v2(db_); }

result<void> connection::tune(const sqlite_options& options, role role) {
  // Closing never touches the log: after a failed sync its pages must not be copied as if they were good.
  sqlite3_db_config(db_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  sqlite3_db_config(db_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  // The schema is the plugin's own, from checksummed migrations; FTS5 in a trigger asks for this trust.
  sqlite3_db_config(db_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 1, nullptr);
  // "x" in double quotes is a name and never a string, as in PostgreSQL.
  sqlite3_db_config(db_, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
  sqlite3_db_config(db_, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
  sqlite3_db_config(db_, SQLITE_DBCONFIG_ENABLE_FKEY, 1, nullptr);
  if (role == role::migrator) wait_ms_ = migrator_wait_ms;
  sqlite3_busy_handler(db_, connection_hooks::wait_for_lock, this);

  const int cache_kib = role == role::reader ? std::max(options.cache_kib / 4, 1024) : options.cache_kib;
  std::string sql = "PRAGMA secure_delete=OFF;PRAGMA temp_store=MEMORY;PRAGMA cache_size=-" + std::to_string(cache_kib);
  if (role == role::reader) {
    sql += ";PRAGMA query_only=ON";
  } else {
    sql += ";PRAGMA journal_mode=WAL;PRAGMA journal_size_limit=" +
           std::to_string(std::int64_t{options.checkpoint_pages} * 4 * 4096);
    // The writer's commits are synced by the session, which may put it off; what else syncs does so with both.
    const bool full = options.promise == durability::power && role != role::writer;
    sql += full ? ";PRAGMA synchronous=FULL" : ";PRAGMA synchronous=NORMAL";
  }
  if (auto set = pragma(sql); !set) return set;
  if (register_array_module(db_) != SQLITE_OK) return failure("can't be prepared");
  sqlite3_set_authorizer(db_, connection_hooks::authorize, this);
  // Takes the place of SQLite's automatic checkpoint: the session decides when.
  sqlite3_wal_hook(db_, connection_hooks::committed, this);
  return {};
}

result<void> connection::pragma(const std::string& sql) {
  if (sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  return failure("can't be opened");
}

error connection::failure(const std::string& what) const {
  const int code = db_ ? sqlite3_extended_errcode(db_) : SQLITE_NOMEM;
  const errc kind = (code & 0xFF) == SQLITE_NOTADB ? errc::invalid : errc_of(status_of(code));
  return error{kind, file_ + " " + what + ": " + (db_ ? sqlite3_errmsg(db_) : "out of memory")};
}

result<statement_handle> connection::prepare_own(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  own_statement_ = true;
  const int code = sqlite3_prepare_v3(db_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  own_statement_ = false;
  if (code != SQLITE_OK) return failure(std::string("can't run ") + sql);
  return statement_handle(statement);
}

int connection::run_own(sqlite3_stmt* statement) noexcept {
  // SQLite may compile the statement again on the way, and asks the authorizer then.
  own_statement_ = true;
  const int stepped = sqlite3_step(statement);
  const int reset = sqlite3_reset(statement);
  own_statement_ = false;
  return reset == SQLITE_OK ? stepped : sqlite3_extended_errcode(db_);
}

void connection::finish_log_on_close() noexcept {
  sqlite3_db_config(db_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, nullptr);
}

}  // namespace gantry::store::sqlite
