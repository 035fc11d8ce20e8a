// gantry_array($n): an array parameter as a table with one column `value`.
// Thread: that of the connection.
#pragma once

#include "gantry/abi/store.h"

struct sqlite3;
struct sqlite3_stmt;

namespace gantry::store::sqlite {

// Makes gantry_array known to a connection. Returns SQLite's result code.
int register_array_module(sqlite3* db) noexcept;

// Binds an array to a parameter (from 1). The array must stay until the statement is reset. Returns SQLite's result
// code.
int bind_array(sqlite3_stmt* statement, int index, const gantry_value& array) noexcept;

}  // namespace gantry::store::sqlite
