// The journal's stories through the socket.
#include <filesystem>

#include "bus/socket/bus_server.hpp"
#include "bus/socket/socket_bus.hpp"
#include "bus_stories.hpp"
#include "scratch.hpp"

namespace gantry::bus::local::testing {
namespace {

class socket_front final : public bus_front {
 public:
  explicit socket_front(gantry::bus::bus& journal) {
    server_ = std::move(*serve_bus(journal, {.path = scratch_.path / "bus.sock"}));
    client_ = std::move(*open_socket_bus({.path = scratch_.path / "bus.sock", .member = "tester"}));
  }
  gantry::bus::bus& events() override { return *client_; }

 private:
  socket::testing::scratch scratch_;
  std::unique_ptr<bus_server> server_;
  std::unique_ptr<gantry::bus::bus> client_;
};

constexpr front_maker through_a_socket = [](gantry::bus::bus& journal) -> std::unique_ptr<bus_front> {
  return std::make_unique<socket_front>(journal);
};

INSTANTIATE_TEST_SUITE_P(Socket, BusStories, ::testing::Values(through_a_socket));
INSTANTIATE_TEST_SUITE_P(Socket, BusFailureStories, ::testing::Values(through_a_socket));
INSTANTIATE_TEST_SUITE_P(Socket, BusConcurrencyStories, ::testing::Values(through_a_socket));

}  // namespace
}  // namespace gantry::bus::local::testing
