#include "order_flow_figures.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>

namespace gantry::bench {
namespace {

constexpr std::array plugin_ids{"catalog", "inventory", "order", "payment", "shipping", "notification"};

// CPU seconds of this process's threads by their names.
std::map<std::string, double> cpu_by_thread() {
  std::map<std::string, double> out;
  const double hertz = static_cast<double>(sysconf(_SC_CLK_TCK));
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream file(entry.path() / "stat");
    std::string text;
    std::getline(file, text, '\0');  // of a thread that ends just now: fails, and does not throw
    const auto open = text.find('(');
    const auto close_at = text.rfind(')');
    if (open == std::string::npos || close_at == std::string::npos) continue;
    unsigned long user = 0;
    unsigned long system = 0;
    if (std::sscanf(text.c_str() + close_at + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                    &system) != 2)
      continue;
    out[text.substr(open + 1, close_at - open - 1)] += static_cast<double>(user + system) / hertz;
  }
  return out;
}

double percentile(std::vector<double>& v, double q) {
  if (v.empty()) return 0;
  const auto at = static_cast<std::ptrdiff_t>(q * static_cast<double>(v.size() - 1));
  std::nth_element(v.begin(), v.begin() + at, v.end());
  return v[static_cast<std::size_t>(at)];
}

std::string number(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

// The seconds of CPU between two moments, and per name how many processors that were.
double cpu_between(const std::map<std::string, double>& before, const std::map<std::string, double>& after, double took,
                   std::string& cores) {
  double sum = 0;
  for (const auto& [name, seconds] : after) {
    const auto found = before.find(name);
    const double used = seconds - (found == before.end() ? 0 : found->second);
    sum += used;
    if (used >= 0.01) cores += (cores.empty() ? "\"" : ",\"") + name + "\":" + number(used / took, 2);
  }
  return sum;
}

std::string lanes_between(const moment& from, const moment& to, double orders) {
  std::string out;
  for (const auto& [id, now] : to.lanes) {
    const auto& then = from.lanes.at(id);
    const auto transactions = static_cast<double>(now.transactions - then.transactions);
    if (transactions == 0) continue;
    out += (out.empty() ? "\"" : ",\"") + id + "\":{\"orders_per_transaction\":" + number(orders / transactions, 1) +
           member("events_per_transaction", static_cast<double>(now.events - then.events) / transactions, 1) +
           member("reruns", static_cast<double>(now.reruns - then.reruns), 0) + "}";
  }
  return out;
}

}  // namespace

std::string member(std::string_view name, double value, int digits) {
  return ",\"" + std::string(name) + "\":" + number(value, digits);
}

double fsync_us(const std::string& directory) {
  const auto name = directory + "/fsync.probe";
  const int fd = ::open(name.c_str(), O_RDWR | O_CREAT, 0600);
  std::array<char, 4096> page{};
  for (int i = 0; i < 64; ++i)
    if (pwrite(fd, page.data(), page.size(), i * 4096) < 0) break;
  fsync(fd);
  const auto begun = steady::now();
  constexpr int times = 200;
  for (int i = 0; i < times; ++i)
    if (pwrite(fd, page.data(), page.size(), (i % 64) * 4096) < 0 || fdatasync(fd) != 0) break;
  const double us = std::chrono::duration<double, std::micro>(steady::now() - begun).count() / times;
  close(fd);
  std::filesystem::remove(name);
  return us;
}

double rss_mb() {
  std::ifstream file("/proc/self/statm");
  double pages = 0;
  file >> pages >> pages;
  return pages * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1e6;
}

moment look(const arguments& a, app::host_process& host, const ledger& orders) {
  moment out;
  for (const auto* id : plugin_ids)
    if (const auto found = host.plugins().find(id))
      out.lanes[id] = {found->counts.transactions->value(), found->counts.reruns->value(),
                       found->counts.events_in->value()};
  if (a.on_servers()) {
    out.database = bench::work_of(a.servers);
    out.cpu_servers = bench::cpu_of(a.servers);
  }
  out.cpu_ours = cpu_by_thread();
  out.done = orders.done();
  out.at = steady::now();
  return out;
}

void report(const arguments& a, const moment& from, const moment& to, ledger& orders, std::vector<double>& latencies,
            const std::string& machine) {
  const double took = std::chrono::duration<double>(to.at - from.at).count();
  const auto done = static_cast<double>(std::max<std::uint64_t>(to.done - from.done, 1));
  std::string cores;
  std::string server_cores;
  const double ours = cpu_between(from.cpu_ours, to.cpu_ours, took, cores);
  const double theirs = cpu_between(from.cpu_servers, to.cpu_servers, took, server_cores);
  std::string out = "{\"bench\":\"order_flow\",\"mode\":\"" + a.mode + "\",\"on\":\"" +
                    (a.on_servers() ? "kafka, postgres" : "local, sqlite") + "\",\"durability\":\"" + a.durability +
                    "\"";
  out += member("window", static_cast<double>(a.window), 0) + member("rate", a.rate, 0) + member("seconds", took, 2) +
         member("orders", static_cast<double>(to.done - from.done), 0) + member("orders_per_s", done / took, 0) +
         member("cpu_us_per_order", ours * 1e6 / done, 1);
  if (a.on_servers()) {
    for (const auto& [name, seconds] : to.cpu_servers)
      out += member("cpu_us_per_order_" + name, (seconds - from.cpu_servers.at(name)) * 1e6 / done, 1);
    out += member("cpu_us_per_order_all", (ours + theirs) * 1e6 / done, 1);
    const auto per_order = [&](std::uint64_t before, std::uint64_t after) {
      return static_cast<double>(after - before) / done;
    };
    out += member("postgres_commits_per_order", per_order(from.database.commits, to.database.commits), 3) +
           member("postgres_rollbacks_per_order", per_order(from.database.rollbacks, to.database.rollbacks), 3) +
           member("postgres_wal_bytes_per_order", per_order(from.database.wal_bytes, to.database.wal_bytes), 0) +
           member("postgres_wal_syncs_per_order", per_order(from.database.wal_syncs, to.database.wal_syncs), 3);
  }
  out += member("p50_ms", percentile(latencies, 0.5), 2) + member("p95_ms", percentile(latencies, 0.95), 2) +
         member("p99_ms", percentile(latencies, 0.99), 2) + member("max_ms", percentile(latencies, 1), 2) +
         member("refused", static_cast<double>(orders.refusals()), 0) +
         member("unfinished", static_cast<double>(orders.open()), 0) + machine;
  out += ",\"lanes\":{" + lanes_between(from, to, done) + "},\"cpu_cores\":{" + cores + "}";
  if (a.on_servers()) out += ",\"cpu_cores_servers\":{" + server_cores + "}";
  std::printf("%s}\n", out.c_str());
}

}  // namespace gantry::bench
