#include "cli/planning.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/uri.hpp"
#include "cli/answers.hpp"
#include "loader/discover.hpp"
#include "plan/applied.hpp"
#include "supervisor/post_mortem.hpp"

namespace gantry::cli {
namespace {

std::optional<std::string> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in || std::filesystem::is_directory(path)) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(in), {});
}

// Where a host may answer, the likeliest first: where it is by what it runs, then where the new topology has it.
using candidates = std::map<std::string, std::vector<remote_host>>;

candidates find_candidates(const topology::topology& next, const std::string& token) {
  candidates out;
  for (const auto& name : plan::applied_hosts(*next.state)) {
    const auto applied = plan::read_applied(*next.state, name);
    if (!applied) continue;
    const auto now = topology::parse_topology(applied->text, applied->file, topology::process_env);
    const auto found = now.model.hosts.find(name);
    if (found != now.model.hosts.end()) out[name].push_back(host_of(name, found->second, token));
  }
  for (const auto& [name, settings] : next.hosts) {
    auto at = host_of(name, settings, token);
    auto& known = out[name];
    if (std::none_of(known.begin(), known.end(), [&](const auto& k) { return k.address == at.address; }))
      known.push_back(std::move(at));
  }
  return out;
}

bool said_nothing(const error& why) { return why.code == errc::unavailable || why.code == errc::timeout; }

}  // namespace

bool may_still_run(const std::filesystem::path& state, const std::string& host) {
  const int box = ::open(supervisor::box_path(state, host).c_str(), O_RDONLY | O_CLOEXEC);
  if (box < 0) return true;
  const bool held = ::flock(box, LOCK_SH | LOCK_NB) != 0;
  ::close(box);
  return held;
}

result<std::string> ask_host(const remote_host& host, const std::string& method, const std::string& target,
                             const std::string& body, std::chrono::milliseconds at_most) {
  http_question what;
  what.timeout = at_most;
  what.address = host.address;
  what.method = method;
  what.target = target;
  what.token = host.token;
  what.tls = host.tls;
  what.body = body;
  auto answer = ask(what);
  if (!answer) return answer.failure();
  if (answer->status == 200) return std::move(answer->body);
  return error{answer->status == 409 ? errc::conflict : errc::invalid,
               host.address + " answered " + std::to_string(answer->status) + ": " + problem_text(answer->body)};
}

std::optional<planning> ask_hosts(const plan_arguments& with) {
  planning out;
  const auto text = read_file(with.topology);
  if (!text) {
    std::fprintf(stderr, "gantry: %s can't be read\n", with.topology.c_str());
    return std::nullopt;
  }
  out.text = *text;
  out.file = std::filesystem::absolute(with.topology).lexically_normal().string();
  const auto next = topology::parse_topology(out.text, out.file, topology::process_env);
  std::vector<plan::host_answer> answers;
  std::vector<std::string> silent;
  std::vector<std::string> leavers;  // that do not answer
  for (const auto& [name, places] : find_candidates(next.model, with.token)) {
    bool answered = false;
    for (const auto& at : places) {
      const auto topology = ask_host(at, "GET", "/admin/topology");
      if (!topology && said_nothing(topology.failure())) continue;
      if (!topology) {
        std::fprintf(stderr, "gantry: %s\n", topology.failure().text.c_str());
        return std::nullopt;
      }
      // Another host may be at an address that this one had once.
      if (read_text(*topology, "host") != name) continue;
      const auto body = ask_host(at, "POST", "/admin/plan?file=" + percent_encode(out.file), out.text);
      auto answer = body ? plan::read_answer(*body) : result<plan::host_answer>(body.failure());
      if (!answer) {
        std::fprintf(stderr, "gantry: %s\n", answer.failure().text.c_str());
        return std::nullopt;
      }
      answers.push_back(std::move(*answer));
      auto text_of_host = read_text(*topology, "text");
      auto runs = plan::digest_of_text(text_of_host);
      out.hosts[name] = {at,
                         next.model.hosts.contains(name) ? places.back() : at,
                         at,
                         std::move(text_of_host),
                         std::move(runs),
                         0,
                         read_text(*topology, "system")};
      answered = true;
      break;
    }
    if (answered) continue;
    if (next.model.hosts.contains(name)) {
      silent.push_back(name);
    } else if (may_still_run(*next.model.state, name)) {
      leavers.push_back(name);
    }
  }
  if (answers.empty()) {
    auto checked = loader::validate_file(with.topology);
    for (const auto& p : checked.problems) std::fprintf(stderr, "%s\n", topology::to_text(p).c_str());
    std::fprintf(stderr, "gantry: no host of %s answers: `gantry run -t %s` starts them\n", next.model.name->c_str(),
                 with.topology.c_str());
    return std::nullopt;
  }
  for (const auto& name : leavers) {
    const auto applied = plan::read_applied(*next.model.state, name);
    answers.push_back(plan::silent_leaver(name, applied ? plan::digest_of_text(applied->text) : std::string(),
                                          plan::applied_note(*next.model.state, name).string()));
  }
  out.made = plan::make_plan(*next.model.name, out.text, std::move(answers), std::move(silent), with.force);
  return out;
}

}  // namespace gantry::cli
