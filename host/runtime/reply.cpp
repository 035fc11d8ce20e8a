#include "runtime/reply.hpp"

#include "base/text.hpp"

namespace gantry::runtime {

reply problem(int http_status, std::string_view slug, std::string_view title, std::string_view detail) {
  reply out;
  out.status = http_status;
  out.headers.emplace_back("content-type", "application/problem+json");
  append_problem(out.body, http_status, slug, title, detail);
  return out;
}

reply problem_for(gantry_status status, std::string_view detail) {
  switch (status) {
    case GANTRY_RETRY:
    case GANTRY_UNAVAILABLE: {
      auto out = problem(503, "unavailable", "Service Unavailable", detail);
      out.headers.emplace_back("retry-after", "1");
      return out;
    }
    case GANTRY_NOT_FOUND: return problem(404, "not-found", "Not Found", detail);
    case GANTRY_INVALID: return problem(400, "bad-request", "Bad Request", detail);
    case GANTRY_CONFLICT: return problem(409, "conflict", "Conflict", detail);
    case GANTRY_REJECT: return problem(422, "unprocessable", "Unprocessable Content", detail);
    case GANTRY_REFUSED: return problem(403, "refused", "Forbidden", detail);
    case GANTRY_TIMEOUT: return problem(504, "timeout", "Gateway Timeout", detail);
    case GANTRY_TOO_LARGE: return problem(413, "too-large", "Content Too Large", detail);
    default: return problem(500, "internal", "Internal Server Error", detail);
  }
}

}  // namespace gantry::runtime
