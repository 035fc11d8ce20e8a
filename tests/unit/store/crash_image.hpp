// What the files of a store would hold if its process died now, opened without the store's own layers.
#pragma once

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <string>

namespace gantry::testing {

// The first column of the first row, or the text of the failure.
inline std::string first_of(const std::filesystem::path& file, const char* sql) {
  sqlite3* db = nullptr;
  sqlite3_stmt* statement = nullptr;
  std::string found;
  if (sqlite3_open_v2(file.c_str(), &db, SQLITE_OPEN_READWRITE, nullptr) == SQLITE_OK &&
      sqlite3_prepare_v2(db, sql, -1, &statement, nullptr) == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW) {
    found = reinterpret_cast<const char*>(sqlite3_column_text(statement, 0));
  } else {
    found = sqlite3_errmsg(db);
  }
  sqlite3_finalize(statement);
  sqlite3_close_v2(db);
  return found;
}

// A copy of the database and its log; SQLite recovers from them alone.
class crash_image {
 public:
  explicit crash_image(const std::filesystem::path& file) : directory_(file.parent_path() / "crashed") {
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directory(directory_);
    for (const char* suffix : {"", "-wal"}) {
      const std::string from = file.string() + suffix;
      if (std::filesystem::exists(from)) std::filesystem::copy_file(from, image().string() + suffix);
    }
    EXPECT_EQ(first("PRAGMA integrity_check"), "ok");
  }
  ~crash_image() { std::filesystem::remove_all(directory_); }
  crash_image(const crash_image&) = delete;
  crash_image& operator=(const crash_image&) = delete;

  std::string first(const char* sql) const { return first_of(image(), sql); }

 private:
  std::filesystem::path image() const { return directory_ / "image.db"; }

  std::filesystem::path directory_;
};

}  // namespace gantry::testing
