#include "call/remote/attempt.hpp"

#include <algorithm>
#include <array>

#include "call/remote/reply_reader.hpp"

namespace gantry::call {
namespace {

using ending = attempt::ending;

constexpr std::size_t join_below = 16 * 1024;  // a larger body is sent from where it is

attempt without_reply(ending how, gantry_status status, std::string text) {
  return {how, {status, std::move(text), {}}};
}

attempt late(const char* doing) {
  return without_reply(ending::final, GANTRY_TIMEOUT, std::string("the deadline passed while ") + doing);
}

attempt not_connected(const error& why, const deadline& by) {
  switch (why.code) {
    case errc::timeout:
      return without_reply(ending::final, GANTRY_TIMEOUT, "the deadline passed while connecting: " + why.text);
    case errc::conflict:
      return without_reply(ending::crowded, by.passed() ? GANTRY_TIMEOUT : GANTRY_UNAVAILABLE, why.text);
    case errc::unavailable:
      return without_reply(ending::unreached, GANTRY_UNAVAILABLE, why.text);
    case errc::invalid:
    case errc::not_found:
    case errc::unsupported:
    case errc::too_large:
    case errc::corrupt:
    case errc::out_of_range:
    case errc::io:
    case errc::internal:
      break;
  }
  return without_reply(ending::crowded, GANTRY_UNAVAILABLE, why.text);
}

// The connection ended before the first byte of an answer.
attempt no_answer(connection_pool::lease& on, bool repeatable, const std::string& why) {
  if (on->refused()) return without_reply(ending::unreached, GANTRY_UNAVAILABLE, why);
  const std::string text =
      "the connection ended before the answer, so it is not known whether the request was carried out: " + why;
  if (!repeatable) return without_reply(ending::final, GANTRY_FAILED, text);
  return without_reply(on.reused() ? ending::stale : ending::lost, GANTRY_FAILED, text);
}

attempt unreadable(const error& why) {
  return without_reply(ending::final, why.code == errc::too_large ? GANTRY_TOO_LARGE : GANTRY_FAILED, why.text);
}

// A host that starts says so by this header: it has seen the request and done nothing.
bool is_starting(const remote_reply& reply) {
  return reply.status == 503 && std::any_of(reply.headers.begin(), reply.headers.end(),
                                            [](const auto& h) { return h.first == "gantry-starting"; });
}

attempt answered(connection_pool::lease& on, reply_reader& reader) {
  attempt done{ending::answered, {GANTRY_OK, {}, reader.take()}};
  if (on->whole() && reader.keeps_connection()) on.keep();
  if (is_starting(done.outcome.reply)) return without_reply(ending::unreached, GANTRY_UNAVAILABLE, "it is starting");
  return done;
}

attempt receive(const call_in_progress& call, connection_pool::lease& on) {
  reply_reader reader(call.head.head_only(), {call.options.max_body, call.options.max_headers});
  std::array<char, 16 * 1024> buffer;
  auto state = reply_reader::state::more;
  while (state == reply_reader::state::more) {
    std::size_t got = 0;
    switch (on->receive(buffer.data(), buffer.size(), got, call.by)) {
      case io::ok:
        state = reader.feed({buffer.data(), got});
        break;
      case io::timed_out:
        return late(reader.begun() ? "the answer arrived" : "waiting for the answer");
      case io::ended:
        if (!reader.begun()) return no_answer(on, call.head.repeatable(), "it was closed");
        state = reader.end();
        break;
      case io::blocked:
      case io::broken:
        if (!reader.begun()) return no_answer(on, call.head.repeatable(), on->reason());
        return without_reply(ending::final, GANTRY_FAILED, "the answer was cut short: " + on->reason());
    }
  }
  return state == reply_reader::state::complete ? answered(on, reader) : unreadable(reader.failure());
}

io send(const call_in_progress& call, channel& over, const remote_host& to) {
  auto text = call.head.text(to.address, call.by.left_us(), to.inner_key);
  const auto body = call.request.body;
  over.begin();
  if (body.size() < join_below) return over.send(text.append(body), call.by);
  const auto end = over.send(text, call.by);
  return end == io::ok ? over.send(body, call.by) : end;
}

}  // namespace

attempt try_once(const call_in_progress& call, replica& to, bool fresh) {
  auto taken = to.pool->take(call.by, fresh);
  if (!taken) return not_connected(taken.failure(), call.by);
  auto& on = *taken;
  const auto end = send(call, *on, to.host);
  if (end == io::timed_out) return late("sending the request");
  if (end == io::broken && !on->touched())
    return without_reply(on.reused() ? ending::stale : ending::unreached, GANTRY_UNAVAILABLE, on->reason());
  // Also when sending broke off: the other side may have said why before it closed.
  return receive(call, on);
}

}  // namespace gantry::call
