#include "gantry/testing/fake_host.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>

#include "core.hpp"

namespace gantry::testing {
namespace {

using detail::str;
using detail::view;
using phase = fake_core::phase;

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

std::string decoded(std::string_view text, bool plus_is_space) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0) {
      out += static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2]));
      i += 2;
    } else {
      out += text[i] == '+' && plus_is_space ? ' ' : text[i];
    }
  }
  return out;
}

using pairs = std::vector<std::pair<std::string, std::string>>;

pairs query_of(std::string_view text) {
  pairs out;
  while (!text.empty()) {
    const std::string_view one = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(one.size() + 1, text.size()));
    const std::size_t equals = std::min(one.find('='), one.size());
    if (one.empty()) continue;
    out.emplace_back(decoded(one.substr(0, equals), true),
                     equals < one.size() ? decoded(one.substr(equals + 1), true) : std::string());
  }
  return out;
}

std::vector<std::string> segments_of(std::string_view path) {
  std::vector<std::string> out;
  while (path.starts_with('/')) {
    path.remove_prefix(1);
    const std::size_t end = std::min(path.find('/'), path.size());
    out.push_back(decoded(path.substr(0, end), false));
    path.remove_prefix(end);
  }
  return out;
}

bool is_placeholder(const std::string& segment) { return segment.starts_with('{') && segment.ends_with('}'); }

// Whether the path fits the pattern; its placeholders go to `params`.
bool fits(const route& r, const std::vector<std::string>& path, pairs& params) {
  if (r.segments.size() != path.size()) return false;
  params.clear();
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (is_placeholder(r.segments[i])) {
      if (path[i].empty()) return false;
      params.emplace_back(r.segments[i].substr(1, r.segments[i].size() - 2), path[i]);
    } else if (r.segments[i] != path[i]) {
      return false;
    }
  }
  return true;
}

// A literal segment goes before a placeholder, from left to right.
bool more_literal(const route& a, const route& b) {
  return std::ranges::lexicographical_compare(a.segments, b.segments, {}, is_placeholder, is_placeholder);
}

std::vector<gantry_field> fields_of(const pairs& from) {
  std::vector<gantry_field> out;
  for (const auto& [name, value] : from) out.push_back({str(name), str(value)});
  return out;
}

call_reply problem_reply(int status, const char* slug, const char* title, const std::string& detail) {
  const reply r = problem(status, slug, title, detail);
  return {r.status(), r.headers(), r.body()};
}

// The migrations of a folder that are meant for SQLite, in the order of their numbers.
std::vector<std::string> sql_of(const std::string& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".sql") && !name.ends_with(".postgres.sql")) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  std::vector<std::string> out;
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    out.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return out;
}

void migrate(fake_core& c, const std::string& folder) {
  if (!folder.empty()) {
    for (const std::string& sql : sql_of(folder)) c.db.script(sql);
    return;
  }
  std::ranges::stable_sort(c.migrations, {}, &gantry_migration::number);
  for (const gantry_migration& m : c.migrations) {
    if (m.driver.len == 0 || view(m.driver) == "sqlite") c.db.script(view(m.sql));
  }
}

// One event as the host would give it, and what it refers to.
class made_event {
 public:
  made_event(fake_core& c, const subscription& to, std::string_view key, const std::string& text)
      : id_(c.next_id()), key_(key), data_(text) {
    body_ = json_writer()
                .object()
                .field("eventId", id_)
                .field("occurredOn", c.clock.now().rfc3339())
                .field("eventType", to.type)
                .field("aggregateId", key_)
                .field("version", to.raw.min_version)
                .key("data")
                .raw(data_)
                .end()
                .take();
    raw_.struct_size = sizeof raw_;
    raw_.topic = str(to.topic);
    raw_.version = to.raw.min_version;
    raw_.offset = c.offset++;
    raw_.sequence = raw_.offset + 1;
    raw_.occurred_at_us = c.clock.now().us;
    raw_.id = str(id_);
    raw_.type = str(to.type);
    raw_.key = str(key_);
    raw_.source = str("/test/producer/fake.1");
    raw_.correlation_id = str("00000000-0000-7000-8000-00000000c0de");
    raw_.causation_id = raw_.correlation_id;
    raw_.body = str(body_);
    raw_.data = str(data_);
  }
  made_event(const made_event&) = delete;
  made_event& operator=(const made_event&) = delete;
  ~made_event() = default;
  const gantry_event& raw() const { return raw_; }

 private:
  std::string id_;
  std::string key_;
  std::string data_;
  std::string body_;
  gantry_event raw_{};
};

outcome outcome_of(const fake_core& c, gantry_status status) {
  return status == GANTRY_OK ? outcome(ok) : outcome(status, c.error);
}

}  // namespace

fake_host::fake_host() : core_(std::make_unique<fake_core>()) {}

fake_host::~fake_host() {
  if (core_->instance == nullptr) return;
  if (core_->started) core_->instance->stop(core_->instance->self);
  core_->instance->destroy(core_->instance->self);
}

