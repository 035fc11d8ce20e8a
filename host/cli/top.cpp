#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <thread>

#include "base/clock.hpp"
#include "cli/commands.hpp"
#include "cli/planning.hpp"
#include "cli/remote.hpp"
#include "cli/top_view.hpp"

namespace gantry::cli {
namespace {

constexpr std::chrono::milliseconds patience{2'000};  // with one host

volatile std::sig_atomic_t interrupted = 0;

void interrupt(int) { interrupted = 1; }

// The terminal while it shows one page that changes: keys come at once and are not shown. Restored when this goes.
class page {
 public:
  page() {
    tcgetattr(STDIN_FILENO, &before_);
    auto keys = before_;
    keys.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    tcsetattr(STDIN_FILENO, TCSANOW, &keys);
    put("\x1b[?1049h\x1b[?25l");
    struct sigaction ask {};
    ask.sa_handler = interrupt;
    for (const int one : {SIGINT, SIGTERM, SIGHUP}) sigaction(one, &ask, nullptr);
    struct sigaction noted {};
    noted.sa_handler = [](int) {};  // a wait ends, and the next page has the new size
    sigaction(SIGWINCH, &noted, nullptr);
  }
  ~page() {
    put("\x1b[?25h\x1b[?1049l");
    tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }
  page(const page&) = delete;
  page& operator=(const page&) = delete;

  static winsize size() {
    winsize out{};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &out) != 0 || out.ws_col == 0) return {24, 80, 0, 0};
    return out;
  }

  // As much of the text as the terminal has lines.
  static void show(const std::string& text) {
    const auto lines = static_cast<std::size_t>(size().ws_row);
    std::string out = "\x1b[H";
    std::size_t at = 0;
    for (std::size_t n = 0; n < lines && at < text.size(); ++n) {
      const auto end = std::min(text.find('\n', at), text.size());
      out.append(n == 0 ? "" : "\n").append(text, at, end - at).append("\x1b[K");
      at = end + 1;
    }
    put(out + "\x1b[J");
  }

  // True: somebody wants to leave.
  static bool wait(std::chrono::milliseconds at_most) {
    pollfd key{STDIN_FILENO, POLLIN, 0};
    if (poll(&key, 1, static_cast<int>(at_most.count())) > 0) {
      char c = 0;
      if (read(STDIN_FILENO, &c, 1) != 1 || c == 'q' || c == 'Q') return true;
    }
    return interrupted != 0;
  }

 private:
  static void put(const std::string& text) {
    std::size_t at = 0;
    while (at < text.size()) {
      const auto put = write(STDOUT_FILENO, text.data() + at, text.size() - at);
      if (put <= 0) return;
      at += static_cast<std::size_t>(put);
    }
  }

  termios before_{};
};

std::vector<host_sample> look(const remote_hosts& hosts) {
  std::vector<host_sample> out;
  for (const auto& host : hosts) {
    auto& one = out.emplace_back();
    one.host = host.name;
    one.address = host.address;
    const auto rows = ask_host(host, "GET", "/admin/plugins", {}, patience);
    const auto figures = rows ? ask_host(host, "GET", "/metrics", {}, patience) : rows;
    if (!figures) {
      one.why = figures.failure().text;
      continue;
    }
    auto read = read_plugins(*rows);
    if (!read) {
      one.why = read.failure().text;
      continue;
    }
    one.plugins = std::move(*read);
    one.answers = true;
    one.at_s = static_cast<double>(system_clock().steady_us()) / 1e6;
    read_exposition(*figures, one);
  }
  return out;
}

std::string head() {
  const auto now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  char text[64];
  std::strftime(text, sizeof text, "%H:%M:%S   q: quit\n", &local);
  return text;
}

}  // namespace

int top(const remote_arguments& remote, const top_arguments& with) {
  const auto hosts = find_hosts(remote);
  if (hosts.empty()) return 1;
  const std::chrono::milliseconds interval(with.interval_ms);
  auto before = look(hosts);
  const bool live = !with.once && !remote.json && isatty(STDOUT_FILENO) == 1 && isatty(STDIN_FILENO) == 1;
  if (live) {
    const page screen;
    for (auto now = before;; now = look(hosts)) {
      page::show(head() + to_text(view_of(before, now), page::size().ws_col));
      before = std::move(now);
      if (page::wait(interval)) return 0;
    }
  }
  std::this_thread::sleep_for(interval);
  const auto view = view_of(before, look(hosts));
  std::printf("%s%s", (remote.json ? to_json(view) : to_text(view, 0)).c_str(), remote.json ? "\n" : "");
  for (const auto& host : view.hosts)
    if (host.answers) return 0;
  return 1;
}

}  // namespace gantry::cli
