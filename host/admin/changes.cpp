#include "admin/changes.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <optional>

#include "admin/event_json.hpp"
#include "base/text.hpp"
#include "http/problem.hpp"
#include "lifecycle/generation_pointer.hpp"
#include "lifecycle/loading.hpp"
#include "loader/discover.hpp"
#include "loader/file_image.hpp"
#include "observability/log.hpp"
#include "plan/applied.hpp"
#include "plan/apply.hpp"
#include "topology/validate.hpp"

namespace gantry::admin {
namespace {

using plan::step_kind;

constexpr std::chrono::milliseconds removal_at_most{30'000};

std::optional<step_kind> kind_of(std::string_view name) {
  for (const auto kind : {step_kind::open_topic, step_kind::swap, step_kind::configure, step_kind::adjust,
                          step_kind::remove, step_kind::add, step_kind::restart})
    if (name == plan::name_of(kind)) return kind;
  return std::nullopt;
}

// What a host would take of a plugin's file concerns it only where it is to run it.
bool concerns(const topology::problem& p, const topology::topology& model, const std::string& host) {
  for (const auto& [id, plugin] : model.plugins) {
    if (p.plugin != id && !p.subject.starts_with("plugins." + id + ".library")) continue;
    return std::any_of(plugin.hosts.begin(), plugin.hosts.end(), [&](const auto& h) { return *h == host; });
  }
  return true;
}

std::string digest_of_file(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return plan::digest_of_text(std::string(std::istreambuf_iterator<char>(in), {}));
}

}  // namespace

changes::changes(lifecycle::plugin_set& plugins, change_parts parts)
    : plugins_(plugins), parts_(std::move(parts)), text_(parts_.text) {}

void changes::end() {
  std::thread last;
  {
    const std::lock_guard lock(mutex_);
    given_up_ = true;
    last.swap(thread_);
  }
  if (last.joinable()) last.join();
}

bool changes::take() {
  const std::lock_guard lock(mutex_);
  if (busy_ || given_up_ || parts_.text.empty()) return false;
  busy_ = true;
  return true;
}

void changes::give_back() {
  const std::lock_guard lock(mutex_);
  busy_ = false;
}

changes::proposal changes::propose(const std::string& text, const std::string& file) const {
  proposal out{topology::parse_topology(text, file, topology::process_env), nullptr};
  if (!topology::has_errors(out.read.problems))
    out.here = std::make_shared<const topology::topology>(parts_.as_process(out.read.model));
  return out;
}

std::map<std::string, plan::running_plugin> changes::running() const {
  std::map<std::string, plan::running_plugin> out;
  const auto model = plugins_.model();
  for (auto& file : plugins_.files()) {
    auto& one = out[file.id];
    one = {file.version, file.generation, file.digest, file.digest, std::move(file.promised), std::move(file.error)};
    // What somebody has put in the library's place stays there until the library is another one.
    const auto pointer = lifecycle::read_pointer(*model->state, file.id, parts_.home);
    if (pointer && *pointer && (*pointer)->preferred && (*pointer)->digest == one.digest)
      one.library_digest = (*pointer)->library_digest;
  }
  return out;
}

plan::host_answer changes::answer(const std::string& text, const std::string& file) const {
  plan::host_answer out;
  out.host = parts_.home;
  std::string present;
  {
    const std::lock_guard lock(mutex_);
    present = text_;
  }
  out.applied = plan::digest_of_text(present);
  const auto now = topology::parse_topology(present, parts_.file, topology::process_env);
  auto next = topology::parse_topology(text, file, topology::process_env);
  auto found = loader::discover(next.model);
  out.problems = std::move(next.problems);
  const auto take = [&](std::vector<topology::problem> more) {
    for (auto& p : more)
      if (concerns(p, next.model, parts_.home)) out.problems.push_back(std::move(p));
  };
  take(std::move(found.problems));
  take(topology::validate(next.model, found.manifests));
  if (topology::has_errors(out.problems)) return out;
  plan::host_view view;
  view.host = parts_.home;
  view.now = &now.model;
  view.next = &next.model;
  view.running = running();
  view.apart = parts_.apart;
  for (auto& [id, promised] : found.manifests) {
    const auto library = lifecycle::library_of(next.model, id);
    const auto image = library ? loader::read_image(*library) : result<loader::file_image>(library.failure());
    if (image) view.libraries[id] = {loader::digest_of(*image), std::move(promised)};
  }
  out.steps = plan::steps_of(view);
  return out;
}

http::reply changes::topology() const {
  const std::lock_guard lock(mutex_);
  std::string out = "{";
  append_member(out, "host", parts_.home);
  append_member(out, "file", parts_.file);
  append_member(out, "applied", plan::digest_of_text(text_));
  append_member(out, "process", static_cast<std::uint64_t>(getpid()));
  append_member(out, "text", text_);
  return json_reply(out + "}");
}

http::reply changes::plan(const question& what) {
  if (parts_.text.empty()) return http::problem(503, "this host was not started from a topology file");
  return json_reply(plan::to_json(answer(what.body, std::string(what.asked("file")))));
}

http::reply changes::begin(const question& what) {
  if (parts_.text.empty()) return http::problem(503, "this host was not started from a topology file");
  task next;
  next.adopt = what.names[0] == "adopt";
  const auto kind = kind_of(what.names[0]);
  if (!kind && !next.adopt) return http::problem(404, "no such step: " + what.names[0]);
  if (kind) next.kind = *kind;
  next.subject = what.names[1];
  next.text = what.body;
  next.file = what.asked("file");
  next.force = what.asked("force") == "1";
  next.back = what.asked("back") == "1";
  if (const auto text = what.asked("probation_ms"); !text.empty()) {
    std::uint32_t ms = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), ms);
    if (code != std::errc{} || end != text.data() + text.size())
      return http::problem(400, "probation_ms=" + std::string(text) + ": expected milliseconds");
    next.probation = std::chrono::milliseconds(ms);
  }
  if (next.kind == step_kind::restart && !parts_.restart)
    return http::problem(409, "not-watched", "Nobody would start the host again",
                         "end the host and start it with the new topology");
  const std::lock_guard lock(mutex_);
  if (given_up_) return http::problem(503, "the host is stopping");
  if (busy_) return http::problem(409, "step-under-way", "A step is under way", "this host is being changed just now");
  if (thread_.joinable()) thread_.join();  // it has ended
  busy_ = true;
  current_ = next;
  last_ = {};
  thread_ = std::thread([this, next] {
    auto end = perform(next);
    const std::lock_guard done(mutex_);
    last_ = std::move(end);
    busy_ = false;
  });
  return json_reply(R"({"running":true})");
}

