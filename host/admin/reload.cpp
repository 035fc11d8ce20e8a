// Changes that nobody asks for over HTTP: by a signal, or because a file has changed.
#include <algorithm>
#include <exception>

#include "admin/changes.hpp"
#include "base/uuid.hpp"
#include "lifecycle/loading.hpp"
#include "loader/file_image.hpp"

namespace gantry::admin {

// Lets the next change begin.
class changes::busy_guard {
 public:
  explicit busy_guard(changes& of) : of_(of) {}
  ~busy_guard() { of_.release(); }
  busy_guard(const busy_guard&) = delete;
  busy_guard& operator=(const busy_guard&) = delete;

 private:
  changes& of_;
};

plan::carried_out changes::reload(const std::string& text, const std::string& file,
                                  const std::function<void(const std::string&)>& tell) {
  if (auto done = try_acquire(); !done) return {done.failure()};
  const busy_guard until_the_end(*this);
  try {
    return bring_to(text, file, tell);
  } catch (const std::exception& e) {
    return {error{errc::internal, std::string("it ended with an exception: ") + e.what()}, false};
  }
}

plan::carried_out changes::bring_to(const std::string& text, const std::string& file,
                                    const std::function<void(const std::string&)>& tell) {
  auto said = answer(text, file);
  const auto made = plan::make_plan({}, text, {std::move(said)}, {}, false);
  for (const auto& s : made.steps)
    if (s.between_hosts) return {error{errc::invalid, s.title + " concerns other hosts as well: use `gantry apply`"}};
  if (plan::verdict_of(made) == plan::verdict::refused) return {error{errc::invalid, plan::to_text(made)}};
  task common;
  common.file = file;
  common.run = new_uuid_string();
  std::string former;
  {
    const std::lock_guard lock(mutex_);
    former = now_.text;
  }
  const auto ended = [&](task what, bool back) -> result<void> {
    what.text = back ? former : text;
    what.back = back;
    const auto end = perform(what);
    if (end.error.empty()) return {};
    return error{end.stuck ? errc::corrupt : end.unknown ? errc::unavailable : errc::internal, end.error};
  };
  plan::executor by;
  by.tell = tell;
  by.adopt = [&](bool back) {
    auto what = common;
    what.adopt = true;
    return ended(what, back);
  };
  by.perform = [&](const plan::step& s, bool back) {
    auto what = common;
    what.kind = back ? plan::opposite(s.kind) : s.kind;
    what.subject = s.subject;
    what.digest = s.digest;
    return ended(what, back);
  };
  return plan::carry_out(made.steps, by);
}

result<std::string> changes::swap_if_rebuilt(const std::string& plugin, std::chrono::milliseconds probation) {
  if (auto done = try_acquire(); !done) return done.failure();
  const busy_guard until_the_end(*this);
  const auto by = plugins_.model();
  const auto files = plugins_.files();
  const auto now = std::ranges::find(files, plugin, &lifecycle::plugin_file::id);
  if (now == files.end()) return std::string();
  const auto library = lifecycle::library_of(*by, plugin);
  if (!library) return library.failure();
  const auto image = loader::read_image(*library);
  if (!image) return image.failure();
  if (!now->error.empty()) {
    if (auto done = plugins_.add(plugin, by); !done) return error{errc::invalid, done.failure().text};
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
  return error{receipt.busy ? errc::conflict : errc::invalid, error_of(receipt)};
}

}  // namespace gantry::admin
