#include "supervisor/quarantine.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "base/json_members.hpp"
#include "base/replace_file.hpp"
#include "blackbox/page.hpp"

namespace gantry::supervisor {
namespace {

namespace json = boost::json;

std::string text_of(const json::object& of, const char* name) { return std::string(of.at(name).as_string()); }

template <typename T = std::uint64_t>
T number_of(const json::object& of, const char* name) {
  return of.at(name).to_number<T>();
}

confined_plugin plugin_of(const json::object& o) {
  return {text_of(o, "plugin"), number_of(o, "generation"), text_of(o, "why"), number_of<std::int64_t>(o, "sinceUs")};
}

deadly_event event_of(const json::object& o) {
  return {
      text_of(o, "plugin"),   text_of(o, "topic"),    o.at("job").as_bool(), number_of<std::uint32_t>(o, "partition"),
      number_of(o, "offset"), number_of(o, "length"), text_of(o, "eventId"), number_of(o, "crashes"),
      text_of(o, "why")};
}

std::string to_json(const quarantine& q) {
  std::string out = "{\"plugins\":[";
  for (const auto& p : q.plugins) {
    out += out.ends_with('[') ? "\n{" : ",\n{";
    append_member(out, "plugin", p.plugin);
    append_member(out, "generation", p.generation);
    append_member(out, "why", p.why);
    append_member(out, "sinceUs", static_cast<std::uint64_t>(p.since_us));
    out += '}';
  }
  out += "],\n\"events\":[";
  for (const auto& e : q.events) {
    out += out.ends_with('[') ? "\n{" : ",\n{";
    append_member(out, "plugin", e.plugin);
    append_member(out, "topic", e.topic);
    append_member(out, "job", e.job);
    append_member(out, "partition", e.partition);
    append_member(out, "offset", e.offset);
    append_member(out, "length", e.length);
    append_member(out, "eventId", e.id);
    append_member(out, "crashes", e.crashes);
    append_member(out, "why", e.why);
    out += '}';
  }
  return out + "]}\n";
}

// Held while a process changes the file: the file itself is replaced, so another one stands for it.
class turn {
 public:
  explicit turn(std::filesystem::path path) {
    std::error_code code;
    std::filesystem::create_directories(path.parent_path(), code);
    path += ".lock";
    file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    while (file_ >= 0 && ::flock(file_, LOCK_EX) != 0 && errno == EINTR) {
    }
  }
  ~turn() {
    if (file_ >= 0) ::close(file_);
  }
  turn(const turn&) = delete;
  turn& operator=(const turn&) = delete;
  bool mine() const noexcept { return file_ >= 0; }

 private:
  int file_ = -1;
};

}  // namespace

const confined_plugin* quarantine::find(std::string_view plugin) const noexcept {
  const auto at = std::find_if(plugins.begin(), plugins.end(), [&](const auto& p) { return p.plugin == plugin; });
  return at == plugins.end() ? nullptr : &*at;
}

void quarantine::confine(confined_plugin which) {
  const auto at = std::find_if(plugins.begin(), plugins.end(), [&](const auto& p) { return p.plugin == which.plugin; });
  if (at == plugins.end()) {
    plugins.push_back(std::move(which));
  } else {
    *at = std::move(which);
  }
}

bool quarantine::release(std::string_view plugin) {
  const auto forgotten = std::erase_if(events, [&](const auto& e) { return e.plugin == plugin; });
  return std::erase_if(plugins, [&](const auto& p) { return p.plugin == plugin; }) + forgotten != 0;
}

std::uint64_t quarantine::count(deadly_event on) {
  // A single event is known by its id wherever it stands: one that was not yet synced when its process died comes again
  // at another offset. An id that fills its room may have been cut.
  const bool named = on.length == 1 && !on.id.empty() && on.id.size() < blackbox::id_bytes;
  for (auto& e : events) {
    if (e.plugin != on.plugin || e.topic != on.topic || e.job != on.job || e.partition != on.partition ||
        e.length != on.length || e.id != on.id || (e.offset != on.offset && !named))
      continue;
    e.offset = on.offset;
    e.why = std::move(on.why);
    return ++e.crashes;
  }
  on.crashes = 1;
  // Whose death nothing has followed for so long is not met again.
  if (events.size() >= most_events) events.erase(events.begin());
  events.push_back(std::move(on));
  return 1;
}

std::filesystem::path quarantine_path(const std::filesystem::path& state, std::string_view host) {
  return std::filesystem::absolute(state).lexically_normal() / "quarantine" / (std::string(host) + ".json");
}

result<quarantine> read_quarantine(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in && errno == ENOENT) return quarantine();
  if (!in) return error{errc::io, path.string() + ": " + std::strerror(errno)};
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  try {
    const auto document = json::parse(text);
    quarantine out;
    for (const auto& p : document.as_object().at("plugins").as_array()) out.plugins.push_back(plugin_of(p.as_object()));
    for (const auto& e : document.as_object().at("events").as_array()) out.events.push_back(event_of(e.as_object()));
    return out;
  } catch (const std::exception& why) {
    return error{errc::corrupt, path.string() + " is not a file of quarantined plugins (" + why.what() +
                                    "): remove it to run all plugins as the topology says"};
  }
}

result<void> change_quarantine(const std::filesystem::path& path, const std::function<bool(quarantine&)>& change) {
  const turn mine(path);
  if (!mine.mine()) return error{errc::io, path.string() + ".lock: " + std::strerror(errno)};
  auto known = read_quarantine(path);
  if (!known && known.failure().code == errc::io) return known.failure();
  auto now = known ? std::move(*known) : quarantine();
  if (!change(now)) return {};
  return replace_file(path, to_json(now));
}

quarantine quarantine_view::now() {
  const std::lock_guard lock(mutex_);
  std::error_code none;
  const auto changed = std::filesystem::last_write_time(path_, none);
  if (none) return {};
  if (changed != changed_) {
    auto read = read_quarantine(path_);
    if (!read && read.failure().code == errc::io) return known_;
    known_ = read ? std::move(*read) : quarantine();
    changed_ = changed;
  }
  return known_;
}

}  // namespace gantry::supervisor
