// A reply to a request, on its way out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gantry/abi/types.h"

namespace gantry::runtime {

struct reply {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;
};

// The problem document (RFC 9457) for a status of the ABI. `detail` may be empty.
reply problem_for(gantry_status status, std::string_view detail);

// A problem document. `slug` names the type: "/problems/<slug>".
reply problem(int http_status, std::string_view slug, std::string_view title, std::string_view detail);

}  // namespace gantry::runtime
