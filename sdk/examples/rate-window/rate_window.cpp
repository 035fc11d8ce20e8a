#include "rate_window.hpp"

#include <charconv>

void rate_window::setup(gantry::setup& s) {
  s.post("/rate/{client}", &rate_window::count);
  s.get("/rate/{client}", &rate_window::look);
  s.get("/rates", &rate_window::total);
}

gantry::reply rate_window::count(const gantry::request& q, gantry::context& ctx) {
  const std::int64_t now_s = ctx.host().now().us / 1'000'000;
  const std::lock_guard lock(mutex_);
  auto& w = clients_[std::string(q.path("client"))];
  if (now_s - w.start_s >= window_s) w = {0, now_s};
  ++w.count;
  return gantry::ok(
      {{"client", q.path("client")}, {"count", static_cast<std::int64_t>(w.count)}, {"allowed", w.count <= most}});
}

gantry::reply rate_window::look(const gantry::request& q, gantry::context&) {
  const std::lock_guard lock(mutex_);
  const auto known = clients_.find(std::string(q.path("client")));
  if (known == clients_.end()) return gantry::not_found("no requests of this client");
  return gantry::ok({{"client", q.path("client")}, {"count", static_cast<std::int64_t>(known->second.count)}});
}

gantry::reply rate_window::total(const gantry::request&, gantry::context&) {
  const std::lock_guard lock(mutex_);
  return gantry::ok({{"clients", static_cast<std::int64_t>(clients_.size())}});
}

// Both numbers have at most 20 digits.
std::size_t rate_window::state_size() {
  const std::lock_guard lock(mutex_);
  std::size_t most_bytes = 0;
  for (const auto& [client, w] : clients_) most_bytes += client.size() + 43;
  return most_bytes;
}

std::string rate_window::export_state(std::uint32_t format) {
  if (format != 1) throw gantry::failure(GANTRY_UNSUPPORTED, "only format 1 is written");
  // Requests wait meanwhile: the memory is taken once.
  std::string out;
  out.reserve(state_size());
  const std::lock_guard lock(mutex_);
  for (const auto& [client, w] : clients_)
    out.append(std::to_string(w.count))
        .append(" ")
        .append(std::to_string(w.start_s))
        .append(" ")
        .append(client)
        .append("\n");
  return out;
}

void rate_window::import_state(std::uint32_t, std::string_view state) {
  std::unordered_map<std::string, window> taken;
  while (!state.empty()) {
    const auto line = state.substr(0, state.find('\n'));
    state.remove_prefix(std::min(state.size(), line.size() + 1));
    window w;
    const char* const end = line.data() + line.size();
    const auto count = std::from_chars(line.data(), end, w.count);
    if (count.ec != std::errc{} || count.ptr == end)
      throw gantry::failure(GANTRY_INVALID,
                            "a line of the state is \"" + std::string(line) + "\", expected count, start and client");
    const auto start = std::from_chars(count.ptr + 1, end, w.start_s);
    if (start.ec != std::errc{} || start.ptr == end)
      throw gantry::failure(GANTRY_INVALID,
                            "a line of the state is \"" + std::string(line) + "\", expected count, start and client");
    taken.emplace(std::string(start.ptr + 1, end), w);
  }
  const std::lock_guard lock(mutex_);
  clients_ = std::move(taken);
}
