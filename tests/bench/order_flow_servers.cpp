#include "order_flow_servers.hpp"

#include <libpq-fe.h>
#include <librdkafka/rdkafka.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <vector>

namespace gantry::bench {
namespace {

using steady = std::chrono::steady_clock;
using connection = std::unique_ptr<PGconn, decltype(&PQfinish)>;
using answer = std::unique_ptr<PGresult, decltype(&PQclear)>;

constexpr std::size_t message_bytes = 700;  // about what an event of the shop has
constexpr int batch_rows = 64;

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "order_flow: %s\n", why.c_str());
  std::exit(1);
}

double since(steady::time_point start) { return std::chrono::duration<double>(steady::now() - start).count(); }

void run_script(const servers& which, const char* script, const char* verb) {
  const auto name = std::string(script).substr(0, std::string(script).find('.'));
  const std::string command = (which.scripts / script).string() + " " + verb + " " + (which.data / name).string();
  if (std::system(command.c_str()) != 0) give_up(command + " failed");
}

// KEY=value lines, with or without `export`.
std::map<std::string, std::string> read_env(const std::filesystem::path& file) {
  std::map<std::string, std::string> out;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (line.rfind("export ", 0) == 0) line.erase(0, 7);
    const auto equals = line.find('=');
    if (equals != std::string::npos) out[line.substr(0, equals)] = line.substr(equals + 1);
  }
  return out;
}

struct process_times {
  int parent = 0;
  double own = 0;
  double ended_children = 0;
};

bool read_times(const std::filesystem::path& stat, process_times& out) {
  std::ifstream file(stat);
  std::string text;
  std::getline(file, text, '\0');  // of a process that ends just now: fails, and does not throw
  const auto close_at = text.rfind(')');
  if (close_at == std::string::npos) return false;
  unsigned long user = 0;
  unsigned long system = 0;
  long children_user = 0;
  long children_system = 0;
  if (std::sscanf(text.c_str() + close_at + 2, "%*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %ld %ld",
                  &out.parent, &user, &system, &children_user, &children_system) != 5)
    return false;
  const auto hertz = static_cast<double>(sysconf(_SC_CLK_TCK));
  out.own = static_cast<double>(user + system) / hertz;
  out.ended_children = static_cast<double>(children_user + children_system) / hertz;
  return true;
}

double cpu_of_process(int pid) {
  process_times t;
  return read_times("/proc/" + std::to_string(pid) + "/stat", t) ? t.own + t.ended_children : 0;
}

double cpu_of_children(int pid) {
  double out = 0;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
    process_times t;
    if (entry.path().filename().string().find_first_not_of("0123456789") != std::string::npos) continue;
    if (read_times(entry.path() / "stat", t) && t.parent == pid) out += t.own;
  }
  return out;
}

connection connect(const servers& which) {
  connection out(PQconnectdb(which.postgres.c_str()), PQfinish);
  if (PQstatus(out.get()) != CONNECTION_OK) give_up(PQerrorMessage(out.get()));
  return out;
}

answer run(PGconn* on, const std::string& sql) {
  answer out(PQexec(on, sql.c_str()), PQclear);
  const auto status = PQresultStatus(out.get());
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) give_up(PQerrorMessage(on));
  return out;
}

void must_execute(PGconn* on, const char* statement, const char* parameter) {
  const std::array<const char*, 1> values{parameter};
  const answer done(PQexecPrepared(on, statement, 1, values.data(), nullptr, nullptr, 0), PQclear);
  if (PQresultStatus(done.get()) != PGRES_COMMAND_OK) give_up(PQerrorMessage(on));
}

// Transactions a second of `statement`, which commits by itself.
double transactions(PGconn* on, const char* statement, const std::string& parameter, double seconds) {
  const auto start = steady::now();
  std::uint64_t n = 0;
  for (; since(start) < seconds; ++n) must_execute(on, statement, parameter.c_str());
  return static_cast<double>(n) / since(start);
}

void measure_database(const servers& which, double seconds, ceilings& out) {
  const auto on = connect(which);
  run(on.get(), "CREATE TABLE IF NOT EXISTS bench_ceiling (id bigserial PRIMARY KEY, content text NOT NULL)");
  run(on.get(), "SET synchronous_commit = on");
  run(on.get(), "PREPARE one(text) AS INSERT INTO bench_ceiling (content) VALUES ($1)");
  run(on.get(), "PREPARE many(text[]) AS INSERT INTO bench_ceiling (content) SELECT unnest($1)");
  const std::string row(200, 'x');
  std::string rows = "{";
  for (int i = 0; i < batch_rows; ++i) rows += (i == 0 ? "" : ",") + row;
  rows += "}";
  out.commits_per_s = transactions(on.get(), "one", row, seconds);
  out.batch_rows_per_s = batch_rows * transactions(on.get(), "many", rows, seconds);
  run(on.get(), "DROP TABLE bench_ceiling");
}

