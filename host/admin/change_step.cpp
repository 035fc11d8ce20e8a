// One step of a change, forward or back.
#include <algorithm>
#include <exception>
#include <fstream>
#include <iterator>
#include <optional>
#include <thread>

#include "admin/changes.hpp"
#include "http/problem.hpp"
#include "lifecycle/generation_pointer.hpp"
#include "lifecycle/loading.hpp"
#include "loader/file_image.hpp"
#include "observability/log.hpp"
#include "plan/applied.hpp"

namespace gantry::admin {
namespace {

using plan::step_kind;

constexpr std::chrono::milliseconds look_every{20};
// For a swap that somebody makes by hand meanwhile.
constexpr std::chrono::seconds busy_at_most{60};

result<std::string> digest_of_file(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(in), {});
  if (!in || in.bad()) return error{errc::io, file + " can't be read, and a restart would go by it"};
  return plan::digest_of_text(text);
}

bool runs_on(const topology::topology& model, const std::string& plugin, const std::string& host) {
  const auto at = model.plugins.find(plugin);
  return at != model.plugins.end() && std::ranges::any_of(at->second.hosts, [&](const auto& h) { return *h == host; });
}

std::string first_error(const std::vector<topology::problem>& problems) {
  const auto at = std::ranges::find(problems, topology::severity::error, &topology::problem::level);
  return at == problems.end() ? std::string() : topology::to_text(*at);
}

}  // namespace

// Nothing that a step meets may end the process.
changes::outcome changes::perform(const task& what) {
  try {
    return do_step(what);
  } catch (const std::exception& e) {
    return {std::string("it ended with an exception: ") + e.what()};
  }
}

changes::outcome changes::do_step(const task& what) {
  const auto ended = [](const result<void>& done) { return outcome{done ? std::string() : done.failure().text}; };
  if (!what.adopt && what.kind == step_kind::restart) {
    // It may be meant for another system's host.
    if (!what.text.empty())
      if (const auto proposed = propose(what); !proposed.whole) return {proposed.error};
    parts_.restart();
    return {};
  }
  if (!what.adopt && apart_.contains(what.subject) && what.kind != step_kind::open_topic) return do_step_apart(what);
  const auto proposed = propose(what);
  if (!proposed.whole) return {proposed.error};
  if (what.adopt) {
    const auto done = adopt(what, proposed);
    return {done ? std::string() : done.failure().text, {}, false, !done && done.failure().code == errc::unavailable};
  }
  const bool of_plugin = what.kind == step_kind::swap || what.kind == step_kind::configure ||
                         what.kind == step_kind::adjust || what.kind == step_kind::add;
  if (of_plugin && !proposed.here->plugins.contains(what.subject)) return {what.subject + " is not in the topology"};
  const auto by = keeping_events(*proposed.here, what.kind == step_kind::open_topic ? what.subject : std::string());
  switch (what.kind) {
    case step_kind::open_topic:
      return ended(plugins_.open_topics(*by));
    case step_kind::swap:
    case step_kind::configure:
      return swap(what, by);
    case step_kind::adjust:
      return ended(plugins_.adjust(what.subject, by));
    case step_kind::remove:
      // One that had failed, and was started again, is of this host all the same.
      if (what.back && runs_on(*proposed.whole, what.subject, parts_.home)) return {};
      return remove(what);
    case step_kind::add:
      return add(what, by);
    case step_kind::restart:
    case step_kind::note:
    case step_kind::impossible:
      break;
  }
  return {};
}

// What is taken back is what was: its secrets are not read again.
changes::proposal changes::propose(const task& what) const {
  proposal out;
  if (what.back) {
    const std::lock_guard lock(mutex_);
    out.whole = what.text == now_.text ? now_.model : what.text == former_.text ? former_.model : nullptr;
  }
  if (!out.whole) {
    auto read = topology::parse_topology(what.text, what.file, topology::process_env);
    out.error = first_error(read.problems);
    if (!out.error.empty()) return out;
    // Whoever comes to an address that another program had may mean that one.
    if (const auto ours = name_of_system(); *read.model.name != ours) {
      out.error = "this is host " + parts_.home + " of " + ours + ", and the topology is that of " + *read.model.name;
      return out;
    }
    out.whole = std::make_shared<const topology::topology>(std::move(read.model));
  }
  out.here = parts_.as_process ? std::make_shared<const topology::topology>(parts_.as_process(*out.whole)) : out.whole;
  return out;
}

