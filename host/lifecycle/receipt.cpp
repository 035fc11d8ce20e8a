#include "lifecycle/receipt.hpp"

#include <fstream>
#include <iterator>

#include "base/replace_file.hpp"
#include "base/text.hpp"

namespace gantry::lifecycle {
namespace {

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
    case swap_outcome::swapped:
      return "swapped";
    case swap_outcome::refused:
      return "refused";
    case swap_outcome::flipped_back:
      return "flipped back";
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

result<void> keep_receipt(const std::filesystem::path& state, const swap_receipt& receipt) {
  const auto text = to_json(receipt) + "\n";
  const auto folder = folder_of(state);
  if (auto done = replace_file(
          folder / (receipt.plugin + "." + receipt.host + "-" + std::to_string(receipt.begun_us) + ".json"), text);
      !done)
    return done;
  return replace_file(folder / (receipt.plugin + "." + receipt.host + ".json"), text);
}

result<std::string> last_receipt(const std::filesystem::path& state, const std::string& plugin,
                                 const std::string& host) {
  std::ifstream in(folder_of(state) / (plugin + "." + host + ".json"));
  if (!in) return error{errc::not_found, "no swap of " + plugin + " has been made here"};
  return std::string(std::istreambuf_iterator<char>(in), {});
}

}  // namespace gantry::lifecycle
