// How many statements a second the SQLite store runs, by kind, batch and promise; and whether that stays flat as the
// table grows. Prints one JSON object.
//
//   store_bench [--rows N] [--statements N] [--checkpoint-pages N] [--cache-kib N] [--readers N] [--directory D]
//   [--flat]
#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "store/sqlite/sqlite_store.hpp"

namespace {

using gantry::store::cursor;
using gantry::store::durability;
using gantry::store::session;
using bench_clock = std::chrono::steady_clock;

struct settings {
  std::int64_t rows = 50'000;         // in the table before the measurement
  std::int64_t statements = 100'000;  // per measurement
  std::int64_t checkpoint_pages = 4000;
  std::int64_t cache_kib = 16 * 1024;
  std::int64_t readers = 0;  // threads that take snapshots meanwhile
  std::filesystem::path directory = std::filesystem::temp_directory_path();
  bool flat = false;
};

void check(gantry_status status, const session& on) {
  if (status == GANTRY_OK || status == GANTRY_DONE) return;
  std::fprintf(stderr, "store_bench: %.*s\n", static_cast<int>(on.error_text().size()), on.error_text().data());
  std::exit(1);
}

template <typename T>
T expect(gantry::result<T> from) {
  if (from) return std::move(from).value();
  std::fprintf(stderr, "store_bench: %s\n", from.failure().text.c_str());
  std::exit(1);
}

gantry_value integer(std::int64_t number) {
  gantry_value value{};
  value.type = GANTRY_INT;
  value.as.i = number;
  return value;
}

gantry_value text(std::string_view from) {
  gantry_value value{};
  value.type = GANTRY_TEXT;
  value.as.s = {from.data(), from.size()};
  return value;
}

// Keys that grow with time, as UUIDv7 does.
std::string key_of(std::int64_t number) {
  std::string digits = std::to_string(number);
  digits.insert(0, 10 - std::min<std::size_t>(10, digits.size()), '0');
  return "0190" + digits.substr(0, 4) + "-" + digits.substr(4, 4) + "-7" + digits.substr(8) + "0-8def-0123456789ab";
}

class table {
 public:
  table(session& on, std::int64_t rows) : on_(on) {
    check(on_.script("CREATE TABLE item (id TEXT PRIMARY KEY, customer TEXT NOT NULL, state INTEGER NOT NULL,"
                     " total INTEGER NOT NULL, body TEXT NOT NULL) WITHOUT ROWID"),
          on_);
    while (count_ < rows) {
      check(on_.begin(), on_);
      for (int i = 0; i < 1000; ++i) insert();
      check(on_.commit(), on_);
    }
  }

  void insert() {
    const std::string key = key_of(count_++);
    const gantry_value with[] = {text(key), text("customer-12345678"), integer(1), integer(4200), text(body_)};
    check(on_.exec("INSERT INTO item (id, customer, state, total, body) VALUES ($1, $2, $3, $4, $5)", with, nullptr),
          on_);
  }

  void update() {
    const std::string key = key_of(recent());
    const gantry_value with[] = {text(key), integer(5)};
    read_one("UPDATE item SET total = total + $2 WHERE id = $1 RETURNING total", with);
  }

  void select() {
    const std::string key = key_of(recent());
    const gantry_value with[] = {text(key)};
    read_one("SELECT customer, state, total FROM item WHERE id = $1", with);
  }

 private:
  void read_one(std::string_view sql, std::span<const gantry_value> with) {
    cursor* rows = nullptr;
    check(on_.query(sql, with, &rows), on_);
    check(rows->next(), on_);
    gantry_value out{};
    if (rows->column(0, out) != GANTRY_OK) std::abort();
    rows->close();
  }

