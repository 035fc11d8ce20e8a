#include "observability/log.hpp"

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "observability/log_line.hpp"
#include "observability/log_writer.hpp"

namespace gantry::observability {

namespace detail {
std::atomic<std::int32_t> threshold{static_cast<std::int32_t>(level::info)};
}

namespace {

thread_local work_context work;

// The queue and the thread that empties it.
class journal {
 public:
  explicit journal(log_options options)
      : options_(std::move(options)),
        coloured_(!options_.sink && stderr_is_terminal()),
        json_(options_.format == log_format::json || (options_.format == log_format::automatic && !coloured_)) {
    if (!options_.sink) options_.sink = stderr_writer();
    if (options_.queue_lines == 0) options_.queue_lines = 1;
    writer_ = std::thread([this] { run(); });
  }
  journal(const journal&) = delete;
  journal& operator=(const journal&) = delete;
  ~journal() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_one();
    writer_.join();
  }

  void push(log_line&& line) {
    line.wall_us = options_.wall_us ? options_.wall_us() : system_clock().wall_us();
    log_line oldest;  // freed outside the lock
    bool was_empty = false;
    {
      const std::lock_guard lock(mutex_);
      was_empty = queue_.empty();
      if (queue_.size() >= options_.queue_lines) {
        oldest = std::move(queue_.front());
        queue_.pop_front();
        ++done_;
        dropped_.fetch_add(1, std::memory_order_relaxed);
      }
      queue_.push_back(std::move(line));
      ++pushed_;
    }
    if (was_empty) wake_.notify_one();
  }

  void flush() {
    std::unique_lock lock(mutex_);
    const auto until = pushed_;
    written_.wait(lock, [&] { return done_ >= until; });
  }

  std::uint64_t dropped() const noexcept { return dropped_.load(std::memory_order_relaxed); }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      std::deque<log_line> lines;
      std::swap(lines, queue_);
      lock.unlock();
      write(lines);
      lock.lock();
      done_ += lines.size();
      written_.notify_all();
    }
  }

  void write(const std::deque<log_line>& lines) {
    for (const auto& line : lines) write(line);
    const auto lost = dropped();
    if (lost == told_) return;
    log_line note;
    note.wall_us = lines.back().wall_us;
    note.severity = level::warn;
    note.text = "log lines were dropped because the queue was full";
    note.fields.emplace_back("lines", std::to_string(lost - told_));
    told_ = lost;
    write(note);
  }

  void write(const log_line& line) {
    text_.clear();
    if (json_) {
      append_json(text_, line);
    } else {
      append_text(text_, line, coloured_);
    }
    try {
      options_.sink(text_);
    } catch (const std::exception&) {
      // There is nowhere to say that the log can't be written; it is counted with the lost lines.
      dropped_.fetch_add(1, std::memory_order_relaxed);
      ++told_;
    }
  }

  log_options options_;
  bool coloured_;
  bool json_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable written_;
  std::deque<log_line> queue_;
  std::uint64_t pushed_ = 0;
  std::uint64_t done_ = 0;  // written or dropped
  bool stopping_ = false;
  std::atomic<std::uint64_t> dropped_{0};
  std::uint64_t told_ = 0;  // dropped lines that a line has told of; the writer's
  std::string text_;
  std::thread writer_;
};

std::mutex open_mutex;
std::shared_ptr<journal>& open_journal() {
  // Never destroyed: plugins may log while the process ends.
  static auto* const slot = new std::shared_ptr<journal>();
  return *slot;
}

std::shared_ptr<journal> current() {
  const std::lock_guard lock(open_mutex);
  return open_journal();
}

log_line make_line(level value, std::string_view text, std::span<const field> fields) {
  log_line line;
  line.severity = value;
  line.text = text;
  line.plugin = work.plugin;
  line.generation = work.generation;
  line.correlation_id = work.correlation_id;
  line.lane = work.lane;
  line.fields.reserve(fields.size());
  for (const auto& [name, content] : fields) line.fields.emplace_back(name, content);
  return line;
}

}  // namespace

std::string_view to_string(level value) noexcept {
  switch (value) {
    case level::debug:
      return "debug";
    case level::info:
      return "info";
    case level::warn:
      return "warn";
    case level::error:
      return "error";
  }
  return "unknown";
}

result<level> parse_level(std::string_view text) {
  for (const auto value : {level::debug, level::info, level::warn, level::error}) {
    if (to_string(value) == text) return value;
  }
  return error{errc::invalid, "found log level '" + std::string(text) + "', expected debug, info, warn or error"};
}

void open_log(log_options options) {
  set_threshold(options.threshold);
  auto fresh = std::make_shared<journal>(std::move(options));
  const std::lock_guard lock(open_mutex);
  std::swap(open_journal(), fresh);
}

void close_log() {
  std::shared_ptr<journal> old;
  const std::lock_guard lock(open_mutex);
  std::swap(open_journal(), old);
}

void flush_log() {
  if (const auto to = current()) to->flush();
}

void set_threshold(level value) noexcept {
  detail::threshold.store(static_cast<std::int32_t>(value), std::memory_order_relaxed);
}

std::uint64_t dropped_lines() noexcept {
  const auto from = current();
  return from ? from->dropped() : 0;
}

void log(level value, std::string_view text, std::span<const field> fields) noexcept {
  if (!enabled(value)) return;
  try {
    auto line = make_line(value, text, fields);
    if (const auto to = current()) {
      to->push(std::move(line));
      return;
    }
    line.wall_us = system_clock().wall_us();
    std::string out;
    append_text(out, line, false);
    stderr_writer()(out);
  } catch (const std::exception&) {
    // Out of memory: the work matters more than the line about it.
  }
}

const work_context& current_work() noexcept { return work; }

work_scope::work_scope(const work_context& context) noexcept : before_(std::exchange(work, context)) {}

work_scope::~work_scope() { work = before_; }

}  // namespace gantry::observability
