// Ends clients of members whose destruction would abort the process, or never return, where they are.
#pragma once

#include <memory>

#include "bus/kafka/client.hpp"

namespace gantry::bus::kafka {

// Takes a member's client that can't be destroyed now. Nothing that it says reaches anybody any more, but its queue is
// read, so that it does not grow. `answered`: the group has given it partitions once, or none.
//   answered:       destroyed at once, on a thread of its own: one that was thrown out for good may never return
//   not answered:   kept until the process ends: librdkafka before 2.3 aborts the process when a client is destroyed
//                   between what its join and what its sync is answered (its issue 4312), and does not tell whether it
//                   is there
// Its functions, and what they hold, are not used after this returns. Thread: any, but nobody polls the client any
// more.
void end_later(handle client, std::unique_ptr<client_context> context, bool answered);

// Returns when every client that was given to it as answered is gone. For tests. [any]
void wait_for_ends();

}  // namespace gantry::bus::kafka