// Events that a topic is to keep no more do not come back: all topics but one keep them as long as one of both
// topologies says.
lifecycle::shared_topology changes::keeping_events(const topology::topology& next, const std::string& but) const {
  auto out = std::make_shared<topology::topology>(next);
  const std::lock_guard lock(mutex_);
  for (auto& [name, topic] : out->topics) {
    const auto now = now_.model->topics.find(name);
    if (name == but || now == now_.model->topics.end()) continue;
    topic.retention.value = std::max(*topic.retention, *now->second.retention);
    const auto bytes = *now->second.max_bytes;
    topic.max_bytes.value = *topic.max_bytes == 0 || bytes == 0 ? 0 : std::max(*topic.max_bytes, bytes);
  }
  return out;
}

bool changes::runs(const std::string& plugin) const {
  const auto files = plugins_.files();
  return std::ranges::any_of(files, [&](const auto& file) { return file.id == plugin && file.error.empty(); });
}

// What the same plan has put another file in the place of. Empty: it has not.
std::filesystem::path changes::former_copy(const task& what) const {
  const auto pointer = lifecycle::read_pointer(*plugins_.model()->state, what.subject, parts_.home);
  if (!pointer)
    observability::log_warn("Which generation a plugin starts with can't be read.",
                            {{"plugin", what.subject}, {"error", pointer.failure().text}});
  if (!pointer || !*pointer || (*pointer)->former_run != what.run) return {};
  return (*pointer)->former_copy;
}

// Whether the same plan has brought the file that runs: it was asked again because nobody heard that it had.
bool changes::has_swapped(const task& what) const {
  if (what.digest.empty() || what.run.empty()) return false;
  const auto files = plugins_.files();
  const auto at = std::ranges::find(files, what.subject, &lifecycle::plugin_file::id);
  return at != files.end() && at->error.empty() && at->digest == what.digest && !former_copy(what).empty();
}

changes::outcome changes::remove(const task& what) {
  const auto files = plugins_.files();
  const auto at = std::ranges::find(files, what.subject, &lifecycle::plugin_file::id);
  if (at == files.end() && what.back) return {};
  const auto model = plugins_.model();
  // First, so that the way back is known whatever happens then.
  if (!what.back && at != files.end() && at->error.empty()) {
    auto pointer = lifecycle::read_pointer(*model->state, what.subject, parts_.home);
    if (!pointer) return {pointer.failure().text};
    lifecycle::generation_pointer next{at->generation, at->copy, at->digest, at->digest, false};
    if (*pointer && (*pointer)->digest == at->digest) next = **pointer;
    next.former_copy = at->copy;
    next.former_digest = at->digest;
    next.former_run = what.run;
    if (auto done = lifecycle::write_pointer(*model->state, what.subject, parts_.home, next); !done)
      return {done.failure().text};
  }
  const auto settings = model->plugins.find(what.subject);
  const auto drain = settings == model->plugins.end() ? std::chrono::microseconds(std::chrono::seconds(30))
                                                      : *settings->second.swap.drain;
  const auto at_most = std::chrono::duration_cast<std::chrono::milliseconds>(drain);
  // What takes a step back ends whole, also while the host stops.
  static const std::atomic<bool> never{false};
  if (auto done = plugins_.remove(what.subject, at_most, what.back ? never : given_up_); !done)
    return {done.failure().text};
  return {};
}

