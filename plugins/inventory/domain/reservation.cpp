#include "domain/reservation.hpp"

namespace inventory {
namespace {

step on_reserve(std::optional<reservation_state> state) {
  if (!state) return step::hold;
  switch (*state) {
    case reservation_state::held:
    case reservation_state::committed:
      return step::answer_reserved;
    case reservation_state::released:
    case reservation_state::expired:
    case reservation_state::rejected:
    case reservation_state::cancelled:
      return step::answer_rejected;
  }
  return step::answer_rejected;
}

step on_release(std::optional<reservation_state> state) {
  if (!state) return step::leave_tombstone;
  switch (*state) {
    case reservation_state::held:
      return step::give_back_hold;
    case reservation_state::committed:
      return step::put_back_goods;
    case reservation_state::released:
    case reservation_state::expired:
    case reservation_state::rejected:
    case reservation_state::cancelled:
      return step::answer_released;
  }
  return step::answer_released;
}

step on_commit(std::optional<reservation_state> state) {
  if (!state) return step::answer_commit_failed;
  switch (*state) {
    case reservation_state::held:
      return step::take_goods;
    case reservation_state::committed:
      return step::answer_committed;
    case reservation_state::released:
    case reservation_state::expired:
    case reservation_state::rejected:
    case reservation_state::cancelled:
      return step::answer_commit_failed;
  }
  return step::answer_commit_failed;
}

}  // namespace

step decide(std::optional<reservation_state> state, command asked) {
  switch (asked) {
    case command::reserve:
      return on_reserve(state);
    case command::release:
      return on_release(state);
    case command::commit:
      return on_commit(state);
  }
  return step::answer_commit_failed;
}

std::string_view reason_of(std::optional<reservation_state> state) {
  if (!state) return "unknown order";
  switch (*state) {
    case reservation_state::held:
      return "held";
    case reservation_state::committed:
      return "committed";
    case reservation_state::released:
      return "released";
    case reservation_state::expired:
      return "expired";
    case reservation_state::rejected:
      return "insufficient stock";
    case reservation_state::cancelled:
      return "cancelled";
  }
  return "unknown order";
}

}  // namespace inventory
