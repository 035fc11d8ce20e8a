#include <condition_variable>
#include <mutex>

#include "gantry/abi/store.h"
#include "runtime/context.hpp"
#include "runtime/instance.hpp"
#include "runtime/lane.hpp"
#include "runtime/tables.hpp"
#include "runtime/text.hpp"

gantry_context::~gantry_context() { end_read(); }

void gantry_context::end_read() noexcept {
  if (!snapshot) return;
  db.close_cursors();
  snapshot->end_read();
  snapshot.reset();
  db.session = nullptr;
}

namespace gantry::runtime {
namespace {

gantry_status migration(const gantry_host* host, const gantry_migration* m) {
  auto& self = instance::of(host);
  if (self.state() != phase::setup && self.state() != phase::created)
    return fail(GANTRY_REFUSED, "store.migration is for setup only");
  if (m == nullptr || m->number == 0) return fail(GANTRY_INVALID, "a migration needs a number from 1");
  self.declared.migrations.push_back({m->number, std::string(view(m->name)), std::string(view(m->driver)),
                                      std::string(view(m->sql)), std::string(view(m->sha256))});
  return GANTRY_OK;
}

gantry_db* of(gantry_tx* tx) { return &tx->db; }

gantry_status snapshot(gantry_context* context, gantry_db** out) {
  if (context->snapshot == nullptr) {
    if (inside_transaction())
      return fail(GANTRY_REFUSED, "a snapshot can't be taken inside a transaction: read through tx");
    const blackbox::host_time waits;
    auto& from = *context->owner.database;
    auto reader = context->may_lag ? from.acquire_lagging_reader() : from.acquire_reader();
    if (!reader) return fail(GANTRY_UNAVAILABLE, reader.failure().text);
    if ((*reader)->begin_read() != GANTRY_OK) return fail(GANTRY_UNAVAILABLE, (*reader)->error_text());
    context->snapshot = std::move(*reader);
    context->db.session = context->snapshot.get();
    context->db.writable = false;
  }
  *out = &context->db;
  return GANTRY_OK;
}

gantry_status checked(gantry_db* db, gantry_status status) {
  return status == GANTRY_OK ? status : fail(status, db->session->error_text());
}

bool usable(const gantry_db* db) { return db != nullptr && db->session != nullptr; }

gantry_status exec(gantry_db* db, gantry_str sql, const gantry_value* params, std::size_t n, std::int64_t* changes) {
  if (!usable(db)) return fail(GANTRY_REFUSED, "exec: nothing is open");
  if (!db->writable) return fail(GANTRY_REFUSED, "exec on a snapshot: " + std::string(view(sql)));
  const blackbox::host_time waits;
  return checked(db, db->session->exec(view(sql), {params, n}, changes));
}

gantry_status exec_many(gantry_db* db, gantry_str sql, const gantry_value* params, std::size_t n, std::size_t rows,
                        std::int64_t* changes) {
  if (!usable(db) || !db->writable) return fail(GANTRY_REFUSED, "exec_many: no transaction is open");
  const blackbox::host_time waits;
  return checked(db, db->session->exec_many(view(sql), {params, n * rows}, n, rows, changes));
}

gantry_status defer(gantry_db* db, gantry_str sql, const gantry_value* params, std::size_t n) {
  if (!usable(db) || !db->writable) return fail(GANTRY_REFUSED, "defer: no transaction is open");
  const blackbox::host_time waits;
  return checked(db, db->session->defer(view(sql), {params, n}));
}

gantry_status query(gantry_db* db, gantry_str sql, const gantry_value* params, std::size_t n, gantry_cursor** out) {
  if (!usable(db)) return fail(GANTRY_REFUSED, "query: nothing is open");
  const blackbox::host_time waits;
  for (auto& c : db->cursors) {
    if (c.rows != nullptr) continue;
    const auto status = db->session->query(view(sql), {params, n}, &c.rows);
    if (status != GANTRY_OK) {
      c.rows = nullptr;
      return checked(db, status);
    }
    c.db = db;
    *out = &c;
    return GANTRY_OK;
  }
  return fail(GANTRY_REFUSED, "16 cursors are open in this handler, that is the bound");
}

gantry_status next(gantry_cursor* cursor) {
  const blackbox::host_time waits;
  const auto status = cursor->rows->next();
  return status == GANTRY_DONE ? status : checked(cursor->db, status);
}

std::size_t columns(gantry_cursor* cursor) { return cursor->rows->columns(); }

gantry_status column(gantry_cursor* cursor, std::size_t index, gantry_value* out) {
  const auto status = cursor->rows->column(index, *out);
  return status == GANTRY_OK ? status : fail(status, "no column " + std::to_string(index) + " in this row");
}

void close(gantry_cursor* cursor) {
  if (cursor == nullptr || cursor->rows == nullptr) return;
  const blackbox::host_time waits;
  cursor->rows->close();
  cursor->rows = nullptr;
}

// A write that somebody waits for, or hears of.
class plugin_write final : public write {
 public:
  plugin_write(instance& owner, gantry_write_handler fn, void* user, void (*done)(void*, gantry_status),
               void* done_user)
      : owner_(owner), fn_(fn), user_(user), done_(done), done_user_(done_user) {
    owner_.enter();  // its generation stays until it has ended
  }
  ~plugin_write() override { owner_.leave(); }
  instance* of() const override { return &owner_; }
  gantry_status run(gantry_tx& tx) override {
    return owner_.guarded([&] { return fn_(user_, &tx); }, "write");
  }
  void finished(bool, gantry_status status, std::string_view text) override {
    if (done_ == nullptr) return;
    fail(status, text);
    done_(done_user_, status);
  }

