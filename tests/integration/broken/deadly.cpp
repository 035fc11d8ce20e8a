// Ends the process that it runs in, or makes it useless, in the way that it is told: by a request's query, or by an order
// whose customer is called "deadly-<way>".
#include <csignal>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/syscall.h>
#include <vector>

#include "broken.h"

namespace {

struct throws_at_its_end {
  ~throws_at_its_end() noexcept(false) { throw std::runtime_error("thrown in a destructor"); }
};

void exhaust_memory() {
  constexpr std::size_t much = 16U << 20U;
  for (;;) {
    auto* const more = static_cast<char*>(malloc(much));
    memset(more, 1, much);  // without a look at what it was given, as such code is
  }
}

void wait_for_itself() {
  static std::timed_mutex one;
  one.lock();
  // A lock that its own thread holds never becomes free; the standard leaves open what happens, a mutex of POSIX waits.
  pthread_mutex_t other = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&other);
  pthread_mutex_lock(&other);
}

volatile std::uint64_t turns = 0;
// Not known to the compiler, who would have something to say.
volatile int* volatile nowhere = nullptr;

void die(std::string_view way) {
  if (way == "segfault") *nowhere = 1;
  if (way == "abort") abort();
  if (way == "memory") exhaust_memory();
  if (way == "loop")
    for (;;) turns = turns + 1;
  if (way == "deadlock") wait_for_itself();
  if (way == "exit") exit(0);
  if (way == "_exit") _exit(0);
  if (way == "exit-by-the-system") syscall(SYS_exit_group, 0);
  if (way == "kill") raise(SIGKILL);
  if (way == "closes")
    for (int i = 3; i < 1024; ++i) close(i);
  if (way == "closes-by-the-system")
    for (int i = 3; i < 1024; ++i) syscall(SYS_close, i);
  if (way == "destructor") {
    const throws_at_its_end one;
    throw std::logic_error("thrown before");
  }
  if (way == "overflow") {
    std::vector<char> much(1024);
    die(std::string(way));
    turns = turns + static_cast<std::uint64_t>(much.size());
  }
}

std::string_view between(std::string_view text, std::string_view from, char to) {
  const auto at = text.find(from);
  if (at == std::string_view::npos) return {};
  text.remove_prefix(at + from.size());
  return text.substr(0, text.find(to));
}

gantry_status die_of_request(void* user, const gantry_request* request, gantry_context* context) {
  for (size_t i = 0; i < request->query_count; ++i)
    if (std::string_view(request->query[i].name.ptr, request->query[i].name.len) == "how")
      die({request->query[i].value.ptr, request->query[i].value.len});
  return broken_say(static_cast<broken*>(user), context, broken_text("alive"));
}

gantry_status die_of_event(void*, const gantry_event* event, gantry_tx*) {
  die(between({event->data.ptr, event->data.len}, "\"deadly-", '"'));
  return GANTRY_OK;
}

}  // namespace

#define BROKEN_HANDLER die_of_request
#define BROKEN_SETUP return broken_subscribe(self, die_of_event);
#define BROKEN_PLUGIN
#include "broken.h"
