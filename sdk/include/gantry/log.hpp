// Log lines and metrics. A line is a sentence plus fields: log().info("Order placed.", {{"order", id}, {"lines", 3}}).
// Thread: any.
#pragma once

#include <charconv>
#include <initializer_list>
#include <string_view>

#include "gantry/detail/runtime.hpp"
#include "gantry/json_writer.hpp"

namespace gantry {

// The value of a log field or a metric label: text or a number.
class field_value {
 public:
  template <detail::text_like T>
  field_value(const T& text) : text_(text) {}  // NOLINT(google-explicit-constructor)
  template <std::same_as<bool> T>
  field_value(T v) : text_(v ? "true" : "false") {}  // NOLINT(google-explicit-constructor)
  template <typename T>
  requires detail::integer_like<T> || std::floating_point<T> field_value(T v) {  // NOLINT(google-explicit-constructor)
    size_ = static_cast<std::size_t>(std::to_chars(digits_, digits_ + sizeof digits_, v).ptr - digits_);
  }
  std::string_view text() const noexcept { return size_ > 0 ? std::string_view(digits_, size_) : text_; }

 private:
  std::string_view text_;
  std::size_t size_ = 0;
  char digits_[32];
};

struct log_field {
  std::string_view name;
  field_value value;
};
using log_fields = std::initializer_list<log_field>;

namespace detail {
// The fields as the ABI wants them; more than 16 are cut off.
class abi_fields {
 public:
  explicit abi_fields(log_fields fields) {
    for (const log_field& field : fields) {
      if (count_ == fields_.size()) return;
      fields_[count_++] = {str(field.name), str(field.value.text())};
    }
  }
  const gantry_field* begin() const noexcept { return fields_.data(); }
  std::size_t size() const noexcept { return count_; }

 private:
  std::array<gantry_field, 16> fields_;
  std::size_t count_ = 0;
};
}  // namespace detail

// Writes to the host's log; plugin, generation and correlation id are added there. ERROR means that a person must act.
class logger {
 public:
  explicit logger(const detail::runtime& rt) : rt_(&rt) {}

  void debug(std::string_view text, log_fields fields = {}) const { write(GANTRY_LOG_DEBUG, text, fields); }
  void info(std::string_view text, log_fields fields = {}) const { write(GANTRY_LOG_INFO, text, fields); }
  void warn(std::string_view text, log_fields fields = {}) const { write(GANTRY_LOG_WARN, text, fields); }
  void error(std::string_view text, log_fields fields = {}) const { write(GANTRY_LOG_ERROR, text, fields); }

  // Whether a line of this level (GANTRY_LOG_...) would be written, for texts that are costly to make.
  bool enabled(std::int32_t level) const { return rt_->log != nullptr && rt_->log->enabled(rt_->host, level) != 0; }

 private:
  void write(std::int32_t level, std::string_view text, log_fields fields) const {
    if (!enabled(level)) return;
    const detail::abi_fields list(fields);
    rt_->log->write(rt_->host, level, detail::str(text), list.begin(), list.size());
  }

  const detail::runtime* rt_;
};

// A series of the host's metrics. One that the host refused (bad name), or a host without metrics, records nothing.
class metric {
 public:
  metric() = default;
  metric(const gantry_metrics_1* table, gantry_metric* series) : table_(table), series_(series) {}

  void add(double by = 1) const { record(by); }            // a counter
  void set(double value) const { record(value); }          // a gauge
  void observe(double seconds) const { record(seconds); }  // a histogram

 private:
  void record(double value) const {
    if (series_ != nullptr) table_->record(series_, value);
  }

  const gantry_metrics_1* table_ = nullptr;
  gantry_metric* series_ = nullptr;
};

}  // namespace gantry
