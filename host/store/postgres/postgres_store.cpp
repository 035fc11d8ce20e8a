#include "store/postgres/postgres_store.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>
#include <vector>

#include "store/postgres/connection.hpp"
#include "store/postgres/migrations.hpp"
#include "store/postgres/session.hpp"

namespace gantry::store::postgres {
namespace {

constexpr std::chrono::seconds reader_wait{5};

class postgres_store final : public store {
 public:
  postgres_store(postgres_options options, address where, std::optional<address> replica)
      : options_(std::move(options)), where_(std::move(where)), replica_(std::move(replica)) {
    options_.readers = std::max<std::size_t>(options_.readers, 1);
  }

  // Makes the schema, so that what can't work fails now; and says what the server's settings don't promise.
  result<void> prepare() {
    auto first = connection::open(options_, where_, role::service);
    if (!first) return std::move(first).failure();
    if (auto made = prepare_schema(**first, options_.schema); !made) {
      return error{made.failure().code, describe() + ": " + made.failure().text};
    }
    warn_about(**first);
    return {};
  }

  std::string_view driver() const override { return "postgres"; }
  durability promise() const override { return options_.promise; }
  std::string describe() const override {
    return "postgres " + where_.shown() + (options_.schema.empty() ? "" : " schema " + options_.schema);
  }

  result<std::unique_ptr<session>> open_writer() override {
    if (health_.stopped()) return stopped();
    if (writing_.exchange(true))
      return error{errc::conflict, describe() + " has a writer already: close that one first"};
    auto writer = postgres_session::open(options_, where_, role::writer, health_);
    if (!writer) {
      writing_ = false;
      return std::move(writer).failure();
    }
    (*writer)->clear_when_closed(writing_);
    return std::unique_ptr<session>(std::move(writer).value());
  }

  result<std::unique_ptr<session>> acquire_reader() override;
  void give_back(std::unique_ptr<postgres_session> reader) noexcept;

  result<migration_report> migrate(std::span<const migration> steps) override {
    if (health_.stopped()) return stopped();
    auto on = connection::open(options_, where_, role::service);
    if (!on) return std::move(on).failure();
    return run_migrations(**on, steps);
  }

  std::uint64_t size_bytes() const override {
    auto on = connection::open(options_, where_, role::service);
    if (!on) return 0;
    connection::refusal why;
    const auto rows = (*on)->ask(
        "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c"
        " WHERE c.relnamespace = to_regnamespace(quote_ident(current_schema())) AND c.relkind IN ('r', 'm')",
        {}, why);
    return rows ? std::stoull((*rows)[0][0].value_or("0")) : 0;
  }

 private:
  error stopped() const { return error{errc::io, describe() + " can't be written any more: " + health_.reason()}; }

  void warn_about(connection& on) {
    if (!options_.warn) return;
    connection::refusal why;
    const auto rows =
        on.ask("SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'full_page_writes')", {}, why);
    if (!rows) return;
    for (const auto& row : *rows) {
      if (row[1] != "off") continue;
      options_.warn(describe() + ": the server runs with " + row[0].value_or("") +
                    "=off, so a crash of its machine may lose or damage what was committed" +
                    (options_.promise == durability::power ? "; durability power can't be kept" : ""));
    }
  }

  result<std::unique_ptr<postgres_session>> open_reader() {
    if (replica_) {
      auto near = postgres_session::open(options_, *replica_, role::reader, health_);
      if (near) return near;
    }
    return postgres_session::open(options_, where_, role::reader, health_);
  }

  postgres_options options_;
  address where_;
  std::optional<address> replica_;
  write_health health_;
  std::atomic<bool> writing_ = false;

