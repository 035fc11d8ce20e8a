#include "base/json_members.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace gantry {
namespace {

TEST(JsonMembersTest, EachKindIsWrittenAsItselfWithCommasBetween) {
  std::string out = "{";
  const char* const text = "a \"b\"";
  append_member(out, "text", text);
  append_member(out, "small", std::uint32_t{7});
  append_member(out, "large", std::numeric_limits<std::uint64_t>::max());
  append_member(out, "half", 0.5);
  append_member(out, "endless", std::numeric_limits<double>::infinity());
  append_member(out, "yes", true);
  EXPECT_EQ(out + "}",
            R"({"text":"a \"b\"","small":7,"large":18446744073709551615,"half":0.5,"endless":null,"yes":true})");
}

}  // namespace
}  // namespace gantry