// What comes back is what was here, whatever the library has become.
changes::outcome changes::add(const task& what, const lifecycle::shared_topology& by) {
  if (what.back && runs(what.subject)) return {};
  const auto file = what.back ? former_copy(what) : std::filesystem::path();
  if (!what.digest.empty() && !what.back) {
    const auto library = lifecycle::library_of(*by, what.subject);
    if (!library) return {library.failure().text};
    const auto image = loader::read_image(*library);
    if (!image) return {image.failure().text};
    if (const auto found = loader::digest_of(*image); found != what.digest)
      return {library->string() + ": found SHA-256 " + found + ", expected " + what.digest +
              ": the file has changed since that was planned"};
  }
  if (auto done = plugins_.add(what.subject, by, file); !done) return {done.failure().text};
  return {};
}

changes::outcome changes::swap(const task& what, const lifecycle::shared_topology& by) {
  if (!what.back && has_swapped(what)) return {};
  lifecycle::swap_request request;
  request.plugin = what.subject;
  request.by = by;
  request.force = what.force || what.back;
  request.back = what.back;
  request.probation = what.back ? std::chrono::microseconds(0) : what.probation;
  request.reconfigure = what.kind == step_kind::configure;
  request.run = what.run;
  if (what.back) {
    const auto former = former_copy(what);
    if (former.empty()) return {};  // the swap did not go through: what was there before is there
    if (!request.reconfigure) request.file = former;
  } else if (!request.reconfigure) {
    request.digest = what.digest;
  }
  if (auto done = plugins_.open_topics(*by); !done) return {done.failure().text};
  const auto until = std::chrono::steady_clock::now() + busy_at_most;
  lifecycle::swap_receipt receipt;
  do {
    if (receipt.busy) std::this_thread::sleep_for(look_every);
    receipt = plugins_.swap(
        request, [](const lifecycle::swap_step&) {}, given_up_);
  } while (receipt.busy && !given_up_ && std::chrono::steady_clock::now() < until);
  outcome out;
  out.receipt = lifecycle::to_json(receipt);
  if (receipt.outcome != lifecycle::swap_outcome::swapped) out.error = error_of(receipt);
  out.stuck = receipt.outcome == lifecycle::swap_outcome::stuck;
  return out;
}

std::string changes::error_of(const lifecycle::swap_receipt& receipt) {
  std::string out(lifecycle::to_string(receipt.outcome));
  for (const auto& why : receipt.reasons) out += ": " + why;
  return out;
}

// What is in the state directory decides what a restart comes up with, so it goes first.
result<void> changes::adopt(const task& what, const proposal& proposed) {
  // What goes back has its topics.
  if (!what.back)
    if (auto done = plugins_.open_topics(*keeping_events(*proposed.here, {})); !done) return done;
  if (parts_.place)
    if (auto done = parts_.place(*proposed.here); !done) return done;
  if (parts_.keeps)
    if (auto done = note(what, *proposed.here); !done) return done;
  if (auto done = tell_apart(what); !done) return done;
  plugins_.adopt(proposed.here);
  const std::lock_guard lock(mutex_);
  if (what.text != now_.text) former_ = now_;
  now_ = {what.text, proposed.whole};
  return {};
}

result<void> changes::note(const task& what, const topology::topology& by) const {
  const auto present = plan::read_applied(*by.state, parts_.home);
  std::string digest;
  if (what.file != parts_.file) {
    auto read = digest_of_file(parts_.file);
    if (!read) return read.failure();
    digest = std::move(*read);
  }
  auto next = what.back ? plan::former_applied(present, parts_.file, digest, what.file, what.text)
                        : plan::next_applied(present, parts_.file, digest, what.file, what.text);
  // A file that says what was applied, and is taken back just now, is no edit: what ran before counts until the next
  // one.
  if (what.back && present && present->former_digest == plan::digest_of_text(what.text))
    if (const auto now = digest_of_file(parts_.file); now && *now == plan::digest_of_text(present->text))
      next.file_digest = *now;
  return plan::write_applied(*by.state, parts_.home, next);
}

}  // namespace gantry::admin
