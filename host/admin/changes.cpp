#include "admin/changes.hpp"

#include <unistd.h>

#include <algorithm>
#include <optional>

#include "admin/event_json.hpp"
#include "admin/free_address.hpp"
#include "base/new_thread.hpp"
#include "base/text.hpp"
#include "http/problem.hpp"
#include "lifecycle/generation_pointer.hpp"
#include "lifecycle/loading.hpp"
#include "loader/discover.hpp"
#include "loader/file_image.hpp"
#include "observability/log.hpp"
#include "plan/applied.hpp"
#include "plan/process_answers.hpp"
#include "topology/address.hpp"
#include "topology/validate.hpp"

namespace gantry::admin {
namespace {

using plan::step_kind;

constexpr std::chrono::milliseconds what_runs_at_most{3'000};  // for processes of plugins to say what runs in them
constexpr std::size_t remembered = 32;                         // steps, for those who ask how they have ended

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

}  // namespace

changes::changes(lifecycle::plugin_set& plugins, change_parts parts)
    : plugins_(plugins), parts_(std::move(parts)), now_{parts_.text, parts_.model} {
  if (parts_.others == nullptr) return;
  for (auto& plugin : parts_.others->plugins()) apart_.insert(std::move(plugin));
}

void changes::end() {
  std::thread last;
  {
    std::unique_lock lock(mutex_);
    given_up_ = true;
    idle_.wait(lock, [this] { return !busy_; });
    last.swap(thread_);
  }
  if (last.joinable()) last.join();
}

result<void> changes::try_acquire() {
  const auto rows = plugins_.rows();
  const std::lock_guard lock(mutex_);
  if (parts_.text.empty()) return error{errc::unavailable, "this host was not started from a topology file"};
  if (given_up_) return error{errc::unavailable, "the host is stopping"};
  if (busy_) return error{errc::conflict, "another change of this host is under way"};
  for (const auto& row : rows)
    if (row.swapping) return error{errc::conflict, "another change of " + row.id + " is under way"};
  busy_ = true;
  return {};
}

void changes::release() {
  const std::lock_guard lock(mutex_);
  busy_ = false;
  idle_.notify_all();
}

std::map<std::string, plan::running_plugin> changes::running() const {
  auto out = running_here();
  if (parts_.others == nullptr) return out;
  for (const auto& one : ask_all(*parts_.others, "/admin/running", what_runs_at_most)) {
    if (!one.good()) continue;
    if (auto theirs = plan::read_running(one.reply->body)) out.merge(std::move(*theirs));
  }
  return out;
}

std::map<std::string, plan::running_plugin> changes::running_here() const {
  std::map<std::string, plan::running_plugin> out;
  const auto model = plugins_.model();
  for (auto& file : plugins_.files()) {
    auto& one = out[file.id];
    one = {file.version,          file.generation,         file.digest, file.digest, std::move(file.promised),
           std::move(file.error), std::move(file.settings)};
    // What somebody has put in the library's place stays there until the library is another one.
    const auto pointer = lifecycle::read_pointer(*model->state, file.id, parts_.home);
    if (!pointer)
      observability::log_warn("Which generation a plugin starts with can't be read.",
                              {{"plugin", file.id}, {"error", pointer.failure().text}});
    if (pointer && *pointer && (*pointer)->preferred && (*pointer)->digest == one.digest)
      one.library_digest = (*pointer)->library_digest;
  }
  return out;
}

plan::host_answer changes::answer(const std::string& text, const std::string& file) const {
  plan::host_answer out;
  out.host = parts_.home;
  known_text now;
  {
    const std::lock_guard lock(mutex_);
    now = now_;
  }
  out.applied = plan::digest_of_text(now.text);
  auto next = topology::parse_topology(text, file, topology::process_env);
  auto found = loader::discover(next.model);
  out.problems = std::move(next.problems);
  const auto take = [&](std::vector<topology::problem> more) {
    for (auto& p : more)
      if (concerns(p, next.model, parts_.home)) out.problems.push_back(std::move(p));
  };
  take(std::move(found.problems));
  take(topology::validate(next.model, found.manifests));
  take(addresses_in_use(next.model, *now.model));
  if (topology::has_errors(out.problems)) return out;
  plan::host_view view;
  view.host = parts_.home;
  view.now = now.model.get();
  view.next = &next.model;
  view.started = parts_.model.get();
  view.running = running();
  view.apart = apart_;
  view.can_restart = static_cast<bool>(parts_.restart);
  for (auto& [id, promised] : found.manifests) {
    const auto library = lifecycle::library_of(next.model, id);
    const auto image = library ? loader::read_image(*library) : result<loader::file_image>(library.failure());
    if (image) view.libraries[id] = {loader::digest_of(*image), std::move(promised)};
  }
  out.steps = plan::steps_of(view);
  return out;
}

// Where this host is to listen from its restart on, and somebody else does: it would not come back. What it listens on
// itself is free by then.
std::vector<topology::problem> changes::addresses_in_use(const topology::topology& next,
                                                         const topology::topology& now) const {
  std::vector<topology::problem> out;
  const auto here = next.hosts.find(parts_.home);
  const auto present = now.hosts.find(parts_.home);
  if (here == next.hosts.end() || present == now.hosts.end()) return out;
  const auto is_ours = [&](const std::string& address) {
    const auto at = topology::parse_address(address);
    for (const auto* own : {&*present->second.http, &*present->second.admin.address})
      if (const auto known = topology::parse_address(*own); at && known && topology::collide(*at, *known)) return true;
    return false;
  };
  const auto look_at = [&](const topology::setting<std::string>& address, const std::string& key) {
    if (is_ours(*address) || !is_taken(*address)) return;
    out.push_back(topology::make_problem(next.file, address.at, topology::severity::error,
                                         "hosts." + parts_.home + "." + key,
                                         *address + ", where another program listens", "an address that is free", {}));
  };
  look_at(here->second.http, "http");
  if (here->second.admin.address.given) look_at(here->second.admin.address, "admin");
  return out;
}

std::string changes::name_of_system() const {
  const std::lock_guard lock(mutex_);
  return *now_.model->name;
}

http::reply changes::files() const { return json_reply(plan::to_json(running())); }

http::reply changes::topology() const {
  const std::lock_guard lock(mutex_);
  std::string out = "{";
  append_member(out, "host", parts_.home);
  append_member(out, "system", *now_.model->name);
  append_member(out, "file", parts_.file);
  append_member(out, "applied", plan::digest_of_text(now_.text));
  append_member(out, "process", static_cast<std::uint64_t>(getpid()));
  append_member(out, "text", now_.text);
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
  next.run = what.asked("run");
  next.digest = what.asked("digest");
  next.force = what.asked("force") == "1";
  next.back = what.asked("back") == "1";
  const auto probation = what.asked_ms("probation_ms");
  if (!probation) return http::problem(400, probation.failure().text);
  if (*probation) next.probation = **probation;
  if (next.kind == step_kind::restart && !parts_.restart)
    return http::problem(409, "not-watched", "Nobody would start the host again",
                         "end the host and start it with the new topology");
  if (next.back && next.run.empty()) return http::problem(400, "back=1 takes back a step of run=");
  const std::string wanted(what.asked("applied"));
  std::unique_lock lock(mutex_);
  if (given_up_) return http::problem(503, "the host is stopping");
  if (busy_) return http::problem(409, "step-under-way", "A step is under way", "this host is being changed just now");
  if (const auto present = plan::digest_of_text(now_.text); !wanted.empty() && wanted != present)
    return http::problem(409, "other-topology", "The host runs another topology",
                         "it runs " + present.substr(0, 16) + ", not " + wanted.substr(0, 16) +
                             ": somebody has applied another one since that was planned");
  if (thread_.joinable()) thread_.join();  // it has ended
  const auto id = std::to_string(getpid()) + "-" + std::to_string(++count_);
  auto made = new_thread([this, next, id] {
    auto end = perform(next);
    const std::lock_guard done(mutex_);
    for (auto& one : records_)
      if (one.id == id) {
        one.end = std::move(end);
        one.running = false;
      }
    busy_ = false;
    idle_.notify_all();
  });
  if (!made) return http::problem(503, made.failure().text);
  thread_ = std::move(*made);
  // Nobody sees it before: who looks, and the thread at its end, waits for this lock.
  busy_ = true;
  records_.push_back({id, next.adopt ? "adopt" : std::string(plan::name_of(next.kind)), next.subject, true, {}});
  if (records_.size() > remembered) records_.pop_front();
  // The host's own process asks those of its plugins so, and waits for it.
  if (next.adopt && !parts_.keeps) {
    idle_.wait(lock, [this] { return !busy_; });
    for (const auto& one : records_)
      if (one.id == id && !one.end.error.empty()) return http::problem(500, one.end.error);
  }
  std::string out = "{";
  append_member(out, "id", id);
  return json_reply(out + ",\"running\":true}");
}

http::reply changes::progress(const question& what) const {
  const auto id = what.asked("id");
  const std::lock_guard lock(mutex_);
  const auto at =
      std::find_if(records_.rbegin(), records_.rend(), [&](const auto& r) { return id.empty() || r.id == id; });
  if (at == records_.rend())
    return http::problem(404, "no such step is known here, perhaps since the host has started anew");
  return json_reply(plan::to_json(
      {at->id, at->running, at->end.stuck, at->end.unknown, at->kind, at->subject, at->end.error, at->end.receipt}));
}

}  // namespace gantry::admin