http::reply changes::progress() const {
  const std::lock_guard lock(mutex_);
  std::string out = busy_ ? R"({"running":true,)" : R"({"running":false,)";
  std::string members;
  append_member(members, "kind", current_.adopt ? "adopt" : plan::name_of(current_.kind));
  out += members;
  append_member(out, "subject", current_.subject);
  append_member(out, "error", last_.error);
  return json_reply(out + ",\"receipt\":" + (last_.receipt.empty() ? "null" : last_.receipt) + "}");
}

changes::outcome changes::perform(const task& what) {
  const auto proposed = propose(what.text, what.file);
  if (!proposed.here) return {topology::to_text(proposed.read.problems.front()), {}};
  const auto& by = proposed.here;
  const auto ended = [](const result<void>& done) { return outcome{done ? std::string() : done.failure().text, {}}; };
  if (what.adopt) return ended(adopt(what.text, what.file));
  switch (what.kind) {
    case step_kind::open_topic:
      return ended(plugins_.open_topics(*by));
    case step_kind::swap:
    case step_kind::configure:
      return swap(what, by);
    case step_kind::adjust:
      return ended(plugins_.adjust(what.subject, by));
    case step_kind::remove:
      return remove(what);
    case step_kind::add:
      return add(what, by);
    case step_kind::restart:
      parts_.restart();
      return {};
    case step_kind::note:
    case step_kind::impossible:
      break;
  }
  return {};
}

// The copy that the plugin runs from; empty: it does not.
std::filesystem::path changes::file_of(const std::string& plugin) const {
  for (const auto& file : plugins_.files())
    if (file.id == plugin && file.error.empty()) return file.copy;
  return {};
}

changes::outcome changes::remove(const task& what) {
  const auto present = file_of(what.subject);
  if (auto done = plugins_.remove(what.subject, removal_at_most, given_up_); !done) return {done.failure().text, {}};
  former_[what.subject] = present;
  return {};
}

// What comes back is what was here, whatever the library has become.
changes::outcome changes::add(const task& what, const lifecycle::shared_topology& by) {
  const auto former = former_.find(what.subject);
  const auto file = what.back && former != former_.end() ? former->second : std::filesystem::path();
  if (auto done = plugins_.add(what.subject, by, file); !done) return {done.failure().text, {}};
  return {};
}

