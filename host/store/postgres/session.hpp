// One connection of a PostgreSQL store: statements, transactions and what becomes of them when the connection is lost.
//
// Nothing is sent for its own sake: BEGIN, savepoints and deferred statements go out with the next statement that
// somebody waits for, so a transaction costs one round trip for each such statement and one for COMMIT. Statements that
// need not be waited for are gathered, and go out as one for each text (sets.cpp, ADR 0028). Owned by a
// store, or by whoever has its lease. Thread: one at a time.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "store/postgres/connection.hpp"
#include "store/postgres/cursor.hpp"
#include "store/postgres/doubt.hpp"
#include "store/postgres/gathered_rows.hpp"
#include "store/postgres/pipeline.hpp"
#include "store/postgres/statement_cache.hpp"
#include "store/store.hpp"
#include "store/write_health.hpp"

namespace gantry::store::postgres {

// How long a session waits for its server.
struct patience {
  std::chrono::milliseconds connect;
  std::chrono::milliseconds answer{0};  // to what was sent together; 0: as long as the connection stands
};

class postgres_session final : public session {
 public:
  // Connects. `options` and `where` must outlive the session. `patience`: another one than the options say.
  static result<std::unique_ptr<postgres_session>> open(const postgres_options& options, const address& where,
                                                        role role, write_health& health,
                                                        std::optional<patience> patience = {});
  ~postgres_session() override;

  void clear_when_closed(std::atomic<bool>& flag) noexcept { open_flag_ = &flag; }

  gantry_status exec(std::string_view sql, std::span<const gantry_value> params, std::int64_t* changes) override;
  gantry_status exec_many(std::string_view sql, std::span<const gantry_value> params, std::size_t param_count,
                          std::size_t row_count, std::int64_t* changes) override;
  gantry_status defer(std::string_view sql, std::span<const gantry_value> params) override;
  gantry_status query(std::string_view sql, std::span<const gantry_value> params, cursor** out) override;
  gantry_status confirm() override;
  gantry_status script(std::string_view sql) override;

  gantry_status begin() override;
  gantry_status begin_relaxed() override;
  gantry_status commit() override;
  void rollback() noexcept override;
  gantry_status savepoint() override;
  gantry_status rollback_to() override;
  gantry_status release() override;
  gantry_status begin_read() override;
  void end_read() noexcept override;
  std::uint64_t connection_number() const noexcept override { return connection_number_; }
  std::string_view error_text() const noexcept override { return failure_.text; }

  // False: the connection is lost, the next begin makes a new one. Looks at the socket, asks nobody.
  bool usable() noexcept override { return connected(); }
  bool connected() noexcept;

  // Used by cursors.
  gantry_status no_column(std::size_t index, std::size_t columns, bool on_row);

 private:
  enum class phase { idle, writing, reading, stopped };
  struct scope {
    std::uint64_t serial = 0;   // 0: the transaction itself
    bool sent = false;          // the server knows of it
    bool dirty = false;         // a statement ran in it: to go back to its begin would undo that
    bool guarded = false;       // a savepoint of the session's own is open in it
    std::size_t first_row = 0;  // of those gathered: from here on they are of this scope, or of one in it
  };
  // How far a failed statement reaches.
  enum class guard { none, own_savepoint, scope_begin };

  postgres_session(const postgres_options& options, const address& where, role role, write_health& health,
                   const patience& patience);

  result<void> connect();
  bool ensure_connected();
  void drop_connection() noexcept;

  statement* ready(std::string_view sql, std::size_t params);
  prepared* prepare(statement& what, std::span<const gantry_value> params);
  guard open_guard();
  void note_changed_schema();
  void send_begin();
  void send_scopes(std::size_t depth);
  bool add(const prepared& which, std::span<const gantry_value> params, const statement& what, pipeline::answer wants,
           bool trusted = false, std::int64_t foreseen = -1);
  pipeline::command about(pipeline::part what, pipeline::answer wants, const statement* of = nullptr) const;

