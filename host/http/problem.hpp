// Problem documents (RFC 9457): the body of every error that the host itself answers.
// Thread: any.
#pragma once

#include <string>
#include <string_view>

#include "http/endpoint.hpp"

namespace gantry::http {

// A reply with content-type application/problem+json and the body that append_problem() makes.
reply problem(int status, std::string_view type_slug, std::string_view title, std::string_view detail);

// The same with the status' own reason phrase as title, and a slug made of it ("not-found").
reply problem(int status, std::string_view detail);

// "Not Found" for 404; empty for a status that no registry names.
std::string_view reason_phrase(int status) noexcept;

}  // namespace gantry::http
