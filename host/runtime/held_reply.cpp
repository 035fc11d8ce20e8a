#include "runtime/held_reply.hpp"

#include <memory>
#include <vector>

#include "runtime/text.hpp"

namespace gantry::runtime {
namespace {

struct held_reply {
  reply answer;
  std::vector<gantry_field> headers;
};

}  // namespace

void hand_over(reply&& answer, gantry_call_reply& out) {
  auto held = std::make_unique<held_reply>();
  held->answer = std::move(answer);
  for (const auto& [name, text] : held->answer.headers) held->headers.push_back({str(name), str(text)});
  out.status = held->answer.status;
  out.headers = held->headers.data();
  out.header_count = held->headers.size();
  out.body = str(held->answer.body);
  out.owner = held.release();
}

void take_back(gantry_call_reply& out) noexcept {
  delete static_cast<held_reply*>(out.owner);
  out = gantry_call_reply{};
}

}  // namespace gantry::runtime