const gantry_instance& fake_host::load(const gantry_entry& entry, std::string_view config,
                                       const load_options& options) {
  fake_core& c = *core_;
  const lock hold(c.mutex);
  if (c.instance != nullptr) throw std::logic_error("a fake_host holds one plugin");
  const std::string who = std::string(entry.id) + ": ";
  c.config = config;
  json_error wrong;
  const auto parsed = json_document::try_parse(c.config, wrong);
  if (!parsed || !parsed->root().is_object()) {
    throw std::runtime_error(who + "the configuration is no JSON object: " + wrong.what());
  }
  if (entry.create(&c.host, &c.instance) != GANTRY_OK) throw std::runtime_error(who + "create: " + c.error);
  const auto run = [&](phase in, gantry_status (*step)(void*), const char* name) {
    c.at = in;
    const gantry_status status = step(c.instance->self);
    c.at = phase::idle;
    if (status != GANTRY_OK) throw std::runtime_error(who + name + ": " + c.error);
  };
  run(phase::setup, c.instance->setup, "setup");
  migrate(c, options.migrations);
  run(phase::start, c.instance->start, "start");
  c.started = true;
  restore_timers();
  c.run_async();
  return *c.instance;
}

call_reply fake_host::request(std::string_view method, std::string_view target, std::string_view body,
                              header_list headers) {
  fake_core& c = *core_;
  const lock hold(c.mutex);
  for (auto& [name, value] : headers) {
    std::ranges::transform(name, name.begin(), [](unsigned char ch) { return static_cast<char>(std::tolower(ch)); });
  }
  const bool typed = std::ranges::any_of(headers, [](const auto& h) { return h.first == "content-type"; });
  if (!body.empty() && !typed) headers.emplace_back("content-type", "application/json");
  const std::size_t mark = std::min(target.find('?'), target.size());
  const std::string_view encoded = target.substr(0, mark);
  const std::string path = decoded(encoded, false);
  const pairs query = query_of(mark < target.size() ? target.substr(mark + 1) : std::string_view{});
  const std::vector<std::string> segments = segments_of(encoded);

  const route* best = nullptr;
  bool other_method = false;
  pairs params;
  for (const route& r : c.routes) {
    if (!fits(r, segments, params)) continue;
    if (r.method != method) {
      other_method = true;
    } else if (best == nullptr || more_literal(r, *best)) {
      best = &r;
    }
  }
  if (best == nullptr) {
    return other_method ? problem_reply(405, "method-not-allowed", "Method not allowed", std::string(method))
                        : problem_reply(404, "not-found", "Not found", "no route for " + path);
  }
  fits(*best, segments, params);
  const auto param_fields = fields_of(params);
  const auto query_fields = fields_of(query);
  const auto header_fields = fields_of(headers);
  const std::string correlation = c.next_id();
  gantry_request raw{};
  raw.struct_size = sizeof raw;
  raw.method = str(method);
  raw.path = str(path);
  raw.body = str(body);
  raw.params = param_fields.data();
  raw.param_count = param_fields.size();
  raw.query = query_fields.data();
  raw.query_count = query_fields.size();
  raw.headers = header_fields.data();
  raw.header_count = header_fields.size();
  raw.correlation_id = str(correlation);
  raw.deadline_us = c.clock.now().us + 30'000'000;
  call_reply answer = c.serve(raw, *best);
  c.run_async();
  return answer;
}

outcome fake_host::deliver(std::string_view topic, std::string_view type, std::string_view key, const json& body) {
  std::vector<keyed_data> one;
  one.push_back({std::string(key), body});
  return deliver_batch(topic, type, one);
}

outcome fake_host::deliver_batch(std::string_view topic, std::string_view type, const std::vector<keyed_data>& events) {
  fake_core& c = *core_;
  const lock hold(c.mutex);
  const subscription& to = c.subscription_of(topic, type);
  const std::string what = "the handler of " + to.type;
  std::vector<std::unique_ptr<made_event>> made;
  std::vector<gantry_event> raw;
  for (const keyed_data& e : events) {
    made.push_back(std::make_unique<made_event>(c, to, e.key, e.data.text()));
    raw.push_back(made.back()->raw());
  }
  for (const subscription& s : c.subscriptions) {
    if (s.raw.observe == nullptr || s.topic != topic || s.type != type) continue;
    for (const gantry_event& e : raw) s.raw.observe(s.raw.user, &e);
  }
  gantry_status status = GANTRY_OK;
  if (to.raw.on_batch != nullptr) {
    status = c.in_tx(
        [&](gantry_tx* tx) {
          std::size_t failed = raw.size();
          return to.raw.on_batch(to.raw.user, raw.data(), raw.size(), tx, &failed);
        },
        nullptr, what);
  } else if (to.raw.on_event != nullptr) {
    for (const gantry_event& e : raw) {
      if (status != GANTRY_OK) break;
      status = c.in_tx([&](gantry_tx* tx) { return to.raw.on_event(to.raw.user, &e, tx); }, nullptr, what);
    }
  }
  c.run_async();
  return outcome_of(c, status);
}

void fake_host::break_observation() {
  const lock hold(core_->mutex);
  for (const subscription& s : core_->subscriptions) {
    if (s.raw.observe != nullptr) s.raw.observe(s.raw.user, nullptr);
  }
}

