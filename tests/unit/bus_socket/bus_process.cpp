// A process of its own for the tests, which may be killed.
// Usage: socket_bus_process owner DIRECTORY              owns a journal, serves it at DIRECTORY/bus.sock; says 1
//        socket_bus_process relay DIRECTORY FIRST LAST   sends these numbers; says each acknowledged one
//        socket_bus_process member DIRECTORY GROUP       joins a group; says how many partitions it has, each time
// Ends when its input does.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "bus/local/local_bus.hpp"
#include "bus/socket/bus_server.hpp"
#include "bus/socket/socket_bus.hpp"
#include "sequences.hpp"

namespace {

using namespace gantry::bus;
constexpr std::uint32_t partitions = 3;

void say(std::uint64_t number) {
  const std::string line = std::to_string(number) + "\n";
  if (::write(STDOUT_FILENO, line.data(), line.size()) < 0) std::exit(1);
}

void wait_for_end() {
  char ignored = 0;
  while (::read(STDIN_FILENO, &ignored, 1) > 0) {
  }
}

int fail(const gantry::error& why) {
  std::fprintf(stderr, "%s\n", why.text.c_str());
  return 1;
}

int own(const std::filesystem::path& directory) {
  local_bus_options options;
  options.directory = directory / "journal";
  auto journal = open_local_bus(options);
  if (!journal) return fail(journal.failure());
  auto server = serve_bus(**journal, {.path = directory / "bus.sock"});
  if (!server) return fail(server.failure());
  say(1);
  wait_for_end();
  return 0;
}

class member_events final : public consumer_events {
 public:
  void assigned(partition_id) override { say(++owned_); }
  void revoked(partition_id) override { say(--owned_); }
  void available(partition_id) override {}

 private:
  std::uint64_t owned_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const std::string role = argv[1];
  const std::filesystem::path directory = argv[2];
  if (role == "owner") return own(directory);
  auto bus =
      open_socket_bus({.path = directory / "bus.sock", .member = role, .connect_wait = std::chrono::seconds{20}});
  if (!bus) return fail(bus.failure());
  auto topic = (*bus)->open_topic({.name = "numbers", .partitions = partitions});
  if (!topic) return fail(topic.failure());
  if (role == "relay") {
    gantry::bus::socket::testing::relay sending(**bus, *topic, partitions, "/child");
    sending.on_acknowledged = say;
    return sending.send(std::stoull(argv[3]), std::stoull(argv[4])) ? 0 : 1;
  }
  member_events heard;
  auto consumer = (*bus)->open_consumer(argv[3], {&*topic, 1}, heard);
  if (!consumer) return fail(consumer.failure());
  wait_for_end();
  return 0;
}
