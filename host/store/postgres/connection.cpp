#include "store/postgres/connection.hpp"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <cctype>
#include <pqxx/basic_connection>
#include <pqxx/connectionpolicy>
#include <pqxx/except>
#include <pqxx/nontransaction>
#include <pqxx/prepared_statement>
#include <pqxx/result_iterator.hxx>
#include <pqxx/transaction>
#include <utility>

#include "store/postgres/connect_failure.hpp"

namespace gantry::store::postgres {
namespace {

constexpr int oldest_version = 130000;

// libpqxx gives nobody the connection it makes itself. So it is made outside, with a deadline and an exact reason when
// it fails, and handed over by the policy, which is libpqxx's own way to make connections differently.
thread_local pg_conn* handed_over = nullptr;

class adopting_policy final : public pqxx::connectionpolicy {
 public:
  explicit adopting_policy(const std::string& options) : connectionpolicy(options) {}
  handle do_startconnect(handle current) override {
    if (current) return current;
    pg_conn* const given = std::exchange(handed_over, nullptr);
    if (!given) throw pqxx::broken_connection("a connection that was lost is not made again under its old name");
    return given;
  }
};

using pqxx_connection = pqxx::basic_connection_base<adopting_policy>;

struct conn_closer {
  void operator()(PGconn* conn) const noexcept { PQfinish(conn); }
};
using conn_handle = std::unique_ptr<PGconn, conn_closer>;

std::string setting(const address& where, std::string_view name) {
  for (const auto& [key, content] : where.settings())
    if (key == name) return content;
  return {};
}

// Connects within the time; null: `words` says why not.
conn_handle connect(const address& where, std::chrono::milliseconds timeout, std::string& words) {
  std::vector<const char*> names;
  std::vector<const char*> contents;
  const auto add = [&](const char* name, const char* content) {
    names.push_back(name);
    contents.push_back(content);
  };
  // What the url doesn't say. A peer that is silently gone is noticed by the kernel.
  add("fallback_application_name", "gantry");
  add("keepalives_idle", "30");
  add("tcp_user_timeout", "30000");
  for (const auto& [name, content] : where.settings()) {
    const auto known = std::find_if(names.begin(), names.end(), [&](const char* n) { return name == n; });
    if (known == names.end()) {
      add(name.c_str(), content.c_str());
    } else {
      contents[static_cast<std::size_t>(known - names.begin())] = content.c_str();
    }
  }
  add("client_encoding", "UTF8");
  add(nullptr, nullptr);

  conn_handle made(PQconnectStartParams(names.data(), contents.data(), 0));
  if (!made) {
    words = "out of memory";
    return {};
  }
  PQsetErrorVerbosity(made.get(), PQERRORS_VERBOSE);
  const auto until = std::chrono::steady_clock::now() + timeout;
  auto wants = PGRES_POLLING_WRITING;
  while (PQstatus(made.get()) != CONNECTION_BAD && wants != PGRES_POLLING_OK && wants != PGRES_POLLING_FAILED) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()).count();
    pollfd socket{PQsocket(made.get()), static_cast<short>(wants == PGRES_POLLING_READING ? POLLIN : POLLOUT), 0};
    if (left <= 0 || ::poll(&socket, 1, static_cast<int>(left)) == 0) {
      words = "timeout after " + std::to_string(timeout.count()) + " ms";
      return {};
    }
    wants = PQconnectPoll(made.get());
  }
  if (PQstatus(made.get()) != CONNECTION_OK) {
    words = PQerrorMessage(made.get());
    return {};
  }
  PQsetErrorVerbosity(made.get(), PQERRORS_DEFAULT);
  return made;
}

std::string quoted_name(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

std::string first_line(std::string text) {
  if (text.rfind("ERROR:", 0) == 0) text.erase(0, text.find_first_not_of(' ', 6));
  return text.substr(0, text.find('\n'));
}

answer_rows rows_of(const pqxx::result& from) {
  answer_rows all;
  for (const auto& row : from) {
    auto& out = all.emplace_back();
    for (const auto& field : row)
      out.push_back(field.is_null() ? std::nullopt : std::optional<std::string>(field.c_str()));
  }
  return all;
}

// Runs `what`; libpqxx's exceptions end here.
template <typename F>
bool guarded(connection::refusal& why, F&& what) {
  try {
    what();
    return true;
  } catch (const pqxx::sql_error& e) {
    why = {e.sqlstate(), first_line(e.what())};
  } catch (const std::exception& e) {
    why = {{}, first_line(e.what())};
  }
  return false;
}

}  // namespace