outcome fake_host::replay(std::string_view topic) {
  fake_core& c = *core_;
  const lock hold(c.mutex);
  const auto found = c.replays.find(std::string(topic));
  if (found == c.replays.end()) throw std::logic_error("no on_replay for " + std::string(topic));
  const auto [fn, user] = found->second;
  return outcome_of(c, c.in_tx([fn = fn, user = user](gantry_tx* tx) { return fn(user, tx); }, nullptr, "on_replay"));
}

const std::vector<emitted_event>& fake_host::emitted() const { return core_->emitted; }

std::vector<emitted_event> fake_host::take_emitted() { return std::exchange(core_->emitted, {}); }

std::size_t fake_host::run_jobs() {
  fake_core& c = *core_;
  const lock hold(c.mutex);
  std::size_t attempts = 0;
  while (true) {
    const auto next = std::ranges::min_element(c.jobs, {}, [](const scheduled_job& j) { return j.due; });
    if (next == c.jobs.end() || next->due > c.clock.now()) break;
    scheduled_job job = std::move(*next);
    c.jobs.erase(next);
    c.run_job(std::move(job));
    ++attempts;
    if (attempts == 100'000) throw std::logic_error("jobs schedule each other without end");
  }
  c.run_async();
  return attempts;
}

std::size_t fake_host::pending_jobs() const { return core_->jobs.size(); }

manual_clock& fake_host::clock() { return core_->clock; }

std::size_t fake_host::advance(std::chrono::microseconds by) {
  fake_core& c = *core_;
  const lock hold(c.mutex);
  const instant until = c.clock.now() + by;
  std::size_t fired = 0;
  while (true) {
    const auto next = std::ranges::min_element(c.timers, {}, [](const auto& t) { return t.second; });
    if (next == c.timers.end() || next->second > until) break;
    const auto [kind, key] = next->first;
    c.clock.set(std::max(c.clock.now(), next->second));
    c.timers.erase(next);
    const gantry_timer_kind& of_kind = c.timer_kinds.at(kind);
    const gantry_status status =
        c.in_tx([&, &name = key](gantry_tx* tx) { return of_kind.fire(of_kind.user, str(name), tx); }, nullptr,
                "the timer " + kind);
    if (status != GANTRY_OK) throw std::runtime_error("timer " + kind + "(" + key + "): " + c.error);
    ++fired;
    if (fired == 100'000) throw std::logic_error("timers arm each other without end");
  }
  c.clock.set(until);
  c.run_async();
  return fired;
}

std::optional<instant> fake_host::timer(std::string_view kind, std::string_view key) const {
  const auto found = core_->timers.find({std::string(kind), std::string(key)});
  return found == core_->timers.end() ? std::nullopt : std::optional(found->second);
}

void fake_host::restore_timers() {
  fake_core& c = *core_;
  const lock hold(c.mutex);
  c.timers.clear();
  c.restoring = true;
  for (const auto& [name, kind] : c.timer_kinds) {
    if (kind.restore == nullptr) continue;
    const gantry_status status = kind.restore(kind.user, db_of(&c));
    if (status != GANTRY_OK) throw std::runtime_error("restore of " + name + ": " + c.error);
  }
  c.restoring = false;
}

void fake_host::on_call(std::string_view plugin, call_stub stub) {
  const lock hold(core_->mutex);
  core_->stubs.insert_or_assign(std::string(plugin), std::move(stub));
}

std::vector<fake_host::row_texts> fake_host::query(std::string_view sql) const {
  const lock hold(core_->mutex);
  return core_->db.texts(sql);
}

void fake_host::exec(std::string_view sql) {
  const lock hold(core_->mutex);
  core_->db.script(sql);
}

std::optional<std::string> fake_host::describe_saga(std::string_view name, std::string_view key) {
  fake_core& c = *core_;
  const lock hold(c.mutex);
  const auto found = c.sagas.find(std::string(name));
  if (found == c.sagas.end()) throw std::logic_error("no saga " + std::string(name));
  std::string text;
  const auto take = [](void* sink, gantry_str piece) { *static_cast<std::string*>(sink) = view(piece); };
  const gantry_status status = found->second.describe(found->second.user, db_of(&c), str(key), take, &text);
  if (status == GANTRY_NOT_FOUND) return std::nullopt;
  if (status != GANTRY_OK) throw std::runtime_error("describe: " + c.error);
  return text;
}

gantry_status fake_host::health() {
  const gantry_instance* i = core_->instance;
  return i == nullptr || i->health == nullptr ? gantry_status{GANTRY_OK} : i->health(i->self);
}

std::string fake_host::error() const {
  const lock hold(core_->mutex);
  return core_->error;
}

const std::vector<log_line>& fake_host::log() const { return core_->lines; }

double fake_host::metric(std::string_view name) const {
  const lock hold(core_->mutex);
  double sum = 0;
  for (const auto& [id, s] : core_->metrics) {
    if (id.starts_with(std::string(name) + "{")) sum += s->value;
  }
  return sum;
}

}  // namespace gantry::testing
