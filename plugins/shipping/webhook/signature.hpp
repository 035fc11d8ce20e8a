// Proof that a carrier sent a report, and sent it just now.
//
// The header is "t=<unix seconds>,v1=<hex>", where v1 is HMAC-SHA256 with the shared secret over "<t>.<body>". The time
// is under the signature, so that a recorded report can't be given a new one. Pure. Thread: any.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace shipping {

enum class signature_verdict {
  valid,
  malformed,  // no such header, or not of this form
  wrong,      // not made with this secret over this body
  stale,      // made too long ago, or too far in the future
};

// For people.
std::string_view to_text(signature_verdict verdict);

// Checks `header` against the body. Takes the same time wherever a wrong signature first differs.
signature_verdict verify_signature(std::string_view header, std::string_view body, std::string_view secret,
                                   std::chrono::seconds now, std::chrono::seconds window);

// The header for a body that is sent at this time.
std::string sign(std::string_view body, std::string_view secret, std::chrono::seconds now);

}  // namespace shipping
