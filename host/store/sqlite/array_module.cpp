#include "store/sqlite/array_module.hpp"

#include <sqlite3.h>

#include <memory>
#include <new>

namespace gantry::store::sqlite {
namespace {

constexpr const char* pointer_type = "gantry_array";
enum column { value_column = 0, array_column = 1 };

struct array_cursor : sqlite3_vtab_cursor {
  const gantry_value* array = nullptr;
  std::uint32_t at = 0;
};

array_cursor* own(sqlite3_vtab_cursor* cursor) noexcept { return static_cast<array_cursor*>(cursor); }

int connect(sqlite3* db, void*, int, const char* const*, sqlite3_vtab** out, char**) {
  if (const int code = sqlite3_declare_vtab(db, "CREATE TABLE gantry_array(value, source HIDDEN)"); code != SQLITE_OK) {
    return code;
  }
  sqlite3_vtab_config(db, SQLITE_VTAB_INNOCUOUS);
  auto table = std::unique_ptr<sqlite3_vtab>(new (std::nothrow) sqlite3_vtab{});
  if (!table) return SQLITE_NOMEM;
  *out = table.release();
  return SQLITE_OK;
}

int disconnect(sqlite3_vtab* table) {
  const std::unique_ptr<sqlite3_vtab> owned(table);
  return SQLITE_OK;
}

// The only plan: the array comes from the argument. The few rows promised put the array in the outer loop of a join.
int best_index(sqlite3_vtab* table, sqlite3_index_info* plan) {
  for (int i = 0; i < plan->nConstraint; ++i) {
    const auto& constraint = plan->aConstraint[i];
    if (constraint.iColumn != array_column || constraint.op != SQLITE_INDEX_CONSTRAINT_EQ) continue;
    if (!constraint.usable) return SQLITE_CONSTRAINT;
    plan->aConstraintUsage[i].argvIndex = 1;
    plan->aConstraintUsage[i].omit = 1;
    plan->estimatedCost = 16;
    plan->estimatedRows = 16;
    return SQLITE_OK;
  }
  sqlite3_free(table->zErrMsg);
  table->zErrMsg = sqlite3_mprintf("gantry_array takes one array parameter, as in gantry_array($1)");
  return SQLITE_ERROR;
}

int open(sqlite3_vtab*, sqlite3_vtab_cursor** out) {
  auto cursor = std::unique_ptr<array_cursor>(new (std::nothrow) array_cursor{});
  if (!cursor) return SQLITE_NOMEM;
  *out = cursor.release();
  return SQLITE_OK;
}

int close(sqlite3_vtab_cursor* cursor) {
  const std::unique_ptr<array_cursor> owned(own(cursor));
  return SQLITE_OK;
}

int filter(sqlite3_vtab_cursor* cursor, int, const char*, int, sqlite3_value** arguments) {
  auto* self = own(cursor);
  self->at = 0;
  self->array = static_cast<const gantry_value*>(sqlite3_value_pointer(arguments[0], pointer_type));
  if (self->array) return SQLITE_OK;
  sqlite3_free(cursor->pVtab->zErrMsg);
  cursor->pVtab->zErrMsg = sqlite3_mprintf("gantry_array was given a parameter that is not an array");
  return SQLITE_ERROR;
}

int next(sqlite3_vtab_cursor* cursor) {
  ++own(cursor)->at;
  return SQLITE_OK;
}

int at_end(sqlite3_vtab_cursor* cursor) { return own(cursor)->at >= own(cursor)->array->count; }

int read_column(sqlite3_vtab_cursor* cursor, sqlite3_context* context, int index) {
  const auto* self = own(cursor);
  if (index != value_column) {
    sqlite3_result_null(context);
  } else if (self->array->type == GANTRY_INT_ARRAY) {
    sqlite3_result_int64(context, self->array->as.ints[self->at]);
  } else {
    const gantry_str& text = self->array->as.texts[self->at];
    // Borrowed: the array outlives the run of the statement.
    sqlite3_result_text64(context, text.ptr ? text.ptr : "", text.len, SQLITE_STATIC, SQLITE_UTF8);
  }
  return SQLITE_OK;
}

int rowid(sqlite3_vtab_cursor* cursor, sqlite3_int64* out) {
  *out = own(cursor)->at;
  return SQLITE_OK;
}

// Without xCreate the table exists by its name alone and can't be created a second time.
sqlite3_module make_module() noexcept {
  sqlite3_module module{};
  module.xConnect = connect;
  module.xDisconnect = disconnect;
  module.xBestIndex = best_index;
  module.xOpen = open;
  module.xClose = close;
  module.xFilter = filter;
  module.xNext = next;
  module.xEof = at_end;
  module.xColumn = read_column;
  module.xRowid = rowid;
  return module;
}

}  // namespace

int register_array_module(sqlite3* db) noexcept {
  static const sqlite3_module module = make_module();
  return sqlite3_create_module(db, "gantry_array", &module, nullptr);
}

int bind_array(sqlite3_stmt* statement, int index, const gantry_value& array) noexcept {
  return sqlite3_bind_pointer(statement, index, const_cast<gantry_value*>(&array), pointer_type, nullptr);
}

}  // namespace gantry::store::sqlite