result<address> address::read(const std::string& url) {
  char* words = nullptr;
  PQconninfoOption* const options = PQconninfoParse(url.c_str(), &words);
  if (words) PQfreemem(words);
  if (!options) {
    return error{
        errc::invalid,
        "the url of a postgres store can't be read: expected postgresql://user:password@host:port/database with "
        "special characters as %XX (it is not shown here, for it may have a password)"};
  }
  address out;
  std::string host = "localhost";
  std::string port = "5432";
  std::string database;
  for (const auto* each = options; each->keyword; ++each) {
    if (!each->val || each->val[0] == '\0') continue;
    const std::string name = each->keyword;
    out.settings_.emplace_back(name, each->val);
    if (name == "host" || (name == "hostaddr" && host == "localhost")) host = each->val;
    if (name == "port") port = each->val;
    if (name == "dbname" || (name == "user" && database.empty())) database = each->val;
  }
  PQconninfoFree(options);
  out.shown_ = host + ":" + port + "/" + database;
  return out;
}

struct connection::held {
  pqxx_connection conn;
};

connection::connection() = default;
connection::~connection() = default;

result<std::unique_ptr<connection>> connection::open(const postgres_options& options, const address& where, role role,
                                                     std::optional<std::chrono::milliseconds> timeout) {
  std::string words;
  auto made = connect(where, timeout.value_or(options.connect_timeout), words);
  if (!made) return connect_failure(where.shown(), words, setting(where, "password"));
  if (const int version = PQserverVersion(made.get()); version < oldest_version) {
    return error{errc::unsupported, "postgres " + where.shown() + " has version " + std::to_string(version / 10000) +
                                        ": expected 13 or newer"};
  }
  std::unique_ptr<connection> self(new connection);
  self->handle_ = made.get();
  handed_over = made.release();
  refusal why;
  const bool adopted = guarded(why, [&] { self->held_ = std::make_unique<held>(); });
  PQfinish(std::exchange(handed_over, nullptr));  // null once it was adopted
  if (!adopted) return connect_failure(where.shown(), why.text, setting(where, "password"));
  if (auto set = self->set_up(options, role, where.shown()); !set) return std::move(set).failure();
  return self;
}

result<void> connection::set_up(const postgres_options& options, role role, const std::string& place) {
  const bool serializable = options.isolation == postgres_options::isolation_level::serializable;
  std::string sql = "SELECT set_config('standard_conforming_strings', 'on', false)";
  const auto set = [&](std::string_view name, std::string_view content) {
    sql.append(", set_config('").append(name).append("', '").append(content).append("', false)");
  };
  std::vector<std::string> params;
  if (!options.schema.empty()) {
    sql += ", set_config('search_path', $1, false)";
    params.push_back(quoted_name(options.schema));
  }
  if (role == role::writer) {
    set("default_transaction_isolation", serializable ? "serializable" : "read committed");
    set("default_transaction_read_only", "off");
    // A host that has come to a halt in a transaction must not keep its locks: others wait for them.
    set("idle_in_transaction_session_timeout", std::to_string(options.longest_halt.count()));
    // A table read as a whole is a table that every concurrent write contradicts: small ones too are read by their
    // index.
    set("random_page_cost", "0.1");
    // The statistics of a table that is often empty, a queue, say that reading all of it is best.
    set("enable_seqscan", "off");
    set("jit", "off");  // which is afraid of what the planner was told to avoid
    set("synchronous_commit", options.promise == durability::power ? "on" : "off");
    // The outbox row of a batch is long; pglz takes several times as long as lz4 for the same. Not every server has it.
    sql +=
        ", (SELECT set_config(name, 'lz4', false) FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' "
        "= "
        "ANY (enumvals))";
  } else if (role == role::reader) {
    set("default_transaction_isolation", "repeatable read");
    set("default_transaction_read_only", "on");
  }
  refusal why;
  if (ask(sql, params, why)) return {};
  return error{errc::unavailable, "postgres " + place + ": a connection can't be set up: " + why.text};
}

int connection::backend() const noexcept { return PQbackendPID(handle_); }

std::optional<answer_rows> connection::ask(const std::string& sql, std::span<const std::string> params, refusal& why) {
  answer_rows all;
  const bool done = guarded(why, [&] {
    pqxx::nontransaction alone(held_->conn);
    all = rows_of(alone.exec_params(sql, pqxx::prepare::make_dynamic_params(params.begin(), params.end())));
  });
  if (!done) return std::nullopt;
  return all;
}

bool connection::commit_script(const std::string& script, const std::string& then, std::span<const std::string> params,
                               refusal& why) {
  return guarded(why, [&] {
    pqxx::work together(held_->conn);
    together.exec(script);
    together.exec_params(then, pqxx::prepare::make_dynamic_params(params.begin(), params.end()));
    together.commit();
  });
}

bool connection::prepare(const std::string& name, const std::string& sql, refusal& why) {
  return guarded(why, [&] {
    held_->conn.prepare(name, sql);
    held_->conn.prepare_now(name);
  });
}

}  // namespace gantry::store::postgres
