// The exception barrier: the one place where exceptions of a plugin end and become statuses of the ABI.
// Every function of the SDK that the host calls runs its C++ part inside guard().
#pragma once

#include <exception>
#include <string_view>

#include "gantry/detail/runtime.hpp"
#include "gantry/failure.hpp"

namespace gantry::detail {

// Runs body(), which answers with a status. A failure answers with its own status, any other exception with
// `otherwise`; the text of either goes to host->fail().
template <typename Body>
gantry_status guard(const runtime& rt, gantry_status otherwise, Body&& body) noexcept {
  const auto fail = [&rt](gantry_status status, std::string_view text) {
    return rt.host->fail(rt.host, status, str(text));
  };
  try {
    return body();
  } catch (const failure& e) {
    return fail(e.status() == GANTRY_OK ? GANTRY_FAILED : e.status(), e.what());
  } catch (const std::exception& e) {
    return fail(otherwise, e.what());
  } catch (...) {
    return fail(otherwise, "an exception that is no std::exception");
  }
}

// The same where the ABI has no room for a status: the exception is logged.
template <typename Body>
void guard_void(const runtime& rt, std::string_view where, Body&& body) noexcept {
  const gantry_status status = guard(rt, GANTRY_FAILED, [&] {
    body();
    return GANTRY_OK;
  });
  if (status == GANTRY_OK || rt.log == nullptr) return;
  const gantry_field fields[] = {{str("where"), str(where)}, {str("error"), rt.host->error(rt.host)}};
  rt.log->write(rt.host, GANTRY_LOG_ERROR, str("A handler threw an exception."), fields, 2);
}

// An outcome, or any handler that answers nothing and thereby ok, as a status.
inline gantry_status status_of(const runtime& rt, const outcome& result) {
  return result ? GANTRY_OK : rt.host->fail(rt.host, result.status(), str(result.text()));
}

}  // namespace gantry::detail
