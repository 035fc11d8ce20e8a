// A client's consumer on the owner's bus, and what is read ahead for it: from where the client last fetched, records
// are sent as they come, as far as its window goes.
// Owned by a server_connection. Thread: the connection's, but for what the bus calls.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "bus/bus.hpp"
#include "bus/socket/server_notices.hpp"

namespace gantry::bus::socket {

class served_consumer final : public consumer_events {
 public:
  struct wish {  // of a client's fetch
    std::uint32_t generation = 0;
    std::uint64_t from = 0;
    std::size_t max_records = 0;
    std::size_t max_bytes = 0;
  };

  served_consumer(std::uint32_t id, std::uint64_t window, server_notices& notices)
      : id_(id), window_(window), notices_(notices) {}
  ~served_consumer() override { consumer_.reset(); }

  result<void> open(bus& on, std::string_view group, std::span<const topic_id> topics);
  consumer& on_bus() { return *consumer_; }
  std::uint32_t id() const noexcept { return id_; }

  // A generation that is new begins again at its `from`; a known one goes on where it is.
  void wants(partition_id where, const wish& what);
  // The client has used so many bytes of what was sent.
  void taken(partition_id where, std::uint32_t generation, std::uint64_t bytes);
  void changed(partition_id where, bool assigned);
  // Whether records that come are sent without being asked for.
  bool flows(partition_id where) const;

  // Adds a frame with what there is of one partition, up to one fetch. An error ends the flow: the client is told when
  // it fetches.
  result<void> send_records(partition_id where, std::string& out);
  // Whether something was sent up to here, there is more, and the window takes it.
  bool may_go_on(partition_id where) const;

  void assigned(partition_id where) override { notices_.changed({id_, where, true}); }
  void revoked(partition_id where) override { notices_.changed({id_, where, false}); }
  void available(partition_id where) override { notices_.available({id_, where}); }

 private:
  struct flow {
    wish asked;
    std::uint64_t next = 0;
    std::int64_t window = 0;  // negative: a fetch was larger than what was left of it
    bool ours = false;
    bool flows = false;
    bool more = false;
  };
  const std::uint32_t id_;
  const std::uint64_t window_;
  server_notices& notices_;
  std::map<partition_id, flow> flows_;
  fetched fetched_;
  std::unique_ptr<consumer> consumer_;
};

}  // namespace gantry::bus::socket