  std::mutex mutex_;  // guards what follows
  std::condition_variable returned_;
  std::vector<std::unique_ptr<postgres_session>> idle_;  // the one used last is taken first
  std::size_t opened_ = 0;
};

// A reader on loan: goes back to the pool instead of closing.
class reader_lease final : public session {
 public:
  reader_lease(postgres_store& pool, std::unique_ptr<postgres_session> reader)
      : pool_(pool), reader_(std::move(reader)) {}
  ~reader_lease() override {
    reader_->end_read();
    pool_.give_back(std::move(reader_));
  }

  gantry_status exec(std::string_view sql, std::span<const gantry_value> params, std::int64_t* changes) override {
    return reader_->exec(sql, params, changes);
  }
  gantry_status exec_many(std::string_view sql, std::span<const gantry_value> params, std::size_t param_count,
                          std::size_t row_count, std::int64_t* changes) override {
    return reader_->exec_many(sql, params, param_count, row_count, changes);
  }
  gantry_status defer(std::string_view sql, std::span<const gantry_value> params) override {
    return reader_->defer(sql, params);
  }
  gantry_status query(std::string_view sql, std::span<const gantry_value> params, cursor** out) override {
    return reader_->query(sql, params, out);
  }
  gantry_status script(std::string_view sql) override { return reader_->script(sql); }
  gantry_status begin() override { return reader_->begin(); }
  gantry_status commit() override { return reader_->commit(); }
  void rollback() noexcept override { reader_->rollback(); }
  gantry_status savepoint() override { return reader_->savepoint(); }
  gantry_status rollback_to() override { return reader_->rollback_to(); }
  gantry_status release() override { return reader_->release(); }
  gantry_status begin_read() override { return reader_->begin_read(); }
  void end_read() noexcept override { reader_->end_read(); }
  std::string_view error_text() const noexcept override { return reader_->error_text(); }

 private:
  postgres_store& pool_;
  std::unique_ptr<postgres_session> reader_;
};

result<std::unique_ptr<session>> postgres_store::acquire_reader() {
  std::unique_lock lock(mutex_);
  const bool got =
      returned_.wait_for(lock, reader_wait, [this] { return !idle_.empty() || opened_ < options_.readers; });
  if (!got) {
    return error{errc::unavailable, describe() + ": all " + std::to_string(options_.readers) +
                                        " readers have been busy for 5 s; raise the number of readers or read less"};
  }
  // One whose server is gone is made anew: perhaps at the first server, when it was the replica's.
  while (!idle_.empty()) {
    auto reader = std::move(idle_.back());
    idle_.pop_back();
    if (reader->connected()) return std::unique_ptr<session>(std::make_unique<reader_lease>(*this, std::move(reader)));
    --opened_;
  }
  ++opened_;
  lock.unlock();
  auto reader = open_reader();
  if (!reader) {
    lock.lock();
    --opened_;
    returned_.notify_one();
    return std::move(reader).failure();
  }
  return std::unique_ptr<session>(std::make_unique<reader_lease>(*this, std::move(reader).value()));
}

void postgres_store::give_back(std::unique_ptr<postgres_session> reader) noexcept {
  const std::lock_guard lock(mutex_);
  // One without a connection is not worth keeping: a new one may reach the replica again, or the first server.
  if (reader->connected()) {
    idle_.push_back(std::move(reader));
  } else {
    --opened_;
  }
  returned_.notify_one();
}

}  // namespace
}  // namespace gantry::store::postgres

namespace gantry::store {

result<std::unique_ptr<store>> open_postgres_store(const postgres_options& options) {
  auto where = postgres::address::read(options.url);
  if (!where) return std::move(where).failure();
  std::optional<postgres::address> replica;
  if (!options.read_url.empty()) {
    auto other = postgres::address::read(options.read_url);
    if (!other) return std::move(other).failure();
    replica = std::move(other).value();
  }
  auto opened = std::make_unique<postgres::postgres_store>(options, std::move(where).value(), std::move(replica));
  if (auto prepared = opened->prepare(); !prepared) return std::move(prepared).failure();
  return std::unique_ptr<store>(std::move(opened));
}

}  // namespace gantry::store
