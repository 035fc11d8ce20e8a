// A PostgreSQL store in a schema of its own on the tests' server, and short ways to talk to it.
//
// POSTGRES_ENV names the file in which deploy/servers/postgres.sh says where the server is.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/uuid.hpp"
#include "store/postgres/postgres_store.hpp"

namespace gantry::testing {

using params = std::vector<gantry_value>;

inline gantry_value null() { return gantry_value{}; }
inline gantry_value integer(std::int64_t number) {
  gantry_value value{};
  value.type = GANTRY_INT;
  value.as.i = number;
  return value;
}
inline gantry_value real(double number) {
  gantry_value value{};
  value.type = GANTRY_REAL;
  value.as.r = number;
  return value;
}
inline gantry_value text(std::string_view from) {
  gantry_value value{};
  value.type = GANTRY_TEXT;
  value.as.s = {from.data(), from.size()};
  return value;
}
inline gantry_value blob(std::string_view from) {
  gantry_value value = text(from);
  value.type = GANTRY_BLOB;
  return value;
}
inline gantry_value array(const std::vector<std::int64_t>& from) {
  gantry_value value{};
  value.type = GANTRY_INT_ARRAY;
  value.count = static_cast<std::uint32_t>(from.size());
  value.as.ints = from.data();
  return value;
}
inline gantry_value array(const std::vector<gantry_str>& from) {
  gantry_value value{};
  value.type = GANTRY_TEXT_ARRAY;
  value.count = static_cast<std::uint32_t>(from.size());
  value.as.texts = from.data();
  return value;
}

// A value as SQL would show it.
inline std::string shown(const gantry_value& value) {
  switch (value.type) {
    case GANTRY_INT:
      return std::to_string(value.as.i);
    case GANTRY_REAL:
      return std::to_string(value.as.r);
    case GANTRY_TEXT:
      return {value.as.s.ptr, value.as.s.len};
    case GANTRY_BLOB:
      return "x'" + std::string(value.as.s.ptr ? value.as.s.ptr : "", value.as.s.len) + "'";
    default:
      return "NULL";
  }
}

// Where the server is.
struct server_place {
  std::string url;

  static server_place read(const std::string& file) {
    server_place out;
    constexpr std::string_view name = "export POSTGRES_URL=";
    std::ifstream lines(file);
    for (std::string line; std::getline(lines, line);)
      if (line.rfind(name, 0) == 0) out.url = line.substr(name.size());
    return out;
  }

  std::string password() const {
    const auto from = url.find(':', url.find("//")) + 1;  // that of "user:password@"
    return url.substr(from, url.find('@') - from);
  }
  std::uint16_t port() const {
    return static_cast<std::uint16_t>(std::stoul(url.substr(url.find(':', url.find('@')) + 1)));
  }
  // The url with another port.
  std::string through(std::uint16_t other) const {
    const auto from = url.find(':', url.find('@')) + 1;
    return url.substr(0, from) + std::to_string(other) + url.substr(url.find('/', from));
  }
};

class StoreFixture : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* const file = std::getenv("POSTGRES_ENV");
    place_ = server_place::read(file ? file : "");
    ASSERT_FALSE(place_.url.empty()) << "POSTGRES_ENV names no file of deploy/servers/postgres.sh";
    options_.url = place_.url;
    options_.schema = "test_" + new_uuid_string();
    options_.longest_pause = std::chrono::milliseconds(0);
  }

  void TearDown() override {
    close();
    if (options_.schema.empty()) return;
    auto schema = std::exchange(options_.schema, "");
    options_.url = place_.url;
    open();
    EXPECT_EQ(exec("DROP SCHEMA IF EXISTS \"" + schema + "\" CASCADE"), GANTRY_OK) << writer_->error_text();
    close();
  }

  // Opens the store and its writer.
  void open() {
    auto opened = store::open_postgres_store(options_);
    ASSERT_TRUE(opened) << opened.failure().text;
    store_ = std::move(opened).value();
    auto writer = store_->open_writer();
    ASSERT_TRUE(writer) << writer.failure().text;
    writer_ = std::move(writer).value();
  }

  void open_with(std::string_view schema) {
    open();
    ASSERT_EQ(writer_->script(schema), GANTRY_OK) << writer_->error_text();
  }

  void close() {
    writer_.reset();
    store_.reset();
  }

  std::unique_ptr<store::session> reader() {
    auto acquired = store_->acquire_reader();
    if (!acquired) {
      ADD_FAILURE() << acquired.failure().text;
      return nullptr;
    }
    return std::move(acquired).value();
  }

  gantry_status exec(std::string_view sql, const params& with = {}) { return writer_->exec(sql, with, nullptr); }

  gantry_status commit(std::string_view sql, const params& with = {}) {
    EXPECT_EQ(writer_->begin(), GANTRY_OK) << writer_->error_text();
    const auto status = exec(sql, with);
    if (status == GANTRY_OK) return writer_->commit();
    writer_->rollback();
    return status;
  }

  // All rows: columns parted by commas, rows by semicolons; or the text of the failure.
  static std::string rows(store::session& on, std::string_view sql, const params& with = {}) {
    store::cursor* cursor = nullptr;
    if (on.query(sql, with, &cursor) != GANTRY_OK) return std::string(on.error_text());
    std::string all;
    gantry_status status = GANTRY_OK;
    for (bool first = true; (status = cursor->next()) == GANTRY_OK; first = false) {
      if (!first) all += ";";
      for (std::size_t i = 0; i < cursor->columns(); ++i) {
        gantry_value value{};
        EXPECT_EQ(cursor->column(i, value), GANTRY_OK);
        all += (i ? "," : "") + shown(value);
      }
    }
    cursor->close();
    return status == GANTRY_DONE ? all : std::string(on.error_text());
  }
  std::string rows(std::string_view sql, const params& with = {}) { return rows(*writer_, sql, with); }

  static void expect_has(std::string_view text, std::string_view part) {
    EXPECT_NE(text.find(part), std::string_view::npos) << text;
  }

  server_place place_;
  store::postgres_options options_;
  std::unique_ptr<store::store> store_;
  std::unique_ptr<store::session> writer_;
};

}  // namespace gantry::testing