void set(rd_kafka_conf_t* conf, const char* name, const std::string& value) {
  std::array<char, 256> why{};
  if (rd_kafka_conf_set(conf, name, value.c_str(), why.data(), why.size()) != RD_KAFKA_CONF_OK) give_up(why.data());
}

void make_topic(rd_kafka_t* client, const char* name) {
  std::array<char, 256> why{};
  auto* topic = rd_kafka_NewTopic_new(name, 3, 1, why.data(), why.size());
  auto* queue = rd_kafka_queue_new(client);
  rd_kafka_CreateTopics(client, &topic, 1, nullptr, queue);
  rd_kafka_event_destroy(rd_kafka_queue_poll(queue, 10'000));
  rd_kafka_queue_destroy(queue);
  rd_kafka_NewTopic_destroy(topic);
}

double measure_broker(const servers& which, double seconds) {
  auto* conf = rd_kafka_conf_new();
  set(conf, "bootstrap.servers", which.brokers);
  set(conf, "enable.idempotence", "true");
  set(conf, "acks", "all");
  set(conf, "linger.ms", "1");
  set(conf, "queue.buffering.max.messages", "1000000");
  std::array<char, 256> why{};
  auto* const client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why.data(), why.size());
  if (client == nullptr) give_up(why.data());
  make_topic(client, "bench-ceiling");
  const std::string body(message_bytes, 'x');
  const auto produce = [&](std::uint64_t n) {
    const auto key = std::to_string(n);
    while (rd_kafka_producev(client, RD_KAFKA_V_TOPIC("bench-ceiling"), RD_KAFKA_V_KEY(key.data(), key.size()),
                             RD_KAFKA_V_VALUE(const_cast<char*>(body.data()), body.size()),
                             RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END) == RD_KAFKA_RESP_ERR__QUEUE_FULL)
      rd_kafka_poll(client, 10);
    rd_kafka_poll(client, 0);
  };
  produce(0);  // the leader is known from here on
  rd_kafka_flush(client, 10'000);
  const auto start = steady::now();
  std::uint64_t n = 0;
  while (since(start) < seconds) produce(++n);
  rd_kafka_flush(client, 60'000);
  const double out = static_cast<double>(n) / since(start);
  rd_kafka_destroy(client);
  return out;
}

}  // namespace

servers start_servers(const std::filesystem::path& scripts, const std::filesystem::path& data) {
  servers out;
  out.scripts = scripts;
  out.data = data;
  std::filesystem::create_directories(data);
  run_script(out, "kafka.sh", "start");
  run_script(out, "postgres.sh", "start");
  const auto kafka = read_env(data / "kafka/env");
  const auto postgres = read_env(data / "postgres/env");
  out.brokers = kafka.at("KAFKA_BOOTSTRAP");
  out.kafka_pid = std::stoi(kafka.at("KAFKA_PID"));
  out.postgres = postgres.at("POSTGRES_URL");
  out.postgres_pid = std::stoi(postgres.at("POSTGRES_PID"));
  return out;
}

void stop_servers(const servers& which) {
  if (which.data.empty()) return;
  run_script(which, "kafka.sh", "remove");
  run_script(which, "postgres.sh", "remove");
}

std::map<std::string, double> cpu_of(const servers& which) {
  std::map<std::string, double> out;
  if (which.kafka_pid != 0) out["java"] = cpu_of_process(which.kafka_pid);
  if (which.postgres_pid != 0)
    out["postgres"] = cpu_of_process(which.postgres_pid) + cpu_of_children(which.postgres_pid);
  return out;
}

database_work work_of(const servers& which) {
  const auto on = connect(which);
  const auto got =
      run(on.get(),
          "SELECT (SELECT sum(xact_commit) FROM pg_stat_database), (SELECT sum(xact_rollback) FROM pg_stat_database),"
          " pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint, (SELECT wal_sync FROM pg_stat_wal)");
  const auto number = [&](int column) { return std::strtoull(PQgetvalue(got.get(), 0, column), nullptr, 10); };
  return {number(0), number(1), number(2), number(3)};
}

ceilings measure_ceilings(const servers& which, double seconds_each) {
  ceilings out;
  measure_database(which, seconds_each, out);
  out.produced_per_s = measure_broker(which, seconds_each);
  return out;
}

}  // namespace gantry::bench
