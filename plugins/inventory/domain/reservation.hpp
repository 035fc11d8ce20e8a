// What a command does to a reservation, by the state the reservation is in.
// Pure. Thread: any.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace inventory {

// Stored as a number; the values never change their meaning.
enum class reservation_state : std::int64_t {
  held = 1,       // stock is reserved
  committed = 2,  // stock has left
  released = 3,   // given back by command
  expired = 4,    // given back because its time was over
  rejected = 5,   // refused: stock was short
  cancelled = 6,  // released before it was known: a tombstone that refuses a late ReserveInventory
};

enum class command { reserve, release, commit };

enum class step {
  hold,                  // new: try to reserve
  answer_reserved,       // done before: say so again
  answer_rejected,       // refused before, or gone: say so
  give_back_hold,        // held: reserved goes down
  put_back_goods,        // committed: on hand goes up again
  leave_tombstone,       // unknown: remember the release, answer success
  answer_released,       // nothing is held: say so again
  take_goods,            // held: on hand and reserved go down
  answer_committed,      // done before: say so again
  answer_commit_failed,  // there is no hold to take from
};

// `state` is empty when the order is unknown.
step decide(std::optional<reservation_state> state, command asked);

// Why a command finds no hold, as the reason in InventoryRejected and InventoryCommitFailed.
std::string_view reason_of(std::optional<reservation_state> state);

}  // namespace inventory