  // One of the last 10,000 rows: work clusters on what is new.
  std::int64_t recent() {
    random_ = random_ * 6364136223846793005ULL + 1442695040888963407ULL;
    const auto back = static_cast<std::int64_t>((random_ >> 33) % 10'000);
    return std::max<std::int64_t>(0, count_ - 1 - back);
  }

  session& on_;
  std::int64_t count_ = 0;
  std::uint64_t random_ = 42;
  const std::string body_ = std::string(120, 'b');
};

double ms(bench_clock::duration from) { return std::chrono::duration<double, std::milli>(from).count(); }

struct figure {
  double per_second = 0;
  double p50_ms = 0;  // of a commit with its batch
  double p99_ms = 0;
  double max_ms = 0;
};

template <typename Step>
figure measure(session& on, std::int64_t statements, std::int64_t batch, Step step) {
  std::vector<double> took;
  const auto start = bench_clock::now();
  const std::int64_t batches = std::max<std::int64_t>(1, statements / batch);
  for (std::int64_t b = 0; b < batches && bench_clock::now() - start < std::chrono::seconds(5); ++b) {
    const auto from = bench_clock::now();
    check(on.begin(), on);
    for (std::int64_t i = 0; i < batch; ++i) step();
    check(on.commit(), on);
    took.push_back(ms(bench_clock::now() - from));
  }
  const double seconds = ms(bench_clock::now() - start) / 1000;
  const double done = static_cast<double>(took.size()) * static_cast<double>(batch);
  std::sort(took.begin(), took.end());
  return {done / seconds, took[took.size() / 2], took[took.size() * 99 / 100], took.back()};
}

void print(bool& first, std::string_view promise, std::string_view kind, std::int64_t rows, std::int64_t batch,
           const figure& f) {
  std::printf(
      "%s\n    {\"durability\": \"%.*s\", \"statement\": \"%.*s\", \"rows\": %lld, \"batch\": %lld, \"per_second\": "
      "%.0f, "
      "\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f}",
      first ? "" : ",", static_cast<int>(promise.size()), promise.data(), static_cast<int>(kind.size()), kind.data(),
      static_cast<long long>(rows), static_cast<long long>(batch), f.per_second, f.p50_ms, f.p99_ms, f.max_ms);
  first = false;
}

// Snapshots of one row each, back to back.
class background_readers {
 public:
  background_readers(gantry::store::store& on, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
      threads_.emplace_back([this, &on] {
        while (!done_) {
          auto reader = expect(on.acquire_reader());
          check(reader->begin_read(), *reader);
          cursor* rows = nullptr;
          check(reader->query("SELECT count(*) FROM (SELECT 1 FROM item LIMIT 20)", {}, &rows), *reader);
          check(rows->next(), *reader);
          rows->close();
        }
      });
    }
  }
  ~background_readers() {
    done_ = true;
    for (auto& each : threads_) each.join();
  }

 private:
  std::atomic<bool> done_ = false;
  std::vector<std::thread> threads_;
};

void run(const settings& chosen, durability promise, bool& first) {
  const auto directory = chosen.directory / "gantry-store-bench";
  std::filesystem::remove_all(directory);
  {
    gantry::store::sqlite_options options;
    options.file = directory / "bench.db";
    options.promise = promise;
    options.cache_kib = static_cast<int>(chosen.cache_kib);
    options.checkpoint_pages = static_cast<std::uint32_t>(chosen.checkpoint_pages);
    const auto store = expect(gantry::store::open_sqlite_store(options));
    const auto writer = expect(store->open_writer());
    table on(*writer, chosen.rows);
    const background_readers readers(*store, chosen.readers);
    const std::string_view name = promise == durability::power ? "power" : "process";
    for (const std::int64_t batch : {1, 16, 64, 256}) {
      const std::int64_t count = chosen.statements / (batch == 1 ? 10 : 1);
      print(first, name, "insert", chosen.rows, batch, measure(*writer, count, batch, [&] { on.insert(); }));
      print(first, name, "update returning", chosen.rows, batch, measure(*writer, count, batch, [&] { on.update(); }));
      print(first, name, "select", chosen.rows, batch, measure(*writer, count, batch, [&] { on.select(); }));
    }
  }
  std::filesystem::remove_all(directory);
}

std::int64_t number(std::string_view from) {
  std::int64_t value = 0;
  std::from_chars(from.data(), from.data() + from.size(), value);
  return value;
}

settings parse(int count, char** arguments) {
  settings chosen;
  std::map<std::string_view, std::int64_t*> const numbers{{"--rows", &chosen.rows},
                                                          {"--statements", &chosen.statements},
                                                          {"--checkpoint-pages", &chosen.checkpoint_pages},
                                                          {"--cache-kib", &chosen.cache_kib},
                                                          {"--readers", &chosen.readers}};
  for (int i = 1; i < count; ++i) {
    const std::string_view name = arguments[i];
    if (name == "--flat") {
      chosen.flat = true;
    } else if (name == "--directory" && i + 1 < count) {
      chosen.directory = arguments[++i];
    } else if (const auto found = numbers.find(name); found != numbers.end() && i + 1 < count) {
      *found->second = number(arguments[++i]);
    } else {
      std::fprintf(stderr, "store_bench: unknown argument %s\n", arguments[i]);
      std::exit(2);
    }
  }
  return chosen;
}

}  // namespace

int main(int count, char** arguments) {
  settings chosen = parse(count, arguments);
  std::printf("{\"checkpoint_pages\": %lld, \"cache_kib\": %lld, \"readers\": %lld, \"results\": [",
              static_cast<long long>(chosen.checkpoint_pages), static_cast<long long>(chosen.cache_kib),
              static_cast<long long>(chosen.readers));
  bool first = true;
  run(chosen, durability::power, first);
  run(chosen, durability::process, first);
  if (chosen.flat) {
    chosen.rows = 1'000'000;
    run(chosen, durability::power, first);
  }
  std::printf("\n]}\n");
}
