#include "store/postgres/gathered_rows.hpp"

#include <algorithm>
#include <cstring>

#include "store/postgres/statement_cache.hpp"

namespace gantry::store::postgres {

void gathered_rows::add(statement& of, std::span<const gantry_value> params) {
  rows_.push_back({&of, values_.size()});
  for (gantry_value each : params) {
    if (each.type == GANTRY_TEXT || each.type == GANTRY_BLOB) {
      const auto size = each.as.s.len;
      auto* const copy = static_cast<char*>(texts_.allocate(size == 0 ? 1 : size, 1));
      if (size != 0) std::memcpy(copy, each.as.s.ptr, size);
      each.as.s.ptr = copy;
      bytes_ += size;
    }
    bytes_ += sizeof each;
    values_.push_back(each);
  }
  if (std::find(seen_.begin(), seen_.end(), &of) == seen_.end()) seen_.push_back(&of);
}

bool gathered_rows::collide_with(const statement& next) const noexcept {
  return std::any_of(seen_.begin(), seen_.end(),
                     [&](const statement* each) { return each != &next && each->shape.table == next.shape.table; });
}

bool gathered_rows::touch(std::string_view table) const noexcept {
  return std::any_of(seen_.begin(), seen_.end(), [&](const statement* each) { return each->shape.table == table; });
}

void gathered_rows::clear() noexcept {
  rows_.clear();
  values_.clear();
  seen_.clear();
  texts_.release();
  bytes_ = 0;
}

std::vector<gathered_rows::set> gathered_rows::sets(std::size_t from, std::size_t to) const {
  std::vector<set> out;
  for (std::size_t i = from; i < to; ++i) {
    auto found = std::find_if(out.begin(), out.end(), [&](const set& each) { return each.of == rows_[i].of; });
    if (found == out.end()) found = out.insert(out.end(), {rows_[i].of, {}, 0});
    const auto end = i + 1 < rows_.size() ? rows_[i + 1].first : values_.size();
    found->values.insert(found->values.end(), values_.begin() + static_cast<std::ptrdiff_t>(rows_[i].first),
                         values_.begin() + static_cast<std::ptrdiff_t>(end));
    ++found->rows;
  }
  return out;
}

}  // namespace gantry::store::postgres
