#include "gantry/sequence.hpp"

#include <gtest/gtest.h>

#include <cstdint>

namespace gantry {
namespace {

// A store that knows one sequence, and whose connection may be lost.
struct server {
  std::int64_t last = 0;
  std::int64_t left = 0;  // rows of the query that runs
  std::uint64_t connection = 1;
  int queries = 0;
  int at_once = 3;
};

template <typename Handle>
server& behind(Handle* of) {
  return *reinterpret_cast<server*>(of);
}

gantry_status query(gantry_db* on, gantry_str, const gantry_value*, std::size_t, gantry_cursor** out) {
  ++behind(on).queries;
  behind(on).left = behind(on).at_once;
  *out = reinterpret_cast<gantry_cursor*>(on);
  return GANTRY_OK;
}
gantry_status next(gantry_cursor* rows) {
  if (behind(rows).left == 0) return GANTRY_DONE;
  --behind(rows).left;
  ++behind(rows).last;
  return GANTRY_OK;
}
gantry_status column(gantry_cursor* rows, std::size_t, gantry_value* out) {
  *out = {};
  out->type = GANTRY_INT;
  out->as.i = behind(rows).last;
  return GANTRY_OK;
}

class SequenceTest : public ::testing::Test {
 protected:
  // The host has this one table.
  SequenceTest() : runtime(empty(host)) {}
  static const gantry_host* empty(gantry_host& in) {
    in.capability = [](const gantry_host*, const char*) -> const void* { return nullptr; };
    return &in;
  }
  void SetUp() override {
    table.struct_size = sizeof table;
    table.of = [](gantry_tx* t) { return reinterpret_cast<gantry_db*>(t); };
    table.query = query;
    table.next = next;
    table.column = column;
    table.close = [](gantry_cursor*) {};
    table.connection = [](gantry_db* on) { return behind(on).connection; };
    runtime.store = &table;
  }

  std::int64_t take() {
    tx t(runtime, reinterpret_cast<gantry_tx*>(&there));
    return numbers.next(t);
  }

  server there;
  gantry_store_1 table{};
  gantry_host host{};
  detail::runtime runtime;
  sequence numbers{"'numbers'", 3};
};

TEST_F(SequenceTest, AsksOnceForMany) {
  for (std::int64_t expected = 1; expected <= 6; ++expected) EXPECT_EQ(take(), expected);
  EXPECT_EQ(there.queries, 2);
  EXPECT_EQ(take(), 7);
  EXPECT_EQ(there.queries, 3);
}

// The server has died, and gives again what nobody has committed.
TEST_F(SequenceTest, ForgetsWhatAnotherConnectionHasGiven) {
  EXPECT_EQ(take(), 1);
  there.connection = 2;
  there.last = 0;
  EXPECT_EQ(take(), 1);
  EXPECT_EQ(there.queries, 2);
  EXPECT_EQ(take(), 2);
}

}  // namespace
}  // namespace gantry
