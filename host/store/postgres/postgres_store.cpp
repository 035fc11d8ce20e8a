#include "store/postgres/postgres_store.hpp"

#include <atomic>
#include <optional>
#include <utility>

#include "store/postgres/connection.hpp"
#include "store/postgres/migrations.hpp"
#include "store/postgres/replica.hpp"
#include "store/postgres/session.hpp"
#include "store/reader_pool.hpp"

namespace gantry::store::postgres {
namespace {

class postgres_store final : public store {
 public:
  postgres_store(postgres_options options, address where, std::optional<address> near)
      : options_(std::move(options)), where_(std::move(where)) {
    if (near) replica_ = std::make_unique<replica>(options_, std::move(*near), health_);
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

  bool shared() const override { return true; }

  // A server that was restored to a moment, or promoted, begins a new timeline. Without a sync at each commit its last
  // ones are lost with the server's process too.
  std::string life() override {
    auto on = connection::open(options_, where_, role::service);
    if (!on) return {};
    connection::refusal why;
    const auto rows = (*on)->ask(
        "SELECT system_identifier::text, timeline_id::text, extract(epoch FROM pg_postmaster_start_time())::text"
        " FROM pg_control_system(), pg_control_checkpoint()",
        {}, why);
    if (!rows || rows->empty()) return {};
    const auto& row = (*rows)[0];
    auto out = row[0].value_or("") + "/" + row[1].value_or("");
    if (options_.promise == durability::process) out += "/" + row[2].value_or("");
    return out;
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

  result<std::unique_ptr<session>> acquire_reader() override { return readers_.acquire(); }

  result<std::unique_ptr<session>> acquire_lagging_reader() override {
    if (replica_)
      if (auto near = replica_->acquire(readers_)) return near;
    return readers_.acquire();
  }

  result<migration_report> migrate(std::span<const migration> steps, const migration_rules& rules) override {
    if (health_.stopped()) return stopped();
    auto on = connection::open(options_, where_, role::service);
    if (!on) return std::move(on).failure();
    return run_migrations(**on, steps, rules);
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

  result<std::unique_ptr<session>> open_reader() {
    auto reader = postgres_session::open(options_, where_, role::reader, health_);
    if (!reader) return std::move(reader).failure();
    return std::unique_ptr<session>(std::move(reader).value());
  }

  postgres_options options_;
  address where_;
  write_health health_;
  std::atomic<bool> writing_ = false;
  reader_pool readers_{options_.readers, describe(), [this] { return open_reader(); }};
  std::unique_ptr<replica> replica_;  // null: there is none
};

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
