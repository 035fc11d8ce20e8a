#include "lifecycle/receipt.hpp"

#include <fstream>
#include <iterator>

#include "base/keep_newest.hpp"
#include "base/replace_file.hpp"
#include "base/text.hpp"
#include "observability/log.hpp"

namespace gantry::lifecycle {
namespace {

constexpr std::size_t kept_receipts = 100;  // of a plugin on a host

// Writes the members of one object.
class object {
 public:
  explicit object(std::string& out) : out_(out) { out_ += '{'; }
  ~object() { out_ += '}'; }
  object(const object&) = delete;
  object& operator=(const object&) = delete;

  std::string& member(std::string_view name) {
    if (!first_) out_ += ',';
    first_ = false;
    append_json_string(out_, name);
    out_ += ':';
    return out_;
  }
  void add(std::string_view name, std::string_view text) { append_json_string(member(name), text); }
  void add(std::string_view name, std::uint64_t number) { member(name) += std::to_string(number); }
  void add(std::string_view name, std::int64_t number) { member(name) += std::to_string(number); }
  void add(std::string_view name, const std::vector<std::string>& texts) {
    auto& out = member(name);
    out += '[';
    for (std::size_t i = 0; i < texts.size(); ++i) {
      if (i != 0) out += ',';
      append_json_string(out, texts[i]);
    }
    out += ']';
  }

 private:
  std::string& out_;
  bool first_ = true;
};

std::filesystem::path folder_of(const std::filesystem::path& state) {
  return std::filesystem::absolute(state).lexically_normal() / "receipts";
}

}  // namespace

std::string_view to_string(swap_outcome outcome) noexcept {
  switch (outcome) {
    case swap_outcome::begun:
      return "begun";
    case swap_outcome::swapped:
      return "swapped";
    case swap_outcome::refused:
      return "refused";
    case swap_outcome::flipped_back:
      return "flipped back";
    case swap_outcome::stuck:
      return "stuck";
    case swap_outcome::interrupted:
      return "interrupted";
  }
  return "unknown";
}

std::string to_json(const swap_receipt& r) {
  std::string out;
  {
    object all(out);
    all.add("plugin", r.plugin);
    all.add("host", r.host);
    all.add("outcome", to_string(r.outcome));
    all.add("reasons", r.reasons);
    all.add("overruled", r.overruled);
    {
      object from(all.member("from"));
      from.add("version", r.from_version);
      from.add("generation", r.from_generation);
      from.add("digest", r.from_digest);
    }
    {
      object to(all.member("to"));
      to.add("version", r.to_version);
      to.add("generation", r.to_generation);
      to.add("digest", r.to_digest);
    }
    all.add("begunUs", r.begun_us);
    auto& steps = all.member("steps");
    steps += '[';
    for (std::size_t i = 0; i < r.steps.size(); ++i) {
      if (i != 0) steps += ',';
      object step(steps);
      step.add("name", r.steps[i].name);
      step.add("us", r.steps[i].us);
    }
    steps += ']';
    all.add("lanePauseUs", r.lane_pause_us);
    all.add("routePauseUs", r.route_pause_us);
    all.add("heldRequests", r.held_requests);
    {
      object work(all.member("work"));
      work.add("requests", r.work.requests);
      work.add("requestErrors", r.work.request_errors);
      work.add("events", r.work.events);
      work.add("eventsDuplicate", r.work.events_duplicate);
      work.add("eventErrors", r.work.event_errors);
      work.add("eventsParked", r.work.events_parked);
      work.add("jobs", r.work.jobs);
      work.add("jobErrors", r.work.job_errors);
    }
    all.add("stateBytes", r.state_bytes);
    all.add("stateFormat", std::uint64_t{r.state_format});
    all.add("resident", r.resident);
  }
  return out;
}

result<void> keep_receipt(const std::filesystem::path& state, const swap_receipt& receipt, bool last) {
  const auto text = to_json(receipt) + "\n";
  const auto folder = folder_of(state);
  const auto name = receipt.plugin + "." + receipt.host;
  if (auto done = replace_file(folder / (name + "-" + std::to_string(receipt.begun_us) + ".json"), text); !done)
    return done;
  keep_newest(folder, name + "-", ".json", kept_receipts);
  return last ? replace_file(folder / (name + ".json"), text) : result<void>();
}

// Written by to_json(), so these words stand there as they are looked for.
void settle_receipt(const std::filesystem::path& state, const std::string& plugin, const std::string& host) {
  auto text = last_receipt(state, plugin, host);
  if (!text) return;
  constexpr std::string_view begun = R"("outcome":"begun","reasons":[])", time = R"("begunUs":)";
  const auto at = text->find(begun);
  const auto when = text->find(time);
  if (at == std::string::npos || when == std::string::npos) return;
  const auto digits = text->substr(when + time.size(), text->find(',', when) - when - time.size());
  text->replace(at, begun.size(),
                R"("outcome":"interrupted","reasons":["the process ended before the swap did; it came up with the )"
                R"(generation that its pointer names"])");
  const auto folder = folder_of(state);
  const auto name = plugin + "." + host;
  for (const auto& file : {name + "-" + digits + ".json", name + ".json"})
    if (auto done = replace_file(folder / file, *text); !done)
      observability::log_warn("A swap's receipt could not be kept.",
                              {{"plugin", plugin}, {"error", done.failure().text}});
}

result<std::string> last_receipt(const std::filesystem::path& state, const std::string& plugin,
                                 const std::string& host) {
  std::ifstream in(folder_of(state) / (plugin + "." + host + ".json"));
  if (!in) return error{errc::not_found, "no swap of " + plugin + " has been made here"};
  return std::string(std::istreambuf_iterator<char>(in), {});
}

}  // namespace gantry::lifecycle