 private:
  instance& owner_;
  gantry_write_handler fn_;
  void* user_;
  void (*done_)(void*, gantry_status);
  void* done_user_;
};

gantry_status write_async(const gantry_host* host, gantry_write_handler fn, void* user,
                          void (*done)(void*, gantry_status)) {
  auto& self = instance::of(host);
  if (!self.writer) return fail(GANTRY_REFUSED, "write: the store is not open yet");
  std::unique_ptr<write> w = std::make_unique<plugin_write>(self, fn, user, done, user);
  std::string why;
  if (!self.writer->enqueue(w, why)) return fail(GANTRY_UNAVAILABLE, why);
  return GANTRY_OK;
}

struct waiting {
  std::mutex mutex;
  std::condition_variable over;
  bool done = false;
  gantry_status status = GANTRY_OK;
  std::string text;
};

gantry_status write_and_wait(const gantry_host* host, gantry_write_handler fn, void* user) {
  auto& self = instance::of(host);
  if (inside_transaction())
    return fail(GANTRY_REFUSED, "write: a transaction is open on this thread; waiting is refused there");
  if (!self.writer) return fail(GANTRY_REFUSED, "write: the store is not open yet");
  waiting w;
  const auto done = [](void* at, gantry_status status) {
    auto& end = *static_cast<waiting*>(at);
    const std::lock_guard lock(end.mutex);
    end.status = status;
    end.text = last_failure();
    end.done = true;
    end.over.notify_one();
  };
  std::unique_ptr<write> queued = std::make_unique<plugin_write>(self, fn, user, done, &w);
  std::string why;
  if (!self.writer->enqueue(queued, why)) return fail(GANTRY_UNAVAILABLE, why);
  const blackbox::host_time waits;
  std::unique_lock lock(w.mutex);
  w.over.wait(lock, [&] { return w.done; });
  return w.status == GANTRY_OK ? w.status : fail(w.status, w.text);
}

gantry_str driver(const gantry_host* host) {
  auto& self = instance::of(host);
  return self.database ? str(self.database->driver()) : gantry_str{nullptr, 0};
}

std::uint64_t connection(gantry_db* db) { return usable(db) ? db->session->connection_number() : 0; }

}  // namespace

const void* store_table() noexcept {
  static constexpr gantry_store_1 table = {sizeof table,   migration,   of,     snapshot,  exec,   exec_many,
                                           defer,          query,       next,   columns,   column, close,
                                           write_and_wait, write_async, driver, connection};
  return &table;
}

}  // namespace gantry::runtime