  // Sends and waits; GANTRY_OK, or the failure of the first command that failed, with the transaction's state after it.
  gantry_status settle(guard protection, std::vector<result_handle>* kept = nullptr);
  gantry_status settle_lost(const pipeline::outcome& what);
  gantry_status settle_failed(const pipeline::outcome& what, guard protection);
  gantry_status refuse_for_new_schema();
  gantry_status settle_surprised(const pipeline::outcome& what);
  // Sends what its sender need not wait for; false: it must.
  bool send_trusted(statement& what, const prepared& how, std::span<const gantry_value> params, std::int64_t* changes,
                    gantry_status& status);
  // Has it wait with others of its kind; false: it can't, or `status` is a failure.
  bool gather(statement& what, const prepared& how, std::span<const gantry_value> params, gantry_status& status);
  bool takes_sets(statement& what, const prepared& how, gantry_status& status);
  // For executions that are given together: whether they can go as one, and that.
  bool can_add_as_set(statement& what, const prepared& how, std::span<const gantry_value> params,
                      gantry_status& status);
  void add_as_sets(const statement& what, const prepared& how, std::span<const gantry_value> params);
  // Sends those that wait, unless it makes no difference to this statement when they run.
  gantry_status send_rows_before(const statement& what);
  gantry_status send_rows();
  // Only puts them on their way, so that nothing can fail: whoever calls it bounds the pipeline.
  void push_rows();
  void send_sets(const std::vector<gathered_rows::set>& all, const scope& in);
  void send_set(const gathered_rows::set& rows, const scope& in);
  // Does it again where that is right: the first read of a snapshot on a new connection when the old one is dead, and a
  // statement that was prepared before a change of the schema.
  template <typename F>
  gantry_status attempt(F&& once);

  gantry_status run_statement(std::string_view sql, std::span<const gantry_value> params, bool rows,
                              std::int64_t* changes, cursor** out);
  gantry_status resolve_doubt(const doubtful_commit& which);
  void end_transaction() noexcept;
  void close_cursors(std::size_t from_depth) noexcept;
  postgres_cursor* free_cursor() noexcept;

  gantry_status refuse(gantry_status status, std::string text);
  gantry_status refuse_doomed();
  gantry_status doom(gantry_status status);

  // Deferred statements wait in memory and their answers in the socket: both are bounded.
  static constexpr std::size_t longest_pipeline = 1000;

  const postgres_options& options_;
  const address& where_;
  const role role_;
  const patience patience_;
  write_health& health_;
  std::atomic<bool>* open_flag_ = nullptr;

  std::unique_ptr<connection> on_;
  std::uint64_t connection_number_ = 0;  // the number of on_, or of the one before
  std::unique_ptr<pipeline> to_;
  statement_cache statements_;
  encoder encoder_;
  gathered_rows gathered_;
  std::array<postgres_cursor, 16> cursors_;
  failure_text failure_;
  std::chrono::steady_clock::time_point retry_at_{};
  std::chrono::milliseconds pause_{0};

  phase phase_ = phase::idle;
  bool begun_ = false;                 // BEGIN was sent
  bool relaxed_ = false;               // it is one of READ COMMITTED
  bool answered_ = false;              // something of this transaction was answered
  std::string number_;                 // of the transaction, once it is known
  gantry_status doom_ = GANTRY_OK;     // the transaction is over; what everything answers until rollback()
  gantry_status spoiled_ = GANTRY_OK;  // over, up to the innermost savepoint
  std::vector<scope> scopes_;
  std::int64_t changed_ = 0;     // rows, by what was counted in the last round trip
  bool late_ = false;            // the connection was lost because it did not answer in time
  bool outdated_ = false;        // the last failure was that of a statement prepared before a change of the schema
  bool under_guard_ = false;     // what is added now stands behind a guard
  std::size_t trusted_ = 0;      // statements on their way whose success was taken for granted
  std::uint64_t committed_ = 0;  // transactions, ever
  std::uint64_t serials_ = 0;
  // What the catalog said of a table holds until the schema changes: by a migration of any host, whose number each
  // transaction learns, or by this session.
  std::uint64_t schema_epoch_ = 1;
  std::string schema_;           // the last migration, as the last transaction saw it
  bool changed_schema_ = false;  // by this transaction
  bool used_facts_ = false;      // this transaction did something by what the catalog said
  std::string writer_id_;
  std::string last_doubt_;
};

}  // namespace gantry::store::postgres