changes::outcome changes::swap(const task& what, const lifecycle::shared_topology& by) {
  lifecycle::swap_request request;
  request.plugin = what.subject;
  request.by = by;
  request.force = what.force || what.back;
  request.back = what.back;
  request.probation = what.back ? std::chrono::microseconds(0) : what.probation;
  request.reconfigure = what.kind == step_kind::configure;
  if (auto done = plugins_.open_topics(*by); !done) return {done.failure().text, {}};
  if (what.back && !request.reconfigure) {
    const auto former = former_.find(what.subject);
    if (former == former_.end()) return {"what " + what.subject + " was swapped for is not known any more", {}};
    request.file = former->second;
  }
  const auto present = file_of(what.subject);
  const auto receipt = plugins_.swap(
      request, [](const lifecycle::swap_step&) {}, given_up_);
  outcome out;
  out.receipt = lifecycle::to_json(receipt);
  if (receipt.outcome == lifecycle::swap_outcome::swapped) {
    former_[what.subject] = present;
    return out;
  }
  out.error = std::string(lifecycle::to_string(receipt.outcome));
  for (const auto& why : receipt.reasons) out.error += ": " + why;
  return out;
}

// What is in the state directory decides what a restart comes up with, so it goes first.
result<void> changes::adopt(const std::string& text, const std::string& file) {
  auto proposed = propose(text, file);
  if (!proposed.here) return error{errc::invalid, topology::to_text(proposed.read.problems.front())};
  const auto& by = proposed.here;
  if (auto done = plugins_.open_topics(*by); !done) return done;
  if (auto done = parts_.place(*by); !done) return done;
  if (auto done = plan::write_applied(*by->state, parts_.home, {parts_.file, digest_of_file(parts_.file), text}); !done)
    return done;
  plugins_.adopt(by);
  const std::lock_guard lock(mutex_);
  text_ = text;
  return {};
}

result<void> changes::bring_to(const std::string& text, const std::string& file,
                               const std::function<void(const std::string&)>& tell) {
  if (!take()) return error{errc::unavailable, "another change of this host is under way, or it stops"};
  struct release {
    changes& of;
    ~release() { of.give_back(); }
  } const at_end{*this};
  auto said = answer(text, file);
  auto made = plan::make_plan({}, text, {said}, {}, false);
  for (const auto& s : made.steps) {
    const bool between_hosts =
        s.first || (s.kind == step_kind::add && !s.why.empty() && s.why[0].starts_with("it leaves"));
    if (between_hosts) return error{errc::invalid, s.title + " concerns other hosts as well: use `gantry apply`"};
    if (s.kind == step_kind::restart && !parts_.restart)
      return error{errc::unavailable, "the host has to be started anew: end it and start it with the new topology"};
  }
  if (plan::verdict_of(made) == plan::verdict::refused) return error{errc::invalid, plan::to_text(made)};
  std::string former;
  {
    const std::lock_guard lock(mutex_);
    former = text_;
  }
  plan::hands by;
  by.tell = tell;
  by.adopt = [&](bool back) { return adopt(back ? former : text, file); };
  by.perform = [&](const plan::step& s, bool back) -> result<void> {
    task what;
    what.kind = !back                         ? s.kind
                : s.kind == step_kind::add    ? step_kind::remove
                : s.kind == step_kind::remove ? step_kind::add
                                              : s.kind;
    what.subject = s.subject;
    what.text = back ? former : text;
    what.file = file;
    what.back = back;
    const auto ended = perform(what);
    if (!ended.error.empty()) return error{errc::internal, ended.error};
    return {};
  };
  return plan::carry_out(made.steps, by);
}

result<std::string> changes::renew(const std::string& plugin, std::chrono::milliseconds probation) {
  if (!take()) return error{errc::unavailable, "another change of this host is under way, or it stops"};
  struct release {
    changes& of;
    ~release() { of.give_back(); }
  } const at_end{*this};
  for (const auto& row : plugins_.rows())
    if (row.swapping) return error{errc::unavailable, "another change of " + row.id + " is under way"};
  const auto by = plugins_.model();
  const auto files = plugins_.files();
  const auto now = std::find_if(files.begin(), files.end(), [&](const auto& f) { return f.id == plugin; });
  if (now == files.end()) return std::string();
  const auto library = lifecycle::library_of(*by, plugin);
  if (!library) return library.failure();
  const auto image = loader::read_image(*library);
  if (!image) return image.failure();
  if (!now->error.empty()) {
    if (auto done = plugins_.add(plugin, by); !done) return done.failure();
    return plugin + " was started";
  }
  // What somebody has put in the library's place stays until the library is another one.
  const auto digest = loader::digest_of(*image);
  if (digest == now->digest || digest == running().at(plugin).library_digest) return std::string();
  lifecycle::swap_request request;
  request.plugin = plugin;
  request.force = true;
  request.probation = probation;
  const auto receipt = plugins_.swap(
      request, [](const lifecycle::swap_step&) {}, given_up_);
  if (receipt.outcome == lifecycle::swap_outcome::swapped)
    return plugin + " " + receipt.to_version + " is generation " + std::to_string(receipt.to_generation);
  std::string why(lifecycle::to_string(receipt.outcome));
  for (const auto& reason : receipt.reasons) why += ": " + reason;
  return error{errc::invalid, why};
}

}  // namespace gantry::admin
