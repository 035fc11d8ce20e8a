#include "store/postgres/statement_cache.hpp"

#include <libpq-fe.h>

#include <algorithm>

#include "store/postgres/values.hpp"

namespace gantry::store::postgres {
namespace {

// The unique indexes of a table that hold for every row and at once, by columns alone, and by the same comparison that
// a WHERE makes. The names that a column may have follow.
constexpr std::string_view unique_index =
    "SELECT 1 FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate"
    " AND i.indpred IS NULL AND i.indexprs IS NULL AND NOT EXISTS (SELECT 1"
    " FROM generate_series(0, i.indnkeyatts - 1) AS k"
    " JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = i.indkey[k]"
    " JOIN pg_opclass AS o ON o.oid = i.indclass[k]"
    " WHERE NOT o.opcdefault OR i.indcollation[k] <> a.attcollation OR a.attname <> ALL (";

// Its rows are its own, and what a name or an operator of a statement means is what the server brings. A default is a
// constant, or else it may look at what was done before; so may what a check calls. A domain has either of its own.
constexpr std::string_view is_alone =
    "c.relkind = 'r' AND NOT c.relhasrules AND NOT c.relrowsecurity AND NOT c.relhassubclass"
    " AND NOT EXISTS (SELECT 1 FROM pg_trigger AS g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal)"
    " AND NOT EXISTS (SELECT 1 FROM pg_operator WHERE oid >= 16384)"
    " AND NOT EXISTS (SELECT 1 FROM pg_cast WHERE oid >= 16384)"
    " AND NOT EXISTS (SELECT 1 FROM pg_proc AS p WHERE p.oid >= 16384 AND ("
    "p.proname IN ('abs', 'coalesce', 'count', 'greatest', 'least', 'length', 'lower', 'max', 'min', 'nullif', 'sum',"
    " 'upper') OR (p.pronargs = 1 AND p.proargtypes[0] = c.reltype)))"
    " AND NOT EXISTS (SELECT 1 FROM pg_attribute AS a JOIN pg_type AS y ON y.oid = a.atttypid"
    " WHERE a.attrelid = c.oid AND y.typtype = 'd')"
    " AND NOT EXISTS (SELECT 1 FROM pg_attrdef AS d WHERE d.adrelid = c.oid"
    " AND pg_get_expr(d.adbin, d.adrelid) LIKE '%(%')"
    " AND NOT EXISTS (SELECT 1 FROM pg_constraint AS k JOIN pg_depend AS d"
    " ON d.classid = 'pg_constraint'::regclass AND d.objid = k.oid AND d.refclassid = 'pg_proc'::regclass"
    " WHERE k.conrelid = c.oid AND k.contype = 'c')";

bool is_true(const pg_result* from, int column) {
  return PQgetlength(from, 0, column) == 1 && PQgetvalue(from, 0, column)[0] == 1;
}

bool is_array(const gantry_value& value) { return value.type == GANTRY_INT_ARRAY || value.type == GANTRY_TEXT_ARRAY; }

}  // namespace

void prepared::describe(const pg_result* from) {
  types.clear();
  for (int i = 0; i < PQnparams(from); ++i) types.push_back(static_cast<std::uint32_t>(PQparamtype(from, i)));
  columns = static_cast<std::size_t>(PQnfields(from));
  binary = true;
  for (int i = 0; i < PQnfields(from); ++i)
    binary = binary && reads_binary(static_cast<std::uint32_t>(PQftype(from, i)));
}

// Words of SQL have no quotes in them.
std::string table_facts::question(const statement_shape& about) {
  std::string keys = "ARRAY[";
  for (const auto& each : about.keys) keys += (keys.back() == '[' ? "'" : ", '") + each + "'";
  keys += "]::text[]";
  const std::string numbered =
      about.numbers_itself
          ? " AND NOT EXISTS (SELECT 1 FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attidentity <> '')"
          : "";
  return "SELECT " + std::string(is_alone) + ", NOT EXISTS (SELECT 1 FROM pg_trigger AS g WHERE g.tgrelid = c.oid)" +
         numbered + ", EXISTS (" + std::string(unique_index) + keys +
         "))) FROM pg_class AS c WHERE c.oid = to_regclass('" + about.table + "')";
}

table_facts table_facts::read(const pg_result* from) {
  if (PQntuples(from) != 1) return {};
  const bool alone = is_true(from, 0);
  return {alone, alone && is_true(from, 1), is_true(from, 2)};
}

void experience::went_well(std::int64_t changed) noexcept {
  if (successes_ < enough) ++successes_;
  if (changed != last_changed_) alike_ = 0;
  if (alike_ < enough) ++alike_;
  last_changed_ = changed;
}

// Longer each time: what varies is waited for.
void experience::disappointed(std::uint64_t committed) noexcept {
  successes_ = 0;
  alike_ = 0;
  last_changed_ = -1;
  distrusted_until_ = committed + penalty_;
  penalty_ = std::min(penalty_ * 4, longest_penalty);
}

prepared* statement::variant(std::span<const gantry_value> params, failure_text& failure) {
  std::vector<bool> texts;
  for (const auto& place : sql.arrays) {
    if (!is_array(params[place.parameter])) {
      failure = {GANTRY_INVALID,
                 "$" + std::to_string(place.parameter + 1) + " of gantry_array is not an array: " + excerpt(*text)};
      return nullptr;
    }
    texts.push_back(params[place.parameter].type == GANTRY_TEXT_ARRAY);
  }
  const auto arrays = std::count_if(params.begin(), params.end(), is_array);
  if (static_cast<std::size_t>(arrays) > sql.arrays.size()) {
    failure = {GANTRY_INVALID, "an array stands only in gantry_array($n): " + excerpt(*text)};
    return nullptr;
  }
  for (auto& each : variants)
    if (each.texts == texts) return &each;
  variants.push_back({{}, texts, {}, 0, true});
  return &variants.back();
}

statement* statement_cache::find(std::string_view sql, failure_text& failure) {
  auto found = by_text_.find(sql);
  if (found == by_text_.end()) {
    auto made = std::make_unique<statement>();
    if (!sql_text::parse(sql, made->sql, failure)) return nullptr;
    made->text = std::make_shared<const std::string>(sql);
    made->shape = statement_shape::of(sql);
    if (by_text_.size() >= capacity) evict();
    const std::string_view key = *made->text;
    found = by_text_.emplace(key, std::move(made)).first;
  }
  found->second->used_at = ++uses_;
  return found->second.get();
}

statement* statement_cache::known(std::string_view sql) noexcept {
  const auto found = by_text_.find(sql);
  return found == by_text_.end() ? nullptr : found->second.get();
}

void statement_cache::clear() {
  by_text_.clear();
  evicted_.clear();
}

void statement_cache::forget(const statement& which) {
  for (const auto& each : which.variants)
    if (!each.name.empty()) evicted_.push_back(each.name);
  if (which.for_sets && !which.for_sets->empty()) evicted_.push_back(*which.for_sets);
  by_text_.erase(std::string_view(*which.text));
}

void statement_cache::learn(statement& which, table_facts now) {
  which.table = now;
  if (which.for_sets && !which.for_sets->empty()) evicted_.push_back(*which.for_sets);
  which.for_sets.reset();
}

// Only SQL that is made up at run time gets here, so a scan is cheap enough.
void statement_cache::evict() {
  const auto oldest = std::min_element(by_text_.begin(), by_text_.end(), [](const auto& a, const auto& b) {
    return a.second->used_at < b.second->used_at;
  });
  forget(*oldest->second);
}

}  // namespace gantry::store::postgres
